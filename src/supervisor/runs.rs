//! What the supervisor does when a run has been started, could not be started, or has ended.

use std::time::Duration;

use super::event::{Action, Group, Note};
use super::life::Beside;
use super::memory::MemoryWatch;
use super::proc::Told;
use super::request::Failure;
use super::state::{Cause, Goal, Outcome, Phase, State, StopStage};
use super::{DRAIN, InstanceId, Moment, Supervisor};
use crate::app::{Exit, Milestone, Reach, RunId};

impl Supervisor {
    pub(super) fn spawned(&mut self, run: RunId, pid: i32, now: Moment) {
        if self.life(run).state != State::Spawning {
            return;
        }
        let id = run.instance;
        let counts = self.counts(run);
        let is_awaited = self.must_prove(run) || self.is_awaited_behind_front(id);
        let policy = self.policy(id);
        let has_ready = policy.ready.is_some();
        let asks_port = !has_ready && is_awaited && self.has_address(id.process_type);
        let timeout = (has_ready || asks_port).then(|| policy.time_to_be_ready());
        let (is_probed, has_live) = (policy.is_probed(), policy.live.is_some());
        let life = self.life(run);
        life.state = State::Up { since: now, unready: timeout.map(|timeout| now + timeout) };
        life.watch = MemoryWatch::default();
        life.asks_port = asks_port;
        life.output_open = true;
        life.rest_waits = false;
        life.pid = Some(pid);
        life.group = Group::Left;
        self.out.push(Action::Note(id, Note::Started { pid }));
        self.note_start(run, now);
        // Must come before its first line is read: that line may make it ready.
        if asks_port {
            self.out.push(Action::ProbePort(run));
            // Its type has no `ready`: whether it is alive is asked from its start, whoever waits for it.
            if has_live && self.may_stay_silent(run) {
                self.out.push(Action::Watch(run));
            }
        } else if is_probed {
            self.out.push(Action::Probe(run));
        }
        self.out.push(Action::Read(run));
        if counts {
            let proc = self.proc(id);
            proc.told = Told::Nothing;
            proc.by_request = false;
            // Without `ready` it serves at once: the front itself finds out who listens.
            if timeout.is_none() || self.may_stay_silent(run) {
                self.serve(run);
            }
            self.came_back(id, Milestone::Started);
            self.renew_again(id);
        }
    }

    /// Returns whether a run must show that it is ready: it replaces another, or is a step of a rollout.
    fn must_prove(&self, run: RunId) -> bool {
        !self.counts(run) || self.is_step(run)
    }

    /// Returns whether a request waits for an instance to be up that is behind a front: it is answered when the
    /// instance listens, so that whoever restarts it next does not end it while it boots.
    fn is_awaited_behind_front(&self, id: InstanceId) -> bool {
        self.app.type_of(id).front.is_some()
            && self.pending_requests.iter().any(|pending| pending.awaits_start(id))
    }

    /// Returns whether a run whose port is asked for goes on where it never listens: somebody waits for that, and
    /// nothing depends on it.
    pub(super) fn may_stay_silent(&self, run: RunId) -> bool {
        let life = self.procs.get(run.instance).and_then(|proc| proc.life(run.seq));
        life.is_some_and(|life| life.asks_port) && !self.must_prove(run)
    }

    pub(super) fn spawn_failed(&mut self, run: RunId, error: String, now: Moment) {
        if self.life(run).state != State::Spawning {
            return;
        }
        let id = run.instance;
        if !self.counts(run) {
            return self.replacement_not_started(id, error);
        }
        let is_asked_for = self.proc(id).by_request;
        let outcome =
            Outcome { exit: Exit::NotStarted, uptime: Duration::ZERO, cause: Cause::Itself };
        let stays_failed = (!is_asked_for || self.is_watched(id)) && self.stays_failed(id, outcome);
        self.out.push(Action::Note(id, Note::CannotStart { error: error.clone(), stays_failed }));
        let failure = Failure::NotStarted(error);
        self.fail_pending(id, &failure);
        self.fail_step(id, &failure);
        // A watched type is tried again at the next change, whoever has asked for this start.
        if is_asked_for && self.phase == Phase::Running && !self.is_watched(id) {
            let proc = self.proc(id);
            proc.life.state = State::Ended(Exit::NotStarted);
            proc.goal = match proc.goal {
                Goal::Leave => Goal::Leave,
                Goal::Run | Goal::Renew | Goal::Stop => Goal::Stop,
            };
            return;
        }
        self.end_for_good(id, outcome);
        self.apply_exit_rule(id, outcome, now);
    }

    /// A replacement could not be started.
    fn replacement_not_started(&mut self, id: InstanceId, error: String) {
        let note = Note::CannotStart { error: error.clone(), stays_failed: false };
        self.out.push(Action::Note(id, note));
        if let Beside::Coming(_) = std::mem::take(&mut self.proc(id).beside) {
            self.replacement_failed(id, Failure::NotStarted(error));
        }
    }

    pub(super) fn exited(&mut self, run: RunId, exit: Exit, group: Group, now: Moment) {
        self.note_end(run, now);
        let stop_signal = self.policy(run.instance).stop_signal;
        let life = self.life(run);
        let until = now + DRAIN;
        match life.state {
            State::Up { since, .. } => {
                let outcome = Outcome { exit, uptime: now.since(since), cause: Cause::Itself };
                life.state = State::Draining { outcome, until };
                life.group = group;
                self.end_probe(run);
                self.withdraw(run);
                if group == Group::Left {
                    self.out.push(Action::Signal(run, stop_signal, Reach::Group));
                }
            }
            State::Withdrawing { since, cause, .. } if group == Group::Left => {
                life.group = group;
                self.ask_rest_to_stop(run, (since, exit, cause), now);
            }
            State::Stopping { since, stage: StopStage::Asked, until, leader: None, cause }
                if group == Group::Left =>
            {
                life.group = group;
                let (stage, leader) = (StopStage::Asked, Some(exit));
                life.state = State::Stopping { since, stage, until, leader, cause };
            }
            State::Withdrawing { since, cause, .. }
            | State::Stopping { since, leader: None, cause, .. } => {
                let outcome = Outcome { exit, uptime: now.since(since), cause };
                life.group = group;
                life.state = State::Draining { outcome, until };
            }
            // The end was reported before, or the run does not exist: nothing to do.
            State::Idle
            | State::Spawning
            | State::Stopping { .. }
            | State::Draining { .. }
            | State::Backoff { .. }
            | State::Ended(_) => {}
        }
    }
}
