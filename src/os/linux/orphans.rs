//! Processes that left their group. pm is a child subreaper (prctl(2)): when the parent of a descendant ends, it
//! becomes pm's child, however it was daemonised. As PID 1, pm gets unrelated processes in the same way.

use std::collections::{HashMap, HashSet};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpgid};

use super::processes;
use crate::os::wait::{Reaped, reap};

/// Makes pm the parent of every orphan below it. Returns a message about what pm cannot do, where the system has no such
/// thing (EINVAL, prctl(2)): the user mode of qemu, whatever kernel is below it.
pub(crate) fn become_subreaper() -> nix::Result<Option<String>> {
    let text = "this system makes no process the parent of orphans: processes that leave their process group \
                (setsid, a daemon) are not found when the session ends";
    match nix::sys::prctl::set_child_subreaper(true) {
        Err(Errno::EINVAL) => Ok(Some(text.to_owned())),
        done => done.map(|()| None),
    }
}

/// The children that pm did not start, as of the last look.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    living: Vec<Pid>,
    /// Their groups.
    groups: HashMap<Pid, Pid>,
    /// The first member of each group.
    members: HashMap<Pid, Pid>,
    /// The signal that ends orphans, and the processes that got it.
    ending: Option<(Signal, HashSet<Pid>)>,
}

impl Orphans {
    /// Looks again: reaps dead children, and keeps the living. `is_ours` returns whether pm started a child.
    pub(crate) fn refresh(&mut self, is_ours: impl Fn(Pid) -> bool) {
        self.look(|| {
            let mut children = processes::children_of(Pid::this());
            children.retain(|pid| !is_ours(*pid));
            children
        });
        if self.living.is_empty() && !processes::is_there() {
            reap_unseen(is_ours);
        }
        self.signal_new();
    }

    /// Looks at what `strangers` lists. One that ended after it was listed has left its own children to pm since: so they
    /// are listed again where one is reaped. What has died then is reaped at the next look, which its SIGCHLD brings.
    fn look(&mut self, mut strangers: impl FnMut() -> Vec<Pid>) {
        let listed = strangers();
        let living: Vec<Pid> =
            listed.iter().copied().filter(|pid| reap(*pid) == Reaped::No).collect();
        let is_whole = living.len() == listed.len();
        self.keep(if is_whole { living } else { strangers() });
    }

    fn keep(&mut self, living: Vec<Pid>) {
        self.living = living;
        let groups = self.living.iter().filter_map(|pid| Some((*pid, getpgid(Some(*pid)).ok()?)));
        self.groups = groups.collect();
        let from_last = self.living.iter().rev();
        self.members = from_last.filter_map(|pid| Some((*self.groups.get(pid)?, *pid))).collect();
    }

    /// Returns whether a living orphan belongs to this group.
    pub(crate) fn has_member_of(&mut self, group: Pid) -> bool {
        self.member_of(group).is_some()
    }

    /// Returns a living orphan of this group.
    pub(crate) fn member_of(&self, group: Pid) -> Option<Pid> {
        self.members.get(&group).copied()
    }

    /// Returns the living orphans.
    pub(crate) fn living(&self) -> &[Pid] {
        &self.living
    }

    /// Returns whether one of these processes is alive. The leader of their group has ended.
    pub(crate) fn has_any(&mut self, _group: Pid, some: &[Pid]) -> bool {
        some.iter().any(|pid| self.groups.contains_key(pid))
    }

    /// Returns the name and pid of every living orphan.
    pub(crate) fn names(&self) -> Vec<String> {
        self.living.iter().copied().map(processes::name_of).collect()
    }

    /// Sends a signal to every living orphan, and to later ones when they are found.
    pub(crate) fn end_with(&mut self, signal: Signal) {
        self.ending = Some((signal, HashSet::new()));
        self.signal_new();
    }

    fn signal_new(&mut self) {
        let Some((signal, told)) = &mut self.ending else { return };
        for pid in &self.living {
            if told.insert(*pid) {
                // ESRCH: it has just ended. EPERM: it has changed its user, and pm may not end it.
                let _ = kill(*pid, *signal);
                let _ = kill(*pid, Signal::SIGCONT);
            }
        }
    }

    /// Returns whether orphans were being ended and none is left.
    pub(crate) fn are_ended(&self) -> bool {
        self.ending.is_some() && self.living.is_empty()
    }
}

/// Reaps dead children if /proc cannot be read. A dead child that pm started must not be reaped here, and hides others
/// until it is swept.
fn reap_unseen(is_ours: impl Fn(Pid) -> bool) {
    let ended = || {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        waitid(Id::All, flags).ok()?.pid().filter(|pid| !is_ours(*pid))
    };
    while ended().is_some_and(|pid| reap(pid) != Reaped::No) {}
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;
    use crate::os::wait::peek;

    #[test]
    fn who_belongs_to_a_group_is_asked_once_a_look_and_not_for_each_question() {
        let mut sleep = Command::new("/bin/sleep");
        let mut child = sleep.arg("1000").process_group(0).spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let mut orphans = Orphans::default();
        orphans.look(|| vec![pid]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(orphans.member_of(pid), Some(pid));
        assert!(orphans.has_any(pid, &[pid]));
        orphans.look(Vec::new);
        assert_eq!(orphans.member_of(pid), None);
        assert!(!orphans.has_any(pid, &[pid]));
    }

    #[test]
    fn who_loses_its_parent_while_that_one_is_reaped_is_seen() {
        let mut middle = Command::new("/bin/true").spawn().unwrap();
        let parent = Pid::from_raw(middle.id().cast_signed());
        while peek(parent).is_none() {
            std::thread::yield_now();
        }
        let mut sleep = Command::new("/bin/sleep");
        let mut program = sleep.arg("1000").process_group(0).spawn().unwrap();
        let pid = Pid::from_raw(program.id().cast_signed());
        let mut lists = [vec![parent], vec![pid]].into_iter();
        let mut orphans = Orphans::default();
        orphans.look(|| lists.next().unwrap());
        assert_eq!(orphans.member_of(pid), Some(pid));
        assert!(middle.wait().is_err(), "it is reaped");
        program.kill().unwrap();
        program.wait().unwrap();
    }
}
