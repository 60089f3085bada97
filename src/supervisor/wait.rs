//! Conditions of `pm wait`: whether an instance has reached a state, may reach it, or never will.

use std::task::Poll;

use super::kind::Kind;
use super::needs::Standing;
use super::proc::Proc;
use super::request::Failure;
use super::state::{Cause, Goal, Phase, State};
use super::{InstanceId, Moment, STEADY, Supervisor};
use crate::app::{Exit, Role};

/// A state that `pm wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Until {
    /// It has been started: it runs, or has ended well.
    Started,
    /// It runs, and is ready if its type has `ready`.
    Ready,
    /// It has exited with 0.
    Done,
    /// It is ready; or its type has no `ready` and it has run for [`STEADY`](super::STEADY); or it has exited with 0.
    Settled,
    /// It does not run, and nothing will start it.
    Stopped,
}

const TRUE: Poll<Result<(), Failure>> = Poll::Ready(Ok(()));

fn never(failure: Failure) -> Poll<Result<(), Failure>> {
    Poll::Ready(Err(failure))
}

impl Supervisor {
    /// Returns every instance that is not scaled away, in the order of the Procfile.
    pub fn wanted(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.procs.iter().filter(|(_, proc)| Kind::Wanted.is_of(proc)).map(|(id, _)| id)
    }

    /// Returns the state that is waited for if none is given: the same as for `depends-on`.
    pub fn usual_wait(&self, id: InstanceId) -> Until {
        let policy = self.policy(id);
        match policy.role {
            Role::Once | Role::Release => Until::Done,
            Role::Service if policy.ready.is_some() => Until::Ready,
            Role::Service => Until::Started,
        }
    }

    /// Returns whether an instance has reached a state, or the reason why it never will.
    pub(super) fn reached(
        &self,
        id: InstanceId,
        until: Until,
        now: Moment,
    ) -> Poll<Result<(), Failure>> {
        let ends = self.phase != Phase::Running;
        match (self.procs.get(id), until) {
            (None, Until::Stopped) => TRUE,
            (None, _) => never(Failure::Gone),
            (Some(proc), Until::Stopped) => self.stopped(id, proc, ends),
            // With that, its session may end.
            (Some(proc), Until::Started | Until::Settled | Until::Done)
                if Kind::Succeeded.is_of(proc) =>
            {
                TRUE
            }
            (Some(proc), _) => {
                let is_so = match until {
                    Until::Started => Kind::Begun.is_of(proc),
                    Until::Ready => Kind::Serving.is_of(proc),
                    Until::Settled => {
                        let is_steady = self.steady_at(id).is_none_or(|at| at <= now);
                        Kind::Serving.is_of(proc) && is_steady
                    }
                    Until::Done | Until::Stopped => false,
                };
                if is_so && !ends { TRUE } else { self.obstacle(id, proc, ends) }
            }
        }
    }

    /// Returns when an instance that runs and has no `ready` has run long enough.
    pub(super) fn steady_at(&self, id: InstanceId) -> Option<Moment> {
        match self.procs.get(id)?.life.state {
            State::Up { since, unready: None } if self.policy(id).ready.is_none() => {
                Some(since + STEADY)
            }
            _ => None, // Its `ready` tells, or it does not run.
        }
    }

    /// Returns the reason why an instance will never reach a state that it has not reached yet.
    fn obstacle(&self, id: InstanceId, proc: &Proc, ends: bool) -> Poll<Result<(), Failure>> {
        match (proc.goal, proc.life.state) {
            (_, State::Ended(Exit::Lost)) => never(Failure::Lost),
            // The client that requested that start was told why it failed.
            (_, State::Ended(Exit::NotStarted)) => never(Failure::Failed(Exit::NotStarted)),
            (Goal::Run | Goal::Renew, State::Ended(_)) if proc.cause == Cause::NotReady => {
                never(Failure::NotReady)
            }
            (Goal::Run | Goal::Renew, State::Ended(exit)) if Kind::Failed.is_of(proc) => {
                never(Failure::Failed(exit))
            }
            (Goal::Run, State::Idle) if self.is_blocked(id) => {
                // This reason says more than the end of the session that may follow from it.
                self.held_back_by(id).map_or(Poll::Pending, never)
            }
            _ if ends => {
                let culprit = self.verdict.culprit;
                never(match culprit.filter(|culprit| culprit.instance != id) {
                    Some(by) => Failure::EndedWith { by: by.instance, exit: by.exit },
                    None => Failure::SessionEnds,
                })
            }
            (Goal::Run | Goal::Renew, State::Ended(exit)) => never(Failure::EndedBefore(exit)),
            (Goal::Stop, _) => never(Failure::Stopped),
            (Goal::Leave, _) => never(Failure::Gone),
            (Goal::Run | Goal::Renew, State::Idle) => {
                self.held_back_by(id).map_or(Poll::Pending, never)
            }
            (Goal::Run | Goal::Renew, _) => Poll::Pending,
        }
    }

    fn stopped(&self, id: InstanceId, proc: &Proc, ends: bool) -> Poll<Result<(), Failure>> {
        match (proc.life.state, proc.goal) {
            (State::Ended(Exit::Lost), _) => never(Failure::Lost),
            _ if !proc.beside.is_nobody() => Poll::Pending,
            (State::Ended(_), _) => TRUE,
            (State::Idle, Goal::Stop | Goal::Leave) => TRUE,
            (State::Idle, _) if ends || self.held_back_by(id).is_some() => TRUE,
            _ => Poll::Pending,
        }
    }

    fn is_blocked(&self, id: InstanceId) -> bool {
        matches!(self.standing_of(id.process_type), Standing::Blocked(_))
    }

    /// Returns the reason why an instance that waits to be started never will be. A release that was stopped keeps all
    /// others from starting.
    fn held_back_by(&self, id: InstanceId) -> Option<Failure> {
        match self.standing_of(id.process_type) {
            Standing::Blocked(by) => match self.procs.get(by).map(|by| by.life.state) {
                Some(State::Ended(exit)) => Some(Failure::Blocked { by, exit }),
                _ => Some(Failure::Held { by }), // It was started again just now.
            },
            Standing::Held(by) => Some(Failure::Held { by }),
            Standing::Free | Standing::Waits(_) => {
                let is_release = |id: InstanceId| self.releases.contains(&id.process_type);
                let mut before = self.releases.iter().flat_map(|at| self.procs.of_type(*at));
                let (by, _) = before.find(|(_, proc)| Kind::Stopped.is_of(proc))?;
                (!is_release(id)).then_some(Failure::Held { by })
            }
        }
    }
}

/// Reduces the reasons why a wait failed to those that help a person: one per instance that caused it, and the end of
/// the session only if there is no other.
pub(super) fn condense(failures: &mut Vec<(InstanceId, Failure)>) {
    let is_end =
        |failure: &Failure| matches!(failure, Failure::SessionEnds | Failure::EndedWith { .. });
    // An instance's own failure comes before those of the instances that it blocks.
    failures.sort_by_key(|(id, failure)| (is_end(failure), failure.culprit(*id) != *id, *id));
    let has_reason = failures.first().is_some_and(|(_, failure)| !is_end(failure));
    let mut blamed = Vec::new();
    let mut has_end = has_reason;
    failures.retain(|(id, failure)| {
        let culprit = failure.culprit(*id);
        let is_news = match is_end(failure) {
            true => !std::mem::replace(&mut has_end, true),
            false => !blamed.contains(&culprit),
        };
        blamed.push(culprit);
        is_news
    });
}
