//! The pass that ends every event: first deadlines, then stops, then starts.

use std::sync::Arc;

use super::event::{Action, Message};
use super::kind::Kind;
use super::life::InstanceRun;
use super::needs::Standing;
use super::state::{Cause, Outcome, Phase, State, StopStage};
use super::{ANNOUNCE_EVERY, DRAIN, Failure, InstanceId, Moment, Supervisor};
use crate::app::{Exit, RunId};

impl Supervisor {
    /// Acts on every deadline that has passed.
    pub(super) fn expire(&mut self, now: Moment) {
        for id in self.procs.due(now) {
            for run in self.runs_of(id) {
                self.expire_run(run, now);
            }
        }
        self.expire_phase(now);
        self.expire_start(now);
        self.expire_memory(now);
        self.expire_root(now);
    }

    fn expire_run(&mut self, run: RunId, now: Moment) {
        // What was done about the other run of its instance may have concerned it.
        let life = self.procs.get(run.instance).and_then(|proc| proc.life(run.seq));
        let Some(state) = life.map(|life| life.state) else { return };
        if state.deadline().is_none_or(|at| at > now) {
            return;
        }
        match state {
            State::Withdrawing { since, cause, .. } => self.send_stop(run, since, cause, now),
            State::Stopping { stage: StopStage::Asked, .. } => self.kill_late(run, now),
            // The leader has not even ended after SIGKILL: otherwise the run would be draining.
            State::Stopping { since, stage: StopStage::Killed, cause, .. } => {
                let outcome = Outcome { exit: Exit::Lost, uptime: now.since(since), cause };
                self.verdict.lost.insert(run.instance);
                self.finish_run(run, outcome, now);
            }
            State::Draining { outcome, .. } => self.finish_run(run, outcome, now),
            State::Backoff { .. } => self.life(run).state = State::Idle,
            State::Up { since, unready: Some(_) } => self.not_ready(run, since, now),
            State::Idle | State::Spawning | State::Up { unready: None, .. } | State::Ended(_) => {
                unreachable!("these states have no deadline")
            }
        }
    }

    fn expire_phase(&mut self, now: Moment) {
        match self.phase {
            Phase::Stopping { announce } if announce <= now => {
                self.announce(now);
                self.phase = Phase::Stopping { announce: now + ANNOUNCE_EVERY };
            }
            Phase::Orphans { stage: StopStage::Asked, until, .. } if until <= now => {
                self.out.push(Action::Say(Message::KillingOrphans));
                self.stop_orphans(StopStage::Killed, now);
            }
            Phase::Orphans { stage: StopStage::Killed, until, .. } if until <= now => {
                self.phase = Phase::Over;
            }
            Phase::Orphans { stage, until, announce } if announce <= now => {
                if stage == StopStage::Asked {
                    self.out
                        .push(Action::Say(Message::WaitingForOrphans { left: until.since(now) }));
                }
                self.phase = Phase::Orphans { stage, until, announce: now + ANNOUNCE_EVERY };
            }
            Phase::Stopping { .. }
            | Phase::Orphans { .. }
            | Phase::Running
            | Phase::Killing
            | Phase::Over => {}
        }
    }

    /// Says which instances the stop waits for.
    pub(super) fn announce(&mut self, now: Moment) {
        let on = self.procs.list(Kind::Active);
        let runs = on.iter().flat_map(|id| self.runs_of(*id));
        let asked = runs.filter_map(|run| {
            match self.procs.get(run.instance)?.life(run.seq)?.state {
                State::Stopping { stage: StopStage::Asked, until, .. } => Some(until),
                State::Withdrawing { until, .. } => Some(until + self.grace_of(run.instance)),
                _ => None, // Everyone else is about to go.
            }
        });
        if let Some(until) = asked.min() {
            self.out.push(Action::Say(Message::Waiting { on, left: until.since(now) }));
        }
    }

    /// Moves each instance one step towards its goal. Each step sees the effects of the steps before it.
    pub(super) fn reconcile(&mut self, now: Moment) {
        self.finish_drained(now);
        self.advance_rollouts();
        self.stop_unwanted(now);
        self.stop_beside(now);
        self.forget_left();
        self.weigh_needs();
        self.start_wanted();
        if self.unsettled() == 0 {
            self.close_when_settled(now);
        }
        self.watch_start(now);
        self.watch_memory(now);
    }

    fn finish_drained(&mut self, now: Moment) {
        for id in self.procs.list(Kind::Drained) {
            for run in self.runs_of(id) {
                self.finish_if_drained(run, now);
            }
        }
    }

    fn finish_if_drained(&mut self, run: RunId, now: Moment) {
        let life = self.procs.get(run.instance).and_then(|proc| proc.life(run.seq));
        let Some(life) = life.filter(|life| life.is_drained()) else { return };
        match (life.state, life.output_open) {
            (State::Draining { outcome, .. }, _) => self.finish_run(run, outcome, now),
            (State::Stopping { since, leader: Some(exit), cause, .. }, output_open) => {
                let outcome = Outcome { exit, uptime: now.since(since), cause };
                if output_open {
                    self.life(run).state = State::Draining { outcome, until: now + DRAIN };
                } else {
                    self.finish_run(run, outcome, now);
                }
            }
            (
                State::Stopping { leader: None, .. }
                | State::Idle
                | State::Spawning
                | State::Up { .. }
                | State::Withdrawing { .. }
                | State::Backoff { .. }
                | State::Ended(_),
                _,
            ) => unreachable!("these have not drained"),
        }
    }

    fn stop_unwanted(&mut self, now: Moment) {
        for id in self.unwanted() {
            let run = self.run_of(id);
            if let State::Backoff { .. } = self.proc(id).life.state {
                self.proc(id).life.state = State::Idle;
            } else {
                self.stop_run(run, now);
            }
        }
    }

    /// Stops a run, or, where everything is killed, kills it.
    pub(super) fn stop_run(&mut self, run: RunId, now: Moment) {
        let kills = self.phase == Phase::Killing;
        match self.life(run).state {
            State::Up { since, .. } | State::Withdrawing { since, .. } if kills => {
                self.kill_at_once(run, since, Cause::Asked, now);
            }
            State::Stopping { stage: StopStage::Asked, .. } if kills => self.kill(run, now),
            State::Up { since, .. } => self.ask_to_stop(run, since, Cause::Asked, now),
            State::Withdrawing { .. }
            | State::Stopping { .. }
            | State::Idle
            | State::Spawning
            | State::Draining { .. }
            | State::Backoff { .. }
            | State::Ended(_) => {}
        }
    }

    /// Returns the instances that should not run and can be stopped or reset now.
    fn unwanted(&mut self) -> Vec<InstanceId> {
        let kinds: &[Kind] = match self.phase {
            Phase::Running => {
                let mut ids = self.procs.list(Kind::Unwanted);
                // Of the instances that are scaled away, those with the highest numbers stop first.
                ids.reverse();
                return ids;
            }
            Phase::Killing => &[Kind::Up, Kind::Backoff, Kind::Asked],
            Phase::Stopping { .. } | Phase::Orphans { .. } | Phase::Over => {
                &[Kind::Up, Kind::Backoff]
            }
        };
        let mut ids: Vec<_> = kinds.iter().flat_map(|kind| self.procs.list(*kind)).collect();
        if matches!(self.phase, Phase::Stopping { .. }) && !self.graph.is_empty() {
            let is_held = self.held_back();
            ids.retain(|id| !is_held[usize::from(id.process_type)]);
        }
        ids.sort_unstable();
        ids
    }

    /// Forgets the instances that were scaled away and have stopped.
    fn forget_left(&mut self) {
        for id in self.procs.list(Kind::Left) {
            let proc = self.proc(id);
            let (runs, state) = (proc.runs, proc.life.state);
            if state == State::Ended(Exit::Lost) {
                self.fail_pending(id, &Failure::Lost);
            }
            self.left.insert(id, runs);
            self.procs.remove(id);
            self.out.push(Action::Forget(id));
        }
    }

    /// Orders the next start. There is one at a time, and its answer triggers the next: so signals and output never
    /// wait for a long series of starts.
    fn start_wanted(&mut self) {
        if self.phase != Phase::Running || !self.procs.of(Kind::Spawning).is_empty() {
            return;
        }
        if let Some(id) = self.next_start() {
            let born = Arc::clone(&self.app);
            let proc = self.proc(id);
            proc.grace = None;
            proc.runs += 1;
            proc.life = InstanceRun::starting(proc.runs, proc.life.slot, born);
            let slot = proc.life.slot;
            self.out.push(Action::Spawn(self.run_of(id), slot));
        } else {
            self.start_replacement();
        }
    }

    /// Returns the first instance that waits to be started and whose dependencies are met.
    fn next_start(&mut self) -> Option<InstanceId> {
        // A release that was stopped by request has not done its work, so the others must wait.
        let mut before = self.releases.iter().flat_map(|at| self.procs.of_type(*at));
        let is_released = before.all(|(_, proc)| Kind::Done.is_of(proc));
        drop(before);
        if !is_released {
            return self
                .releases
                .iter()
                .find_map(|at| self.procs.first_of_type(Kind::Startable, *at));
        }
        self.settle_moves();
        if self.graph.is_empty() && self.moving.is_empty() {
            return self.procs.of(Kind::Startable).first().copied();
        }
        self.procs.update();
        let types = (0_u16..).take(self.app.types.len());
        let mut free =
            types.filter(|at| self.standing_of(*at) == Standing::Free && !self.moving.contains(at));
        free.find_map(|at| self.procs.first(Kind::Startable, at))
    }

    /// When no instance is left to run, goes on to the processes that left the groups.
    fn close_when_settled(&mut self, now: Moment) {
        match self.phase {
            // A session that was scaled to zero waits to be scaled up.
            Phase::Running if self.procs.len() == 0 && !self.left.is_empty() => {}
            Phase::Running if self.watches() => {}
            Phase::Running => {
                self.end_with_first_failure();
                self.stop_orphans(StopStage::Asked, now);
            }
            Phase::Stopping { .. } => self.stop_orphans(StopStage::Asked, now),
            Phase::Killing => self.stop_orphans(StopStage::Killed, now),
            Phase::Orphans { .. } | Phase::Over => {}
        }
    }

    /// Returns the number of instances that keep the session going.
    pub(super) fn unsettled(&mut self) -> usize {
        match self.phase {
            // While an instance is stopped by request, the session goes on: someone may start it again.
            Phase::Running => self.procs.len() - self.procs.of(Kind::Done).len() - self.blocked(),
            Phase::Stopping { .. } | Phase::Killing | Phase::Orphans { .. } | Phase::Over => {
                self.procs.of(Kind::Active).len() + self.procs.of(Kind::Backoff).len()
            }
        }
    }
}
