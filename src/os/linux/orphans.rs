//! What left its group. pm is a child subreaper (prctl(2)): a process whose parent has ended becomes
//! pm's child, however it made itself a daemon; and as PID 1 pm gets strangers the same way.

use std::collections::{HashMap, HashSet};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpgid};

use super::processes;
use crate::os::wait::reap;

/// Makes pm the parent of every orphan below it.
pub(crate) fn become_subreaper() -> nix::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)
}

/// The children that pm did not start, as the last look has found them.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    living: Vec<Pid>,
    /// The group of each.
    groups: HashMap<Pid, Pid>,
    /// The first of each of these groups.
    members: HashMap<Pid, Pid>,
    /// The signal that orphans are being ended with, and who got it.
    ending: Option<(Signal, HashSet<Pid>)>,
}

impl Orphans {
    /// Looks again: reaps the dead, keeps the living. `is_ours` tells the children that pm started.
    pub(crate) fn refresh(&mut self, is_ours: impl Fn(Pid) -> bool) {
        let children = processes::children_of(Pid::this());
        self.take(children.into_iter().filter(|pid| !is_ours(*pid)));
        if self.living.is_empty() && !processes::is_there() {
            reap_unseen(is_ours);
        }
        self.signal_new();
    }

    fn take(&mut self, strangers: impl Iterator<Item = Pid>) {
        self.living = strangers.filter(|pid| !reap(*pid)).collect();
        let groups = self.living.iter().filter_map(|pid| Some((*pid, getpgid(Some(*pid)).ok()?)));
        self.groups = groups.collect();
        let from_last = self.living.iter().rev();
        self.members = from_last.filter_map(|pid| Some((*self.groups.get(pid)?, *pid))).collect();
    }

    /// Returns whether a living one belongs to this group.
    pub(crate) fn has_member_of(&mut self, group: Pid) -> bool {
        self.member_of(group).is_some()
    }

    /// Returns a living one that belongs to this group.
    pub(crate) fn member_of(&self, group: Pid) -> Option<Pid> {
        self.members.get(&group).copied()
    }

    /// Returns those that live.
    pub(crate) fn living(&self) -> &[Pid] {
        &self.living
    }

    /// Returns whether one of these lives, which were in a group whose leader has ended.
    pub(crate) fn has_any(&mut self, _group: Pid, some: &[Pid]) -> bool {
        some.iter().any(|pid| self.groups.contains_key(pid))
    }

    /// Returns every living one as a person knows it.
    pub(crate) fn names(&self) -> Vec<String> {
        self.living.iter().copied().map(processes::name_of).collect()
    }

    /// Sends every living one a signal, and later ones as they are found.
    pub(crate) fn end_with(&mut self, signal: Signal) {
        self.ending = Some((signal, HashSet::new()));
        self.signal_new();
    }

    fn signal_new(&mut self) {
        let Some((signal, told)) = &mut self.ending else { return };
        for pid in &self.living {
            if told.insert(*pid) {
                // ESRCH: it ended just now. EPERM: it changed its user, and is not ours to end.
                let _ = kill(*pid, *signal);
                let _ = kill(*pid, Signal::SIGCONT);
            }
        }
    }

    /// Returns whether orphans were to end and none is left.
    pub(crate) fn are_ended(&self) -> bool {
        self.ending.is_some() && self.living.is_empty()
    }
}

/// Reaps the dead where nobody can be seen. One that pm started, which is not to be reaped here, hides those
/// behind it until it is swept.
fn reap_unseen(is_ours: impl Fn(Pid) -> bool) {
    let ended = || {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        waitid(Id::All, flags).ok()?.pid().filter(|pid| !is_ours(*pid))
    };
    while ended().is_some_and(reap) {}
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn who_belongs_to_a_group_is_asked_once_a_look_and_not_for_each_question() {
        let mut sleep = Command::new("/bin/sleep");
        let mut child = sleep.arg("1000").process_group(0).spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let mut orphans = Orphans::default();
        orphans.take([pid].into_iter());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(orphans.member_of(pid), Some(pid));
        assert!(orphans.has_any(pid, &[pid]));
        orphans.take([].into_iter());
        assert_eq!(orphans.member_of(pid), None);
        assert!(!orphans.has_any(pid, &[pid]));
    }
}
