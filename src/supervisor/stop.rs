//! How one instance is stopped: the two waves of the stop signal, and the grace period.

use std::mem;
use std::time::Duration;

use super::event::Action;
use super::state::{Cause, State, StopStage};
use super::{InstanceId, Moment, Supervisor};
use crate::app::{Reach, RunId};

impl Supervisor {
    /// Sends the stop signal to the processes that the policy names, and starts the grace period.
    pub(super) fn ask_to_stop(&mut self, id: InstanceId, since: Moment, cause: Cause, now: Moment) {
        let policy = self.policy(id);
        let (signal, reach) = (policy.stop_signal, policy.stop_signal_to);
        let until = now + self.grace_of(id);
        self.end_probe(id);
        self.out.push(Action::Signal(self.run_of(id), signal, reach));
        let stage = StopStage::Asked;
        let proc = self.proc(id);
        proc.rest_waits = reach == Reach::Program;
        proc.state = State::Stopping { since, stage, until, leader: None, cause };
        if until <= now {
            self.kill(id, now);
        }
    }

    /// Kills a running instance without a stop signal before.
    pub(super) fn kill_at_once(
        &mut self,
        id: InstanceId,
        since: Moment,
        cause: Cause,
        now: Moment,
    ) {
        self.end_probe(id);
        let stage = StopStage::Asked;
        self.proc(id).state = State::Stopping { since, stage, until: now, leader: None, cause };
        self.kill(id, now);
    }

    /// The second wave of a stop: sends the stop signal to what the program has left of its group.
    pub(super) fn program_ended(&mut self, run: RunId) {
        let stop_signal = self.policy(run.instance).stop_signal;
        let proc = self.proc(run.instance);
        let is_asked = matches!(proc.state, State::Stopping { stage: StopStage::Asked, .. });
        if is_asked && mem::take(&mut proc.rest_waits) {
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
            match (&mut proc.state, grace) {
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
