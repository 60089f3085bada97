//! A virtual world for the supervisor: clock, children and a readable trace. No sleeping, no
//! processes. It checks after every event what must hold always; the tests check intent.

mod checks;
mod child;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::state::Phase;
use super::{Action, Event, Group, Reply, RequestId, ResolvedRequest, Supervisor, WaitMode, trace};
use crate::app::{
    App, Environment, Exit, ExitOn, InstanceId, Moment, ProcessType, Reach, RunId, Signal,
};
pub(super) use child::{FakeChild, TypeRow, always, never, on_failure, release, row};
use child::{FakeLife, Orphan};

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

    /// Plans an event for so many milliseconds from this moment.
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
                !goes_on && !self.sup.procs.get(run.instance).unwrap().by_request
            }
            _ => false, // Nothing else ends a session for certain.
        };
        self.stop_began |= asks;
        if let Event::Requested { id, request, .. } = &event {
            self.asked.insert(*id);
            self.stop_began |= *request == ResolvedRequest::Quit;
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

    fn perform(&mut self, action: Action, forwarded: Option<Signal>) {
        let line = trace::action(&action, &self.app);
        self.trace.push(format!("{} {line}", self.now.0.as_millis()));
        match action {
            Action::Spawn(run) => self.spawn(run),
            Action::Read(run) => assert!(self.lives.contains_key(&run), "{}", self.trace()),
            Action::Signal(run, signal, reach) => self.signal(run, signal, reach, forwarded),
            Action::Sweep(run) => {
                let life = self.lives.remove(&run);
                assert!(life.is_some(), "swept a run that is not live\n{}", self.trace());
                self.shown(run);
                self.past.insert(run);
                self.sweeps += 1;
            }
            Action::StopHelpers(run, _) => {
                assert!(!self.lives.contains_key(&run), "it is not over\n{}", self.trace());
            }
            Action::StopOrphans(signal) => {
                let obeys = |orphan: &Orphan| match orphan {
                    Orphan::Polite => true,
                    Orphan::Deaf => signal == Signal::KILL,
                    Orphan::Immortal => false,
                };
                let delay = u64::from(!self.orphans.is_empty());
                self.orphans.retain(|orphan| !obeys(orphan));
                self.soon(delay, Happening::OrphansEnd);
            }
            Action::Measure(samples) => {
                for sample in samples {
                    let (run, bytes) = (sample.run, (self.memory)(sample.run, self.now));
                    self.soon(0, Happening::Fact(Event::Measured { run, bytes }));
                }
            }
            Action::Reply(id, reply) => {
                assert!(self.asked.contains(&id), "nobody asked\n{}", self.trace());
                let is_first = self.replies.insert(id, reply).is_none();
                assert!(is_first, "answered twice\n{}", self.trace());
            }
            Action::Forget(id) => {
                let lives = self.lives.keys().any(|run| run.instance == id);
                assert!(!lives, "forgot one that lives\n{}", self.trace());
            }
            Action::Probe(run) => {
                if let Some(after) = (self.ready_after)(run) {
                    self.soon(after, Happening::Fact(Event::BecameReady { run }));
                }
            }
            Action::EndProbe(_) | Action::ProbeOutside(_) | Action::EndProbeOutside(_) => {}
            Action::Pause | Action::Note(..) | Action::Say(_) => {}
        }
    }

    /// Everything that a run has written is shown, unless nobody reads. To be told twice is nothing.
    fn shown(&mut self, run: RunId) {
        if self.has_reader {
            self.soon(0, Happening::Fact(Event::OutputClosed { run }));
        }
    }

    fn spawn(&mut self, run: RunId) {
        let instance = run.instance;
        let lives = self.lives.keys().filter(|live| live.instance == instance).count();
        assert_eq!(lives, 0, "two lives at once\n{}", self.trace());
        assert!(!self.stop_began, "a start after the stop began\n{}", self.trace());
        self.spawns += 1;
        let child = self.child_of(run);
        if let FakeChild::Missing = child {
            self.failures += 1;
            let error = "no such file".to_owned();
            return self.soon(self.start_takes, Happening::Fact(Event::SpawnFailed { run, error }));
        }
        let (has_job, has_members) = (child.has_job(), child.has_members());
        let (leader, asked, rest_asked, killed) = (None, 0, 0, false);
        let life = FakeLife { child, leader, has_job, has_members, asked, rest_asked, killed };
        self.lives.insert(run, life);
        self.soon(self.start_takes, Happening::Starts(run));
    }

    fn child_of(&self, run: RunId) -> FakeChild {
        let children = &self.rows[usize::from(run.instance.process_type)].children;
        children[(run.seq as usize - 1).min(children.len() - 1)]
    }

    fn stop_signal_of(&self, run: RunId) -> Signal {
        self.app.type_of(run.instance).policy.stop_signal
    }

    fn signal(&mut self, run: RunId, signal: Signal, reach: Reach, forwarded: Option<Signal>) {
        let stop_signal = self.stop_signal_of(run);
        if let FakeChild::Missing = self.child_of(run) {
            return; // The shell has no process for it, and does nothing.
        }
        assert!(self.lives.contains_key(&run), "signalled a run not live\n{}", self.trace());
        let (lives, trace) = (&mut self.lives, &self.trace);
        let life = lives.get_mut(&run).unwrap();
        let polite = signal == stop_signal && forwarded != Some(signal);
        let (child, leader) = (life.child, life.leader);
        let to_rest = reach == Reach::Group;
        if polite {
            assert!(!life.killed, "asked after it was killed\n{}", trace.join("\n"));
            life.rest_asked += u32::from(to_rest);
            if to_rest && life.asked > 0 {
                assert!(
                    !life.program_runs(),
                    "the second wave before the first is over\n{}",
                    trace.join("\n")
                );
            } else {
                life.asked += 1;
            }
            assert!(
                life.asked <= 1 && life.rest_asked <= 1,
                "asked to stop twice\n{}",
                trace.join("\n")
            );
        }
        if signal == Signal::KILL {
            assert!(!life.killed && to_rest, "killed twice, or in part\n{}", trace.join("\n"));
            life.killed = true;
        }
        let fatal = polite || signal == Signal::KILL;
        if !fatal {
            return;
        }
        let leader_ends = match child {
            FakeChild::Immortal => None,
            FakeChild::Deaf => (signal == Signal::KILL).then_some(1),
            FakeChild::Master(drain) if polite => Some(1 + drain),
            _ => Some(1), // Every other leader obeys at once.
        };
        let job_ends = match child {
            FakeChild::Shell(drain) | FakeChild::ShellOfMaster(drain, _) if polite => {
                Some(1 + drain)
            }
            _ => Some(1),
        };
        let members_end = match child {
            FakeChild::LeavesGroupImmortal => None,
            FakeChild::Master(drain) if polite && !to_rest => Some(1 + drain),
            _ if polite && !to_rest => None, // They were not asked.
            FakeChild::LeavesGroup(more) | FakeChild::ShellOfMaster(_, more) if polite => {
                Some(1 + more)
            }
            FakeChild::LeavesGroupDeaf | FakeChild::LeavesDeafJob(..) if polite => None,
            _ => Some(1), // Every other obeys at once.
        };
        // A master has ended its workers before it ends.
        if let Some(delay) = members_end {
            self.soon(delay, Happening::GroupEnds(run));
        }
        if let Some(delay) = leader_ends.filter(|_| leader.is_none()) {
            let exit = match child {
                FakeChild::Polite if polite => Exit::Code(0),
                _ => Exit::Signal(signal), // No other handles it.
            };
            self.soon(delay, Happening::LeaderEnds(run, exit));
        }
        if let Some(delay) = job_ends {
            self.soon(delay, Happening::JobEnds(run));
        }
    }

    /// Asks for something at this moment, and for an answer when it has come true.
    pub(super) fn ask(&mut self, request: ResolvedRequest) -> RequestId {
        let id = RequestId(self.asked.len() as u64 + 1);
        let (wait, grace) = (WaitMode::UntilDone, self.grace);
        self.deliver(Event::Requested { id, request, wait, grace });
        id
    }

    /// Returns a run that was swept, for facts that come too late.
    pub(super) fn past_run(&self, nth: usize) -> Option<RunId> {
        self.past.iter().nth(nth % self.past.len().max(1)).copied()
    }

    pub(super) fn instance(&self, name: &str) -> InstanceId {
        self.app.instances().find(|id| self.app.name_of(*id) == name).unwrap()
    }
}
