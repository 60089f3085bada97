//! What the supervisor does when a run becomes ready, does not become ready in time, or is no longer alive.

use std::mem;

use super::event::{Action, Note};
use super::kind::Kind;
use super::state::{Cause, Phase, State};
use super::{InstanceId, Moment, Supervisor};
use crate::app::readiness::Probe;
use crate::app::{Milestone, Policy, RunId};

/// How far the search is for a type that others wait for and that nobody starts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutsideSearch {
    /// It is asked for.
    Begun,
    /// It was there.
    Found,
}

impl Supervisor {
    pub(super) fn became_ready(&mut self, run: RunId, now: Moment) {
        let id = run.instance;
        let counts = self.counts(run);
        let is_replacement = self.proc(id).beside.is_replacement();
        let State::Up { since, unready: unready @ Some(_) } = &mut self.life(run).state else {
            return;
        };
        if !counts && !is_replacement {
            return; // It is about to stop.
        }
        *unready = None;
        let after = now.since(*since);
        self.out.push(Action::Note(id, Note::Ready { after }));
        self.inform_ready(run);
        if counts {
            self.serve(run);
            self.came_back(id, Milestone::Ready);
        } else {
            self.take_over(id, now);
        }
    }

    /// Stops the probes of a run that stops or has ended.
    pub(super) fn end_probe(&mut self, run: RunId) {
        let id = run.instance;
        let is_probed = self.policy(id).is_probed();
        let life = self.life(run);
        let born = life.born.as_ref();
        let was_probed = born.is_some_and(|born| born.type_of(id).policy.is_probed());
        if was_probed || is_probed || life.asks_port {
            self.out.push(Action::EndProbe(run));
        }
    }

    /// Stops the probes for types of other sessions: this session ends.
    pub(super) fn end_outside(&mut self) {
        for (process_type, search) in mem::take(&mut self.outside) {
            self.end_search(process_type, search);
        }
    }

    fn end_search(&mut self, process_type: u16, search: OutsideSearch) {
        match search {
            OutsideSearch::Begun => self.out.push(Action::EndProbeOutside(process_type)),
            OutsideSearch::Found => {}
        }
    }

    /// A type is asked for anew, if at all: what shows that it is there has changed.
    pub(super) fn forget_search(&mut self, process_type: u16) {
        if let Some(search) = self.outside.remove(&process_type) {
            self.end_search(process_type, search);
        }
    }

    /// Handles a run that did not become ready in time.
    pub(super) fn not_ready(&mut self, run: RunId, since: Moment, now: Moment) {
        let id = run.instance;
        // While the session stops, it only runs on until its dependents have stopped.
        if self.phase != Phase::Running {
            self.life(run).state = State::Up { since, unready: None };
            return;
        }
        if self.may_stay_silent(run) {
            return self.stays_silent(run, since);
        }
        let timeout = self.policy(id).time_to_be_ready();
        self.out.push(Action::Note(id, Note::NotReady { timeout }));
        self.ask_to_stop(run, since, Cause::NotReady, now);
    }

    /// A run without `ready` does not listen, for which alone it is not stopped. Nobody waits for it any longer.
    fn stays_silent(&mut self, run: RunId, since: Moment) {
        self.life(run).state = State::Up { since, unready: None };
        self.out.push(Action::EndProbePort(run));
    }

    /// Restarts a run that is no longer alive, unless it should stop anyway.
    pub(super) fn not_alive(&mut self, id: InstanceId, why: String, now: Moment) {
        let State::Up { since, .. } = self.proc(id).life.state else { return };
        if self.phase == Phase::Running {
            self.out.push(Action::Note(id, Note::NotAlive { why }));
            if !self.rolls(id) {
                self.ask_to_stop(self.run_of(id), since, Cause::NotAlive, now);
            } else if !self.is_rolled(id) {
                self.roll_by_itself(id);
            }
        }
    }

    /// Asks anew whether an instance is alive that was to be replaced, and goes on as it is: it may have been found to be
    /// not alive before, and is not asked since.
    pub(super) fn watch_again(&mut self, id: InstanceId) {
        let run = self.run_of(id);
        let is_asked = match self.procs.get(id).map(|proc| proc.life.state) {
            Some(State::Up { unready, .. }) => unready.is_none() || self.may_stay_silent(run),
            Some(_) | None => false, // Its next run is asked from its beginning.
        };
        if is_asked && self.policy(id).live.is_some() && self.rolls(id) {
            self.out.push(Action::Watch(run));
        }
    }

    /// Returns whether every wanted instance is ready, up or done.
    pub fn is_started(&mut self) -> bool {
        let unfinished = [Kind::Startable, Kind::Spawning, Kind::Unready, Kind::Backoff];
        self.phase == Phase::Running
            && unfinished.iter().all(|kind| self.procs.of(*kind).is_empty())
    }

    /// Begins to probe types that instances wait for and that this session does not start, and stops probing those for
    /// which that has ceased to hold. Types that cannot be probed count as running.
    pub(super) fn look_outside(&mut self) {
        if self.graph.is_empty() && self.outside.is_empty() {
            return;
        }
        for at in (0_u16..).take(self.app.types.len()) {
            let is_sought = self.is_sought(at);
            match self.outside.get(&at) {
                None if is_sought => {
                    self.outside.insert(at, OutsideSearch::Begun);
                    self.out.push(Action::ProbeOutside(at));
                }
                Some(_) if !is_sought => self.forget_search(at),
                None | Some(_) => {}
            }
        }
    }

    fn is_sought(&self, process_type: u16) -> bool {
        let waits = |at: &u16| self.procs.count(Kind::Startable, *at) > 0;
        let own = &self.app.types[usize::from(process_type)];
        self.graph.dependents_of(process_type).iter().any(waits)
            && self.procs.count(Kind::Wanted, process_type) == 0
            && own.policy.ready_probes().any(Probe::works_from_outside)
    }

    /// Takes what a reload has changed in how a running instance is asked. Returns false where it must be restarted for
    /// that: it is not ready yet, so that some of its output is past, or it would need another environment.
    pub(super) fn takes_readiness(&mut self, id: InstanceId, old: &Policy) -> bool {
        let new = self.policy(id).clone();
        let probes = |policy: &Policy| policy.ready.as_ref().map(|ready| ready.probes.clone());
        let (has_other_ready, has_other_live) = (probes(old) != probes(&new), old.live != new.live);
        let (is_unready, since) = match self.proc(id).life.state {
            State::Up { unready, since } => (unready.is_some(), since),
            State::Spawning => return !(has_other_ready || has_other_live),
            State::Idle
            | State::Withdrawing { .. }
            | State::Stopping { .. }
            | State::Draining { .. }
            | State::Backoff { .. }
            | State::Ended(_) => return true,
        };
        if is_unready {
            let timeouts = [old, &new].map(|policy| policy.ready.as_ref().map(|it| it.timeout));
            if let [before, Some(timeout)] = timeouts
                && before != Some(timeout)
            {
                self.proc(id).life.state = State::Up { since, unready: Some(since + timeout) };
            }
            return !(has_other_ready || has_other_live);
        }
        if has_other_ready && old.ready.is_none() || has_other_live && notifies(old, &new) {
            return false;
        }
        if has_other_live {
            let run = self.run_of(id);
            self.out.push(Action::Watch(run));
        }
        true
    }
}

/// Returns whether `NOTIFY_SOCKET` or `WATCHDOG_USEC` is told to a run by one of these for its liveness.
fn notifies(old: &Policy, new: &Policy) -> bool {
    let of_live = |policy: &Policy| policy.live.as_ref().map(|live| live.probe == Probe::Notify);
    of_live(old) == Some(true) || of_live(new) == Some(true)
}
