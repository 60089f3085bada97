//! Finds the program of an instance in its process group, from /proc.

use std::fs;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpgid};

use super::processes;
use crate::os::program::is_shell;

/// Finds the programs of instances.
#[derive(Debug)]
pub(crate) struct Programs;

impl Programs {
    pub(crate) fn new() -> Self {
        Self
    }

    /// Returns the processes that belong to the program of a group besides its living leader: if that is a shell, its
    /// own children in the group. `None` if processes cannot be seen.
    #[expect(clippy::unused_self, reason = "other systems remember what they have seen")]
    pub(crate) fn beside_leader(&mut self, leader: Pid) -> Option<Vec<Pid>> {
        if !is_shell(&executable(leader)?, || text(&words(leader).unwrap_or_default())) {
            return Some(Vec::new());
        }
        let words = words(leader)?;
        let (mut found, mut shells) = (Vec::new(), vec![leader]);
        while let Some(shell) = shells.pop() {
            let children = processes::children_of(shell);
            for child in children.into_iter().filter(|pid| getpgid(Some(*pid)) == Ok(leader)) {
                // `(a; b)` is a fork of the same shell that has executed no program.
                if self::words(child).is_some_and(|own| !own.is_empty() && own == words) {
                    shells.push(child);
                }
                found.push(child);
            }
        }
        Some(found)
    }

    /// Returns the processes of a group but the shells that a signal would end, each of which waits for what it has
    /// started. `None`: there is no such shell, or processes cannot be seen.
    #[expect(clippy::unused_self, reason = "other systems remember what they have seen")]
    pub(crate) fn but_shells(&mut self, leader: Pid, signal: Signal) -> Option<Vec<Pid>> {
        let waits = |pid: &Pid| {
            let name = executable(*pid);
            name.is_some_and(|name| is_shell(&name, || text(&words(*pid).unwrap_or_default())))
                && processes::has_default_action(*pid, signal)
                && !processes::children_of(*pid).is_empty()
        };
        let below = processes::descendants_of(leader).into_iter();
        let members = below.filter(|pid| getpgid(Some(*pid)) == Ok(leader)).chain([leader]);
        let (shells, others): (Vec<_>, Vec<_>) = members.partition(waits);
        (!shells.is_empty() && !others.is_empty()).then_some(others)
    }
}

/// Returns the arguments of a process, each followed by NUL; empty if it has ended; `None` if they cannot be read.
fn words(pid: Pid) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/cmdline")).ok()
}

fn text(words: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(words).split('\0').map(str::to_owned).collect()
}

/// Returns the path of a process's executable; `None` if it cannot be read.
fn executable(pid: Pid) -> Option<String> {
    match fs::read_link(format!("/proc/{pid}/exe")) {
        Ok(path) => Some(path.to_string_lossy().into_owned()),
        // For a process of another user, only its own name for itself can be read.
        Err(_) => Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use nix::sys::signal::killpg;

    use super::*;
    use crate::os::clock;

    /// A command that leads a group, which ends with the test.
    struct StartedGroup(Child);

    impl StartedGroup {
        fn leader(&self) -> Pid {
            Pid::from_raw(self.0.id().cast_signed())
        }
    }

    impl Drop for StartedGroup {
        fn drop(&mut self) {
            killpg(self.leader(), Signal::SIGKILL).unwrap();
            self.0.wait().unwrap();
        }
    }

    /// Starts a command that leads a group, and returns it when it has said `count` lines.
    fn start(command: &[&str], count: usize) -> (StartedGroup, Vec<String>) {
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (StartedGroup(child), lines.take(count).map(Result::unwrap).collect())
    }

    fn beside(group: &StartedGroup) -> Vec<String> {
        let mut all: Vec<_> = Programs.beside_leader(group.leader()).unwrap();
        all.sort_unstable();
        all.iter().map(Pid::to_string).collect()
    }

    /// Says its process id, starts a worker that says so too, and waits.
    const MASTER: &str = "exec env sh -c 'echo $$; sh -c \"echo worker; exec sleep 1000\" & wait'";

    #[test]
    fn of_a_shell_it_is_what_that_has_started_itself_and_not_the_workers() {
        let script = format!("({MASTER}) & sleep 1000 & echo $!; wait");
        let (group, mut lines) = start(&["/bin/sh", "-c", &script], 3);
        lines.retain(|line| line != "worker");
        lines.sort_by_key(|line| line.parse::<i32>().unwrap());
        assert_eq!(beside(&group), lines);
    }

    #[test]
    fn a_subshell_is_still_the_shell() {
        let script = format!("(:; (:; {MASTER} & wait); :); :");
        let (group, mut lines) = start(&["/bin/sh", "-c", &script], 2);
        lines.retain(|line| line != "worker");
        let found = beside(&group);
        assert!(found.contains(&lines[0]), "{found:?} {lines:?}");
        let is_worker =
            |pid: &String| fs::read(format!("/proc/{pid}/cmdline")).unwrap() == b"sleep\x001000\0";
        assert!(!found.iter().any(is_worker), "{found:?}");
    }

    #[test]
    fn a_signal_that_tells_something_is_for_all_but_the_shells_that_wait() {
        let table = [
            // The leader and a shell below it wait for the program.
            ("sh -c 'echo $$; sleep 1000; :'; :", vec!["sleep"]),
            // It handles the signal.
            ("trap : HUP; echo 1; sleep 1000; :", vec![]),
            // A shell that is the program itself.
            ("cat /dev/null; sh -c 'trap : HUP; echo 1; sleep 1000; :'; :", vec!["sleep", "sh"]),
        ];
        for (script, expected) in table {
            let (group, _) = start(&["/bin/sh", "-c", script], 1);
            let leader = group.leader();
            let limit = clock::instant() + Duration::from_secs(10);
            let has_program = || {
                processes::descendants_of(leader)
                    .iter()
                    .any(|pid| words(*pid).is_some_and(|own| own.starts_with(b"sleep")))
            };
            while !has_program() {
                assert!(clock::instant() < limit, "{script}: it starts no program");
            }
            let found = Programs.but_shells(leader, Signal::SIGHUP).unwrap_or_default();
            let mut names: Vec<_> =
                found.iter().map(|pid| text(&words(*pid).unwrap_or_default())[0].clone()).collect();
            names.sort_by_key(|name| name != "sleep");
            assert_eq!(names, expected, "{script}");
        }
    }

    #[test]
    fn of_any_other_program_it_is_the_leader_alone() {
        let script = "import os, sys\nif os.fork() == 0: os.execvp('cat', ['cat'])\nprint(1, flush=True)\nsys.stdin.read()";
        if Command::new("python3").arg("-c").arg("").status().is_err() {
            return;
        }
        let (group, _) = start(&["python3", "-c", script], 1);
        assert_eq!(beside(&group), Vec::<String>::new());
    }
}
