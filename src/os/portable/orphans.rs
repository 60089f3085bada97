//! What is left of groups whose leaders have ended. Only what pm starts is its child, so the end of other processes
//! causes no signal: a thread polls until nothing is left, and then makes pm look.
//!
//! Processes that have left their group cannot be found here, so there are no orphans to end.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::os::job_control;
use crate::os::processes::{self, Stat};

/// The first pause of the polling thread; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(320);

/// Does nothing: without subreapers, orphans go to PID 1. docs/portability.md says so, and not each start.
pub(crate) fn become_subreaper() -> nix::Result<Option<String>> {
    Ok(None)
}

/// The groups that may outlive their leaders.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    watch: Arc<Watch>,
    is_ending: bool,
}

/// The questions for the thread, and its answers.
#[derive(Debug, Default)]
struct Watch {
    groups: Mutex<Groups>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Groups {
    /// Whether each may have a living member.
    may_live: HashMap<Pid, bool>,
    /// Members of groups whose end is waited for.
    awaited: HashMap<Pid, Vec<Pid>>,
    has_thread: bool,
}

impl Orphans {
    /// Forgets the groups of runs that are over. `is_ours` returns whether pm started a child.
    pub(crate) fn refresh(&mut self, is_ours: impl Fn(Pid) -> bool) {
        let mut groups = self.watch.lock();
        groups.may_live.retain(|leader, _| is_ours(*leader));
        groups.awaited.retain(|leader, _| is_ours(*leader));
    }

    /// Returns whether a living process belongs to this group, whose leader has ended. Until the thread has asked `ps`,
    /// the answer is yes.
    pub(crate) fn has_member_of(&mut self, group: Pid) -> bool {
        let mut groups = self.watch.lock();
        if let Some(may_live) = groups.may_live.get(&group) {
            return *may_live;
        }
        if !groups.has_thread {
            let watch = Arc::clone(&self.watch);
            let thread = std::thread::Builder::new().name("groups".into()).stack_size(256 << 10);
            let started = job_control::keep_from(|| thread.spawn(move || watch.run()));
            groups.has_thread = started.is_ok();
        }
        // Without the thread, its end would not be noticed: it is swept at once.
        let is_watched = groups.has_thread;
        groups.may_live.insert(group, is_watched);
        self.watch.grown.notify_one();
        is_watched
    }

    /// Returns whether one of these processes may be alive. The leader of their group has ended, and
    /// [`Self::has_member_of`] was called before.
    pub(crate) fn has_any(&mut self, group: Pid, some: &[Pid]) -> bool {
        let mut groups = self.watch.lock();
        let left = groups.awaited.entry(group).or_insert_with(|| some.to_vec());
        !left.is_empty()
    }

    /// Returns a living one that belongs to a group whose run is over: none can be seen.
    pub(crate) fn member_of(&self, _group: Pid) -> Option<Pid> {
        None
    }

    /// Returns the orphans that live: none can be seen.
    pub(crate) fn living(&self) -> &[Pid] {
        &[]
    }

    /// Returns the name and pid of every orphan: none can be seen.
    pub(crate) fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// Ends every orphan.
    pub(crate) fn end_with(&mut self, _signal: Signal) {
        self.is_ending = true;
    }

    /// Returns whether orphans were being ended and none is left.
    pub(crate) fn are_ended(&self) -> bool {
        self.is_ending
    }
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls until every group is gone, with one look for all of them.
    fn run(&self) {
        let mut pause = FIRST_PAUSE;
        let mut groups = self.lock();
        loop {
            // A group that was added while `ps` ran may have been missing when it began.
            let living = groups.may_live.iter().filter(|(_, may_live)| **may_live);
            let asked: Vec<Pid> = living.map(|(group, _)| *group).collect();
            if asked.is_empty() {
                groups.has_thread = false;
                return;
            }
            drop(groups);
            let all = processes::all();
            let is_gone = |group: &Pid| !has_member(&all, *group);
            let gone: Vec<Pid> = asked.into_iter().filter(is_gone).collect();
            groups = self.lock();
            for group in &gone {
                groups.may_live.entry(*group).and_modify(|may_live| *may_live = false);
            }
            let mut is_news = !gone.is_empty();
            for left in groups.awaited.values_mut() {
                let before = left.len();
                left.retain(|pid| all.iter().any(|stat| stat.pid == *pid && !stat.is_zombie));
                is_news |= left.is_empty() && before > 0;
            }
            if is_news {
                // As the kernel does for the end of a child.
                let _ = kill(Pid::this(), Signal::SIGCHLD);
            }
            if groups.may_live.values().any(|may_live| *may_live) {
                let woken = self.grown.wait_timeout(groups, pause);
                let (held, waited) = woken.unwrap_or_else(PoisonError::into_inner);
                groups = held;
                pause = if waited.timed_out() { LONGEST_PAUSE.min(pause * 2) } else { FIRST_PAUSE };
            }
        }
    }
}

/// Returns whether a member of the group is alive; the leader's zombie does not count.
fn has_member(all: &[Stat], group: Pid) -> bool {
    all.iter().any(|stat| stat.group == group && !stat.is_zombie)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use nix::sys::signal::killpg;

    use super::*;
    use crate::os::wait;

    #[test]
    fn a_group_outlives_its_leader_until_its_last_member_is_gone() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 1000 & echo ready"]).process_group(0).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let leader = Pid::from_raw(child.id().cast_signed());
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        while wait::peek(leader).is_none() {
            let _ = nix::poll::poll(&mut [], 20_u8);
        }
        let mut orphans = Orphans::default();
        assert!(orphans.has_member_of(leader));
        assert!(has_member(&processes::all(), leader));
        orphans.refresh(|pid| pid == leader);
        assert!(orphans.has_member_of(leader));
        killpg(leader, Signal::SIGKILL).unwrap();
        while orphans.has_member_of(leader) {
            let _ = nix::poll::poll(&mut [], 20_u8);
        }
        orphans.refresh(|_| false);
        assert!(orphans.watch.lock().may_live.is_empty());
        child.wait().unwrap();
        assert!(!has_member(&processes::all(), leader));
    }

    #[test]
    fn of_some_members_the_end_is_seen_while_others_live() {
        let mut command = Command::new("/bin/sh");
        let script = "sleep 1000 & echo $!; sleep 1000 & echo $!";
        command.args(["-c", script]).process_group(0).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let leader = Pid::from_raw(child.id().cast_signed());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(2);
        let pids: Vec<_> = lines.map(|pid| Pid::from_raw(pid.unwrap().parse().unwrap())).collect();
        while wait::peek(leader).is_none() {
            let _ = nix::poll::poll(&mut [], 20_u8);
        }
        let mut orphans = Orphans::default();
        assert!(orphans.has_member_of(leader) && orphans.has_any(leader, &pids[..1]));
        kill(pids[0], Signal::SIGKILL).unwrap();
        while orphans.has_any(leader, &pids[..1]) {
            let _ = nix::poll::poll(&mut [], 20_u8);
        }
        assert!(orphans.has_member_of(leader));
        killpg(leader, Signal::SIGKILL).unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn of_a_leader_that_ends_alone_nothing_is_left_before_long() {
        let mut child =
            Command::new("/bin/sh").args(["-c", "true"]).process_group(0).spawn().unwrap();
        let leader = Pid::from_raw(child.id().cast_signed());
        while wait::peek(leader).is_none() {}
        let mut orphans = Orphans::default();
        assert!(orphans.has_member_of(leader), "nobody waits for `ps`");
        while orphans.has_member_of(leader) {
            let _ = nix::poll::poll(&mut [], 20_u8);
        }
        child.wait().unwrap();
    }
}
