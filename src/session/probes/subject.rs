//! One run that is probed: the probes that it must still pass to be ready, and then its `live` probe.

mod events;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::PollFlags;

use super::prober::PortLook;
use super::task::{ProbeAnswer, Task, TaskState, TaskStep};
use super::{HostLookup, LookupNumber, ProbeReport, Watched};
use crate::app::readiness::Liveness;
use crate::os::listeners::InstancePorts;
use crate::os::port_owner::{PortOwner, owner_of};
use crate::os::processes::{descendants_of, is_traced};

/// One run that is probed.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) watched: Watched,
    /// Probes of `ready` that have not succeeded yet.
    starting: Vec<Task>,
    stage: RunStage,
    is_suspended: bool,
    /// The last reported answer of the first probe that has not succeeded.
    told: Option<(String, String)>,
    /// The holder of its port was reported.
    holder_told: bool,
    /// That pm cannot ask was said.
    want_told: bool,
    /// It has said that it reloads, and nothing since.
    is_reloading: bool,
    /// Its last status.
    status: String,
    /// The last lookup that was begun.
    lookups: LookupNumber,
}

/// How far the question is whether it is alive.
#[derive(Debug)]
enum RunStage {
    /// It is asked that when it is ready.
    Starting,
    /// Its `live` probe runs.
    Living { task: Box<Task>, failures: u32 },
    /// It is not asked that any more, or never.
    Over,
}

impl RunStage {
    /// Begins to ask.
    fn of_life(live: Option<&Liveness>, now: Instant) -> Self {
        let Some(Liveness { probe, interval, .. }) = live else { return Self::Over };
        let task = Box::new(Task::of_life(probe.clone(), *interval, now));
        Self::Living { task, failures: 0 }
    }
}

impl Subject {
    pub(super) fn new(watched: Watched, now: Instant) -> Self {
        let probes = watched.ready.iter().flat_map(|ready| ready.probes.clone());
        let starting = probes.map(|probe| Task::of_start(probe, now)).collect();
        let (stage, is_suspended, told) = (RunStage::Starting, false, None);
        let (holder_told, want_told, is_reloading) = (false, false, false);
        Self {
            watched,
            starting,
            stage,
            is_suspended,
            told,
            holder_told,
            want_told,
            is_reloading,
            status: String::new(),
            lookups: LookupNumber::default(),
        }
    }

    /// Returns whether it can be forgotten.
    pub(super) fn is_over(&self) -> bool {
        let is_asked = !self.starting.is_empty() || !matches!(self.stage, RunStage::Over);
        !is_asked && self.watched.notify.is_none()
    }

    fn tasks(&mut self) -> impl Iterator<Item = &mut Task> {
        let living = match &mut self.stage {
            RunStage::Living { task, .. } if !self.is_suspended => Some(&mut **task),
            RunStage::Starting | RunStage::Living { .. } | RunStage::Over => None,
        };
        self.starting.iter_mut().chain(living)
    }

    /// Returns whether a debugger traces one of its processes.
    fn is_traced(&self) -> bool {
        let leader = self.watched.leader;
        [leader].iter().chain(&descendants_of(leader)).any(|pid| is_traced(*pid))
    }

    /// Puts off the `live` probe of a run that a debugger holds.
    fn wait_for_debugger(&mut self, now: Instant, report: &dyn Fn(ProbeReport)) {
        let is_due = matches!(&self.stage, RunStage::Living { task, .. }
            if task.deadline().is_some_and(|at| at <= now));
        if is_due && !self.is_suspended && self.is_traced() {
            self.put_life_off(now, report);
        }
    }

    /// Puts off the `live` probe by an interval, and forgets its failures. A command that runs for it now is killed.
    fn put_life_off(&mut self, now: Instant, report: &dyn Fn(ProbeReport)) {
        let Some(Liveness { interval, .. }) = &self.watched.live else { return };
        let RunStage::Living { task, failures } = &mut self.stage else { return };
        if task.runs_command() {
            report(ProbeReport::KillCommand(self.watched.run));
        }
        *failures = 0;
        task.again(*interval, now);
    }

    /// Begins probes that are due, and ends those that have taken too long.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        look: &mut PortLook,
        report: &dyn Fn(ProbeReport),
        look_up: &dyn Fn(HostLookup),
    ) {
        self.wait_for_debugger(now, report);
        let (run, port) = (self.watched.run, self.watched.port);
        // One command at a time: its end is reported with the run, and not with the probe.
        let mut may_start = !self.tasks().any(|task| task.runs_command());
        let mut steps = Vec::new();
        for (at, task) in self.tasks().enumerate() {
            let step = task.ask(port, may_start, now);
            may_start &= !matches!(step, TaskStep::Start(_));
            steps.push((at, step));
        }
        for (at, step) in steps {
            match step {
                TaskStep::Open => {}
                TaskStep::Answered(answer) => self.answered(at, answer, now, report),
                TaskStep::Resolve(host, port) => {
                    let number = self.begin_lookup(at, now);
                    look_up(HostLookup { run, number, host, port });
                }
                TaskStep::Start(command) => report(ProbeReport::StartCommand(run, command)),
                TaskStep::Kill => report(ProbeReport::KillCommand(run)),
                // A container engine listens in its place, or the kernel forwards the port.
                TaskStep::LookAtPort(port) if self.watched.is_out_of_sight => {
                    self.connect(at, port, now, report);
                }
                TaskStep::LookAtPort(port)
                    if let Some(socket) =
                        self.watched.shared.filter(|_| Some(port) == self.watched.port) =>
                {
                    let is_start = at < self.starting.len();
                    let answer = self.look_at_shared(look.instances(), socket, is_start);
                    self.answered(at, answer, now, report);
                }
                TaskStep::LookAtPort(port) => {
                    let owner = owner_of(look.listeners(), port, self.watched.leader);
                    match self.port_owned(port, owner, report) {
                        Some(answer) => self.answered(at, answer, now, report),
                        None => self.connect(at, port, now, report),
                    }
                }
            }
        }
        self.settle(now, report);
    }

    /// Looks at a socket that is open whatever the run does. To be ready, a program must wait for its connections or have
    /// one: the shell before it has the socket, too. Who is ready must only have it.
    fn look_at_shared(&self, ports: &InstancePorts, socket: u64, is_start: bool) -> ProbeAnswer {
        let leader = self.watched.leader;
        let serves =
            if is_start { ports.accepts(leader, socket) } else { ports.holds(leader, socket) };
        match serves {
            // Where nobody can tell, the port is open, and that is all.
            Some(true) | None => ProbeAnswer::Success,
            Some(false) => ProbeAnswer::Failure(format!("is not served by {}", self.watched.name)),
        }
    }

    /// Judges the listener of a port that should be the run's own. `None`: it cannot be seen.
    fn port_owned(
        &mut self,
        port: u16,
        owner: PortOwner,
        report: &dyn Fn(ProbeReport),
    ) -> Option<ProbeAnswer> {
        match owner {
            PortOwner::Tree => Some(ProbeAnswer::Success),
            PortOwner::Nobody => Some(ProbeAnswer::Failure("has no listener".to_owned())),
            PortOwner::Hidden => None,
            PortOwner::Unknown(why) => Some(ProbeAnswer::NotAsked(why)),
            PortOwner::Other(holder) => {
                let name = &self.watched.name;
                let who = format!("is held by {} (pid {})", holder.program, holder.pid);
                if !std::mem::replace(&mut self.holder_told, true) {
                    let text = format!("port {port} {who}, not by {name}");
                    report(ProbeReport::Held { run: self.watched.run, text });
                }
                Some(ProbeAnswer::Failure(who))
            }
        }
    }

    /// Asks a port itself: the processes behind it cannot be seen.
    fn connect(&mut self, at: usize, port: u16, now: Instant, report: &dyn Fn(ProbeReport)) {
        let step = self.tasks().nth(at).map(|task| task.connect(port, now));
        if let Some(TaskStep::Answered(answer)) = step {
            self.answered(at, answer, now, report);
        }
    }

    /// Takes the answer of the task at a position.
    fn answered(
        &mut self,
        at: usize,
        answer: ProbeAnswer,
        now: Instant,
        report: &dyn Fn(ProbeReport),
    ) {
        match self.starting.get_mut(at) {
            Some(task) => {
                let why = match answer {
                    ProbeAnswer::Success => {
                        task.state = TaskState::Done;
                        return;
                    }
                    ProbeAnswer::Failure(why) => why,
                    ProbeAnswer::NotAsked(why) => {
                        self.tell_want(&why, false, report);
                        format!("cannot be asked: {why}")
                    }
                };
                self.failed_to_start(at, why, now, report);
            }
            None => self.lives(answer, now, report),
        }
    }

    /// A probe has not succeeded yet.
    fn failed_to_start(
        &mut self,
        at: usize,
        why: String,
        now: Instant,
        report: &dyn Fn(ProbeReport),
    ) {
        let Some(task) = self.starting.get_mut(at) else { return };
        task.retry(now);
        let probe = task.probe.to_string();
        if self.starting.iter().position(|task| !task.is_done()) == Some(at) {
            self.tell(probe, why, report);
        }
    }

    /// Takes whether it is alive.
    fn lives(&mut self, answer: ProbeAnswer, now: Instant, report: &dyn Fn(ProbeReport)) {
        let Some(Liveness { interval, failures: limit, .. }) = self.watched.live.clone() else {
            return;
        };
        let RunStage::Living { task, failures } = &mut self.stage else { return };
        task.again(interval, now);
        match answer {
            ProbeAnswer::Success => *failures = 0,
            // It is not to be restarted for that.
            ProbeAnswer::NotAsked(why) => self.tell_want(&why, true, report),
            ProbeAnswer::Failure(why) => {
                *failures += 1;
                if *failures >= limit {
                    let times = match *failures {
                        1 => "once".to_owned(),
                        times => format!("{times} times"),
                    };
                    let text = format!("{} {why} {times}", task.probe);
                    report(ProbeReport::NotAlive(self.watched.run, text));
                    self.stage = RunStage::Over;
                }
            }
        }
    }

    /// Reports once that pm itself cannot ask: whether it is ready, or, where it `is_ready`, whether it is alive.
    fn tell_want(&mut self, why: &str, is_ready: bool, report: &dyn Fn(ProbeReport)) {
        if !std::mem::replace(&mut self.want_told, true) {
            let (run, text) = (self.watched.run, why.to_owned());
            report(ProbeReport::CannotAsk { run, is_ready, text });
        }
    }

    /// Reports the answer of a probe if it has changed.
    fn tell(&mut self, probe: String, text: String, report: &dyn Fn(ProbeReport)) {
        let told = (probe, text);
        if self.told.as_ref() != Some(&told) {
            let (probe, text) = told.clone();
            report(ProbeReport::Answer { run: self.watched.run, probe, text });
            self.told = Some(told);
        }
    }

    /// Forgets probes that have succeeded; when none is left, the run is ready.
    pub(super) fn settle(&mut self, now: Instant, report: &dyn Fn(ProbeReport)) {
        self.starting.retain(|task| !task.is_done());
        if let Some(first) = self.starting.first() {
            let probe = first.probe.to_string();
            if self.told.as_ref().is_none_or(|(told, _)| *told != probe) {
                self.tell(probe, String::new(), report);
            }
            return;
        }
        if self.watched.ready.take().is_some() {
            report(ProbeReport::Ready(self.watched.run));
        }
        if matches!(self.stage, RunStage::Starting) {
            self.stage = RunStage::of_life(self.watched.live.as_ref(), now);
        }
    }

    /// Suspends or resumes the `live` probe. While a client is attached, it may hold the program in a debugger.
    pub(super) fn suspend(
        &mut self,
        is_suspended: bool,
        now: Instant,
        report: &dyn Fn(ProbeReport),
    ) {
        self.is_suspended = is_suspended;
        self.put_life_off(now, report);
    }

    /// Returns the descriptors that it waits for: its notification socket, then its requests.
    pub(super) fn interests(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let notices =
            self.watched.notify.as_ref().map(|socket| (socket.as_fd(), PollFlags::POLLIN));
        let living = match &self.stage {
            RunStage::Living { task, .. } if !self.is_suspended => Some(&**task),
            RunStage::Starting | RunStage::Living { .. } | RunStage::Over => None,
        };
        let requests = self.starting.iter().chain(living).filter_map(Task::interest);
        notices.into_iter().chain(requests)
    }

    /// Continues with the descriptors that are ready, in the order of [`Self::interests`].
    pub(super) fn advance(
        &mut self,
        ready: &mut impl Iterator<Item = bool>,
        now: Instant,
        report: &dyn Fn(ProbeReport),
    ) {
        if self.watched.notify.is_some() && ready.next() == Some(true) {
            self.read_notices(now, report);
        }
        let mut steps = Vec::new();
        for (at, task) in self.tasks().enumerate() {
            if task.interest().is_some() && ready.next() == Some(true) {
                steps.push((at, task.advance(now)));
            }
        }
        for (at, step) in steps {
            if let TaskStep::Answered(answer) = step {
                self.answered(at, answer, now, report);
            }
        }
        self.settle(now, report);
    }

    /// Returns when something is due. A command that waits for another one is due when that ends.
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        let runs_command = self.tasks().any(|task| task.runs_command());
        let tasks = self.tasks().filter(|task| !(runs_command && task.is_waiting_command()));
        tasks.filter_map(|task| task.deadline()).min()
    }

    /// Moves the time limits of running probes, because pm did not run for this long.
    pub(super) fn put_off(&mut self, late: Duration) {
        self.tasks().for_each(|task| task.put_off(late));
    }
}
