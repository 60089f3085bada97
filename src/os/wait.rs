//! The two questions about an ended child: how did it end, and may it go.

use nix::libc;
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use crate::app::Signal;
use crate::supervisor::Exit;

/// Returns how a process ended, and leaves it a zombie; `None` where it runs. Not nix's `waitid`, which
/// fails on a real-time signal, and which not every system has.
pub(crate) fn peek(pid: Pid) -> Option<Exit> {
    let id = libc::id_t::try_from(pid.as_raw()).ok()?;
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: all zeroes is a valid siginfo_t, and waitid writes no more than one. Its pid and status
    // are read where the call has filled them.
    #[expect(unsafe_code, reason = "nix cannot name every signal")]
    let (pid, code, status) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        if libc::waitid(libc::P_PID, id, &raw mut info, flags) != 0 {
            // ECHILD: someone else reaped it, and its end is not known.
            return Some(Exit::Lost);
        }
        (info.si_pid(), info.si_code, info.si_status())
    };
    match code {
        _ if pid == 0 => None,
        libc::CLD_EXITED => Some(Exit::Code(status)),
        _ => Some(Exit::Signal(Signal(status))),
    }
}

/// Reaps a child that has ended. Returns false where it lives.
pub(crate) fn reap(pid: Pid) -> bool {
    #[expect(clippy::disallowed_methods, reason = "the caller knows this child by its id")]
    let status = nix::sys::wait::waitpid(pid, Some(WaitPidFlag::WNOHANG));
    // ECHILD: not a child any more. EINVAL: it ended by a real-time signal, which nix cannot name.
    status != Ok(WaitStatus::StillAlive)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn an_ended_child_is_looked_at_twice_and_reaped_once() {
        for (script, exit) in [
            ("exit 7", Exit::Code(7)),
            ("kill -KILL $$", Exit::Signal(Signal::KILL)),
            ("read x", Exit::Code(1)),
        ] {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let pid = Pid::from_raw(child.id().cast_signed());
            if script == "read x" {
                assert_eq!(peek(pid), None);
                assert!(!reap(pid));
            }
            drop(child.stdin.take());
            // Its end of the pipe is closed before it can be waited for.
            let mut nothing = Vec::new();
            child.stdout.take().unwrap().read_to_end(&mut nothing).unwrap();
            let mut seen = peek(pid);
            while seen.is_none() {
                seen = peek(pid);
            }
            assert_eq!((seen, peek(pid)), (Some(exit), Some(exit)), "{script}");
            assert!(reap(pid));
            assert_eq!(peek(pid), Some(Exit::Lost));
            assert!(child.wait().is_err(), "it is reaped already");
        }
    }
}
