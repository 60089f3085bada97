//! Requests that have no answer yet, and the conditions that they wait for.

use std::collections::BTreeSet;
use std::task::Poll;

use super::Supervisor;
use super::event::Action;
use super::needs::Standing;
use super::request::{Failure, Reply, RequestId, ResolvedRequest};
use super::state::{Goal, Phase, State};
use super::wait::{self, Until};
use crate::app::{Exit, InstanceId, Moment};

/// A request that has no answer yet.
#[derive(Clone, Debug)]
pub(super) struct PendingRequest {
    pub(super) id: RequestId,
    pub(super) conditions: BTreeSet<(InstanceId, Condition)>,
    pub(super) failures: Vec<(InstanceId, Failure)>,
    /// It is answered when the session is over.
    pub(super) until_over: bool,
    /// It is answered when its rollout is over.
    pub(super) rolls: bool,
    /// It is answered at the first failure.
    pub(super) until_failure: bool,
    /// Conditions of a wait that are true, and may cease to be until all are.
    held: BTreeSet<(InstanceId, Condition)>,
    /// When conditions may have become true without any event.
    pub(super) look_at: Option<Moment>,
}

/// What must become true of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// It is up, and should stay up. Where its port is asked for, it also listens.
    Up,
    /// It is down, and stays down.
    Down,
    /// It is forgotten.
    Gone,
    /// It has reached the state that `pm wait` waits for.
    Reached(Until),
}

impl PendingRequest {
    pub(super) fn new(id: RequestId) -> Self {
        Self {
            id,
            conditions: BTreeSet::new(),
            failures: Vec::new(),
            until_over: false,
            rolls: false,
            until_failure: false,
            held: BTreeSet::new(),
            look_at: None,
        }
    }

    /// Adds a condition, in place of an earlier one on the same instance.
    pub(super) fn expect(&mut self, id: InstanceId, condition: Condition) {
        self.take(id);
        self.conditions.insert((id, condition));
    }

    /// Returns whether it is answered when an instance is up.
    pub(super) fn awaits_start(&self, id: InstanceId) -> bool {
        self.conditions.contains(&(id, Condition::Up))
    }

    /// Waits for all of these.
    pub(super) fn wait_for(&mut self, targets: Vec<(InstanceId, Until)>) {
        self.until_failure = true;
        let conditions = targets.into_iter().map(|(id, until)| (id, Condition::Reached(until)));
        self.conditions.extend(conditions);
    }

    /// Returns the instances that it waits for.
    pub(super) fn ids(&self) -> Vec<InstanceId> {
        let all = self.conditions.iter().chain(&self.held);
        let mut ids: Vec<_> = all.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Removes and returns the conditions on an instance.
    fn take(&mut self, id: InstanceId) -> Vec<Condition> {
        let first = Condition::Up;
        let mut taken = Vec::new();
        for set in [&mut self.conditions, &mut self.held] {
            let of_id = set.range((id, first)..).take_while(|(of, _)| *of == id);
            let found: Vec<_> = of_id.copied().collect();
            for entry in found {
                set.remove(&entry);
                taken.push(entry.1);
            }
        }
        taken
    }

    pub(super) fn reply(&mut self) -> Reply {
        let mut failures = std::mem::take(&mut self.failures);
        failures.sort_by_key(|(id, _)| *id);
        if self.until_failure {
            wait::condense(&mut failures);
        }
        if failures.is_empty() { Reply::Done } else { Reply::Failed(failures) }
    }

    /// Refuses everything except the end of the session, which is ending.
    pub(super) fn refuse(&mut self, request: ResolvedRequest) {
        let no = |id| (id, Failure::SessionEnds);
        match request {
            ResolvedRequest::Start(ids)
            | ResolvedRequest::Restart(ids)
            | ResolvedRequest::Stop(ids)
            | ResolvedRequest::Roll(ids, _)
            | ResolvedRequest::Signal(ids, _) => self.failures.extend(ids.into_iter().map(no)),
            ResolvedRequest::Scale(counts) => {
                self.failures.extend(counts.into_iter().map(|(process_type, count)| {
                    no(InstanceId { process_type, number: count.max(1) })
                }));
            }
            ResolvedRequest::ScaleBy(process_type, _) => {
                self.failures.push(no(InstanceId { process_type, number: 1 }));
            }
            ResolvedRequest::Reload { app, .. } => {
                self.failures.extend(app.instances().take(1).map(no));
            }
            // A state that is reached already, or at the end of the session (stopped), is no failure.
            ResolvedRequest::Wait(targets) => self.wait_for(targets),
            ResolvedRequest::Quit => self.until_over = true,
        }
    }
}

impl Supervisor {
    /// Tells every pending request that its condition on an instance cannot become true.
    pub(super) fn fail_pending(&mut self, id: InstanceId, failure: &Failure) {
        for pending in &mut self.pending_requests {
            let stopped = Condition::Reached(Until::Stopped);
            let taken = pending.take(id);
            if taken.contains(&stopped) && *failure != Failure::Lost {
                pending.conditions.insert((id, stopped));
            }
            if taken.iter().any(|condition| *condition != stopped || *failure == Failure::Lost) {
                pending.failures.push((id, failure.clone()));
            }
        }
    }

    /// Answers every request that is complete or has failed. Only requests about changed instances are looked at,
    /// except when the session has just begun to end: that concerns all.
    pub(super) fn answer(&mut self, began_to_end: bool, now: Moment) {
        let changed = self.procs.take_changed();
        // A release keeps all others from starting.
        let concerns_all =
            began_to_end || changed.iter().any(|id| self.releases.contains(&id.process_type));
        let mut requests = std::mem::take(&mut self.pending_requests);
        requests.retain_mut(|pending| {
            let is_due = pending.look_at.take_if(|at| *at <= now).is_some();
            let all = if concerns_all || is_due { pending.ids() } else { Vec::new() };
            for id in if concerns_all || is_due { &all } else { &changed } {
                for condition in pending.take(*id) {
                    self.weigh(pending, (*id, condition), now);
                }
            }
            let has_failed = pending.until_failure && !pending.failures.is_empty();
            let waits = !has_failed && !pending.conditions.is_empty()
                || pending.rolls
                || pending.until_over && self.phase != Phase::Over;
            if !waits {
                self.out.push(Action::Reply(pending.id, pending.reply()));
            }
            waits
        });
        self.pending_requests = requests;
    }

    /// Puts a condition where it belongs by now.
    fn weigh(
        &self,
        pending: &mut PendingRequest,
        (id, condition): (InstanceId, Condition),
        now: Moment,
    ) {
        match (self.check(id, condition, now), condition) {
            (Poll::Pending, _) => {
                // The last of them decides when all can be true.
                pending.look_at = pending.look_at.max(self.steady_at(id).filter(|at| *at > now));
                pending.conditions.insert((id, condition));
            }
            (Poll::Ready(Ok(())), Condition::Reached(_)) => {
                pending.held.insert((id, condition));
            }
            (Poll::Ready(Ok(())), Condition::Up | Condition::Down | Condition::Gone) => {}
            (Poll::Ready(Err(failure)), _) => pending.failures.push((id, failure)),
        }
    }

    /// Returns whether every request that has no answer waits for something. What has become true by time alone is looked
    /// at when all can be.
    #[cfg(test)]
    pub(super) fn waits_for_all(&self, now: Moment) -> bool {
        self.pending_requests.iter().all(|pending| {
            let is_looked_at = pending.look_at.is_some_and(|at| at > now);
            pending.conditions.iter().all(|(id, condition)| {
                match self.check(*id, *condition, now) {
                    Poll::Pending => true,
                    Poll::Ready(result) => result.is_ok() && is_looked_at,
                }
            })
        })
    }

    /// Returns whether a condition is true, or why it cannot become true.
    fn check(
        &self,
        id: InstanceId,
        condition: Condition,
        now: Moment,
    ) -> Poll<Result<(), Failure>> {
        const TRUE: Poll<Result<(), Failure>> = Poll::Ready(Ok(()));
        let never = |failure| Poll::Ready(Err(failure));
        let ends = self.phase != Phase::Running;
        let proc = self.procs.get(id);
        match (condition, proc) {
            (Condition::Reached(until), _) => self.reached(id, until, now),
            (Condition::Gone, None) => TRUE,
            (Condition::Up | Condition::Down, None) => never(Failure::Overruled),
            (Condition::Up, Some(_)) if ends => never(Failure::SessionEnds),
            (Condition::Up, Some(proc)) => match (proc.goal, proc.life.state) {
                (Goal::Run, State::Up { unready: Some(_), .. }) if proc.life.asks_port => {
                    Poll::Pending
                }
                // An instance keeps the goal to be restarted until that is done.
                (Goal::Run, State::Up { .. }) => TRUE,
                // Waiting for what it depends on is no failure.
                (Goal::Run, State::Idle) if self.standing_of(id.process_type) != Standing::Free => {
                    TRUE
                }
                (_, State::Ended(Exit::Lost)) => never(Failure::Lost),
                (Goal::Stop | Goal::Leave, _) => never(Failure::Overruled),
                (_, State::Ended(exit)) => never(Failure::Ended(exit)),
                (Goal::Run | Goal::Renew, _) => Poll::Pending,
            },
            (Condition::Down | Condition::Gone, Some(proc)) => match (proc.goal, proc.life.state) {
                (_, State::Ended(Exit::Lost)) => never(Failure::Lost),
                // It had ended by itself before the request, and keeps that state.
                (Goal::Run | Goal::Renew, State::Ended(_)) => TRUE,
                (Goal::Run | Goal::Renew, _) => never(Failure::Overruled),
                _ if proc.is_active() => Poll::Pending,
                _ => TRUE, // Nothing runs, and nothing will.
            },
        }
    }
}
