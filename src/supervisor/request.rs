//! What is asked over the control socket: what it changes in what is wanted, and when it has come true.
//!
//! An instance that was stopped by request is neither done nor failed: as long as there is one, the
//! session goes on. A start that was asked for and fails concerns only who asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::event::Action;
use super::instances::Proc;
use super::state::{Goal, Phase, State};
use super::{Moment, Supervisor};
use crate::app::{App, Exit, InstanceId, ProcessType, Reach, Signal};

/// Names a request, so that its answer finds who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A request, and how long its answer waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What is asked for.
    pub request: Request,
    /// When the answer comes.
    pub patience: Patience,
    /// How long what it stops or restarts may take to stop, where that is not for their policies to say.
    pub grace: Option<Duration>,
}

/// When a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// When it has come true, or cannot.
    UntilTrue,
    /// At once.
    None,
}

/// What can be asked for. Instances are of this session; the shell has resolved their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
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
    /// End the session.
    Quit,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is so, or with [`Patience::None`] it has begun.
    Done,
    /// For these it did not come true.
    Failed(Vec<(InstanceId, Failure)>),
}

/// Why something did not come true.
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
}

/// What someone waits for.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    pub(super) id: RequestId,
    hopes: BTreeMap<InstanceId, Hope>,
    failures: Vec<(InstanceId, Failure)>,
    until_over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hope {
    /// It is up, and is to stay so.
    Up,
    /// It is down and stays so.
    Down,
    /// It is forgotten.
    Gone,
}

enum Progress {
    Pending,
    True,
    Failed(Failure),
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

    pub(super) fn requested(&mut self, id: RequestId, ask: Ask, now: Moment) {
        let mut waiter =
            Waiter { id, hopes: BTreeMap::new(), failures: Vec::new(), until_over: false };
        if self.phase == Phase::Running {
            self.change_goals(ask.request, ask.grace, &mut waiter, now);
        } else {
            waiter.refuse(ask.request);
        }
        match ask.patience {
            Patience::UntilTrue => {
                self.procs.look_again_at(waiter.hopes.keys());
                self.waiters.push(waiter);
            }
            Patience::None => {
                let reply = waiter.reply();
                self.out.push(Action::Reply(id, reply));
            }
        }
    }

    fn change_goals(
        &mut self,
        request: Request,
        grace: Option<Duration>,
        waiter: &mut Waiter,
        now: Moment,
    ) {
        if let Request::Stop(ids) | Request::Restart(ids) = &request {
            self.give_time(ids, grace, now);
        }
        match request {
            Request::Start(ids) => self.for_each(ids, waiter, Self::want_running),
            Request::Restart(ids) => self.for_each(ids, waiter, Self::want_renewed),
            Request::Stop(ids) => self.for_each(ids, waiter, Self::want_stopped),
            Request::Scale(counts) => {
                for (process_type, count) in counts {
                    self.scale(process_type, count, waiter);
                }
            }
            Request::Signal(ids, signal) => {
                for id in ids {
                    match self.procs.get(id).map(|proc| proc.state) {
                        Some(State::Up { .. } | State::Stopping { .. }) => {
                            let run = self.run_of(id);
                            self.out.push(Action::Signal(run, signal, Reach::Group));
                        }
                        _ => waiter.failures.push((id, Failure::NotRunning)), // It has no group.
                    }
                }
            }
            Request::Reload { app, gone } => self.reload(app, &gone, waiter),
            Request::Quit => {
                waiter.until_over = true;
                self.quit(now);
            }
        }
    }

    fn for_each(
        &mut self,
        ids: Vec<InstanceId>,
        waiter: &mut Waiter,
        want: fn(&mut Self, InstanceId) -> Hope,
    ) {
        for id in ids {
            if self.procs.get(id).is_some() {
                let hope = want(self, id);
                waiter.hopes.insert(id, hope);
            } else {
                waiter.failures.push((id, Failure::Overruled));
            }
        }
    }

    fn want_running(&mut self, id: InstanceId) -> Hope {
        let proc = self.proc(id);
        match proc.state {
            // A restart that someone waits for ends with one that runs, too.
            State::Up { .. } | State::Spawning if proc.goal == Goal::Renew => {}
            State::Up { .. } | State::Spawning => proc.goal = Goal::Run,
            State::Stopping { .. } | State::Draining { .. } => proc.goal = Goal::Renew,
            State::Idle | State::Backoff { .. } | State::Ended(_) => self.make_ready(id),
        }
        Hope::Up
    }

    fn want_renewed(&mut self, id: InstanceId) -> Hope {
        let proc = self.proc(id);
        match proc.state {
            State::Up { .. }
            | State::Spawning
            | State::Stopping { .. }
            | State::Draining { .. } => proc.goal = Goal::Renew,
            State::Idle | State::Backoff { .. } | State::Ended(_) => self.make_ready(id),
        }
        Hope::Up
    }

    fn want_stopped(&mut self, id: InstanceId) -> Hope {
        let proc = self.proc(id);
        match proc.state {
            // Done or failed by itself stays what it is.
            State::Ended(_) => {}
            State::Idle
            | State::Spawning
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Draining { .. }
            | State::Backoff { .. } => proc.goal = Goal::Stop,
        }
        Hope::Down
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

    fn scale(&mut self, process_type: u16, count: u16, waiter: &mut Waiter) {
        let of_number = |number| InstanceId { process_type, number };
        if count > 0 && self.app.port_of(of_number(count)).is_none() {
            waiter.failures.push((of_number(count), Failure::NoPort));
            return;
        }
        let all: Vec<_> = self.procs.of_type(process_type).map(|(id, _)| id).collect();
        for id in all {
            if id.number > count {
                self.proc(id).goal = Goal::Leave;
                waiter.hopes.insert(id, Hope::Gone);
            }
        }
        for id in (1..=count).map(of_number) {
            match self.procs.get(id).map(|proc| proc.goal) {
                // Whatever it does, it is not touched.
                Some(Goal::Run | Goal::Renew | Goal::Stop) => {}
                Some(Goal::Leave) => {
                    let hope = self.want_running(id);
                    waiter.hopes.insert(id, hope);
                }
                None => {
                    let seq = self.left.remove(&id).unwrap_or(0);
                    self.procs.insert(id, Proc { by_request: true, ..Proc::new(seq) });
                    waiter.hopes.insert(id, Hope::Up);
                }
            }
        }
    }

    /// Takes the new application: what lives by other words than before is renewed, types that are
    /// gone leave, new ones come with their count.
    fn reload(&mut self, app: Arc<App>, gone: &[u16], waiter: &mut Waiter) {
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
                waiter.hopes.insert(id, Hope::Gone);
            } else if is_other.is_some_and(|born| !same_life(&born, &self.app, id))
                && matches!(self.proc(id).goal, Goal::Run | Goal::Renew)
            {
                let hope = self.want_renewed(id);
                waiter.hopes.insert(id, hope);
            }
        }
        for at in known..self.app.types.len() {
            let count = self.app.types[at].count;
            self.scale(u16::try_from(at).unwrap_or(u16::MAX), count, waiter);
        }
    }

    /// Tells everyone who waits for an instance that it cannot come true.
    pub(super) fn fail_waiters(&mut self, id: InstanceId, failure: &Failure) {
        for waiter in &mut self.waiters {
            if waiter.hopes.remove(&id).is_some() {
                waiter.failures.push((id, failure.clone()));
            }
        }
    }

    /// Answers every request that has come true, or cannot. Only what has changed can have come true, unless the
    /// end of the session has begun just now: that concerns all.
    pub(super) fn answer(&mut self, began_to_end: bool) {
        let changed = self.procs.take_changed();
        let mut waiters = std::mem::take(&mut self.waiters);
        waiters.retain_mut(|waiter| {
            let all =
                if began_to_end { waiter.hopes.keys().copied().collect() } else { Vec::new() };
            for id in if began_to_end { &all } else { &changed } {
                let Some(hope) = waiter.hopes.get(id) else { continue };
                match self.progress(*id, *hope) {
                    Progress::Pending => continue,
                    Progress::True => {}
                    Progress::Failed(failure) => waiter.failures.push((*id, failure)),
                }
                waiter.hopes.remove(id);
            }
            let waits = !waiter.hopes.is_empty() || waiter.until_over && self.phase != Phase::Over;
            if !waits {
                self.out.push(Action::Reply(waiter.id, waiter.reply()));
            }
            waits
        });
        self.waiters = waiters;
    }

    /// Returns whether every request that has no answer waits for something.
    #[cfg(test)]
    pub(super) fn waits_for_all(&self) -> bool {
        let mut hopes = self.waiters.iter().flat_map(|waiter| &waiter.hopes);
        hopes.all(|(id, hope)| matches!(self.progress(*id, *hope), Progress::Pending))
    }

    fn progress(&self, id: InstanceId, hope: Hope) -> Progress {
        let ends = self.phase != Phase::Running;
        let proc = self.procs.get(id);
        match (hope, proc) {
            (Hope::Gone, None) => Progress::True,
            (Hope::Up | Hope::Down, None) => Progress::Failed(Failure::Overruled),
            (Hope::Up, Some(_)) if ends => Progress::Failed(Failure::SessionEnds),
            (Hope::Up, Some(proc)) => match (proc.goal, proc.state) {
                // One that is to be restarted has the goal to be renewed until it is.
                (Goal::Run, State::Up { .. }) => Progress::True,
                (_, State::Ended(Exit::Lost)) => Progress::Failed(Failure::Lost),
                (Goal::Stop | Goal::Leave, _) => Progress::Failed(Failure::Overruled),
                (_, State::Ended(exit)) => Progress::Failed(Failure::Ended(exit)),
                (Goal::Run | Goal::Renew, _) => Progress::Pending,
            },
            (Hope::Down | Hope::Gone, Some(proc)) => match (proc.goal, proc.state) {
                (_, State::Ended(Exit::Lost)) => Progress::Failed(Failure::Lost),
                // It had ended by itself, and stays what it is.
                (Goal::Run | Goal::Renew, State::Ended(_)) => Progress::True,
                (Goal::Run | Goal::Renew, _) => Progress::Failed(Failure::Overruled),
                (_, state) if state.is_active() => Progress::Pending,
                _ => Progress::True, // Nothing runs, and nothing will.
            },
        }
    }
}

impl Waiter {
    fn reply(&mut self) -> Reply {
        let mut failures = std::mem::take(&mut self.failures);
        failures.sort_by_key(|(id, _)| *id);
        if failures.is_empty() { Reply::Done } else { Reply::Failed(failures) }
    }

    /// The session ends: it is too late for all but its end.
    fn refuse(&mut self, request: Request) {
        let no = |id| (id, Failure::SessionEnds);
        match request {
            Request::Start(ids)
            | Request::Restart(ids)
            | Request::Stop(ids)
            | Request::Signal(ids, _) => self.failures.extend(ids.into_iter().map(no)),
            Request::Scale(counts) => {
                self.failures.extend(counts.into_iter().map(|(process_type, count)| {
                    no(InstanceId { process_type, number: count.max(1) })
                }));
            }
            Request::Reload { app, .. } => self.failures.extend(app.instances().take(1).map(no)),
            Request::Quit => self.until_over = true,
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
