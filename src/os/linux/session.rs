//! The session of a run's terminal.

use std::ffi::c_long;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::{PtyMaster, posix_openpt, ptsname_r};
use nix::unistd::Pid;

/// Opens pm's end of a new terminal, close-on-exec.
pub(crate) fn master() -> io::Result<PtyMaster> {
    Ok(posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?)
}

/// Returns the path of the run's end.
pub(crate) fn name_of(master: &PtyMaster) -> io::Result<String> {
    Ok(ptsname_r(master)?)
}

/// Starts a command in a session whose controlling terminal is its standard input, and in the foreground
/// of it. Returns its process, and what the session lives as long as.
pub(crate) fn spawn(command: &mut Command) -> io::Result<(Pid, SessionLeader)> {
    let leader = give_session(command)?;
    // The leader is found among the orphans when it has ended.
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
    /// Returns the process of the command, which std does not know, once the command was spawned.
    fn command(mut self) -> io::Result<(Pid, SessionLeader)> {
        let mut pid = [0; 4];
        self.pid.read_exact(&mut pid)?;
        Ok((Pid::from_raw(i32::from_ne_bytes(pid)), SessionLeader { _pipe: self.life }))
    }
}

/// Gives a command a session whose controlling terminal is its standard input, and the foreground of it.
/// To be called after everything else that is to happen in the child.
///
/// The command does not lead that session: when a leader ends, the kernel hangs the terminal up, and what
/// its shell was running would get SIGHUP in the middle of an orderly stop. So the process that std
/// forks becomes the leader and stays, and the command is its sibling: forked by it, but a child of pm,
/// with a process group of its own. The leader has nothing open and ends when [`SessionLeader`] is dropped, or pm is.
fn give_session(command: &mut Command) -> io::Result<Leader> {
    let (pid, pid_writer) = io::pipe()?;
    let (life_reader, life) = io::pipe()?;
    let split = move || match split(pid_writer.as_raw_fd())? {
        Side::Command => take_foreground(),
        Side::Leader(command, begun) => lead(command, begun, life_reader.as_raw_fd()),
    };
    // SAFETY: between fork and exec only system calls are made, which are async-signal-safe; no memory is
    // allocated and no lock taken.
    #[expect(unsafe_code, reason = "std has no way to give a child a controlling terminal")]
    unsafe {
        command.pre_exec(split);
    }
    Ok(Leader { pid, life })
}

/// Which process goes on.
enum Side {
    Command,
    /// The command's process, and a descriptor that ends when it has executed its program, or has failed to.
    Leader(libc::pid_t, RawFd),
}

/// Returns the result of a system call, or its error.
fn call(result: c_long) -> io::Result<c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[expect(unsafe_code, reason = "after fork only bare system calls are safe")]
fn split(pid_writer: RawFd) -> io::Result<Side> {
    let mut begun = [0; 2];
    // SAFETY: no memory is passed but two integers that live until pipe2 returns. The clone shares nothing
    // and has no stack of its own: it is a fork whose child has another parent (clone(2)); this process has
    // one thread.
    let command = unsafe {
        call(libc::setsid().into())?;
        call(libc::ioctl(0, libc::TIOCSCTTY, 0).into())?;
        call(libc::pipe2(begun.as_mut_ptr(), libc::O_CLOEXEC).into())?;
        let flags = c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
        call(libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize))?
    };
    if command == 0 {
        return Ok(Side::Command);
    }
    let command = libc::pid_t::try_from(command).unwrap_or_default();
    let bytes = command.to_ne_bytes();
    // SAFETY: the bytes live until write returns.
    unsafe { call(libc::write(pid_writer, bytes.as_ptr().cast(), bytes.len()) as c_long)? };
    // SAFETY: the number was opened above, and is not used again.
    unsafe { libc::close(begun[1]) };
    Ok(Side::Leader(command, begun[0]))
}

/// The command's side: its own group, in the foreground.
#[expect(unsafe_code, reason = "after fork only bare system calls are safe")]
fn take_foreground() -> io::Result<()> {
    // SAFETY: the sets live until the calls return; zeroed ones are valid.
    unsafe {
        call(libc::setpgid(0, 0).into())?;
        // Whoever is not in the foreground is stopped for wanting to be.
        let (mut stop, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigemptyset(&raw mut stop);
        libc::sigaddset(&raw mut stop, libc::SIGTTOU);
        call(libc::sigprocmask(libc::SIG_BLOCK, &raw const stop, &raw mut before).into())?;
        call(libc::tcsetpgrp(0, libc::getpid()).into())?;
        call(libc::sigprocmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()).into())?;
    }
    Ok(())
}

/// The leader's side: waits for the end of its life.
#[expect(unsafe_code, reason = "after fork only bare system calls are safe")]
fn lead(command: libc::pid_t, begun: RawFd, life: RawFd) -> ! {
    let mut byte = 0_u8;
    // SAFETY: the byte lives until read returns; the numbers closed here are not used again in this
    // process, which ends here.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"procfile-tty".as_ptr());
        while libc::read(begun, (&raw mut byte).cast(), 1) == -1 && is_interrupted() {}
        // std waits for the end of the process that it knows, where the program cannot be executed.
        if has_ended(command) {
            libc::_exit(1);
        }
        let (below, above) = (life.cast_unsigned() - 1, life.cast_unsigned() + 1);
        libc::syscall(libc::SYS_close_range, 0_u32, below, 0_u32);
        libc::syscall(libc::SYS_close_range, above, u32::MAX, 0_u32);
        while libc::read(life, (&raw mut byte).cast(), 1) == -1 && is_interrupted() {}
        libc::_exit(0)
    }
}

fn is_interrupted() -> bool {
    Errno::last() == Errno::EINTR
}

/// Returns whether a process has no program any more. False where there is no /proc to ask.
fn has_ended(pid: libc::pid_t) -> bool {
    // `/proc/4194304/exe`, without allocating.
    let mut path = [0_u8; 32];
    let mut rest = &mut path[..];
    let written = write!(rest, "/proc/{pid}/exe");
    written.is_ok() && !can_read_link(&path) && can_read_link(b"/proc/self/exe\0")
}

#[expect(unsafe_code, reason = "after fork only bare system calls are safe")]
fn can_read_link(path: &[u8]) -> bool {
    let mut target = [0_u8; 8];
    // SAFETY: the path ends with a zero, and both buffers live until the call returns.
    unsafe { libc::readlink(path.as_ptr().cast(), target.as_mut_ptr().cast(), target.len()) > 0 }
}
