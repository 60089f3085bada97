//! Owns every process id: which run has which process, which have ended, and what is left of their groups.
//!
//! An ended leader is observed without reaping it (`WNOWAIT`) and stays a zombie until its run is swept: until then,
//! its process group id cannot be reused.

mod pending_look;
mod survivors;

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::helpers::Helpers;
use super::orphans::Orphans;
use super::pid_table::{Pipes, SlotIndex};
use super::program::Programs;
use super::wait::{self, Reaped};
use super::watchdog::{self, Watchdog};
use crate::app::{App, Exit, InstanceId, Moment, Reach, Restart, RunId, Signal as SignalNumber};
use pending_look::PendingLook;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    /// The leader has ended, which was reported; others of its group still run.
    GroupLeft,
    /// The leader has ended and nothing is left of its group, which was reported.
    Gone,
}

/// A change of the children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChildEvent {
    /// The leader of a run ended. It is not reaped yet, so its group id is still ours.
    Exited {
        run: RunId,
        exit: Exit,
        /// Others of its group still run.
        has_left_others: bool,
    },
    /// The last of an ended leader's group is gone.
    GroupGone(RunId),
    /// Every process that got a signal sent to the program alone has ended; others of the group still run.
    ProgramEnded(RunId),
    /// No descendant outside the process groups is left.
    OrphansGone,
}

#[derive(Debug)]
struct Child {
    pid: Pid,
    life: Life,
    /// The processes beside the leader that got the first wave of a stop; `None` if nothing waits for their end.
    asked: Option<Vec<Pid>>,
    /// The signal that asks it to stop.
    stop_signal: SignalNumber,
    helpers: Fate,
    /// Its slot in the watchdog's table.
    place: Option<SlotIndex>,
    /// Keeps its stdin from ending.
    _stdin: Option<io::PipeWriter>,
}

/// What becomes of the helpers of a run (see [`Helpers`]) when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// They stay if the run ends by itself with success and is not restarted: it has made itself a daemon.
    Stay,
    Go,
    /// It has none: it is the command of a probe, and helpers belong to the run that it probes.
    None,
}

/// A run that is being started.
#[derive(Clone, Copy, Debug)]
struct Starting {
    pipes: Pipes,
    /// `None` if the watchdog's table is full.
    place: Option<SlotIndex>,
}

/// The table of runs and processes.
#[derive(Debug)]
pub(crate) struct Children {
    runs: HashMap<RunId, Child>,
    orphans: Orphans,
    /// Groups of swept runs of which something was alive when they were killed.
    outlived: Vec<(InstanceId, Pid)>,
    /// The leaders of all runs.
    leaders: HashSet<Pid>,
    watchdog: Watchdog,
    programs: Programs,
    helpers: Helpers,
    /// The session ends: helpers end after all instances, as all other orphans do.
    session_ends: bool,
    starting: Option<Starting>,
    pending_look: PendingLook,
}

impl Children {
    pub(crate) fn new(watchdog: Watchdog) -> Self {
        Self {
            runs: HashMap::new(),
            orphans: Orphans::default(),
            outlived: Vec::new(),
            leaders: HashSet::new(),
            watchdog,
            programs: Programs::new(),
            helpers: Helpers::default(),
            session_ends: false,
            starting: None,
            pending_look: PendingLook::default(),
        }
    }

    /// Registers the pipes of a run that is about to start. If pm is killed now, the watchdog finds its processes by
    /// these.
    pub(crate) fn expect(&mut self, pipes: Pipes) {
        self.starting = Some(Starting { pipes, place: self.watchdog.enter(pipes) });
    }

    /// Adds a started run, with the pipe end that keeps its stdin open. Returns false if the watchdog's table is full.
    pub(crate) fn add(
        &mut self,
        app: &App,
        run: RunId,
        pid: Pid,
        stdin: Option<io::PipeWriter>,
    ) -> bool {
        let pipes = self.starting.map(|starting| starting.pipes).unwrap_or_default();
        let policy = &app.type_of(run.instance).policy;
        let fate = if policy.restart == Restart::Always { Fate::Go } else { Fate::Stay };
        let is_guarded = self.enter(run, pid, policy.stop_signal, fate, stdin);
        self.helpers.enter(run, pid, app.name_of(run.instance), pipes);
        is_guarded
    }

    /// Adds the command of a probe, as a run with a number of its own. The instance's helpers still belong to the run
    /// that is probed.
    pub(crate) fn add_command(&mut self, run: RunId, pid: Pid) {
        self.enter(run, pid, SignalNumber::KILL, Fate::None, None);
    }

    /// Adds a started process to the table and to the watchdog's. Returns false if the latter is full.
    fn enter(
        &mut self,
        run: RunId,
        pid: Pid,
        stop_signal: SignalNumber,
        helpers: Fate,
        stdin: Option<io::PipeWriter>,
    ) -> bool {
        let place = self.starting.take().and_then(|starting| starting.place);
        if let Some(place) = place {
            self.watchdog.begin(place, pid);
        }
        let (life, asked) = (Life::Running, None);
        let child = Child { pid, life, asked, stop_signal, helpers, place, _stdin: stdin };
        self.runs.insert(run, child);
        self.leaders.insert(pid);
        place.is_some()
    }

    /// Forgets the run that was about to start: it could not be started.
    pub(crate) fn expect_no_more(&mut self) {
        if let Some(Starting { place: Some(place), .. }) = self.starting.take() {
            self.watchdog.end(place);
        }
    }

    /// Notes that the whole session ends.
    pub(crate) fn end_session(&mut self) {
        if !self.session_ends {
            self.session_ends = true;
            self.helpers.let_go();
            // A stop may have waited for a helper.
            self.hear();
        }
    }

    /// Returns, for each leader, the children of pm that have left its group and belong to its run.
    pub(crate) fn helpers(&mut self) -> HashMap<i32, Vec<i32>> {
        self.refresh_orphans();
        let runs = self.runs.iter().map(|(run, child)| (child.pid.as_raw(), self.helpers.of(*run)));
        runs.filter(|(_, helpers)| !helpers.is_empty()).collect()
    }

    /// Returns the leader of a run.
    pub(crate) fn leader(&self, run: RunId) -> Option<Pid> {
        self.runs.get(&run).map(|child| child.pid)
    }

    /// Returns every run of an instance that has not been swept, with its leader. The commands of probes are none.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (RunId, Pid)> + '_ {
        let own = self.runs.iter().filter(|(_, child)| child.helpers != Fate::None);
        own.map(|(run, child)| (*run, child.pid))
    }

    /// Returns the number of runs that have not been swept.
    pub(crate) fn count(&self) -> usize {
        self.runs.len()
    }

    /// Notes that some child has changed its state (SIGCHLD).
    pub(crate) fn hear(&mut self) {
        self.pending_look.is_there = true;
    }

    /// Returns whether [`Self::look`] is due: once after each change, at once if no events wait, and at intervals
    /// during a long series of them.
    pub(crate) fn is_due(&mut self, now: Moment, waiting_events: usize) -> bool {
        self.pending_look.is_due(now, waiting_events)
    }

    /// Looks at every child, and reports the changes.
    pub(crate) fn look(&mut self, mut tell: impl FnMut(ChildEvent)) {
        let ended: Vec<(RunId, Exit)> = self
            .runs
            .iter()
            .filter(|(_, child)| child.life == Life::Running)
            .filter_map(|(run, child)| Some((*run, wait::peek(child.pid)?)))
            .collect();
        // After the peek: a dead leader's orphans are pm's children by then.
        self.refresh_orphans();
        for (run, exit) in ended {
            let Some(child) = self.runs.get_mut(&run) else { continue };
            if exit != Exit::Code(0) && child.helpers == Fate::Stay {
                child.helpers = Fate::Go;
            }
            let has_helpers = child.helpers == Fate::Go && self.helpers.has_any(run);
            let has_left_others = self.orphans.has_member_of(child.pid) || has_helpers;
            child.life = if has_left_others { Life::GroupLeft } else { Life::Gone };
            tell(ChildEvent::Exited { run, exit, has_left_others });
        }
        for (run, child) in &mut self.runs {
            if child.life != Life::GroupLeft {
                continue;
            }
            let has_helpers = child.helpers == Fate::Go && self.helpers.has_any(*run);
            if !self.orphans.has_member_of(child.pid) && !has_helpers {
                child.life = Life::Gone;
                tell(ChildEvent::GroupGone(*run));
            } else if child.asked.take_if(|asked| !self.orphans.has_any(child.pid, asked)).is_some()
            {
                tell(ChildEvent::ProgramEnded(*run));
            }
        }
        if self.orphans.are_ended() {
            tell(ChildEvent::OrphansGone);
        }
    }

    /// Updates which processes have become pm's children, and which runs they belong to.
    fn refresh_orphans(&mut self) {
        let watchdog = self.watchdog.pid();
        let ours = &self.leaders;
        self.orphans.refresh(|pid| Some(pid) == watchdog || ours.contains(&pid));
        self.outlived.retain(|(_, group)| self.orphans.member_of(*group).is_some());
        if !self.session_ends {
            self.helpers.refresh(self.orphans.living(), |group| ours.contains(&group));
        }
    }

    /// Signals the group of a run that has not been swept, or only its program.
    pub(crate) fn signal(&mut self, run: RunId, signal: SignalNumber, reach: Reach) {
        let (Some(child), Ok(number)) = (self.runs.get_mut(&run), Signal::try_from(signal.0))
        else {
            return;
        };
        let leader = child.pid;
        let is_stop =
            reach == Reach::Program || signal == child.stop_signal || signal == SignalNumber::KILL;
        let has_helpers = is_stop && !self.session_ends && child.helpers != Fate::None;
        // A leader that has ended by itself is not being stopped: only the rest of its group is.
        if has_helpers && child.life == Life::Running {
            child.helpers = Fate::Go;
            // After its parent has ended, a process can no longer be traced to the run.
            self.helpers.remember(run, leader);
        }
        // If processes cannot be seen, the whole group gets the signal at once, as after the end of the leader.
        let of_program = match (reach, child.life) {
            (Reach::Program, Life::Running) => self.programs.beside_leader(leader),
            (Reach::Program, Life::GroupLeft | Life::Gone) | (Reach::Group, _) => None,
        };
        match &of_program {
            None => {
                // ESRCH is impossible while the leader is not reaped. EPERM: all of them have changed their user.
                let _ = killpg(leader, number);
            }
            // The shell comes first: it must not start its next command when the current one ends.
            Some(others) => {
                for pid in [&leader].into_iter().chain(others) {
                    // They existed a moment ago, and a process id is not reused that soon.
                    let _ = kill(*pid, number);
                }
            }
        }
        let to_helpers = has_helpers && child.helpers == Fate::Go && of_program.is_none();
        match (to_helpers, child.life) {
            (true, Life::Running) => self.helpers.signal(run, number),
            (true, Life::GroupLeft | Life::Gone) => self.helpers.end(run, number),
            (false, _) => {}
        }
        if reach == Reach::Program {
            child.asked = of_program;
        }
        // A stopped process handles such a signal only when it is continued.
        if matches!(number, Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGHUP) {
            let _ = killpg(leader, Signal::SIGCONT);
        }
    }

    /// Sends a signal that tells something to the group of a run, but not to shells that it would end: they wait for what
    /// they have started.
    pub(crate) fn inform(&mut self, run: RunId, signal: SignalNumber) {
        let (Some(child), Ok(number)) = (self.runs.get(&run), Signal::try_from(signal.0)) else {
            return;
        };
        let others = match child.life {
            Life::Running => self.programs.but_shells(child.pid, number),
            Life::GroupLeft | Life::Gone => None,
        };
        match others {
            None => self.signal(run, signal, Reach::Group),
            Some(others) => {
                for pid in others {
                    // They existed a moment ago, and a process id is not reused that soon.
                    let _ = kill(pid, number);
                }
            }
        }
    }

    /// Kills what is left of the group, then reaps the leader. In this order, the group id cannot be reused in between.
    /// A leader that even SIGKILL does not end stays in the table, and nothing waits for it. Returns the CPU time of the
    /// leader and of what it has waited for, where that is known.
    pub(crate) fn sweep(&mut self, run: RunId) -> Option<Duration> {
        let child = self.runs.get(&run)?;
        let pid = child.pid;
        // ESRCH is impossible: the leader exists, dead or alive.
        let _ = killpg(pid, Signal::SIGKILL);
        if child.life == Life::GroupLeft {
            self.outlived.push((run.instance, pid));
        }
        if child.helpers == Fate::Go && !self.session_ends {
            self.helpers.end(run, Signal::SIGKILL);
        }
        let Reaped::Yes(used) = wait::reap(pid) else { return None };
        if let Some(place) = child.place {
            self.watchdog.end(place);
        }
        self.runs.remove(&run);
        self.leaders.remove(&pid);
        used
    }

    /// Signals the processes that have left the group of a run that is over.
    pub(crate) fn stop_helpers(&mut self, run: RunId, signal: SignalNumber) {
        self.refresh_orphans();
        if let (false, Ok(signal)) = (self.session_ends, Signal::try_from(signal.0)) {
            self.helpers.end(run, signal);
        }
    }

    /// Signals everything that left its group, and reports if there is nothing.
    pub(crate) fn stop_orphans(&mut self, signal: SignalNumber, tell: impl FnMut(ChildEvent)) {
        self.refresh_orphans();
        if let Ok(signal) = Signal::try_from(signal.0) {
            self.orphans.end_with(signal);
        }
        self.look(tell);
    }

    /// Returns the name and process id of everything that left its group and is alive.
    pub(crate) fn orphans(&self) -> Vec<String> {
        self.orphans.names()
    }

    /// Continues or replaces the watchdog if needed, and reports it.
    pub(crate) fn tend_watchdog(&mut self, now: Moment) -> Option<watchdog::WatchdogEvent> {
        self.watchdog.tend(now)
    }

    /// Returns when [`Self::tend_watchdog`] must be called without a change of a child.
    pub(crate) fn watchdog_due(&self) -> Option<Moment> {
        self.watchdog.due()
    }

    /// Ends the watchdog: nothing is left to watch.
    pub(crate) fn dismiss_watchdog(self) {
        self.watchdog.dismiss();
    }
}
