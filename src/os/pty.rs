//! Pseudo-terminals: one for each run that is to have a terminal of its own.

use std::ffi::{OsString, c_long};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::pty::{Winsize, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

/// What a terminal without a real one behind it measures.
const PLAIN: Size = Size { rows: 24, columns: 80 };

/// Rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

impl Size {
    /// Returns the size of pm's own terminal; 24 × 80 where it has none.
    pub(crate) fn of_stdout() -> Self {
        Self::of(io::stdout()).unwrap_or(PLAIN)
    }

    /// Returns the size of a terminal. `None` where it is none, or does not know.
    pub(crate) fn of(terminal: impl AsFd) -> Option<Self> {
        let mut size = Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
        let fd = terminal.as_fd().as_raw_fd();
        #[expect(unsafe_code, reason = "nix has this ioctl only as a macro of unsafe code")]
        // SAFETY: TIOCGWINSZ writes one winsize, into one that lives until the call returns.
        let done = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
        (done == 0 && size.ws_row > 0 && size.ws_col > 0)
            .then_some(Self { rows: size.ws_row, columns: size.ws_col })
    }

    /// Gives a terminal this size; its foreground group gets SIGWINCH where that is another.
    pub(crate) fn give(self, terminal: impl AsFd) {
        let size = Winsize { ws_row: self.rows, ws_col: self.columns, ws_xpixel: 0, ws_ypixel: 0 };
        let fd = terminal.as_fd().as_raw_fd();
        // One that has hung up has no size, and needs none.
        #[expect(unsafe_code, reason = "nix has this ioctl only as a macro of unsafe code")]
        // SAFETY: TIOCSWINSZ reads one winsize, which lives until the call returns.
        let _ = unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &raw const size) };
    }
}

/// Opens a terminal: pm's end, and the run's. No child inherits either by accident (openpty(3) would
/// leak them to one that is started at the same time).
pub(crate) fn open_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = OsString::from(ptsname_r(&master)?);
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let slave = open(Path::new(&name), flags, Mode::empty())?;
    Size::of_stdout().give(&master);
    Ok((master.into(), slave))
}

/// The process that leads the session of a command's terminal.
#[derive(Debug)]
pub(crate) struct Leader {
    pid: PipeReader,
    life: PipeWriter,
}

/// Keeps a session alive; when it is dropped, its leader ends.
#[derive(Debug)]
pub(crate) struct Life {
    _pipe: PipeWriter,
}

impl Leader {
    /// Returns the process of the command, which std does not know, once the command was spawned.
    pub(crate) fn command(mut self) -> io::Result<(Pid, Life)> {
        let mut pid = [0; 4];
        self.pid.read_exact(&mut pid)?;
        Ok((Pid::from_raw(i32::from_ne_bytes(pid)), Life { _pipe: self.life }))
    }
}

/// Gives a command a session whose controlling terminal is its standard input, and the foreground of it.
/// To be called after everything else that is to happen in the child.
///
/// The command does not lead that session: when a leader ends, the kernel hangs the terminal up, and what
/// its shell was running would get SIGHUP in the middle of an orderly stop. So the process that std
/// forks becomes the leader and stays, and the command is its sibling: forked by it, but a child of pm,
/// with a process group of its own. The leader has nothing open and ends when [`Life`] is dropped, or pm is.
pub(crate) fn give_session(command: &mut Command) -> io::Result<Leader> {
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
