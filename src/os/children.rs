//! Owns every process id: which run has which, who has ended, what is left of whose group.
//!
//! An ended leader is only looked at (`WNOWAIT`) and stays a zombie until its run is swept: as long as
//! it is there, its process group id cannot become anyone else's.

use std::collections::HashMap;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::adopted::Adopted;
use super::guard::Guard;
use super::wait;
use crate::app::{RunId, Signal as SignalNumber};
use crate::supervisor::{Event, Exit, Group};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    /// The leader has ended, and this was told; others of its group still run.
    GroupLeft,
    /// The leader has ended, and nothing of its group is left; this was told.
    Gone,
}

#[derive(Debug)]
struct Child {
    pid: Pid,
    life: Life,
}

/// The table of runs and processes.
#[derive(Debug)]
pub(crate) struct Children {
    runs: HashMap<RunId, Child>,
    adopted: Adopted,
    guard: Guard,
}

impl Children {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { runs: HashMap::new(), adopted: Adopted::default(), guard }
    }

    /// Takes a started run. Returns false where the guard has no room for its group.
    pub(crate) fn add(&mut self, run: RunId, pid: Pid) -> bool {
        self.runs.insert(run, Child { pid, life: Life::Running });
        self.guard.add(pid)
    }

    /// Returns how many runs there are that have not been swept.
    pub(crate) fn count(&self) -> usize {
        self.runs.len()
    }

    /// Looks at every child, and tells what is new.
    pub(crate) fn look(&mut self, mut tell: impl FnMut(Event)) {
        let ended: Vec<(RunId, Exit)> = self
            .runs
            .iter()
            .filter(|(_, child)| child.life == Life::Running)
            .filter_map(|(run, child)| Some((*run, wait::peek(child.pid)?)))
            .collect();
        // After the peek: a dead leader's orphans are pm's children by then.
        self.refresh_adopted();
        for (run, exit) in ended {
            let Some(child) = self.runs.get_mut(&run) else { continue };
            let group =
                if self.adopted.has_member_of(child.pid) { Group::Left } else { Group::Gone };
            child.life = match group {
                Group::Left => Life::GroupLeft,
                Group::Gone => Life::Gone,
            };
            tell(Event::Exited { run, exit, group });
        }
        for (run, child) in &mut self.runs {
            if child.life == Life::GroupLeft && !self.adopted.has_member_of(child.pid) {
                child.life = Life::Gone;
                tell(Event::GroupGone { run: *run });
            }
        }
        if self.adopted.are_ended() {
            tell(Event::StraysGone);
        }
    }

    fn refresh_adopted(&mut self) {
        let guard = self.guard.pid();
        let ours: std::collections::HashSet<Pid> =
            self.runs.values().map(|child| child.pid).collect();
        self.adopted.refresh(|pid| pid == guard || ours.contains(&pid));
    }

    /// Signals the whole group of a run that has not been swept.
    pub(crate) fn signal(&self, run: RunId, signal: SignalNumber) {
        if let Some(child) = self.runs.get(&run) {
            send(child.pid, signal);
        }
    }

    /// Kills what is left of the group, then reaps the leader: in this order, the id is ours.
    /// A leader that cannot even be killed stays in the table, and is nobody's concern any more.
    pub(crate) fn sweep(&mut self, run: RunId) {
        let Some(child) = self.runs.get(&run) else { return };
        let pid = child.pid;
        // ESRCH cannot be: the leader is there, dead or alive.
        let _ = killpg(pid, Signal::SIGKILL);
        if wait::reap(pid) {
            self.guard.remove(pid);
            self.runs.remove(&run);
        }
    }

    /// Signals everything that left its group, and tells when there is nothing.
    pub(crate) fn stop_strays(&mut self, signal: SignalNumber, tell: impl FnMut(Event)) {
        self.refresh_adopted();
        if let Ok(signal) = Signal::try_from(signal.0) {
            self.adopted.end_with(signal);
        }
        self.look(tell);
    }

    /// Returns what left the groups and lives, by name and process id.
    pub(crate) fn strays(&self) -> Vec<String> {
        self.adopted.names()
    }

    /// Returns true once when the guard has ended.
    pub(crate) fn guard_has_just_ended(&mut self) -> bool {
        self.guard.has_just_ended()
    }

    /// Ends the guard: nothing is left to guard.
    pub(crate) fn dismiss_guard(self) {
        self.guard.dismiss();
    }
}

/// Signals a group. SIGCONT after a stop signal of the polite kind: a stopped process hears nothing else.
fn send(group: Pid, signal: SignalNumber) {
    let Ok(number) = Signal::try_from(signal.0) else { return };
    // ESRCH cannot be while the leader is not reaped; EPERM: all of them changed their user.
    let _ = killpg(group, number);
    if matches!(number, Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGHUP) {
        let _ = killpg(group, Signal::SIGCONT);
    }
}
