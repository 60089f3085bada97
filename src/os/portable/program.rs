//! Finds the program of an instance in its process group, with `ps`.

use std::collections::HashMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::processes::{self, Named};
use crate::app::Moment;
use crate::os::clock::Clock;
use crate::os::program::is_shell;

/// How long the result of `ps` is used: it takes about 10 ms, and a thousand instances may stop at the same time.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Finds the programs of instances.
#[derive(Debug)]
pub(crate) struct Programs {
    clock: Clock,
    last: Option<(Moment, HashMap<Pid, Vec<Named>>)>,
}

impl Programs {
    pub(crate) fn new() -> Self {
        Self { clock: Clock::start(), last: None }
    }

    /// Returns the processes that belong to the program of a group besides its living leader: if that is a shell, its
    /// own children in the group. `None` if processes cannot be seen.
    pub(crate) fn beside_leader(&mut self, leader: Pid) -> Option<Vec<Pid>> {
        beside(self.group_of(leader)?, leader)
    }

    /// Returns the processes of a group but the shells that wait for what they have started. `None`: there is no such
    /// shell, or processes cannot be seen. Whether a shell handles the signal is not told here.
    pub(crate) fn but_shells(&mut self, leader: Pid, _signal: Signal) -> Option<Vec<Pid>> {
        let group = self.group_of(leader)?;
        let waits = |one: &&Named| {
            is_shell(&one.name, || one.words().map(str::to_owned).collect())
                && group.iter().any(|other| other.parent == one.pid)
        };
        let (shells, others): (Vec<_>, Vec<_>) = group.iter().partition(waits);
        let others: Vec<_> = others.into_iter().map(|one| one.pid).collect();
        (!shells.is_empty() && !others.is_empty()).then_some(others)
    }

    fn group_of(&mut self, leader: Pid) -> Option<&[Named]> {
        let now = self.clock.now();
        if self.last.as_ref().is_none_or(|(at, _)| now.since(*at) >= LOOK_EVERY) {
            let mut groups: HashMap<Pid, Vec<Named>> = HashMap::new();
            for one in processes::all_named() {
                groups.entry(one.group).or_default().push(one);
            }
            // The time of the result is that of its end.
            self.last = Some((self.clock.now(), groups));
        }
        let (_, groups) = self.last.as_ref()?;
        groups.get(&leader).map(Vec::as_slice)
    }
}

fn beside(group: &[Named], leader: Pid) -> Option<Vec<Pid>> {
    let first = group.iter().find(|one| one.pid == leader)?;
    if !is_shell(&first.name, || first.words().map(str::to_owned).collect()) {
        return Some(Vec::new());
    }
    let (mut found, mut shells) = (Vec::new(), vec![leader]);
    while let Some(shell) = shells.pop() {
        for child in group.iter().filter(|one| one.parent == shell) {
            // `(a; b)` is a fork of the same shell that has executed no program.
            if child.arguments == first.arguments {
                shells.push(child.pid);
            }
            found.push(child.pid);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, name: &str, arguments: &str) -> Named {
        let number = Pid::from_raw;
        Named {
            pid: number(pid),
            parent: number(parent),
            group: number(20),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        }
    }

    #[test]
    fn of_a_shell_it_is_what_that_has_started_itself_and_not_the_workers() {
        let shell = "/bin/sh -c (a); b";
        let group = [
            process(20, 10, "/bin/sh", shell),
            process(21, 20, "sh", shell),
            process(22, 21, "a", "a"),
            process(23, 22, "a", "a: worker"),
            process(24, 20, "b", "b"),
        ];
        let pids = |leader: i32| {
            let found = beside(&group, Pid::from_raw(leader))?;
            Some(found.into_iter().map(Pid::as_raw).collect::<Vec<_>>())
        };
        assert_eq!(pids(20), Some(vec![21, 24, 22]));
        assert_eq!(pids(22), Some(vec![]));
        assert_eq!(pids(30), None);
    }
}
