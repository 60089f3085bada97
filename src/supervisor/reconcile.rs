//! The pass that ends every event: deadlines, then what should not run, then what should.

use super::event::{Action, Exit, Group, Message, Note};
use super::state::{Cause, Goal, Outcome, Phase, Stage, State};
use super::{
    ANNOUNCE_EVERY, DRAIN, Failure, InstanceId, KILL_LIMIT, Moment, Proc, Signal, Supervisor,
};
use crate::app::Role;

impl Supervisor {
    /// Acts on every deadline that has passed.
    pub(super) fn expire(&mut self, now: Moment) {
        let is_due = |state: State| state.deadline().is_some_and(|at| at <= now);
        for id in self.ids_in(is_due) {
            match self.proc(id).state {
                State::Stopping { stage: Stage::Asked, .. } => {
                    let grace = self.policy(id).grace;
                    self.out.push(Action::Note(id, Note::Killed { grace }));
                    self.kill(id, now);
                }
                // A leader that had ended would be drained: this one did not even end when killed.
                State::Stopping { since, stage: Stage::Killed, cause, .. } => {
                    let outcome = Outcome { exit: Exit::Lost, uptime: now.since(since), cause };
                    if !self.verdict.lost.contains(&id) {
                        self.verdict.lost.push(id);
                    }
                    self.finish_run(id, outcome, now);
                }
                State::Draining { outcome, .. } => self.finish_run(id, outcome, now),
                State::Backoff { .. } => self.proc(id).state = State::Idle,
                State::Idle | State::Spawning | State::Up { .. } | State::Ended(_) => {
                    unreachable!("these states have no deadline")
                }
            }
        }
        self.expire_phase(now);
        self.expire_memory(now);
    }

    fn expire_phase(&mut self, now: Moment) {
        match self.phase {
            Phase::Stopping { announce } if announce <= now => {
                self.announce(now);
                self.phase = Phase::Stopping { announce: now + ANNOUNCE_EVERY };
            }
            Phase::Strays { stage: Stage::Asked, until, .. } if until <= now => {
                self.out.push(Action::Say(Message::KillingStrays));
                self.stop_strays(Stage::Killed, now);
            }
            Phase::Strays { stage: Stage::Killed, until, .. } if until <= now => {
                self.phase = Phase::Over;
            }
            Phase::Strays { stage, until, announce } if announce <= now => {
                if stage == Stage::Asked {
                    self.out
                        .push(Action::Say(Message::WaitingForStrays { left: until.since(now) }));
                }
                self.phase = Phase::Strays { stage, until, announce: now + ANNOUNCE_EVERY };
            }
            Phase::Stopping { .. }
            | Phase::Strays { .. }
            | Phase::Running
            | Phase::Killing
            | Phase::Over => {}
        }
    }

    /// Says whom the stop waits for.
    pub(super) fn announce(&mut self, now: Moment) {
        let waiting = self.procs.iter().filter(|(_, proc)| proc.state.is_active());
        let on: Vec<_> = waiting.map(|(id, _)| *id).collect();
        let asked = self.procs.values().filter_map(|proc| match proc.state {
            State::Stopping { stage: Stage::Asked, until, .. } => Some(until),
            _ => None, // Everyone else is about to go.
        });
        if let Some(until) = asked.min() {
            self.out.push(Action::Say(Message::Waiting { on, left: until.since(now) }));
        }
    }

    /// Moves each instance one step from what it does to what is wanted.
    pub(super) fn reconcile(&mut self, now: Moment) {
        self.finish_drained(now);
        self.stop_unwanted(now);
        self.forget_left();
        self.start_wanted();
        self.close_when_settled(now);
        self.watch_memory(now);
    }

    fn finish_drained(&mut self, now: Moment) {
        // No more than can be finished: in a stop of a thousand, hundreds drain at each event.
        let is_ready = |proc: &Proc| match proc.state {
            State::Draining { .. } => !proc.output_open && proc.group == Group::Gone,
            State::Stopping { leader, .. } => leader.is_some() && proc.group == Group::Gone,
            State::Idle
            | State::Spawning
            | State::Up { .. }
            | State::Backoff { .. }
            | State::Ended(_) => false,
        };
        for id in self.ids_of(is_ready) {
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
                | State::Ended(_) => unreachable!("these are not ready"),
            }
        }
    }

    fn stop_unwanted(&mut self, now: Moment) {
        let ends = self.phase != Phase::Running;
        let kills = self.phase == Phase::Killing;
        // No more than can be moved: in a stop of a thousand, hundreds are on their way at each event.
        let can_move = |state: State| match state {
            State::Up { .. } | State::Backoff { .. } => true,
            State::Stopping { stage, .. } => kills && stage == Stage::Asked,
            State::Idle | State::Spawning | State::Draining { .. } | State::Ended(_) => false,
        };
        let is_unwanted = |proc: &Proc| (ends || proc.goal != Goal::Run) && can_move(proc.state);
        let mut ids = self.ids_of(is_unwanted);
        // Of those that are scaled away, the highest number goes first.
        if !ends {
            ids.reverse();
        }
        for id in ids {
            let state = self.proc(id).state;
            match state {
                State::Up { since } if self.phase == Phase::Killing => {
                    let (stage, cause) = (Stage::Asked, Cause::Asked);
                    self.proc(id).state =
                        State::Stopping { since, stage, until: now, leader: None, cause };
                    self.kill(id, now);
                }
                State::Stopping { stage: Stage::Asked, .. } if self.phase == Phase::Killing => {
                    self.kill(id, now);
                }
                State::Up { since } => self.ask_to_stop(id, since, Cause::Asked, now),
                State::Backoff { .. } => self.proc(id).state = State::Idle,
                State::Idle
                | State::Spawning
                | State::Stopping { .. }
                | State::Draining { .. }
                | State::Ended(_) => {}
            }
        }
    }

    /// Forgets who was scaled away and runs no more.
    fn forget_left(&mut self) {
        let has_left = |proc: &Proc| proc.goal == Goal::Leave && !proc.state.is_active();
        for id in self.ids_of(has_left) {
            let Proc { seq, state, .. } = *self.proc(id);
            if state == State::Ended(Exit::Lost) {
                self.fail_waiters(id, &Failure::Lost);
            }
            self.left.insert(id, seq);
            self.procs.remove(&id);
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
                let (stage, until) = (Stage::Killed, now + KILL_LIMIT);
                State::Stopping { since, stage, until, leader, cause }
            }
            Some(exit) => {
                let outcome = Outcome { exit, uptime: now.since(since), cause };
                State::Draining { outcome, until: now + DRAIN }
            }
        };
        self.out.push(Action::Signal(run, Signal::KILL));
        // The verdict is on the end of the session, not on a kill for memory long before.
        if self.phase != Phase::Running {
            self.verdict.killed.push(id);
        }
    }

    /// Orders the next start. One at a time: the answer to it brings the next, so that a signal or a
    /// line of output is never kept waiting by a long row of starts.
    fn start_wanted(&mut self) {
        if self.phase != Phase::Running
            || self.procs.values().any(|proc| proc.state == State::Spawning)
        {
            return;
        }
        let role = |id: &InstanceId| self.app.type_of(*id).policy.role;
        // One that was stopped by request has not done what the others wait for.
        let is_pending = |(id, proc): (&InstanceId, &Proc)| {
            let is_done = matches!(proc.state, State::Ended(_)) && proc.goal == Goal::Run;
            role(id) == Role::Release && !is_done
        };
        let release_pending = self.has_release && self.procs.iter().any(is_pending);
        let may_start = |id: &InstanceId| !release_pending || role(id) == Role::Release;
        let is_ready = |proc: &Proc| proc.state == State::Idle && proc.goal == Goal::Run;
        let mut ready = self.procs.iter().filter(|(_, proc)| is_ready(proc));
        let next = ready.find(|(id, _)| may_start(id)).map(|(id, _)| *id);
        if let Some(id) = next {
            let born = Some(self.app.clone());
            let proc = self.proc(id);
            proc.born = born;
            proc.seq += 1;
            proc.state = State::Spawning;
            self.out.push(Action::Spawn(self.run_of(id)));
        }
    }

    /// When no instance is left to run, goes on to what may have left the groups.
    fn close_when_settled(&mut self, now: Moment) {
        let running = self.phase == Phase::Running;
        let settled = self.procs.values().all(|proc| match proc.state {
            // As long as one is stopped by request, the session goes on: it may be started again.
            State::Ended(_) => !running || proc.goal == Goal::Run,
            State::Idle => !running,
            State::Spawning
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Draining { .. }
            | State::Backoff { .. } => false,
        });
        match self.phase {
            // Scaled down to nothing, it waits to be scaled up.
            Phase::Running if self.procs.is_empty() && !self.left.is_empty() => {}
            Phase::Running | Phase::Stopping { .. } if settled => {
                self.stop_strays(Stage::Asked, now);
            }
            Phase::Killing if settled => self.stop_strays(Stage::Killed, now),
            Phase::Running
            | Phase::Stopping { .. }
            | Phase::Killing
            | Phase::Strays { .. }
            | Phase::Over => {}
        }
    }
}
