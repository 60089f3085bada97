//! The watchdog: a small process that ends every group if pm is killed by SIGKILL.
//!
//! It is forked before pm has threads and much memory, and sleeps in one read of a pipe, without wake-ups while pm
//! lives. When the pipe ends without a goodbye, pm is dead: the watchdog sends SIGTERM to every group of the
//! [`PidTable`], and kills what is left. By the pipes of the runs, it also finds processes that pm had no time to
//! register, and those that left their group.
//!
//! A watchdog that is stopped is continued, and one that is killed is replaced. By then pm has threads and cannot fork,
//! so it executes its own program again, under a name that makes it a watchdog.

mod pace;
mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::{ForkResult, Pid};

use self::pace::Pace;
pub(super) use self::watch::settle_in;
use super::forked;
use super::pid_table::{PidTable, Pipes, SlotIndex};
use super::system::executable;
use super::terminal::OwnModes;
use crate::app::Moment;

/// What `ps` shows of it.
const NAME: &str = "procfile-guard";
/// Written to the pipe when pm ends normally.
pub(super) const GOODBYE: &[u8] = b".";

/// A change of the watchdog.
#[derive(Debug)]
pub(crate) enum WatchdogEvent {
    /// It was killed, and another has taken its place.
    Replaced,
    /// It was killed, and no other can be started now.
    Missing(io::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WatchdogState {
    Watches {
        pid: Pid,
        since: Moment,
    },
    /// There is none; the next one is started at this time.
    Gone {
        next: Moment,
    },
    Dismissed,
}

/// pm's end of the watchdog.
#[derive(Debug)]
pub(crate) struct Watchdog {
    lifeline: io::PipeWriter,
    table: PidTable,
    state: WatchdogState,
    pace: Pace,
    /// pm's terminal, where pm changes its modes.
    modes: Option<OwnModes>,
    /// That there is no watchdog was reported.
    is_missed: bool,
}

impl Watchdog {
    /// Forks the watchdog. Must be called while this process has one thread, and before it opens files that the
    /// watchdog must not hold open. It restores the `modes` of pm's terminal if pm is killed.
    pub(crate) fn start(modes: Option<OwnModes>) -> io::Result<Self> {
        let (reader, lifeline) = io::pipe()?;
        let table = PidTable::new()?;
        // SAFETY: this process has one thread, so the child may do everything that the parent may.
        #[expect(unsafe_code, reason = "fork has no safe form")]
        match unsafe { nix::unistd::fork() }? {
            ForkResult::Parent { child: pid } => {
                let state = WatchdogState::Watches { pid, since: Moment::default() };
                Ok(Self { lifeline, table, state, pace: Pace::default(), modes, is_missed: false })
            }
            ForkResult::Child => {
                drop(lifeline);
                watch::watch(reader, &table, modes.as_ref());
                forked::exit(0)
            }
        }
    }

    /// Returns the watchdog's process id, if there is one.
    pub(crate) fn pid(&self) -> Option<Pid> {
        match self.state {
            WatchdogState::Watches { pid, .. } => Some(pid),
            WatchdogState::Gone { .. } | WatchdogState::Dismissed => None,
        }
    }

    /// Returns the variable that identifies a run with a terminal for the watchdog.
    pub(crate) fn variable(&self) -> (&'static str, String) {
        self.table.variable()
    }

    /// Enters a run that is about to start. Returns `None` if the table is full.
    pub(crate) fn enter(&mut self, pipes: Pipes) -> Option<SlotIndex> {
        self.table.enter(pipes)
    }

    /// Registers the group of a run that has started.
    pub(crate) fn begin(&self, place: SlotIndex, group: Pid) {
        self.table.begin(place, group);
    }

    /// Removes a run that is over, or was never started.
    pub(crate) fn end(&mut self, place: SlotIndex) {
        self.table.end(place);
    }

    /// Returns when the next watchdog must be started, if there is none.
    pub(crate) fn due(&self) -> Option<Moment> {
        match self.state {
            WatchdogState::Gone { next } => Some(next),
            WatchdogState::Watches { .. } | WatchdogState::Dismissed => None,
        }
    }

    /// Continues the watchdog if it was stopped, and starts another if it was killed: at once the first time, later
    /// with a delay. Must be called when a child has changed its state, and at the time of [`Self::due`].
    pub(crate) fn tend(&mut self, now: Moment) -> Option<WatchdogEvent> {
        let mut is_first = false;
        if let WatchdogState::Watches { pid, since } = self.state {
            let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
            #[expect(
                clippy::disallowed_methods,
                reason = "the watchdog is this module's own child"
            )]
            match nix::sys::wait::waitpid(pid, Some(flags)) {
                Ok(WaitStatus::StillAlive) => return None,
                Ok(WaitStatus::Stopped(..)) => {
                    // It exists, at least as a zombie: nobody has waited for it.
                    let _ = kill(pid, Signal::SIGCONT);
                    return None;
                }
                // ECHILD: somebody else has reaped it. EINVAL: a signal that nix cannot name has ended it.
                Ok(_) | Err(_) => {}
            }
            let pause = self.pace.pause_after(now.since(since));
            is_first = pause.is_zero();
            self.state = WatchdogState::Gone { next: now + pause };
        }
        let WatchdogState::Gone { next } = self.state else { return None };
        if now < next {
            return None;
        }
        match self.replace(now) {
            Ok(()) => {
                (is_first || std::mem::take(&mut self.is_missed)).then_some(WatchdogEvent::Replaced)
            }
            Err(error) => {
                self.state = WatchdogState::Gone { next: now + self.pace.pause_after_failure() };
                let is_news = !std::mem::replace(&mut self.is_missed, true);
                is_news.then_some(WatchdogEvent::Missing(error))
            }
        }
    }

    /// Executes this program as another watchdog: its stdin is the pipe, and its stdout the memory. Where it guards a
    /// terminal, that is its stderr, and its argument has the modes.
    fn replace(&mut self, now: Moment) -> io::Result<()> {
        let (reader, lifeline) = io::pipe()?;
        let memory = self.table.memory()?;
        let mut command = Command::new(executable::path()?);
        command.arg0(NAME).env_clear();
        command.stdin(reader).stdout(memory).stderr(Stdio::null());
        if let Some((terminal, word)) = self.modes.as_ref().and_then(|modes| modes.to_word().ok()) {
            command.arg(word).stderr(terminal);
        }
        let child = command.spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        self.lifeline = lifeline;
        self.state = WatchdogState::Watches { pid, since: now };
        Ok(())
    }

    /// Ends the watchdog, and waits until it has ended.
    pub(crate) fn dismiss(mut self) {
        self.send_away();
    }

    fn send_away(&mut self) {
        let WatchdogState::Watches { pid, .. } =
            std::mem::replace(&mut self.state, WatchdogState::Dismissed)
        else {
            return;
        };
        // An error means that it has ended already, which the wait notices, too.
        let _ = self.lifeline.write_all(GOODBYE);
        // A stopped watchdog would not read it, and pm would wait for ever.
        let _ = kill(pid, Signal::SIGKILL);
        #[expect(clippy::disallowed_methods, reason = "the watchdog is this module's own child")]
        let _ = nix::sys::wait::waitpid(pid, None);
    }
}

impl Drop for Watchdog {
    /// If pm fails before it has started anything, the watchdog ends with it. If anything runs, the end of the pipe
    /// makes the watchdog stop it.
    fn drop(&mut self) {
        if self.table.is_empty() {
            self.send_away();
        }
    }
}

/// Runs the watchdog if this process was started as one by [`Watchdog::replace`]. Returns whether it was.
pub(super) fn serve(mut arguments: impl Iterator<Item = OsString>) -> bool {
    if arguments.next().is_none_or(|name| name != NAME) {
        return false;
    }
    let word = arguments.next().and_then(|word| word.into_string().ok());
    let modes = word.and_then(|word| OwnModes::from_word(own(io::stderr()).ok()?, &word));
    let table = own(io::stdout()).and_then(PidTable::map);
    if let (Ok(lifeline), Ok(table)) = (own(io::stdin()), table) {
        watch::watch(std::fs::File::from(lifeline), &table, modes.as_ref());
    }
    true
}

fn own(fd: impl AsFd) -> io::Result<OwnedFd> {
    fd.as_fd().try_clone_to_owned()
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn a_watchdog_that_watches_nothing_ends_with_what_has_started_it() {
        let mut watchdog = Watchdog::start(None).unwrap();
        let pid = watchdog.pid().unwrap();
        let place = watchdog.enter(Pipes::default()).unwrap();
        watchdog.end(place);
        drop(watchdog);
        assert_eq!(kill(pid, None), Err(Errno::ESRCH));
    }

    #[test]
    fn only_a_process_of_the_watchdogs_name_is_one() {
        assert!(!serve(std::iter::empty()));
        assert!(!serve(["pm", NAME].map(OsString::from).into_iter()));
    }
}
