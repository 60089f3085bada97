//! What is left of a group whose leader has ended. Nobody becomes pm's child but what it starts, so its end
//! is no signal: a thread looks until nothing is left, and then lets pm look.
//!
//! What has left its group as well cannot be found here, and there are no strays to end.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::os::processes::{self, Stat};

/// Milliseconds between the first two looks of the thread; each is twice as long as the one before.
const FIRST_PAUSE: u16 = 20;
/// The longest of these.
const LONGEST_PAUSE: u16 = 320;

/// Orphans go to PID 1: there is no such thing as a subreaper.
pub(crate) fn become_subreaper() -> nix::Result<()> {
    Ok(())
}

/// The groups that outlive their leaders.
#[derive(Debug, Default)]
pub(crate) struct Adopted {
    /// Whether each is gone.
    left: HashMap<Pid, Arc<AtomicBool>>,
    /// The processes as they are now, once anyone wants to know.
    now: OnceCell<Vec<Stat>>,
    is_ending: bool,
}

impl Adopted {
    /// Looks again. `is_ours` tells the children that pm started.
    pub(crate) fn refresh(&mut self, is_ours: impl Fn(Pid) -> bool) {
        self.now = OnceCell::new();
        self.left.retain(|leader, _| is_ours(*leader));
    }

    /// Returns whether a living one belongs to this group, whose leader has ended.
    pub(crate) fn has_member_of(&mut self, group: Pid) -> bool {
        if let Some(is_gone) = self.left.get(&group) {
            return !is_gone.load(Ordering::Acquire);
        }
        if !has_member(self.now.get_or_init(processes::all), group) {
            return false;
        }
        let is_gone = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_gone);
        let thread = std::thread::Builder::new().name("group".into()).stack_size(256 << 10);
        // Without a thread nobody would tell of its end: it is swept at once.
        let is_watched = thread.spawn(move || watch(group, &told)).is_ok();
        self.left.insert(group, is_gone);
        is_watched
    }

    /// Returns every stray as a person knows it: none can be seen.
    pub(crate) fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// Ends every stray.
    pub(crate) fn end_with(&mut self, _signal: Signal) {
        self.is_ending = true;
    }

    /// Returns whether strays were to end and none is left.
    pub(crate) fn are_ended(&self) -> bool {
        self.is_ending
    }
}

/// Whether someone of the group lives; the leader that waits to be reaped does not count.
fn has_member(all: &[Stat], group: Pid) -> bool {
    all.iter().any(|stat| stat.group == group && !stat.is_zombie)
}

fn watch(group: Pid, is_gone: &AtomicBool) {
    let mut pause = FIRST_PAUSE;
    while has_member(&processes::all(), group) {
        // Nothing is waited for but the time: nobody tells of the end of a stranger.
        let _ = nix::poll::poll(&mut [], pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    is_gone.store(true, Ordering::Release);
    // As if it had been pm's child.
    let _ = kill(Pid::this(), Signal::SIGCHLD);
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
            let _ = nix::poll::poll(&mut [], FIRST_PAUSE);
        }
        let mut adopted = Adopted::default();
        assert!(adopted.has_member_of(leader));
        adopted.refresh(|pid| pid == leader);
        assert!(adopted.has_member_of(leader));
        killpg(leader, Signal::SIGKILL).unwrap();
        while adopted.has_member_of(leader) {
            let _ = nix::poll::poll(&mut [], FIRST_PAUSE);
        }
        adopted.refresh(|_| false);
        assert!(!adopted.has_member_of(leader) && adopted.left.is_empty());
        assert!(wait::reap(leader));
    }
}
