//! What the supervisor does when a run becomes ready, does not become ready in time, or is no longer alive.

use super::event::{Action, Note};
use super::state::{Cause, Phase, State};
use super::{InstanceId, Moment, Supervisor};
use crate::app::Milestone;
use crate::app::readiness::Probe;

impl Supervisor {
    pub(super) fn became_ready(&mut self, id: InstanceId, now: Moment) {
        if let State::Up { since, unready: unready @ Some(_) } = &mut self.proc(id).state {
            *unready = None;
            let after = now.since(*since);
            self.out.push(Action::Note(id, Note::Ready { after }));
            self.came_back(id, Milestone::Ready);
        }
    }

    /// Stops the probes of a run that stops or has ended.
    pub(super) fn end_probe(&mut self, id: InstanceId) {
        if self.policy(id).is_probed() {
            self.out.push(Action::EndProbe(self.run_of(id)));
        }
    }

    /// Stops the probes for types of other sessions: this session ends.
    pub(super) fn end_outside(&mut self) {
        for process_type in std::mem::take(&mut self.outside) {
            self.out.push(Action::EndProbeOutside(process_type));
        }
    }

    /// Handles a run that did not become ready in time.
    pub(super) fn not_ready(&mut self, id: InstanceId, since: Moment, now: Moment) {
        // While the session stops, it only runs on until its dependents have stopped.
        if self.phase != Phase::Running {
            self.proc(id).state = State::Up { since, unready: None };
            return;
        }
        let timeout = self.policy(id).ready.as_ref().map(|ready| ready.timeout).unwrap_or_default();
        self.out.push(Action::Note(id, Note::NotReady { timeout }));
        self.ask_to_stop(id, since, Cause::NotReady, now);
    }

    /// Restarts a run that is no longer alive, unless it should stop anyway.
    pub(super) fn not_alive(&mut self, id: InstanceId, why: String, now: Moment) {
        let State::Up { since, .. } = self.proc(id).state else { return };
        if self.phase == Phase::Running {
            self.out.push(Action::Note(id, Note::NotAlive { why }));
            self.ask_to_stop(id, since, Cause::NotAlive, now);
        }
    }

    /// Returns whether every wanted instance is ready, up or done.
    pub fn is_started(&mut self) -> bool {
        use super::kind::Kind::{Backoff, Spawning, Startable, Unready};
        let unfinished = [Startable, Spawning, Unready, Backoff];
        self.phase == Phase::Running
            && unfinished.iter().all(|kind| self.procs.of(*kind).is_empty())
    }

    /// Finds the types that others depend on and that this session does not start. Those that cannot be probed count as
    /// running.
    pub(super) fn look_outside(&mut self) {
        for (own, at) in self.app.types.iter().zip(0_u16..) {
            let is_needed = !self.graph.dependents_of(at).is_empty();
            let is_asked = own.policy.ready_probes().any(Probe::works_from_outside);
            if own.count == 0 && is_needed && is_asked && self.outside.insert(at) {
                self.out.push(Action::ProbeOutside(at));
            }
        }
    }
}
