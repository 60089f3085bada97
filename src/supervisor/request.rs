//! Requests of clients, and how they change the goals of instances.
//!
//! An instance that was stopped by request is neither done nor failed, so the session goes on while there is one. If a
//! requested start fails, only the client that requested it is told.

use std::sync::Arc;
use std::time::Duration;

use super::event::Action;
use super::pending::{Condition, PendingRequest};
use super::proc::Proc;
use super::state::{Goal, Phase, State};
use super::wait::Until;
use super::{Moment, Supervisor};
use crate::app::{App, Exit, InstanceId, ProcessType, Reach, Signal, siblings};

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
    /// Change how many instances these process types have, by position. Instances with the highest numbers are removed
    /// first.
    Scale(Vec<(u16, u16)>),
    /// Send a signal to the groups of these.
    Signal(Vec<InstanceId>, Signal),
    /// Switch to another application. Instances that would be started in the same way are not touched.
    Reload {
        /// The new application. Old types keep their positions; new types follow them.
        app: Arc<App>,
        /// Positions of the types that it no longer has.
        gone: Vec<u16>,
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
    /// A later request overrode it.
    Overruled,
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
            | Self::Overruled
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
        if let ResolvedRequest::Stop(ids) | ResolvedRequest::Restart(ids) = &request {
            self.give_time(ids, grace, now);
        }
        match request {
            ResolvedRequest::Start(ids) => self.for_each(ids, pending, Self::want_running),
            ResolvedRequest::Restart(ids) => self.for_each(ids, pending, Self::want_renewed),
            ResolvedRequest::Stop(ids) => self.for_each(ids, pending, Self::want_stopped),
            ResolvedRequest::Scale(counts) => {
                for (process_type, count) in counts {
                    self.scale(process_type, count, pending);
                }
            }
            ResolvedRequest::Signal(ids, signal) => {
                for id in ids {
                    match self.procs.get(id).map(|proc| proc.state) {
                        Some(State::Up { .. } | State::Stopping { .. }) => {
                            let run = self.run_of(id);
                            self.out.push(Action::Signal(run, signal, Reach::Group));
                        }
                        _ => pending.failures.push((id, Failure::NotRunning)), // It has no group.
                    }
                }
            }
            ResolvedRequest::Reload { app, gone } => self.reload(app, &gone, pending),
            ResolvedRequest::Wait(targets) => pending.wait_for(targets),
            ResolvedRequest::Quit => {
                pending.until_over = true;
                self.quit(now);
            }
        }
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

    fn want_running(&mut self, id: InstanceId) -> Condition {
        let proc = self.proc(id);
        match proc.state {
            // A pending restart is satisfied by a start, too.
            State::Up { .. } | State::Spawning if proc.goal == Goal::Renew => {}
            State::Up { .. } | State::Spawning => proc.goal = Goal::Run,
            State::Stopping { .. } | State::Draining { .. } => proc.goal = Goal::Renew,
            State::Idle | State::Backoff { .. } | State::Ended(_) => self.make_ready(id),
        }
        Condition::Up
    }

    fn want_renewed(&mut self, id: InstanceId) -> Condition {
        self.resume_watch(id.process_type);
        let proc = self.proc(id);
        match proc.state {
            State::Up { .. }
            | State::Spawning
            | State::Stopping { .. }
            | State::Draining { .. } => proc.goal = Goal::Renew,
            State::Idle | State::Backoff { .. } | State::Ended(_) => self.make_ready(id),
        }
        Condition::Up
    }

    fn want_stopped(&mut self, id: InstanceId) -> Condition {
        let proc = self.proc(id);
        match proc.state {
            // An instance that has ended by itself keeps that state. It may have left a daemon behind.
            State::Ended(_) => {
                let (run, signal) = (self.run_of(id), self.policy(id).stop_signal);
                self.out.push(Action::StopHelpers(run, signal));
            }
            State::Idle
            | State::Spawning
            | State::Up { .. }
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
        if proc.state != State::Idle || proc.goal != Goal::Run {
            proc.by_request = true;
        }
        proc.state = State::Idle;
        proc.goal = Goal::Run;
        proc.crashes = 0;
        proc.streak = 0;
    }

    fn scale(&mut self, process_type: u16, count: u16, pending: &mut PendingRequest) {
        let of_number = |number| InstanceId { process_type, number };
        if count > 0 && self.app.port_of(of_number(count)).is_none() {
            pending.failures.push((of_number(count), Failure::NoPort));
            return;
        }
        let all: Vec<_> = self.procs.of_type(process_type).map(|(id, _)| id).collect();
        for id in all {
            if id.number > count {
                self.proc(id).goal = Goal::Leave;
                pending.expect(id, Condition::Gone);
            }
        }
        for id in (1..=count).map(of_number) {
            match self.procs.get(id).map(|proc| proc.goal) {
                // Whatever it does, it is not touched.
                Some(Goal::Run | Goal::Renew | Goal::Stop) => {}
                Some(Goal::Leave) => {
                    let condition = self.want_running(id);
                    pending.expect(id, condition);
                }
                None => {
                    let seq = self.left.remove(&id).unwrap_or(0);
                    self.procs.insert(id, Proc { by_request: true, ..Proc::new(seq) });
                    pending.expect(id, Condition::Up);
                }
            }
        }
    }

    /// Switches to the new application: restarts instances that it would start differently, removes those of types that
    /// are gone, and adds those of new types.
    fn reload(&mut self, app: Arc<App>, gone: &[u16], pending: &mut PendingRequest) {
        let old = Arc::clone(&self.app);
        self.go_by(app);
        for at in (0_u16..).take(old.types.len()) {
            let [before, after] = [&old, &self.app].map(|app| &app.types[usize::from(at)].policy);
            if before.ready != after.ready {
                self.forget_search(at);
            }
        }
        for id in self.procs.ids().collect::<Vec<_>>() {
            let is_gone = gone.contains(&id.process_type);
            let proc = self.proc(id);
            let is_other = match (&proc.born, proc.state.is_active()) {
                (Some(born), true) => Some(born.clone()),
                (Some(_) | None, _) => None,
            };
            if is_gone {
                self.proc(id).goal = Goal::Leave;
                pending.expect(id, Condition::Gone);
            } else if matches!(self.proc(id).goal, Goal::Run | Goal::Renew)
                && is_other.is_some_and(|born| !self.may_go_on(id, &born, &old))
            {
                let condition = self.want_renewed(id);
                pending.expect(id, condition);
            }
        }
        for at in (0_u16..).take(self.app.types.len()) {
            // One that did not run may be what another depends on by now.
            let is_new = old.types.get(usize::from(at)).is_none_or(|own| own.count == 0)
                && self.procs.of_type(at).next().is_none()
                && !self.left.keys().any(|id| id.process_type == at);
            if is_new && !gone.contains(&at) {
                self.scale(at, self.app.types[usize::from(at)].count, pending);
            }
        }
    }

    /// Returns whether an instance that was started by the words of `born`, and lived by those of `old`, may go on by
    /// those of now.
    fn may_go_on(&mut self, id: InstanceId, born: &App, old: &App) -> bool {
        same_start(born, &self.app, id) && self.takes_readiness(id, &old.type_of(id).policy)
    }
}

/// Returns whether both applications would start an instance in the same way.
pub(super) fn same_start(old: &App, new: &App, id: InstanceId) -> bool {
    let (a, b) = (old.type_of(id), new.type_of(id));
    let texts = |app: &App| -> Vec<_> {
        let all = app.environment_of(id);
        // A type that is new is no reason to start the others again.
        let all = all.iter().filter(|(_, value)| !siblings::is_of_session(&value.source));
        all.map(|(key, value)| (key.clone(), value.text.clone())).collect()
    };
    let outside =
        |own: &ProcessType| (own.directory.clone(), own.limits, own.stdio, own.share_port.clone());
    a.command == b.command && outside(a) == outside(b) && texts(old) == texts(new)
}
