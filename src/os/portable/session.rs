//! The session that a run's terminal controls.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::{PtyMaster, posix_openpt, ptsname};
use nix::unistd::{Pid, setsid};
use rustix::process::ioctl_tiocsctty;
use rustix::stdio::stdin;

/// Opens pm's end of a new terminal, close-on-exec. OpenBSD takes no such flag with the call; what is
/// started between the two is only pm's own `ps`.
pub(crate) fn master() -> io::Result<PtyMaster> {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY)?;
    fcntl(&master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(master)
}

/// Returns the path of the run's end.
pub(crate) fn name_of(master: &PtyMaster) -> io::Result<String> {
    // SAFETY: the name lies in memory of the C library that another call would overwrite; terminals are
    // opened by one thread alone, and it is copied before the call returns.
    #[expect(unsafe_code, reason = "not every system has ptsname_r")]
    Ok(unsafe { ptsname(master) }?)
}

/// Does nothing: the command itself leads the session and keeps it alive.
#[derive(Debug)]
pub(crate) struct SessionLeader;

/// Starts a command in the foreground of a session whose controlling terminal is its standard input. Returns its
/// process. Must be called after everything else that must happen in the child.
///
/// The command leads the session, because there is no portable way to make another process lead it. So the terminal
/// hangs up when the command ends, and what its shell was running gets SIGHUP.
pub(crate) fn spawn(command: &mut Command) -> io::Result<(Pid, SessionLeader)> {
    let lead = || {
        // It makes a process group, too. A terminal's first foreground group is that of its session's leader.
        setsid()?;
        Ok(ioctl_tiocsctty(stdin())?)
    };
    // SAFETY: between fork and exec only setsid and ioctl are called, which are async-signal-safe.
    #[expect(unsafe_code, reason = "std has no way to give a child a controlling terminal")]
    unsafe {
        command.pre_exec(lead);
    }
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    Ok((Pid::from_raw(pid), SessionLeader))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Stdio;

    use super::*;
    use crate::os::{pty, wait};

    #[test]
    fn a_command_is_in_the_foreground_of_its_terminal() {
        let (master, slave) = pty::open_pair().unwrap();
        // Here it is waited for.
        fcntl(&master, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        let mut command = Command::new("/bin/sh");
        // Who is not in the foreground is stopped for writing, or cannot open it at all.
        command.args(["-c", "stty tostop; echo here >/dev/tty; kill -0 -$$ && echo group"]);
        command.stdin(Stdio::from(slave.try_clone().unwrap()));
        command.stdout(Stdio::from(slave.try_clone().unwrap())).stderr(Stdio::from(slave));
        let (pid, SessionLeader) = spawn(&mut command).unwrap();
        drop(command);
        let (mut text, mut terminal) = (Vec::new(), std::fs::File::from(master));
        let mut buffer = [0; 256];
        // Linux ends a terminal with EIO, the others with nothing.
        while let Ok(count @ 1..) = terminal.read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(String::from_utf8_lossy(&text), "here\r\ngroup\r\n");
        while wait::reap(pid) == wait::Reaped::No {}
    }
}
