//! Measures process trees with `ps`: resident memory, in which a page that two processes share counts twice. There is
//! no figure that divides shared pages.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use nix::unistd::Pid;

use crate::os::processes::{self, Stat};
use crate::os::sampler::{Measure, Root, Usage};

/// Measures instances, and remembers the last sample.
#[derive(Debug)]
pub struct Sampler {
    trees: HashMap<i32, Vec<Stat>>,
}

impl Sampler {
    /// Makes one for descendants of this process. It cannot fail.
    pub fn new() -> io::Result<Self> {
        Ok(Self { trees: HashMap::new() })
    }

    /// Measures each instance; `None` for one that has ended, or if `ps` fails. Takes about 10 ms.
    pub fn sample(&mut self, roots: &[Root<'_>]) -> Vec<Option<Usage>> {
        let all = processes::all();
        self.trees = roots.iter().map(|root| (root.leader, tree(&all, root.leader))).collect();
        let usage = |root: &Root<'_>| {
            let resident = self.trees.get(&root.leader)?.iter().map(|stat| stat.resident);
            let bytes = resident.reduce(|sum, bytes| sum + bytes)?;
            Some(Usage { bytes, measure: Measure::Rss })
        };
        roots.iter().map(usage).collect()
    }

    /// Returns the CPU time of the living processes of the tree.
    pub fn cpu(&mut self, leader: i32) -> Option<Duration> {
        Some(self.trees.get(&leader)?.iter().map(|stat| stat.cpu).sum())
    }

    /// Returns the number of processes of a tree, as of the last lookup.
    pub fn processes(&self, leader: i32) -> usize {
        self.trees.get(&leader).map_or(0, Vec::len)
    }
}

/// Returns the processes of a leader: its group, and the descendants of its members.
pub(super) fn tree(all: &[Stat], leader: i32) -> Vec<Stat> {
    let leader = Pid::from_raw(leader);
    let is_first = |stat: &Stat| stat.pid == leader || stat.group == leader;
    let living = all.iter().filter(|stat| !stat.is_zombie);
    let (mut tree, mut others): (Vec<Stat>, Vec<Stat>) = living.partition(|stat| is_first(stat));
    let mut at = 0;
    while at < tree.len() {
        let parent = tree[at].pid;
        let (children, rest): (Vec<Stat>, Vec<Stat>) =
            others.into_iter().partition(|stat| stat.parent == parent);
        tree.extend(children);
        others = rest;
        at += 1;
    }
    tree
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use nix::sys::signal::{Signal, killpg};

    use super::*;

    fn process(pid: i32, parent: i32, group: i32) -> Stat {
        let number = Pid::from_raw;
        Stat {
            pid: number(pid),
            parent: number(parent),
            group: number(group),
            is_zombie: false,
            resident: 1,
            cpu: Duration::ZERO,
        }
    }

    #[test]
    fn every_descendant_and_orphan_of_its_group_belongs_to_its_leader() {
        // 10 is pm; 20 and 30 are leaders; 40 is an orphan of 20's group; 50 a stranger, as the watchdog is.
        let all = [
            process(10, 1, 10),
            process(20, 10, 20),
            process(22, 21, 99),
            process(21, 20, 20),
            process(30, 10, 30),
            process(40, 1, 20),
            process(41, 40, 41),
            process(50, 10, 50),
        ];
        let pids = |leader| {
            let mut pids: Vec<_> =
                tree(&all, leader).iter().map(|stat| stat.pid.as_raw()).collect();
            pids.sort_unstable();
            pids
        };
        assert_eq!(pids(20), [20, 21, 22, 40, 41]);
        assert_eq!(pids(30), [30]);
        assert_eq!(pids(60), Vec::<i32>::new());
    }

    #[test]
    fn a_real_tree_is_measured() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 100 & sleep 100 & echo ready; wait"]).process_group(0);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let leader = child.id().cast_signed();
        let mut sampler = Sampler::new().unwrap();
        let root = Root { leader, limit: None, helpers: &[], group: None };
        let usage = sampler.sample(&[root])[0];
        killpg(Pid::from_raw(leader), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        assert!(usage.is_some_and(|usage| usage.bytes > 100 << 10), "{usage:?}");
        assert_eq!(sampler.processes(leader), 3);
        assert!(sampler.cpu(leader).is_some());
        // Each member has its own moment to end.
        while sampler.sample(&[root]) != [None] {}
    }
}
