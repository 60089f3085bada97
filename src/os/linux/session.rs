//! The session that a run's terminal controls.

use std::ffi::{CStr, c_long};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::{PtyMaster, posix_openpt, ptsname_r};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::unistd::Pid;
use rustix::fs::CWD;
use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::stdio::stdin;

use crate::os::forked;

/// Opens pm's end of a new terminal, close-on-exec.
pub(crate) fn master() -> io::Result<PtyMaster> {
    Ok(posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?)
}

/// Returns the path of the run's end.
pub(crate) fn name_of(master: &PtyMaster) -> io::Result<String> {
    Ok(ptsname_r(master)?)
}

/// Starts a command in the foreground of a session whose controlling terminal is its standard input. Returns its
/// process, and a handle that keeps the session alive.
pub(crate) fn spawn(command: &mut Command) -> io::Result<(Pid, SessionLeader)> {
    let leader = give_session(command)?;
    // The leader is reaped as an orphan when it has ended.
    drop(command.spawn()?);
    leader.command()
}

/// The process that leads the session of a command's terminal.
#[derive(Debug)]
struct Leader {
    pid: PipeReader,
    life: PipeWriter,
}

/// Keeps a session alive; when it is dropped, its leader ends.
#[derive(Debug)]
pub(crate) struct SessionLeader {
    _pipe: PipeWriter,
}

impl Leader {
    /// Returns the process of the spawned command, which std does not know.
    fn command(mut self) -> io::Result<(Pid, SessionLeader)> {
        let mut pid = [0; 4];
        self.pid.read_exact(&mut pid)?;
        Ok((Pid::from_raw(i32::from_ne_bytes(pid)), SessionLeader { _pipe: self.life }))
    }
}

/// Makes a command start in the foreground of a session whose controlling terminal is its standard input. Must be
/// called after everything else that must happen in the child.
///
/// The command does not lead that session: when a leader ends, the kernel hangs up the terminal, and what its shell was
/// running would get SIGHUP in the middle of a graceful stop. So the process that std forks becomes the leader and
/// stays. It forks the command as its sibling, a child of pm, with its own process group. The leader has no open files,
/// and ends when [`SessionLeader`] is dropped or pm ends.
fn give_session(command: &mut Command) -> io::Result<Leader> {
    let (pid, pid_writer) = io::pipe()?;
    let (life_reader, life) = io::pipe()?;
    let split = move || match split(&pid_writer)? {
        Side::Command => take_foreground(),
        Side::Leader(command, begun) => lead(command, &begun, &life_reader),
    };
    // SAFETY: between fork and exec only system calls are made, which are async-signal-safe; no memory is
    // allocated and no lock taken.
    #[expect(unsafe_code, reason = "std has no way to give a child a controlling terminal")]
    unsafe {
        command.pre_exec(split);
    }
    Ok(Leader { pid, life })
}

/// The process that continues after the fork.
enum Side {
    Command,
    /// The leader, with the command's process, and a pipe that ends when the command has executed its program or failed
    /// to.
    Leader(libc::pid_t, OwnedFd),
}

fn split(pid_writer: &PipeWriter) -> io::Result<Side> {
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(stdin())?;
    let (begun, begins) = pipe_with(PipeFlags::CLOEXEC)?;
    let flags = c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
    // SAFETY: the clone shares nothing and has no stack of its own: it is a fork whose child has another
    // parent (clone(2)); this process has one thread.
    #[expect(unsafe_code, reason = "fork has no safe form")]
    let command =
        unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
    match libc::pid_t::try_from(command) {
        Ok(0) => {
            // It is closed when the program is executed.
            let _ = begins.into_raw_fd();
            Ok(Side::Command)
        }
        Ok(command) if command > 0 => {
            rustix::io::write(pid_writer, &command.to_ne_bytes())?;
            Ok(Side::Leader(command, begun))
        }
        Ok(_) | Err(_) => Err(io::Error::last_os_error()),
    }
}

/// The command's side: makes its own group, and brings it to the foreground.
fn take_foreground() -> io::Result<()> {
    rustix::process::setpgid(None, None)?;
    // A background process would be stopped by SIGTTOU.
    let before = SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    rustix::termios::tcsetpgrp(stdin(), rustix::process::getpid())?;
    Ok(before.thread_set_mask()?)
}

/// The leader's side: waits until it must end.
fn lead(command: libc::pid_t, begun: &OwnedFd, life: &PipeReader) -> ! {
    // If it fails, the process keeps its name.
    let _ = rustix::thread::set_name(c"procfile-tty");
    wait_for_end(begun);
    // If the program cannot be executed, std waits for the end of this process.
    if has_ended(command) {
        forked::exit(1);
    }
    let number = life.as_raw_fd().cast_unsigned();
    // SAFETY: what is closed here is not used again in this process, which only waits and ends.
    #[expect(unsafe_code, reason = "the descriptors have no owner in this process")]
    unsafe {
        libc::syscall(libc::SYS_close_range, 0_u32, number - 1, 0_u32);
        libc::syscall(libc::SYS_close_range, number + 1, u32::MAX, 0_u32);
    }
    wait_for_end(life);
    forked::exit(0)
}

/// Waits until a pipe ends. Nothing is written to it.
fn wait_for_end(pipe: impl AsFd) {
    // An error is an end too.
    let _ = retry_on_intr(|| rustix::io::read(&pipe, &mut [0_u8]));
}

/// Returns whether a process has ended. False without /proc.
fn has_ended(pid: libc::pid_t) -> bool {
    // `/proc/4194304/exe`, without allocating.
    let mut path = [0_u8; 32];
    let mut rest = &mut path[..];
    let written = write!(rest, "/proc/{pid}/exe");
    let path = CStr::from_bytes_until_nul(&path);
    written.is_ok() && !path.is_ok_and(can_read_link) && can_read_link(c"/proc/self/exe")
}

fn can_read_link(path: &CStr) -> bool {
    rustix::fs::readlinkat_raw(CWD, path, &mut [MaybeUninit::uninit(); 8]).is_ok()
}
