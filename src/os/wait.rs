//! Observes and reaps children.

use std::io;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::Signal as Stop;
use nix::unistd::Pid;
use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus, waitid};

use crate::app::Exit;
use crate::app::Signal;

/// Returns how a process ended, and leaves it a zombie; `None` if it runs. nix's `waitid` is not used: it fails on
/// real-time signals, and is missing on some systems.
pub(crate) fn peek(pid: Pid) -> Option<Exit> {
    match ask(pid, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
        Answer::Nothing => None,
        Answer::Lost => Some(Exit::Lost),
        Answer::Change(status) => Some(match status.exit_status() {
            Some(code) => Exit::Code(code),
            None => status.terminating_signal().map_or(Exit::Lost, |it| Exit::Signal(Signal(it))),
        }),
    }
}

/// A change of a child's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It has ended and was reaped, with the exit code as in a shell: 128 + n for signal n.
    Ended(i32),
    /// It was stopped by this signal.
    Stopped(Stop),
    /// It was resumed.
    Continued,
}

/// Returns the next change of a child, and reaps it if it has ended; `None` if there is none. Fails if someone else has
/// reaped it.
pub(crate) fn change(pid: Pid) -> io::Result<Option<Change>> {
    let events = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED;
    let status = match ask(pid, events) {
        Answer::Nothing => return Ok(None),
        Answer::Lost => return Err(io::Error::from_raw_os_error(libc::ECHILD)),
        Answer::Change(status) => status,
    };
    if let Some(signal) = status.stopping_signal().or(status.trapping_signal()) {
        return Ok(Some(Change::Stopped(Stop::try_from(signal).unwrap_or(Stop::SIGSTOP))));
    }
    if status.continued() {
        return Ok(Some(Change::Continued));
    }
    let killed = || 128 + status.terminating_signal().unwrap_or_default();
    Ok(Some(Change::Ended(status.exit_status().unwrap_or_else(killed))))
}

enum Answer {
    Nothing,
    /// ECHILD: someone else reaped it, so its exit status is unknown.
    Lost,
    Change(WaitIdStatus),
}

fn ask(pid: Pid, events: WaitIdOptions) -> Answer {
    let own = Some(pid.as_raw()).filter(|pid| *pid > 0).and_then(rustix::process::Pid::from_raw);
    let Some(own) = own else { return Answer::Nothing };
    match waitid(WaitId::Pid(own), events | WaitIdOptions::NOHANG) {
        Ok(None) => Answer::Nothing,
        Ok(Some(status)) => Answer::Change(status),
        Err(_) => Answer::Lost,
    }
}

/// The end of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaped {
    /// It is alive.
    No,
    /// It had used this CPU time, with the children that it had waited for; `None` where that is unknown.
    Yes(Option<Duration>),
}

/// Reaps a child that has ended, with the CPU time that it has used (wait4(2)).
pub(crate) fn reap(pid: Pid) -> Reaped {
    // SAFETY: all zeroes is a valid rusage, and wait4 writes no more than one, and one status.
    #[expect(unsafe_code, reason = "nix has no wait4")]
    let (answer, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let mut status = 0;
        let answer = libc::wait4(pid.as_raw(), &raw mut status, libc::WNOHANG, &raw mut usage);
        (answer, usage)
    };
    match answer {
        0 => Reaped::No,
        // ECHILD: not a child any more.
        -1 => Reaped::Yes(None),
        _ => Reaped::Yes(Some(time(usage.ru_utime) + time(usage.ru_stime))),
    }
}

fn time(of: libc::timeval) -> Duration {
    let seconds = u64::try_from(of.tv_sec).unwrap_or(0);
    let micros = u64::try_from(of.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_that_stops_and_goes_on_is_seen_once_each() {
        let script = ["-c", "kill -STOP $$; exit 3"];
        let mut child = Command::new("/bin/sh").args(script).spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let next = || {
            loop {
                if let Some(change) = change(pid).unwrap() {
                    return change;
                }
                std::thread::yield_now();
            }
        };
        assert_eq!(next(), Change::Stopped(Stop::SIGSTOP));
        assert_eq!(change(pid).unwrap(), None);
        nix::sys::signal::kill(pid, Stop::SIGCONT).unwrap();
        let mut seen = next();
        if seen == Change::Continued {
            seen = next();
        }
        assert_eq!(seen, Change::Ended(3));
        assert!(child.wait().is_err(), "it is reaped already");
    }

    #[test]
    fn the_time_of_an_ended_child_has_that_of_those_it_has_waited_for() {
        let script = "i=0; (while [ $i -lt 30000 ]; do i=$((i+1)); done); read x; exit 0";
        let mut command = Command::new("/bin/sh");
        let mut child = command.args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        assert_eq!(reap(pid), Reaped::No);
        drop(child.stdin.take());
        let mut seen = reap(pid);
        while seen == Reaped::No {
            std::thread::yield_now();
            seen = reap(pid);
        }
        let Reaped::Yes(Some(used)) = seen else { panic!("{seen:?}") };
        assert!(used > Duration::from_millis(2), "{used:?}");
        assert_eq!(reap(pid), Reaped::Yes(None));
        assert!(child.wait().is_err(), "it is reaped already");
    }

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
                assert_eq!(reap(pid), Reaped::No);
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
            assert_ne!(reap(pid), Reaped::No);
            assert_eq!(peek(pid), Some(Exit::Lost));
            assert!(child.wait().is_err(), "it is reaped already");
        }
    }
}
