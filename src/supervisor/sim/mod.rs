//! A virtual world for the supervisor: clock, children and a readable trace. No sleeping, no
//! processes. It checks after every event what must hold always; the tests check intent.

mod checks;
mod child;
mod shell;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::state::{Phase, State};
use super::{Event, Group, Reply, RequestId, ResolvedRequest, Supervisor, WaitMode};
use crate::app::{App, Environment, Exit, ExitOn, InstanceId, Moment, ProcessType, RunId, Signal};
pub(super) use child::{FakeChild, TypeRow, always, never, on_failure, release, row};
use child::{FakeLife, Orphan, Traffic};

/// What will happen in the world.
#[derive(Clone, Debug)]
enum Happening {
    Fact(Event),
    Starts(RunId),
    LeaderEnds(RunId, Exit),
    JobEnds(RunId),
    GroupEnds(RunId),
    OrphansEnd,
}

/// Clock, children and trace around a supervisor. `Clone`, so that a test can fork all of it.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) sup: Supervisor,
    pub(super) now: Moment,
    /// How long a start takes to be answered, in milliseconds.
    pub(super) start_takes: u64,
    /// Somebody reads what is shown.
    pub(super) has_reader: bool,
    /// How long what is stopped or restarted by request may take, where that is asked for too.
    pub(super) grace: Option<Duration>,
    /// How long after its start a run is ready, in milliseconds.
    pub(super) ready_after: fn(RunId) -> Option<u64>,
    /// How long after a run is withdrawn none of its requests is in flight, in milliseconds.
    pub(super) in_flight: fn(RunId) -> Option<u64>,
    /// What a run uses at a time, in bytes.
    pub(super) memory: fn(RunId, Moment) -> u64,
    rows: Vec<TypeRow>,
    app: Arc<App>,
    plan: BTreeMap<Moment, VecDeque<Happening>>,
    lives: BTreeMap<RunId, FakeLife>,
    past: BTreeSet<RunId>,
    orphans: Vec<Orphan>,
    stop_began: bool,
    spawns: u32,
    sweeps: u32,
    failures: u32,
    requests: u64,
    asked: BTreeSet<RequestId>,
    pub(super) replies: BTreeMap<RequestId, Reply>,
    trace: Vec<String>,
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl World {
    pub(super) fn new(exit_on: ExitOn, rows: Vec<TypeRow>) -> Self {
        let types = rows.iter().map(|row| ProcessType {
            count: row.count,
            policy: row.policy.clone(),
            front: row.front.clone(),
            ..ProcessType::of(row.name, "")
        });
        let app = Arc::new(App {
            root: PathBuf::from("/"),
            types: types.collect(),
            environment: Environment::default(),
            base_port: 5000,
            exit_on,
        });
        let mut world = Self {
            sup: Supervisor::new(Arc::clone(&app)),
            now: Moment::default(),
            start_takes: 0,
            has_reader: true,
            grace: None,
            ready_after: |_| None,
            in_flight: |_| Some(0),
            memory: |_, _| 0,
            rows,
            app,
            plan: BTreeMap::new(),
            lives: BTreeMap::new(),
            past: BTreeSet::new(),
            orphans: Vec::new(),
            stop_began: false,
            spawns: 0,
            sweeps: 0,
            failures: 0,
            requests: 0,
            asked: BTreeSet::new(),
            replies: BTreeMap::new(),
            trace: Vec::new(),
        };
        world.at(0, Event::Began);
        world
    }

    /// Plans an event for a time since the start.
    pub(super) fn at(&mut self, since_start: u64, event: Event) {
        self.plan(Moment(ms(since_start)), Happening::Fact(event));
    }

    /// Plans an event, in milliseconds from this moment.
    pub(super) fn after(&mut self, delay: u64, event: Event) {
        self.plan(self.now + ms(delay), Happening::Fact(event));
    }

    fn plan(&mut self, at: Moment, happening: Happening) {
        self.plan.entry(at).or_default().push_back(happening);
    }

    fn soon(&mut self, delay: u64, happening: Happening) {
        self.plan(self.now + ms(delay), happening);
    }

    /// Runs until the end, `limit` milliseconds since the start, or nothing left to happen.
    pub(super) fn run(&mut self, limit: u64) -> Option<i32> {
        while self.sup.finished().is_none() && self.step(limit) {}
        if self.sup.finished().is_some() {
            self.check_end();
        }
        self.sup.finished()
    }

    /// Delivers the next event. Returns `false` when there is none before the limit.
    pub(super) fn step(&mut self, limit: u64) -> bool {
        let planned = self.plan.keys().next().copied();
        let due = [planned, self.sup.next_deadline()].into_iter().flatten().min();
        let Some(due) = due.filter(|at| *at <= Moment(ms(limit))) else { return false };
        self.now = self.now.max(due);
        let mut event = Some(Event::Ticked);
        if let Some(mut queue) = self.plan.remove(&due) {
            let first = queue.pop_front();
            if !queue.is_empty() {
                self.plan.insert(due, queue);
            }
            event = first.and_then(|happening| self.happens(happening));
        }
        if let Some(event) = event {
            self.deliver(event);
        }
        true
    }

    pub(super) fn deliver(&mut self, event: Event) {
        let asks = match &event {
            Event::Signalled(Signal::INT | Signal::TERM | Signal::HUP) | Event::OutputLost(_) => {
                true
            }
            Event::SpawnFailed { run, .. } => {
                let goes_on = self.app.exit_on == ExitOn::All;
                let is_watched = self.sup.is_watched(run.instance);
                let proc = self.sup.procs.get(run.instance).unwrap();
                !goes_on && !is_watched && !proc.by_request && proc.life.seq == run.seq
            }
            _ => false, // Nothing else ends a session for certain.
        };
        self.stop_began |= asks;
        if let Event::Requested { id, request, .. } = &event {
            self.asked.insert(*id);
            self.stop_began |= *request == ResolvedRequest::Quit;
        }
        if let Event::Withdrawn { run } = &event
            && let Some(life) = self.lives.get_mut(run)
        {
            life.traffic = Traffic::Over;
        }
        // Whoever has found that asks no more.
        if let Event::NotAlive { run, .. } = &event
            && self.is_past_its_start(*run)
        {
            self.watch(*run, false);
        }
        let forwarded = match &event {
            Event::Signalled(signal) if !asks => Some(*signal),
            Event::Requested { request: ResolvedRequest::Signal(_, signal), .. } => Some(*signal),
            _ => None, // Nothing else is passed on.
        };
        for action in self.sup.handle(event, self.now) {
            self.perform(action, forwarded);
        }
        self.stop_began |= self.sup.phase != Phase::Running;
        self.check();
    }

    fn happens(&mut self, happening: Happening) -> Option<Event> {
        match happening {
            Happening::Fact(event) => Some(event),
            Happening::Starts(run) => {
                if let Some((after, exit)) = self.lives[&run].child.own_end() {
                    self.soon(after, Happening::LeaderEnds(run, exit));
                }
                self.orphans.extend(self.lives[&run].child.orphan());
                Some(Event::Spawned { run, pid: i32::try_from(100 + self.spawns).unwrap() })
            }
            Happening::LeaderEnds(run, exit) => {
                let life = self.lives.get_mut(&run).filter(|life| life.leader.is_none())?;
                life.leader = Some(exit);
                let is_left = life.has_job || life.has_members;
                if !is_left && !matches!(life.child, FakeChild::Leaky(..)) {
                    self.shown(run);
                }
                if is_left {
                    self.tell_if_program_has_ended(run);
                }
                let group = if is_left { Group::Left } else { Group::Gone };
                Some(Event::Exited { run, exit, group })
            }
            Happening::JobEnds(run) => {
                let life = self.lives.get_mut(&run).filter(|life| life.has_job)?;
                life.has_job = false;
                if life.has_members {
                    self.tell_if_program_has_ended(run);
                    return None;
                }
                self.group_gone(run)
            }
            Happening::GroupEnds(run) => {
                let life = self.lives.get_mut(&run).filter(|life| life.has_members)?;
                life.has_members = false;
                if life.has_job {
                    return None;
                }
                self.group_gone(run)
            }
            Happening::OrphansEnd => self.orphans.is_empty().then_some(Event::OrphansGone),
        }
    }

    /// The first wave of a stop is over, and others than the program are left.
    fn tell_if_program_has_ended(&mut self, run: RunId) {
        let life = &self.lives[&run];
        if !life.program_runs() && life.asked > 0 && life.rest_asked == 0 {
            self.soon(0, Happening::Fact(Event::ProgramEnded { run }));
        }
    }

    fn group_gone(&mut self, run: RunId) -> Option<Event> {
        self.lives[&run].leader?;
        self.shown(run);
        Some(Event::GroupGone { run })
    }

    /// Asks for something at this moment, and for an answer when it has come true.
    pub(super) fn ask(&mut self, request: ResolvedRequest) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        let (wait, grace) = (WaitMode::UntilDone, self.grace);
        self.deliver(Event::Requested { id, request, wait, grace });
        id
    }

    /// Returns what the next request will be called.
    pub(super) fn next_request(&self) -> RequestId {
        RequestId(self.requests + 1)
    }

    /// Returns how many runs an instance has had.
    pub(super) fn runs_of(&self, id: InstanceId) -> u32 {
        let left = || self.sup.left.get(&id).copied();
        self.sup.procs.get(id).map(|proc| proc.runs).or_else(left).unwrap_or(0)
    }

    /// Who made a request leaves.
    pub(super) fn leave(&mut self, id: RequestId) {
        self.asked.remove(&id);
        self.replies.remove(&id);
        self.deliver(Event::Forgotten(id));
    }

    /// Returns whether a rollout is not over.
    pub(super) fn is_rolling(&self) -> bool {
        !self.sup.rollouts.is_empty()
    }

    /// Returns who had to be killed at the end of the session.
    pub(super) fn killed(&self) -> Vec<InstanceId> {
        self.sup.verdict().killed.iter().copied().collect()
    }

    /// Returns who did not even end when killed.
    pub(super) fn lost(&self) -> Vec<InstanceId> {
        self.sup.verdict().lost.iter().copied().collect()
    }

    /// Returns the runs that live.
    pub(super) fn live_runs(&self) -> Vec<RunId> {
        self.lives.keys().copied().collect()
    }

    /// Returns whether a run is the one that counts, and is ready if its type has `ready`.
    fn is_past_its_start(&self, run: RunId) -> bool {
        let proc = self.sup.procs.get(run.instance).filter(|proc| proc.life.seq == run.seq);
        let state = proc.map(|proc| proc.life.state);
        matches!(state, Some(State::Up { unready: None, .. }))
    }

    /// Returns the runs that nobody asks whether they are alive, although their type has `live`.
    pub(super) fn unwatched_runs(&self) -> Vec<RunId> {
        let is_to_be = |run: &RunId| {
            self.is_past_its_start(*run) && self.sup.policy(run.instance).live.is_some()
        };
        let lives = self.lives.iter().filter(|(run, life)| !life.is_watched && is_to_be(run));
        lives.map(|(run, _)| *run).collect()
    }

    /// Returns a run that was swept, for facts that come too late.
    pub(super) fn past_run(&self, nth: usize) -> Option<RunId> {
        self.past.iter().nth(nth % self.past.len().max(1)).copied()
    }

    pub(super) fn instance(&self, name: &str) -> InstanceId {
        self.app.instances().find(|id| self.app.name_of(*id) == name).unwrap()
    }
}
