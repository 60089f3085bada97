//! Rollouts: instances are replaced a few at a time. Each step is over when the new run is ready and the old one has
//! ended; a step that fails ends the rollout, and what was not replaced goes on as it is. What happens to one process
//! type never ends a rollout of another, unless a client has asked for both at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::num::NonZeroU16;

use super::event::{Action, Message};
use super::life::Beside;
use super::needs::Standing;
use super::pending::PendingRequest;
use super::request::{Failure, RequestId};
use super::state::{Cause, Goal, Outcome, Phase, State};
use super::{InstanceId, Supervisor};
use crate::app::RunId;

/// In which steps instances are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutOrder {
    /// How many at a time.
    pub batch: NonZeroU16,
    /// The old run stops before the new one starts: for what has no room for both.
    pub stop_first: bool,
}

impl Default for RolloutOrder {
    /// One at a time, each started before the old one stops.
    fn default() -> Self {
        Self { batch: NonZeroU16::MIN, stop_first: false }
    }
}

/// Who has a rollout done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RolloutOrigin {
    /// A client, whose request waits for its end.
    Request(RequestId),
    /// A client that does not wait for its end, or no longer.
    Unawaited,
    /// The session itself, for what has happened to instances of this process type: each type has one.
    Session(u16),
}

/// A rollout that is not over.
#[derive(Clone, Debug)]
pub(super) struct Rollout {
    origin: RolloutOrigin,
    order: RolloutOrder,
    /// Whose turn has not come.
    waiting: BTreeSet<InstanceId>,
    /// Whose step has begun, with the number of the run that is replaced.
    under_way: BTreeMap<InstanceId, u32>,
    failures: Vec<(InstanceId, Failure)>,
}

impl Rollout {
    fn new(origin: RolloutOrigin, order: RolloutOrder, waiting: BTreeSet<InstanceId>) -> Self {
        Self { origin, order, waiting, under_way: BTreeMap::new(), failures: Vec::new() }
    }

    fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }

    fn has(&self, id: InstanceId) -> bool {
        self.waiting.contains(&id) || self.under_way.contains_key(&id)
    }
}

impl Supervisor {
    /// Begins a rollout that a client has asked for, and that its request waits for. Earlier wishes for these instances
    /// are over.
    pub(super) fn roll(
        &mut self,
        ids: Vec<InstanceId>,
        order: RolloutOrder,
        pending: &mut PendingRequest,
    ) {
        for id in &ids {
            self.resume_watch(id.process_type);
            self.overrule(*id);
        }
        if !ids.is_empty() {
            pending.rolls = true;
            let origin = RolloutOrigin::Request(pending.id);
            self.rollouts.push(Rollout::new(origin, order, ids.into_iter().collect()));
        }
    }

    /// Has an instance replaced for which no client has asked: after the others of its type for which that holds.
    pub(super) fn roll_by_itself(&mut self, id: InstanceId) {
        self.overrule(id);
        let origin = RolloutOrigin::Session(id.process_type);
        if let Some(rollout) = self.rollouts.iter_mut().find(|rollout| rollout.origin == origin) {
            rollout.waiting.insert(id);
            return;
        }
        let order = RolloutOrder::default();
        self.rollouts.push(Rollout::new(origin, order, BTreeSet::from([id])));
    }

    /// Returns whether an instance is being replaced, or will be.
    pub(super) fn is_rolled(&self, id: InstanceId) -> bool {
        self.rollouts.iter().any(|rollout| rollout.has(id))
    }

    /// Returns whether the end of a step of a rollout waits for this run.
    pub(super) fn is_step(&self, run: RunId) -> bool {
        let mut steps = self.rollouts.iter().filter_map(|it| it.under_way.get(&run.instance));
        steps.any(|from| run.seq > *from)
    }

    /// A newer wish for an instance ends its part in any rollout.
    pub(super) fn overrule(&mut self, id: InstanceId) {
        for rollout in self.rollouts.iter_mut().filter(|rollout| rollout.has(id)) {
            rollout.waiting.remove(&id);
            rollout.under_way.remove(&id);
            rollout.failures.push((id, Failure::Overruled));
        }
        if let Some(proc) = self.procs.get_mut(id) {
            proc.beside.dismiss();
        }
    }

    /// The step of an instance begins again: its replacement is not what it should be any more.
    pub(super) fn begin_again(&mut self, id: InstanceId) {
        for rollout in &mut self.rollouts {
            if rollout.under_way.remove(&id).is_some() {
                rollout.waiting.insert(id);
            }
        }
        self.proc(id).beside.dismiss();
    }

    /// Who asked for a rollout does not wait any more: the step under way is finished, and no other begins.
    pub(super) fn forgotten(&mut self, id: RequestId) {
        self.pending_requests.retain(|pending| pending.id != id);
        let mut left = BTreeSet::new();
        for rollout in self.rollouts_of(id) {
            rollout.origin = RolloutOrigin::Unawaited;
            left.append(&mut rollout.waiting);
        }
        left.into_iter().for_each(|id| self.watch_again(id));
    }

    /// Nobody waits for the answer to a request; its rollout goes on.
    pub(super) fn answered_early(&mut self, id: RequestId) {
        self.rollouts_of(id).for_each(|rollout| rollout.origin = RolloutOrigin::Unawaited);
    }

    fn rollouts_of(&mut self, id: RequestId) -> impl Iterator<Item = &mut Rollout> {
        let origin = RolloutOrigin::Request(id);
        self.rollouts.iter_mut().filter(move |rollout| rollout.origin == origin)
    }

    /// The step of an instance has failed, which ends its rollout. Other steps under way are finished; whose turn has
    /// not come goes on as it is.
    pub(super) fn fail_step(&mut self, id: InstanceId, failure: &Failure) {
        let mut rollouts = self.rollouts.iter_mut();
        let Some(rollout) = rollouts.find(|it| it.under_way.contains_key(&id)) else { return };
        rollout.under_way.remove(&id);
        rollout.failures.push((id, failure.clone()));
        let left: Vec<_> = mem::take(&mut rollout.waiting).into_iter().collect();
        let is_answered = match rollout.origin {
            RolloutOrigin::Request(_) => true,
            RolloutOrigin::Unawaited | RolloutOrigin::Session(_) => false,
        };
        left.iter().for_each(|id| self.watch_again(*id));
        if !is_answered && !left.is_empty() && self.phase == Phase::Running {
            self.out.push(Action::Say(Message::NotReplaced { left, failed: id }));
        }
    }

    /// The run that counts has ended, and is started again or not: a step that has come so far has failed.
    pub(super) fn step_ended(&mut self, run: RunId, outcome: Outcome, is_final: bool) {
        if is_final || self.is_step(run) {
            let failure = match (outcome.exit, outcome.cause) {
                (crate::app::Exit::Lost, _) => Failure::Lost,
                (_, Cause::NotReady) => Failure::NotReady,
                (exit, _) => Failure::Ended(exit),
            };
            self.fail_step(run.instance, &failure);
        }
    }

    /// Ends the steps that are over and begins the next ones.
    pub(super) fn advance_rollouts(&mut self) {
        if self.rollouts.is_empty() {
            return;
        }
        let mut rollouts = mem::take(&mut self.rollouts);
        for rollout in &mut rollouts {
            if self.phase == Phase::Running {
                self.advance(rollout);
            } else {
                let left = mem::take(&mut rollout.under_way).into_keys();
                let left = left.chain(mem::take(&mut rollout.waiting));
                rollout.failures.extend(left.map(|id| (id, Failure::SessionEnds)));
            }
        }
        let (over, going): (Vec<_>, Vec<_>) = rollouts.into_iter().partition(Rollout::is_over);
        self.rollouts = going;
        for rollout in over {
            let mut pending = self.pending_requests.iter_mut();
            let origin = rollout.origin;
            if let Some(pending) =
                pending.find(|pending| RolloutOrigin::Request(pending.id) == origin)
            {
                pending.rolls = false;
                pending.failures.extend(rollout.failures);
            }
        }
    }

    fn advance(&mut self, rollout: &mut Rollout) {
        rollout.under_way.retain(|id, from| !self.is_step_over(*id, *from));
        while rollout.under_way.len() < usize::from(rollout.order.batch.get()) {
            // One run at a time may be beside the one that counts.
            let is_free =
                |id: &&InstanceId| self.procs.get(**id).is_none_or(|proc| proc.beside.is_nobody());
            let Some(id) = rollout.waiting.iter().find(is_free).copied() else { break };
            rollout.waiting.remove(&id);
            match self.begin_step(id, rollout.order) {
                Some(from) => drop(rollout.under_way.insert(id, from)),
                None => rollout.failures.push((id, Failure::Overruled)),
            }
        }
    }

    /// Returns whether another run than `from` serves, and is alone.
    fn is_step_over(&self, id: InstanceId, from: u32) -> bool {
        let Some(proc) = self.procs.get(id) else { return true };
        proc.beside.is_nobody()
            && match proc.life.state {
                State::Up { unready, .. } => unready.is_none() && proc.life.seq > from,
                // Waiting for what it depends on is no failure.
                State::Idle if proc.goal == Goal::Run => {
                    self.standing_of(id.process_type) != Standing::Free
                }
                State::Idle
                | State::Spawning
                | State::Withdrawing { .. }
                | State::Stopping { .. }
                | State::Draining { .. }
                | State::Backoff { .. }
                | State::Ended(_) => false,
            }
    }

    /// Begins the step of an instance. Returns the number of the run that is to be replaced.
    fn begin_step(&mut self, id: InstanceId, order: RolloutOrder) -> Option<u32> {
        let proc = self.procs.get_mut(id)?;
        let from = proc.life.seq;
        match (proc.life.state, order.stop_first) {
            (State::Spawning | State::Up { .. }, false) => {
                proc.goal = Goal::Run;
                proc.beside = Beside::Wanted;
            }
            (State::Spawning | State::Up { .. }, true)
            | (State::Withdrawing { .. } | State::Stopping { .. } | State::Draining { .. }, _) => {
                proc.goal = Goal::Renew;
            }
            (State::Idle | State::Backoff { .. } | State::Ended(_), _) => self.make_ready(id),
        }
        Some(from)
    }
}
