//! What is requested over the control socket, and what that changes in the goals of instances.
//!
//! An instance that was stopped by request is neither done nor failed: as long as there is one, the
//! session goes on. A start that was asked for and fails concerns only who asked.

use std::sync::Arc;
use std::time::Duration;

use super::event::Action;
use super::pending::{Condition, PendingRequest};
use super::proc::Proc;
use super::state::{Goal, Phase, State};
use super::wait::Until;
use super::{Moment, Supervisor};
use crate::app::{App, Exit, InstanceId, ProcessType, Reach, Signal};

/// Names a request, so that its answer finds who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// When a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitMode {
    /// When it is done, or cannot be.
    UntilDone,
    /// At once.
    Never,
}

/// What can be requested. Instances are of this session; their names are resolved already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedRequest {
    /// Start those that do not run.
    Start(Vec<InstanceId>),
    /// Stop these; they stay stopped.
    Stop(Vec<InstanceId>),
    /// End the current life of each and begin another. That is no crash, and earlier ones are forgotten.
    Restart(Vec<InstanceId>),
    /// Have so many of each of these process types (by position). The numbers from 1 stay, the highest go.
    Scale(Vec<(u16, u16)>),
    /// Send a signal to the groups of these.
    Signal(Vec<InstanceId>, Signal),
    /// Go by another application. What is not different is not touched.
    Reload {
        /// Its types have the positions of the old ones, further ones stand behind them.
        app: Arc<App>,
        /// Positions of types that are no more.
        gone: Vec<u16>,
    },
    /// Nothing, but to be told when these are so. It fails as soon as one of them never will be.
    Wait(Vec<(InstanceId, Until)>),
    /// End the session.
    Quit,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done, or with [`WaitMode::Never`] it has begun.
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
    /// There is no port for it: it would be over 65535.
    NoPort,
    /// A later request wanted something else.
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
    /// It has ended well, before it was what it should become.
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
    /// It is not started: what comes before it was stopped, or will not be started either.
    Held {
        /// Who.
        by: InstanceId,
    },
}

impl Failure {
    /// Returns who is to blame that an instance failed.
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

    /// Returns the exit code of what has failed, as `pm start` would end with it.
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

    /// Returns every instance that has a name here, in the order of the Procfile.
    pub fn instances(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.procs.ids()
    }

    /// Takes a request, and answers it or keeps it until it is done.
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
            // A restart that someone waits for ends with one that runs, too.
            State::Up { .. } | State::Spawning if proc.goal == Goal::Renew => {}
            State::Up { .. } | State::Spawning => proc.goal = Goal::Run,
            State::Stopping { .. } | State::Draining { .. } => proc.goal = Goal::Renew,
            State::Idle | State::Backoff { .. } | State::Ended(_) => self.make_ready(id),
        }
        Condition::Up
    }

    fn want_renewed(&mut self, id: InstanceId) -> Condition {
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
            // Done or failed by itself stays what it is. It may have made itself a daemon.
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

    /// Lets an instance that does not run be started next, as though it had never crashed.
    pub(super) fn make_ready(&mut self, id: InstanceId) {
        self.failures.retain(|(culprit, _)| culprit.instance != id);
        let proc = self.proc(id);
        // One that waits for its first turn is still the session's own start.
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

    /// Takes the new application: what lives by other words than before is renewed, types that are
    /// gone leave, new ones come with their count.
    fn reload(&mut self, app: Arc<App>, gone: &[u16], pending: &mut PendingRequest) {
        let known = self.app.types.len();
        self.go_by(app);
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
            } else if is_other.is_some_and(|born| !same_life(&born, &self.app, id))
                && matches!(self.proc(id).goal, Goal::Run | Goal::Renew)
            {
                let condition = self.want_renewed(id);
                pending.expect(id, condition);
            }
        }
        for at in known..self.app.types.len() {
            let count = self.app.types[at].count;
            self.scale(u16::try_from(at).unwrap_or(u16::MAX), count, pending);
        }
    }
}

/// Returns whether an instance would be started in the same way by both.
fn same_life(old: &App, new: &App, id: InstanceId) -> bool {
    let (a, b) = (old.type_of(id), new.type_of(id));
    let texts = |app: &App| -> Vec<_> {
        let all = app.environment_of(id);
        all.iter().map(|(key, value)| (key.clone(), value.text.clone())).collect()
    };
    let outside = |own: &ProcessType| (own.directory.clone(), own.limits, own.stdio);
    a.command == b.command && outside(a) == outside(b) && texts(old) == texts(new)
}
