//! The functional core: decides what happens to every instance, and when the session is over.
//!
//! It imports nothing but std and [`crate::app`], does no I/O and reads no clock. The session loop passes events with
//! the time at which they happened, and carries out the actions that it returns. Wanted and actual state are separate,
//! and each event ends with the same reconcile pass.

mod changes;
mod event;
mod file_changes;
mod instances;
mod kind;
mod life;
mod memory;
mod needs;
mod outcome;
mod pending;
mod proc;
mod readiness;
mod reconcile;
mod reload;
mod replacement;
mod request;
mod rollout;
mod runs;
mod scale;
mod shutdown;
mod state;
mod status;
mod stop;
pub(crate) mod trace;
mod verdict;
mod wait;

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::app::{App, InstanceId, Moment, Policy, Role, RunId, Signal};

pub use event::{Action, Event, Group, Message, Next, Note, Sample, Waiting, Why};
pub use file_changes::FileChanges;
use file_changes::OwnChanges;
use instances::Instances;
use life::InstanceRun;
use needs::{Graph, SlowStart, TypeStanding};
use pending::PendingRequest;
use proc::Proc;
use readiness::OutsideSearch;
pub use request::{Failure, Reply, RequestId, ResolvedRequest, WaitMode};
use rollout::Rollout;
pub use rollout::RolloutOrder;
use state::{Phase, State};
pub use status::{Doing, SecondRun, Status};
pub use verdict::{Culprit, SessionEnd};
pub use wait::Until;

/// How long the output and the group of an ended leader may stay open: a grandchild that keeps a
/// pipe open delays its parent's end by at most this.
pub const DRAIN: Duration = Duration::from_millis(200);
/// First wait before a restart; doubled for each further one.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// Longest wait before a restart.
pub const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A run that exits with 126 or 127 sooner than this never started: its shell could not execute or find the command.
pub const CANNOT_RUN: Duration = Duration::from_secs(1);
/// Uptime after which earlier crashes are forgotten.
pub const BACKOFF_RESET: Duration = Duration::from_secs(10);
/// How long a killed process may take to end before pm leaves it: only one in an uninterruptible
/// system call takes longer.
pub const KILL_LIMIT: Duration = Duration::from_secs(2);
/// Time between two messages about what a stop waits for.
pub const ANNOUNCE_EVERY: Duration = Duration::from_secs(5);
/// Time until the first message about what a stop waits for.
pub const ANNOUNCE_AFTER: Duration = Duration::from_secs(1);
/// How long an instance without `ready` must have run where all are waited for: what cannot run at all has ended by
/// then.
pub const STEADY: Duration = Duration::from_millis(250);
/// How long a start may take before pm says what it waits for.
pub const EXPLAIN_AFTER: Duration = Duration::from_secs(5);
/// Time between that message and each later one.
pub const EXPLAIN_EVERY: Duration = Duration::from_secs(15);
/// Two shutdown signals that are closer together than this count as one request: a closing terminal and its shell both
/// send SIGHUP, `timeout` signals its child and then the group, and npm forwards the SIGINT that pm got from the
/// terminal, too. A person needs more time between two Ctrl-C.
pub const SAME_REQUEST: Duration = Duration::from_millis(100);
/// How long a session goes on whose root was removed: a tool may be about to make it again.
pub const ROOT_GRACE: Duration = Duration::from_secs(10);

/// The state of a session. `Clone`, so that tests can fork it.
#[derive(Clone, Debug)]
pub struct Supervisor {
    app: Arc<App>,
    procs: Instances,
    /// The types that run once, before the others, by position.
    releases: Vec<u16>,
    /// How many runs instances had that were scaled away, so that late events about them are recognised as such.
    left: BTreeMap<InstanceId, u32>,
    pending_requests: Vec<PendingRequest>,
    rollouts: Vec<Rollout>,
    phase: Phase,
    /// When someone first asked for the end.
    asked: Option<Moment>,
    code: Option<i32>,
    verdict: SessionEnd,
    /// Instances that failed for good while the session continues, each with the exit code that it would have ended the
    /// session with.
    failures: Vec<(Culprit, i32)>,
    /// When the next sample of memory is due, while something is to be measured.
    measure_at: Option<Moment>,
    graph: Graph,
    /// The standing of each type; empty if no type depends on another.
    known: Vec<TypeStanding>,
    /// Types that instances wait for, and that this session does not start.
    outside: BTreeMap<u16, OutsideSearch>,
    /// A start that is not over.
    slow: Option<SlowStart>,
    /// When the session ends, while its root is gone.
    root_gone: Option<Moment>,
    /// Types that share a socket, or have ceased to, by a reload: none of them starts while a run from before has it.
    moving: BTreeSet<u16>,
    /// Types that their own changes have restarted.
    own_changes: BTreeMap<u16, OwnChanges>,
    out: Vec<Action>,
}

impl Supervisor {
    /// Makes the state of a session in which every instance of the formation is wanted.
    pub fn new(app: Arc<App>) -> Self {
        let procs = app.instances().map(|id| (id, Proc::new(0))).collect();
        let releases = releases(&app);
        let graph = Graph::of(&app);
        Self {
            app,
            procs,
            releases,
            left: BTreeMap::new(),
            pending_requests: Vec::new(),
            rollouts: Vec::new(),
            phase: Phase::Running,
            asked: None,
            code: None,
            verdict: SessionEnd::default(),
            failures: Vec::new(),
            measure_at: None,
            graph,
            known: Vec::new(),
            outside: BTreeMap::new(),
            slow: None,
            root_gone: None,
            moving: BTreeSet::new(),
            own_changes: BTreeMap::new(),
            out: Vec::new(),
        }
    }

    /// Applies one event and returns what the session loop must do, in order.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: Moment) -> Vec<Action> {
        let was_ending = self.is_ending();
        self.apply(event, now);
        self.expire(now);
        self.reconcile(now);
        let began_to_end = self.is_ending() && !was_ending;
        if began_to_end {
            self.end_outside();
        }
        self.answer(began_to_end, now);
        mem::take(&mut self.out)
    }

    /// Returns when [`Event::Ticked`] is due. `None`: nothing changes until another event.
    pub fn next_deadline(&self) -> Option<Moment> {
        let slow = self.slow.map(|slow| slow.at);
        let (procs, phase) = (self.procs.next_deadline(), self.phase.deadline());
        let all = [procs, phase, self.measure_at, slow, self.root_gone];
        let waits = self.pending_requests.iter().filter_map(|pending| pending.look_at);
        all.into_iter().flatten().chain(waits).min()
    }

    /// Returns the exit code, once nothing is left to supervise.
    pub fn finished(&self) -> Option<i32> {
        (self.phase == Phase::Over).then(|| self.code.unwrap_or(0))
    }

    /// Returns whether the whole session is ending.
    pub fn is_ending(&self) -> bool {
        self.phase != Phase::Running
    }

    /// Returns whether someone asked for the end, which makes it a success whatever follows.
    pub fn was_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Returns why and how the session ended.
    pub fn verdict(&self) -> &SessionEnd {
        &self.verdict
    }

    fn apply(&mut self, event: Event, now: Moment) {
        match event {
            Event::Began | Event::Ticked => {}
            Event::Requested { id, request, wait, grace } => {
                self.requested(id, request, wait, grace, now);
            }
            Event::Reread(app) => self.go_by(app),
            Event::Forgotten(id) => self.forgotten(id),
            Event::Signalled(signal) => self.signalled(signal, now),
            Event::OutputLost(code) => self.shut_down(Why::OutputLost, code, now),
            Event::OwnerEnded { pid } => self.shut_down(Why::OwnerEnded { pid }, 0, now),
            Event::RootRemoved => self.root_removed(now),
            Event::RootRestored => self.root_restored(),
            Event::OrphansGone => self.orphans_gone(),
            Event::FilesChanged { process_type, changes } => {
                self.files_changed(process_type, &changes, now);
            }
            Event::FoundOutside { process_type } => {
                self.outside
                    .entry(process_type)
                    .and_modify(|search| *search = OutsideSearch::Found);
            }
            Event::Spawned { run, pid } if self.is_current(run) => self.spawned(run, pid, now),
            Event::SpawnFailed { run, error } if self.is_current(run) => {
                self.spawn_failed(run, error, now);
            }
            Event::Exited { run, exit, group } if self.is_current(run) => {
                self.exited(run, exit, group, now);
            }
            Event::GroupGone { run } if self.is_current(run) => {
                self.life(run).group = Group::Gone;
            }
            Event::ProgramEnded { run } if self.is_current(run) => self.program_ended(run),
            Event::Withdrawn { run } if self.is_current(run) => self.withdrawn(run, now),
            Event::OutputClosed { run } if self.is_current(run) => {
                self.life(run).output_open = false;
            }
            Event::BecameReady { run } if self.is_current(run) => self.became_ready(run, now),
            Event::ReadyExtended { run, time } if self.is_current(run) => {
                if let State::Up { unready: Some(until), .. } = &mut self.life(run).state {
                    // As in systemd, the earlier deadline is never shortened.
                    *until = (*until).max(now + time);
                }
            }
            Event::NotAlive { run, why } if self.counts(run) => {
                self.not_alive(run.instance, why, now);
            }
            Event::Measured { run, bytes } if self.counts(run) => {
                self.measured(run.instance, bytes, now);
            }
            // Facts about an older life, or about one of two that do not matter.
            Event::Spawned { .. }
            | Event::SpawnFailed { .. }
            | Event::Exited { .. }
            | Event::GroupGone { .. }
            | Event::ProgramEnded { .. }
            | Event::Withdrawn { .. }
            | Event::Measured { .. }
            | Event::BecameReady { .. }
            | Event::ReadyExtended { .. }
            | Event::NotAlive { .. }
            | Event::OutputClosed { .. } => {}
        }
    }

    /// Switches to another application. Its types have the positions of the old ones.
    fn go_by(&mut self, app: Arc<App>) {
        self.releases = releases(&app);
        self.graph = Graph::of(&app);
        // It holds for the old dependencies only.
        self.known.clear();
        self.app = app;
    }

    /// The one place where events about an older run are dropped.
    fn is_current(&self, run: RunId) -> bool {
        self.procs.get(run.instance).is_some_and(|proc| proc.life(run.seq).is_some())
    }

    /// Returns whether a run is the one that counts, of the two that its instance may have.
    fn counts(&self, run: RunId) -> bool {
        self.run_of(run.instance) == run
    }

    fn proc(&mut self, id: InstanceId) -> &mut Proc {
        self.procs.get_mut(id).expect("ids come from the map's own keys, or passed is_current")
    }

    fn life(&mut self, run: RunId) -> &mut InstanceRun {
        let life = self.proc(run.instance).life_mut(run.seq);
        life.expect("runs come from the instance's own numbers, or passed is_current")
    }

    /// Returns the run of an instance that counts.
    fn run_of(&self, id: InstanceId) -> RunId {
        RunId { instance: id, seq: self.procs.get(id).map_or(0, |proc| proc.life.seq) }
    }

    /// Returns all runs of an instance: the one that counts, and the one beside it.
    fn runs_of(&self, id: InstanceId) -> Vec<RunId> {
        let seqs = self.procs.get(id).into_iter().flat_map(Proc::seqs);
        seqs.map(|seq| RunId { instance: id, seq }).collect()
    }

    fn policy(&self, id: InstanceId) -> &Policy {
        &self.app.type_of(id).policy
    }
}

fn releases(app: &App) -> Vec<u16> {
    let types = app.types.iter().zip(0..);
    types.filter(|(own, _)| own.policy.role == Role::Release).map(|(_, at)| at).collect()
}
