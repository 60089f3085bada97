//! Helpers: processes that have left the group of their run (`setsid helper &`) and are stopped with it.
//!
//! A helper becomes pm's child when its parent ends. It belongs to a run if it was a descendant of the run's leader
//! when a stop began, if one of its first three descriptors is a pipe of the run, or if its environment has the name of
//! the instance. A process without any of these stays until the session ends. As long as pm has no children that it did
//! not start, nothing is searched.

use std::collections::{HashMap, HashSet};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgid, getsid};

use super::pid_table::Pipes;
use super::processes;
use crate::app::{InstanceId, RunId};

/// What identifies the processes of the last run of an instance.
#[derive(Debug)]
struct Kin {
    run: RunId,
    /// The value of PS and FOREMAN_WORKER_NAME.
    name: String,
    pipes: Pipes,
    /// The session leader of a run with a terminal: a process of pm's own.
    session: Option<Pid>,
}

/// A run whose helpers are being ended: the signal, and the processes that got it.
#[derive(Debug)]
struct Ending {
    signal: Signal,
    told: Vec<Pid>,
}

/// The helpers of all runs.
#[derive(Debug, Default)]
pub(crate) struct Helpers {
    kin: HashMap<InstanceId, Kin>,
    /// Children of pm that it did not start, and the runs that they belong to.
    owners: HashMap<Pid, Option<RunId>>,
    /// Descendants of a run's leader outside its group, at the time when its stop began.
    below: HashMap<Pid, RunId>,
    ending: HashMap<RunId, Ending>,
}

impl Helpers {
    /// Adds a run that has started. Helpers of an earlier run of the instance get SIGTERM, and belong to this run from
    /// now on.
    pub(crate) fn enter(&mut self, run: RunId, leader: Pid, name: String, pipes: Pipes) {
        let is_of_instance = |other: &RunId| other.instance == run.instance;
        for (pid, owner) in &mut self.owners {
            if owner.as_ref().is_some_and(is_of_instance) {
                tell(*pid, Signal::SIGTERM);
                *owner = Some(run);
            }
        }
        self.ending.retain(|other, _| !is_of_instance(other));
        self.below.retain(|_, other| !is_of_instance(other));
        // A run with pipes is in pm's own session, whose leader never becomes a child of pm.
        let has_terminal = pipes == Pipes::default();
        let session = has_terminal.then(|| getsid(Some(leader)).ok()).flatten();
        self.kin.insert(run.instance, Kin { run, name, pipes, session });
    }

    /// Updates the helpers from the living children that pm did not start. `leads` returns whether a process leads the
    /// group of a run: members of such a group are no helpers.
    pub(crate) fn refresh(&mut self, living: &[Pid], leads: impl Fn(Pid) -> bool) {
        let still: HashSet<&Pid> = living.iter().collect();
        self.owners.retain(|pid, _| still.contains(pid));
        for pid in living {
            let is_member = || getpgid(Some(*pid)).is_ok_and(&leads);
            if !self.owners.contains_key(pid) && !is_member() {
                let owner = self.owner_of(*pid);
                self.owners.insert(*pid, owner);
            }
        }
        for (pid, owner) in &self.owners {
            let ending = owner.as_ref().and_then(|run| self.ending.get_mut(run));
            if let Some(ending) = ending {
                ending.tell(*pid);
            }
        }
    }

    /// Returns the run that a process belongs to, if that can be found out.
    fn owner_of(&self, pid: Pid) -> Option<RunId> {
        if self.kin.values().any(|kin| kin.session == Some(pid)) || is_of_pm(pid) {
            return None;
        }
        if let Some(run) = self.below.get(&pid) {
            return Some(*run);
        }
        let held = processes::held_pipes(pid);
        let holds = |kin: &&Kin| {
            held.iter().any(|pipe| {
                (pipe.reads && pipe.inode == kin.pipes.stdin)
                    || (pipe.writes && pipe.inode == kin.pipes.output)
            })
        };
        if let Some(kin) = self.kin.values().find(holds) {
            return Some(kin.run);
        }
        let environment = processes::environment(pid);
        let value = |key: &[u8]| {
            let mut lines = environment.split(|byte| *byte == 0);
            lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(b"="))
        };
        let name = value(b"PS").filter(|name| value(b"FOREMAN_WORKER_NAME") == Some(name))?;
        self.kin.values().find(|kin| kin.name.as_bytes() == name).map(|kin| kin.run)
    }

    /// Remembers the descendants of a living leader that are outside its group, before a signal ends the parents that
    /// connect them.
    pub(crate) fn remember(&mut self, run: RunId, leader: Pid) {
        let found = processes::descendants_of(leader);
        // Processes of an earlier look may have ended, and their ids may have been reused.
        let owners = &self.owners;
        self.below
            .retain(|pid, owner| *owner != run || owners.contains_key(pid) || found.contains(pid));
        for pid in found {
            if getpgid(Some(pid)).is_ok_and(|group| group != leader) {
                self.below.insert(pid, run);
            }
        }
    }

    /// Signals the helpers of a run, also those that are found later.
    pub(crate) fn end(&mut self, run: RunId, signal: Signal) {
        let mut ending = Ending { signal, told: Vec::new() };
        for (pid, owner) in &self.owners {
            if *owner == Some(run) {
                ending.tell(*pid);
            }
        }
        self.ending.insert(run, ending);
    }

    /// Signals the helpers of a run whose leader lives, once: those who are found and those who were remembered
    /// just now.
    pub(crate) fn signal(&mut self, run: RunId, signal: Signal) {
        let mut once = Ending { signal, told: Vec::new() };
        let owned =
            self.owners.iter().filter(|(_, owner)| **owner == Some(run)).map(|(pid, _)| pid);
        let below = self.below.iter().filter(|(_, owner)| **owner == run).map(|(pid, _)| pid);
        for pid in owned.chain(below) {
            once.tell(*pid);
        }
    }

    /// Returns whether a helper of this run lives.
    pub(crate) fn has_any(&self, run: RunId) -> bool {
        self.owners.values().any(|owner| *owner == Some(run))
    }

    /// Returns the helpers of a run that are pm's children.
    pub(crate) fn of(&self, run: RunId) -> Vec<i32> {
        let of_run = self.owners.iter().filter(|(_, owner)| **owner == Some(run));
        of_run.map(|(pid, _)| pid.as_raw()).collect()
    }

    /// Leaves all helpers alone from now on.
    pub(crate) fn let_go(&mut self) {
        *self = Self::default();
    }
}

impl Ending {
    fn tell(&mut self, pid: Pid) {
        if !self.told.contains(&pid) {
            self.told.push(pid);
            tell(pid, self.signal);
        }
    }
}

/// Returns whether it is the watchdog of a pm that an instance has run, or leads a terminal's session there. Such
/// a one ends by itself, when it has done its work.
fn is_of_pm(pid: Pid) -> bool {
    processes::own_name(pid.as_raw().cast_unsigned()).starts_with("procfile-")
}

/// Signals a process, and the group that it leads. A stopped one hears a polite signal only when it goes on.
fn tell(pid: Pid, signal: Signal) {
    let send = |signal| {
        // ESRCH: it ended just now. EPERM: it changed its user, and is not ours to end.
        let _ = if getpgid(Some(pid)) == Ok(pid) { killpg(pid, signal) } else { kill(pid, signal) };
    };
    send(signal);
    if signal != Signal::SIGKILL {
        send(Signal::SIGCONT);
    }
}

#[cfg(test)]
#[cfg(not(pm_portable))]
mod tests {
    use std::io::{self, Read};
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn run(number: u16, seq: u32) -> RunId {
        RunId { instance: InstanceId { process_type: 0, number }, seq }
    }

    fn pid_of(child: &Child) -> Pid {
        Pid::from_raw(child.id().cast_signed())
    }

    /// Something that lives, in a group of its own, with these variables alone.
    fn sleeper(variables: &[(&str, &str)]) -> Command {
        let mut sleep = Command::new("/bin/sleep");
        sleep.arg("1000").process_group(0).env_clear().envs(variables.iter().copied());
        sleep.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        sleep
    }

    /// Starts a command. A start is answered when the program's memory is there, and what /proc tells of it comes a
    /// moment later: its arguments, then its environment.
    fn started(command: &mut Command) -> Child {
        let child = command.spawn().unwrap();
        let arguments = format!("/proc/{}/cmdline", child.id());
        while std::fs::read(&arguments).is_ok_and(|text| text.is_empty()) {}
        child
    }

    #[test]
    fn one_below_a_leader_that_has_ended_is_forgotten_at_the_next_look() {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "setsid sleep 1000 & echo $!; wait; exec sleep 1000"]).process_group(0);
        let mut leader = shell.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = [0; 32];
        let length = leader.stdout.take().unwrap().read(&mut line).unwrap();
        let below = str::from_utf8(&line[..length]).unwrap().trim().parse().unwrap();
        let below = Pid::from_raw(below);
        while getpgid(Some(below)) == Ok(pid_of(&leader)) {}
        let mut helpers = Helpers::default();
        helpers.remember(run(1, 1), pid_of(&leader));
        assert!(helpers.below.contains_key(&below));
        tell(below, Signal::SIGKILL);
        while getpgid(Some(below)).is_ok() {}
        helpers.remember(run(1, 1), pid_of(&leader));
        assert!(!helpers.below.contains_key(&below));
        leader.kill().unwrap();
        leader.wait().unwrap();
    }

    #[test]
    fn a_stranger_is_of_the_run_whose_pipe_or_name_it_has_or_below_whose_leader_it_was() {
        let (stdin, _kept) = io::pipe().unwrap();
        let (_output, writer) = io::pipe().unwrap();
        let pipes = Pipes::of(&stdin, &writer).unwrap();
        let name = |name| [("PS", name), ("FOREMAN_WORKER_NAME", name)];
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "setsid sleep 1000 & echo $!; wait"]).process_group(0);
        let mut leader = shell.stdout(Stdio::piped()).spawn().unwrap();
        let mut helpers = Helpers::default();
        helpers.enter(run(1, 3), pid_of(&leader), "web.1".into(), pipes);
        helpers.enter(run(2, 1), pid_of(&leader), "web.2".into(), Pipes::default());
        let mut line = [0; 32];
        let length = leader.stdout.take().unwrap().read(&mut line).unwrap();
        let below = str::from_utf8(&line[..length]).unwrap().trim().parse().unwrap();
        let below = Pid::from_raw(below);
        while getpgid(Some(below)) == Ok(pid_of(&leader)) {}
        helpers.remember(run(2, 1), pid_of(&leader));
        let mut children = [
            started(sleeper(&[]).stdin(stdin)),
            started(sleeper(&[]).stderr(writer)),
            started(&mut sleeper(&name("web.1"))),
            started(&mut sleeper(&name("web.2"))),
            started(&mut sleeper(&name("web.3"))),
            started(&mut sleeper(&[("PS", "web.1")])),
            started(&mut sleeper(&[])),
            started(&mut sleeper(&name("web.1"))),
        ];
        let member = pid_of(&children[7]);
        let mut living: Vec<Pid> = children.iter().map(pid_of).collect();
        living.push(below);
        helpers.refresh(&living, |group| group == member);
        let owners: Vec<_> =
            living.iter().map(|pid| helpers.owners.get(pid).copied().flatten()).collect();
        let [first, second] = [Some(run(1, 3)), Some(run(2, 1))];
        assert_eq!(owners, [first, first, first, second, None, None, None, None, second]);
        assert!(!helpers.owners.contains_key(&member));
        helpers.end(run(1, 3), Signal::SIGTERM);
        for child in &mut children[..3] {
            assert_eq!(child.wait().unwrap().code(), None);
        }
        helpers.refresh(&living[3..], |group| group == member);
        assert!(!helpers.has_any(run(1, 3)) && helpers.has_any(run(2, 1)));
        for child in &mut children[3..] {
            assert_eq!(child.try_wait().unwrap(), None);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        tell(below, Signal::SIGKILL);
        leader.wait().unwrap();
    }

    #[test]
    fn what_an_earlier_run_has_left_is_asked_to_end_when_the_next_starts() {
        let mut left = started(&mut sleeper(&[("PS", "web.1"), ("FOREMAN_WORKER_NAME", "web.1")]));
        let mut helpers = Helpers::default();
        helpers.enter(run(1, 1), Pid::this(), "web.1".into(), Pipes::default());
        helpers.refresh(&[pid_of(&left)], |_| false);
        helpers.enter(run(2, 1), Pid::this(), "web.2".into(), Pipes::default());
        assert_eq!(left.try_wait().unwrap(), None);
        helpers.enter(run(1, 2), Pid::this(), "web.1".into(), Pipes::default());
        assert_eq!(helpers.of(run(1, 2)), [pid_of(&left).as_raw()]);
        assert_eq!(left.wait().unwrap().code(), None);
    }
}
