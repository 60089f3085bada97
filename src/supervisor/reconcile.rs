//! The pass that ends every event: first deadlines, then stops, then starts.

use super::event::{Action, Message, Note};
use super::kind::Kind;
use super::needs::Standing;
use super::proc::Proc;
use super::state::{Cause, Outcome, Phase, State, StopStage};
use super::{ANNOUNCE_EVERY, DRAIN, Failure, InstanceId, KILL_LIMIT, Moment, Signal, Supervisor};
use crate::app::{Exit, PortSlot, Reach};

impl Supervisor {
    /// Acts on every deadline that has passed.
    pub(super) fn expire(&mut self, now: Moment) {
        for id in self.procs.due(now) {
            match self.proc(id).state {
                State::Stopping { stage: StopStage::Asked, .. } => {
                    let grace = self.grace_of(id);
                    self.out.push(Action::Note(id, Note::Killed { grace }));
                    self.kill(id, now);
                }
                // The leader has not even ended after SIGKILL: otherwise the run would be draining.
                State::Stopping { since, stage: StopStage::Killed, cause, .. } => {
                    let outcome = Outcome { exit: Exit::Lost, uptime: now.since(since), cause };
                    if !self.verdict.lost.contains(&id) {
                        self.verdict.lost.push(id);
                    }
                    self.finish_run(id, outcome, now);
                }
                State::Draining { outcome, .. } => self.finish_run(id, outcome, now),
                State::Backoff { .. } => self.proc(id).state = State::Idle,
                State::Up { since, unready: Some(_) } => self.not_ready(id, since, now),
                State::Idle
                | State::Spawning
                | State::Up { unready: None, .. }
                | State::Ended(_) => {
                    unreachable!("these states have no deadline")
                }
            }
        }
        self.expire_phase(now);
        self.expire_start(now);
        self.expire_memory(now);
        self.expire_root(now);
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
        let asked = on.iter().filter_map(|id| match self.procs.get(*id)?.state {
            State::Stopping { stage: StopStage::Asked, until, .. } => Some(until),
            _ => None, // Everyone else is about to go.
        });
        if let Some(until) = asked.min() {
            self.out.push(Action::Say(Message::Waiting { on, left: until.since(now) }));
        }
    }

    /// Moves each instance one step towards its goal. Each step sees the effects of the steps before it.
    pub(super) fn reconcile(&mut self, now: Moment) {
        self.finish_drained(now);
        self.stop_unwanted(now);
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
            let proc = self.proc(id);
            match proc.state {
                State::Draining { outcome, .. } => self.finish_run(id, outcome, now),
                State::Stopping { since, leader: Some(exit), cause, .. } => {
                    let outcome = Outcome { exit, uptime: now.since(since), cause };
                    if proc.output_open {
                        proc.state = State::Draining { outcome, until: now + DRAIN };
                    } else {
                        self.finish_run(id, outcome, now);
                    }
                }
                State::Stopping { leader: None, .. }
                | State::Idle
                | State::Spawning
                | State::Up { .. }
                | State::Backoff { .. }
                | State::Ended(_) => unreachable!("these have not drained"),
            }
        }
    }

    fn stop_unwanted(&mut self, now: Moment) {
        for id in self.unwanted() {
            let state = self.proc(id).state;
            match state {
                State::Up { since, .. } if self.phase == Phase::Killing => {
                    self.kill_at_once(id, since, Cause::Asked, now);
                }
                State::Stopping { stage: StopStage::Asked, .. } if self.phase == Phase::Killing => {
                    self.kill(id, now);
                }
                State::Up { since, .. } => self.ask_to_stop(id, since, Cause::Asked, now),
                State::Backoff { .. } => self.proc(id).state = State::Idle,
                State::Idle
                | State::Spawning
                | State::Stopping { .. }
                | State::Draining { .. }
                | State::Ended(_) => {}
            }
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
            let Proc { seq, state, .. } = *self.proc(id);
            if state == State::Ended(Exit::Lost) {
                self.fail_pending(id, &Failure::Lost);
            }
            self.left.insert(id, seq);
            self.procs.remove(id);
            self.out.push(Action::Forget(id));
        }
    }

    /// Kills a group that was asked to stop.
    pub(super) fn kill(&mut self, id: InstanceId, now: Moment) {
        let run = self.run_of(id);
        let proc = self.proc(id);
        let State::Stopping { since, leader, cause, .. } = proc.state else { return };
        proc.state = match leader {
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
            self.verdict.killed.push(id);
        }
    }

    /// Orders the next start. There is one at a time, and its answer triggers the next: so signals and output never
    /// wait for a long series of starts.
    fn start_wanted(&mut self) {
        if self.phase != Phase::Running || !self.procs.of(Kind::Spawning).is_empty() {
            return;
        }
        if let Some(id) = self.next_start() {
            let born = Some(self.app.clone());
            let proc = self.proc(id);
            proc.born = born;
            proc.grace = None;
            proc.seq += 1;
            proc.state = State::Spawning;
            self.out.push(Action::Spawn(self.run_of(id), PortSlot::Usual));
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
        if self.graph.is_empty() {
            return self.procs.of(Kind::Startable).first().copied();
        }
        self.procs.update();
        let types = (0_u16..).take(self.app.types.len());
        let mut free = types.filter(|at| self.standing_of(*at) == Standing::Free);
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
