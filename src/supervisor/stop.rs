//! How one run is stopped: a front gives it no more requests, then the two waves of the stop signal, and the grace
//! period.

use std::mem;
use std::time::Duration;

use super::event::{Action, Note};
use super::state::{Cause, Outcome, Phase, State, StopStage};
use super::{DRAIN, InstanceId, KILL_LIMIT, Moment, Supervisor};
use crate::app::{Exit, Reach, RunId, Signal};

impl Supervisor {
    /// Has a front give requests to a run, if its type has one.
    pub(super) fn serve(&mut self, run: RunId) {
        if self.app.type_of(run.instance).front.is_some() && !self.life(run).serves {
            self.life(run).serves = true;
            self.out.push(Action::Serve(run));
        }
    }

    /// Has the front give no more requests to a run. Returns whether it gave it any.
    pub(super) fn withdraw(&mut self, run: RunId) -> bool {
        let served = mem::take(&mut self.life(run).serves);
        if served {
            self.out.push(Action::Withdraw(run));
        }
        served
    }

    /// Begins to stop a run: at once, or, behind a front, when no request is in flight or the drain is over.
    pub(super) fn ask_to_stop(&mut self, run: RunId, since: Moment, cause: Cause, now: Moment) {
        self.end_probe(run);
        let until = now + self.policy(run.instance).drain;
        if self.withdraw(run) && until > now {
            self.life(run).state = State::Withdrawing { since, until, cause };
        } else {
            self.send_stop(run, since, cause, now);
        }
    }

    /// No request is in flight on a run.
    pub(super) fn withdrawn(&mut self, run: RunId, now: Moment) {
        if let State::Withdrawing { since, cause, .. } = self.life(run).state {
            self.send_stop(run, since, cause, now);
        }
    }

    /// Sends the stop signal to the processes that the policy names, and starts the grace period.
    pub(super) fn send_stop(&mut self, run: RunId, since: Moment, cause: Cause, now: Moment) {
        let reach = self.policy(run.instance).stop_signal_to;
        self.life(run).rest_waits = reach == Reach::Program;
        self.begin_stop(run, (since, None, cause), reach, now);
    }

    /// Sends the stop signal to what is left of a group whose leader has ended by itself before it was asked to.
    pub(super) fn ask_rest_to_stop(
        &mut self,
        run: RunId,
        (since, exit, cause): (Moment, Exit, Cause),
        now: Moment,
    ) {
        self.begin_stop(run, (since, Some(exit), cause), Reach::Group, now);
    }

    fn begin_stop(
        &mut self,
        run: RunId,
        (since, leader, cause): (Moment, Option<Exit>, Cause),
        reach: Reach,
        now: Moment,
    ) {
        let signal = self.policy(run.instance).stop_signal;
        let until = now + self.grace_of(run.instance);
        self.out.push(Action::Signal(run, signal, reach));
        let stage = StopStage::Asked;
        self.life(run).state = State::Stopping { since, stage, until, leader, cause };
        if until <= now {
            self.kill(run, now);
        }
    }

    /// Kills a running instance without a stop signal before.
    pub(super) fn kill_at_once(&mut self, run: RunId, since: Moment, cause: Cause, now: Moment) {
        if !matches!(self.life(run).state, State::Withdrawing { .. }) {
            self.end_probe(run);
            self.withdraw(run);
        }
        let stage = StopStage::Asked;
        self.life(run).state = State::Stopping { since, stage, until: now, leader: None, cause };
        self.kill(run, now);
    }

    /// Kills a group that was asked to stop.
    pub(super) fn kill(&mut self, run: RunId, now: Moment) {
        let life = self.life(run);
        let State::Stopping { since, leader, cause, .. } = life.state else { return };
        life.state = match leader {
            None => {
                let (stage, until) = (StopStage::Killed, now + KILL_LIMIT);
                State::Stopping { since, stage, until, leader, cause }
            }
            Some(exit) => {
                let outcome = Outcome { exit, uptime: now.since(since), cause };
                State::Draining { outcome, until: now + DRAIN }
            }
        };
        self.out.push(Action::Signal(run, Signal::KILL, Reach::Group));
        // The summary is about the end of the session, and not about a kill for memory long before.
        if self.phase != Phase::Running {
            self.verdict.killed.insert(run.instance);
        }
    }

    /// The grace period of a run is over.
    pub(super) fn kill_late(&mut self, run: RunId, now: Moment) {
        let grace = self.grace_of(run.instance);
        self.out.push(Action::Note(run.instance, Note::Killed { grace }));
        self.kill(run, now);
    }

    /// The second wave of a stop: sends the stop signal to what the program has left of its group.
    pub(super) fn program_ended(&mut self, run: RunId) {
        let stop_signal = self.policy(run.instance).stop_signal;
        let life = self.life(run);
        let is_asked = matches!(life.state, State::Stopping { stage: StopStage::Asked, .. });
        if is_asked && mem::take(&mut life.rest_waits) {
            self.out.push(Action::Signal(run, stop_signal, Reach::Group));
        }
    }

    /// Returns the grace period of an instance.
    pub(super) fn grace_of(&self, id: InstanceId) -> Duration {
        let own = self.procs.get(id).and_then(|proc| proc.grace);
        own.unwrap_or(self.policy(id).grace)
    }

    /// Sets the grace period of the next stop of these instances, instead of that of their policies. An instance that
    /// is stopping already gets this much time from now.
    pub(super) fn give_time(&mut self, ids: &[InstanceId], grace: Option<Duration>, now: Moment) {
        for id in ids {
            let Some(proc) = self.procs.get_mut(*id) else { continue };
            match (&mut proc.life.state, grace) {
                (State::Stopping { .. }, None) => continue,
                (State::Stopping { stage: StopStage::Asked, until, .. }, Some(grace)) => {
                    *until = now + grace;
                }
                _ => {} // It has not begun to stop.
            }
            proc.grace = grace;
        }
    }
}
