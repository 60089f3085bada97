//! Requests of clients, and how they change the goals of instances.
//!
//! An instance that was stopped by request is neither done nor failed, so the session goes on while there is one. If a
//! requested start fails, only the client that requested it is told.

use std::sync::Arc;
use std::time::Duration;

use super::event::Action;
use super::pending::{Condition, PendingRequest};
use super::rollout::RolloutOrder;
use super::state::{Goal, Phase, State};
use super::wait::Until;
use super::{Moment, Supervisor};
use crate::app::{App, Exit, InstanceId, Reach, RunId, Signal};

/// Identifies a request, so that the answer finds its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// When a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitMode {
    /// When it is complete or has failed.
    UntilDone,
    /// At once.
    Never,
}

/// A request whose names have been resolved to instances of this session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedRequest {
    /// Start those of these instances that do not run.
    Start(Vec<InstanceId>),
    /// Stop these; they stay stopped.
    Stop(Vec<InstanceId>),
    /// Stop and start each of these. It does not count as a crash, and earlier crashes are forgotten.
    Restart(Vec<InstanceId>),
    /// Replace each of these by a run that is ready, as far as their types allow it, and restart the others.
    Roll(Vec<InstanceId>, RolloutOrder),
    /// Change how many instances these process types have, by position. Instances with the highest numbers are removed
    /// first.
    Scale(Vec<(u16, u16)>),
    /// Give the process type at this position so many instances more, or less: than it is to have when this is handled, so
    /// that two of these add up. Less than none is nothing.
    ScaleBy(u16, i16),
    /// Send a signal to the groups of these.
    Signal(Vec<InstanceId>, Signal),
    /// Switch to another application. Instances that would be started in the same way are not touched.
    Reload {
        /// The new application. Old types keep their positions; new types follow them.
        app: Arc<App>,
        /// Positions of the types that it no longer has.
        gone: Vec<u16>,
        /// Replace what has changed, as far as the types allow it, instead of restarting it.
        rolling: Option<RolloutOrder>,
    },
    /// Change nothing, and answer when all of these have been reached. Fails as soon as one of them never will be.
    Wait(Vec<(InstanceId, Until)>),
    /// End the session.
    Quit,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done; with [`WaitMode::Never`], it has begun.
    Done,
    /// It failed for these.
    Failed(Vec<(InstanceId, Failure)>),
}

/// Why a request failed for an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not be started, for this reason.
    NotStarted(String),
    /// It ended instead.
    Ended(Exit),
    /// Not even SIGKILL ended it.
    Lost,
    /// It does not run.
    NotRunning,
    /// Its port would be over 65535.
    NoPort,
    /// More instances than fit behind its front.
    NoRoomBehindFront,
    /// A later request overrode it.
    Overruled,
    /// Its replacement has ended before it was ready; it goes on.
    ReplacementEnded(Exit),
    /// Its replacement was not ready in time; it goes on.
    ReplacementNotReady,
    /// The session ends.
    SessionEnds,
    /// The session ends, since this one has ended.
    EndedWith {
        /// Who.
        by: InstanceId,
        /// How.
        exit: Exit,
    },
    /// It has failed for good.
    Failed(Exit),
    /// It has failed for good, since it was not ready in time.
    NotReady,
    /// It ended well before it reached the state that was waited for.
    EndedBefore(Exit),
    /// It was stopped by request.
    Stopped,
    /// It was scaled away.
    Gone,
    /// It is not started: what it depends on has ended for good.
    Blocked {
        /// Who.
        by: InstanceId,
        /// How.
        exit: Exit,
    },
    /// It is not started: what must start before it was stopped, or will not be started either.
    Held {
        /// Who.
        by: InstanceId,
    },
}

impl Failure {
    /// Returns the instance that caused the failure, which may be another one.
    pub fn culprit(&self, id: InstanceId) -> InstanceId {
        match self {
            Self::EndedWith { by, .. } | Self::Blocked { by, .. } | Self::Held { by } => *by,
            Self::NotStarted(_)
            | Self::Ended(_)
            | Self::Lost
            | Self::NotRunning
            | Self::NoPort
            | Self::NoRoomBehindFront
            | Self::Overruled
            | Self::ReplacementEnded(_)
            | Self::ReplacementNotReady
            | Self::SessionEnds
            | Self::Failed(_)
            | Self::NotReady
            | Self::EndedBefore(_)
            | Self::Stopped
            | Self::Gone => id,
        }
    }

    /// Returns the exit code that `pm start` would end with after this failure.
    pub fn code(&self) -> i32 {
        match self {
            Self::EndedWith { exit, .. } | Self::Failed(exit) | Self::Blocked { exit, .. } => {
                match exit.code() {
                    0 => 1,
                    code => code,
                }
            }
            _ => 1, // Nothing has exited.
        }
    }
}

impl Supervisor {
    /// Returns the application as it is wanted.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Returns every instance of the session, in the order of the Procfile.
    pub fn instances(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.procs.ids()
    }

    /// Returns how many instances a process type is to have, running or not.
    pub fn count_of(&self, process_type: u16) -> u16 {
        let stay = self.procs.of_type(process_type).filter(|(_, proc)| proc.goal != Goal::Leave);
        u16::try_from(stay.count()).unwrap_or(u16::MAX)
    }

    /// Handles a request: answers it, or keeps it until it is complete.
    pub(super) fn requested(
        &mut self,
        id: RequestId,
        request: ResolvedRequest,
        wait: WaitMode,
        grace: Option<Duration>,
        now: Moment,
    ) {
        let mut pending = PendingRequest::new(id);
        if self.phase == Phase::Running {
            self.change_goals(request, grace, &mut pending, now);
        } else {
            pending.refuse(request);
        }
        match wait {
            WaitMode::UntilDone => {
                self.procs.look_again_at(&pending.ids());
                self.pending_requests.push(pending);
            }
            WaitMode::Never => {
                self.answered_early(id);
                let reply = pending.reply();
                self.out.push(Action::Reply(id, reply));
            }
        }
    }

    fn change_goals(
        &mut self,
        request: ResolvedRequest,
        grace: Option<Duration>,
        pending: &mut PendingRequest,
        now: Moment,
    ) {
        if let ResolvedRequest::Stop(ids)
        | ResolvedRequest::Restart(ids)
        | ResolvedRequest::Roll(ids, _) = &request
        {
            self.give_time(ids, grace, now);
        }
        match request {
            ResolvedRequest::Start(ids) => self.for_each(ids, pending, Self::want_running),
            ResolvedRequest::Restart(ids) => {
                self.renew(ids, RolloutOrder::default(), Self::rolls, pending);
            }
            ResolvedRequest::Roll(ids, order) => {
                self.renew(ids, order, |core, id| core.can_roll(id.process_type), pending);
            }
            ResolvedRequest::Stop(ids) => self.for_each(ids, pending, Self::want_stopped),
            ResolvedRequest::Scale(counts) => {
                for (process_type, count) in counts {
                    self.scale(process_type, count, pending);
                }
            }
            ResolvedRequest::ScaleBy(process_type, more) => {
                let count = self.count_of(process_type).checked_add_signed(more);
                if let Some(count) = count {
                    self.scale(process_type, count, pending);
                }
            }
            ResolvedRequest::Signal(ids, signal) => {
                for id in ids {
                    self.signal(id, signal, pending);
                }
            }
            ResolvedRequest::Reload { app, gone, rolling } => {
                self.reload(app, &gone, rolling, pending);
            }
            ResolvedRequest::Wait(targets) => pending.wait_for(targets),
            ResolvedRequest::Quit => {
                pending.until_over = true;
                self.quit(now);
            }
        }
    }

    /// Sends a signal to the groups of an instance.
    fn signal(&mut self, id: InstanceId, signal: Signal, pending: &mut PendingRequest) {
        let has_group = |run: &RunId| {
            let life = self.procs.get(run.instance).and_then(|proc| proc.life(run.seq));
            matches!(
                life.map(|life| life.state),
                Some(State::Up { .. } | State::Withdrawing { .. } | State::Stopping { .. })
            )
        };
        let runs: Vec<_> = self.runs_of(id).into_iter().filter(has_group).collect();
        if runs.is_empty() {
            pending.failures.push((id, Failure::NotRunning));
        }
        for run in runs {
            self.out.push(Action::Signal(run, signal, Reach::Group));
        }
    }

    /// Replaces those of these instances that can be, and restarts the others.
    fn renew(
        &mut self,
        ids: Vec<InstanceId>,
        order: RolloutOrder,
        rolls: fn(&Self, InstanceId) -> bool,
        pending: &mut PendingRequest,
    ) {
        let is_rolled = |id: &InstanceId| self.procs.get(*id).is_some() && rolls(self, *id);
        let (rolled, restarted) = ids.into_iter().partition(is_rolled);
        self.for_each(restarted, pending, Self::want_renewed);
        self.roll(rolled, order, pending);
    }

    fn for_each(
        &mut self,
        ids: Vec<InstanceId>,
        pending: &mut PendingRequest,
        want: fn(&mut Self, InstanceId) -> Condition,
    ) {
        for id in ids {
            if self.procs.get(id).is_some() {
                let condition = want(self, id);
                pending.expect(id, condition);
            } else {
                pending.failures.push((id, Failure::Overruled));
            }
        }
    }

    pub(super) fn want_running(&mut self, id: InstanceId) -> Condition {
        let proc = self.proc(id);
        // Whoever asks for it now has it started after its files have changed.
        proc.is_renewed_again = false;
        match proc.life.state {
            // A pending restart is satisfied by a start, too.
            State::Up { .. } | State::Spawning if proc.goal == Goal::Renew => {}
            State::Up { .. } | State::Spawning => proc.goal = Goal::Run,
            State::Withdrawing { .. } | State::Stopping { .. } | State::Draining { .. } => {
                proc.goal = Goal::Renew;
            }
            State::Idle | State::Backoff { .. } | State::Ended(_) => self.make_ready(id),
        }
        Condition::Up
    }

    pub(super) fn want_renewed(&mut self, id: InstanceId) -> Condition {
        self.resume_watch(id.process_type);
        self.overrule(id);
        let proc = self.proc(id);
        match proc.life.state {
            State::Up { .. }
            | State::Spawning
            | State::Withdrawing { .. }
            | State::Stopping { .. }
            | State::Draining { .. } => proc.goal = Goal::Renew,
            State::Idle | State::Backoff { .. } | State::Ended(_) => self.make_ready(id),
        }
        Condition::Up
    }

    fn want_stopped(&mut self, id: InstanceId) -> Condition {
        self.overrule(id);
        let proc = self.proc(id);
        proc.is_renewed_again = false;
        match proc.life.state {
            // An instance that has ended by itself keeps that state. It may have left a daemon behind.
            State::Ended(_) => {
                let (run, signal) = (self.run_of(id), self.policy(id).stop_signal);
                self.out.push(Action::StopHelpers(run, signal));
            }
            State::Idle
            | State::Spawning
            | State::Up { .. }
            | State::Withdrawing { .. }
            | State::Stopping { .. }
            | State::Draining { .. }
            | State::Backoff { .. } => proc.goal = Goal::Stop,
        }
        Condition::Down
    }

    /// Makes an instance that does not run startable, with its crashes forgotten.
    pub(super) fn make_ready(&mut self, id: InstanceId) {
        self.failures.retain(|(culprit, _)| culprit.instance != id);
        let proc = self.proc(id);
        // An instance that waits for its first start is started by the session, and not by this request.
        if proc.life.state != State::Idle || proc.goal != Goal::Run {
            proc.by_request = true;
        }
        proc.life.state = State::Idle;
        proc.goal = Goal::Run;
        proc.crashes = 0;
        proc.streak = 0;
    }
}
