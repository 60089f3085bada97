//! Owns every process id: which run has which, who has ended, what is left of whose group.
//!
//! An ended leader is only looked at (`WNOWAIT`) and stays a zombie until its run is swept: as long as
//! it is there, its process group id cannot become anyone else's.

mod pending_look;
mod survivors;

use std::collections::{HashMap, HashSet};
use std::io;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::helpers::Helpers;
use super::orphans::Orphans;
use super::pid_table::{Pipes, SlotIndex};
use super::program::Programs;
use super::wait;
use super::watchdog::{self, Watchdog};
use crate::app::{App, Exit, InstanceId, Moment, Reach, Restart, RunId, Signal as SignalNumber};
use pending_look::PendingLook;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    /// The leader has ended, and this was told; others of its group still run.
    GroupLeft,
    /// The leader has ended, and nothing of its group is left; this was told.
    Gone,
}

/// What is new of the children.
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
    /// Of those that got a signal to the program alone, none is left; others of its group still run.
    ProgramEnded(RunId),
    /// No descendant outside of the groups is left.
    OrphansGone,
}

#[derive(Debug)]
struct Child {
    pid: Pid,
    life: Life,
    /// What got the first wave of a stop beside the leader; `None` where nobody waits for the end of that.
    asked: Option<Vec<Pid>>,
    /// What asks it to end.
    stop_signal: SignalNumber,
    helpers: Fate,
    /// Its place with the watchdog.
    place: Option<SlotIndex>,
    /// Keeps its stdin from ending.
    _stdin: Option<io::PipeWriter>,
}

/// What becomes of the helpers of a run (see [`Helpers`]) when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// They stay where it ends by itself with success, and is not started again: it has made itself a daemon.
    Stay,
    Go,
    /// It has none of its own: a command that asks for another run, whose helpers they are.
    None,
}

/// A run that is being started.
#[derive(Clone, Copy, Debug)]
struct Starting {
    pipes: Pipes,
    /// `None` where the watchdog has no room.
    place: Option<SlotIndex>,
}

/// The table of runs and processes.
#[derive(Debug)]
pub(crate) struct Children {
    runs: HashMap<RunId, Child>,
    orphans: Orphans,
    /// Groups of runs that are over, of which something was left when it was killed.
    outlived: Vec<(InstanceId, Pid)>,
    /// The processes of all runs.
    leaders: HashSet<Pid>,
    watchdog: Watchdog,
    programs: Programs,
    helpers: Helpers,
    /// Helpers are orphans like any other, which end after all instances.
    session_ends: bool,
    starting: Option<Starting>,
    news: PendingLook,
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
            news: PendingLook::default(),
        }
    }

    /// Takes the pipes of a run that is about to start: were pm killed now, the watchdog would know it by these.
    pub(crate) fn expect(&mut self, pipes: Pipes) {
        self.starting = Some(Starting { pipes, place: self.watchdog.enter(pipes) });
    }

    /// Takes the run that was started, and what keeps its stdin open. Returns false where the watchdog has no room
    /// for it.
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

    /// Takes the command that asks for a run, under a number of its own. The helpers of the instance stay those of
    /// the run that it asks for.
    pub(crate) fn add_command(&mut self, run: RunId, pid: Pid) {
        self.enter(run, pid, SignalNumber::KILL, Fate::None, None);
    }

    /// Puts what was started into the table, and tells the watchdog. Returns false where that has no room for it.
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

    /// Takes the news that the run could not be started.
    pub(crate) fn expect_no_more(&mut self) {
        if let Some(Starting { place: Some(place), .. }) = self.starting.take() {
            self.watchdog.end(place);
        }
    }

    /// Takes the news that the whole session ends.
    pub(crate) fn end_session(&mut self) {
        if !self.session_ends {
            self.session_ends = true;
            self.helpers.let_go();
            // Somebody may have waited for one.
            self.hear();
        }
    }

    /// Returns the children of pm that have left the group of a leader and belong to its run.
    pub(crate) fn helpers(&mut self) -> HashMap<i32, Vec<i32>> {
        self.refresh_orphans();
        let runs = self.runs.iter().map(|(run, child)| (child.pid.as_raw(), self.helpers.of(*run)));
        runs.filter(|(_, helpers)| !helpers.is_empty()).collect()
    }

    /// Returns the leader of a run.
    pub(crate) fn leader(&self, run: RunId) -> Option<Pid> {
        self.runs.get(&run).map(|child| child.pid)
    }

    /// Returns how many runs there are that have not been swept.
    pub(crate) fn count(&self) -> usize {
        self.runs.len()
    }

    /// Takes the news that some child has changed.
    pub(crate) fn hear(&mut self) {
        self.news.is_there = true;
    }

    /// Returns once after news whether it is time for [`Self::look`]: at once where no events wait, and
    /// now and then in a long row of them.
    pub(crate) fn is_due(&mut self, now: Moment, waiting_events: usize) -> bool {
        self.news.is_due(now, waiting_events)
    }

    /// Looks at every child, and tells what is new.
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

    /// Looks at who has become pm's child, and at whose they are.
    fn refresh_orphans(&mut self) {
        let watchdog = self.watchdog.pid();
        let ours = &self.leaders;
        self.orphans.refresh(|pid| Some(pid) == watchdog || ours.contains(&pid));
        self.outlived.retain(|(_, group)| self.orphans.member_of(*group).is_some());
        if !self.session_ends {
            self.helpers.refresh(self.orphans.living(), |group| ours.contains(&group));
        }
    }

    /// Signals the group of a run that has not been swept, or its program alone.
    pub(crate) fn signal(&mut self, run: RunId, signal: SignalNumber, reach: Reach) {
        let (Some(child), Ok(number)) = (self.runs.get_mut(&run), Signal::try_from(signal.0))
        else {
            return;
        };
        let leader = child.pid;
        let is_stop =
            reach == Reach::Program || signal == child.stop_signal || signal == SignalNumber::KILL;
        let has_helpers = is_stop && !self.session_ends && child.helpers != Fate::None;
        // One that has ended by itself is not stopped: what is left of its group is.
        if has_helpers && child.life == Life::Running {
            child.helpers = Fate::Go;
            // The end of a parent hides where its children came from.
            self.helpers.remember(run, leader);
        }
        // Where nobody can be seen, all get it at once, as after the end of the leader.
        let of_program = match (reach, child.life) {
            (Reach::Program, Life::Running) => self.programs.beside_leader(leader),
            (Reach::Program, Life::GroupLeft | Life::Gone) | (Reach::Group, _) => None,
        };
        match &of_program {
            None => {
                // ESRCH cannot be while the leader is not reaped; EPERM: all of them changed their user.
                let _ = killpg(leader, number);
            }
            // A shell first: it is not to go on to its next command when the one before has ended.
            Some(others) => {
                for pid in [&leader].into_iter().chain(others) {
                    // They were seen just now, and an id is not given to another so soon.
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
        // A stopped process hears a polite signal only when it goes on.
        if matches!(number, Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGHUP) {
            let _ = killpg(leader, Signal::SIGCONT);
        }
    }

    /// Kills what is left of the group, then reaps the leader: in this order, the id is ours.
    /// A leader that cannot even be killed stays in the table, and is nobody's concern any more.
    pub(crate) fn sweep(&mut self, run: RunId) {
        let Some(child) = self.runs.get(&run) else { return };
        let pid = child.pid;
        // ESRCH cannot be: the leader is there, dead or alive.
        let _ = killpg(pid, Signal::SIGKILL);
        if child.life == Life::GroupLeft {
            self.outlived.push((run.instance, pid));
        }
        if child.helpers == Fate::Go && !self.session_ends {
            self.helpers.end(run, Signal::SIGKILL);
        }
        if wait::reap(pid) {
            if let Some(place) = child.place {
                self.watchdog.end(place);
            }
            self.runs.remove(&run);
            self.leaders.remove(&pid);
        }
    }

    /// Asks what has left the group of a run to end, when the run is over.
    pub(crate) fn stop_helpers(&mut self, run: RunId, signal: SignalNumber) {
        self.refresh_orphans();
        if let (false, Ok(signal)) = (self.session_ends, Signal::try_from(signal.0)) {
            self.helpers.end(run, signal);
        }
    }

    /// Signals everything that left its group, and tells when there is nothing.
    pub(crate) fn stop_orphans(&mut self, signal: SignalNumber, tell: impl FnMut(ChildEvent)) {
        self.refresh_orphans();
        if let Ok(signal) = Signal::try_from(signal.0) {
            self.orphans.end_with(signal);
        }
        self.look(tell);
    }

    /// Returns what left the groups and lives, by name and process id.
    pub(crate) fn orphans(&self) -> Vec<String> {
        self.orphans.names()
    }

    /// Looks after the watchdog, and returns what is new.
    pub(crate) fn tend_watchdog(&mut self, now: Moment) -> Option<watchdog::WatchdogEvent> {
        self.watchdog.tend(now)
    }

    /// Returns when the watchdog must be looked after, where no child tells it.
    pub(crate) fn watchdog_due(&self) -> Option<Moment> {
        self.watchdog.due()
    }

    /// Ends the watchdog: nothing is left to watch.
    pub(crate) fn dismiss_watchdog(self) {
        self.watchdog.dismiss();
    }
}
