//! How one instance is asked to stop, in two waves, and how much time it has.

use std::mem;
use std::time::Duration;

use super::event::Action;
use super::state::{Cause, State, StopStage};
use super::{InstanceId, Moment, Supervisor};
use crate::app::{Reach, RunId};

impl Supervisor {
    /// Sends the stop signal of its policy, to whom that says; patience with all of them ends after its grace.
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

    /// Kills one that runs, without asking it first.
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

    /// The second wave of a stop: what the program has left of its group is asked to end.
    pub(super) fn program_ended(&mut self, run: RunId) {
        let stop_signal = self.policy(run.instance).stop_signal;
        let proc = self.proc(run.instance);
        let is_asked = matches!(proc.state, State::Stopping { stage: StopStage::Asked, .. });
        if is_asked && mem::take(&mut proc.rest_waits) {
            self.out.push(Action::Signal(run, stop_signal, Reach::Group));
        }
    }

    /// Returns how long it may take to stop.
    pub(super) fn grace_of(&self, id: InstanceId) -> Duration {
        let own = self.procs.get(id).and_then(|proc| proc.grace);
        own.unwrap_or(self.policy(id).grace)
    }

    /// Takes how long the next stop of these may take, in place of what their policies say. One that stops
    /// already has so long from now on.
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
