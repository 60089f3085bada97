//! The pass that ends every event: deadlines, then what should not run, then what should.

use super::event::{Action, Group, Message, Note};
use super::state::{Cause, Goal, Outcome, Phase, Stage, State};
use super::{
    ANNOUNCE_EVERY, DRAIN, Failure, InstanceId, KILL_LIMIT, Moment, Proc, Signal, Supervisor,
};
use crate::app::{Exit, Reach, Role};

/// What one pass over all instances finds for the steps of a reconcile. Of a thousand instances few are in
/// motion, and a pass for each step would be most of what an event costs.
#[derive(Clone, Copy, Debug)]
struct Survey {
    /// Some run can be finished.
    has_drained: bool,
    /// Something that should not run can be moved towards that.
    has_unwanted: bool,
    /// Someone who was scaled away runs no more.
    has_left: bool,
    /// Some start is ordered and not yet answered.
    is_starting: bool,
    /// Something waits to be started.
    has_ready: bool,
    /// Nothing runs, and nothing will.
    is_settled: bool,
}

impl Supervisor {
    /// Acts on every deadline that has passed.
    pub(super) fn expire(&mut self, now: Moment) {
        let is_due = |state: State| state.deadline().is_some_and(|at| at <= now);
        for id in self.ids_in(is_due) {
            match self.proc(id).state {
                State::Stopping { stage: Stage::Asked, .. } => {
                    let grace = self.grace_of(id);
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

    /// Moves each instance one step from what it does to what is wanted. Each step sees what those before
    /// it did.
    pub(super) fn reconcile(&mut self, now: Moment) {
        let mut survey = self.survey();
        if survey.has_drained {
            self.finish_drained(now);
            survey = self.survey();
        }
        if survey.has_unwanted {
            self.stop_unwanted(now);
            survey = self.survey();
        }
        if survey.has_left {
            self.forget_left();
            survey = self.survey();
        }
        if survey.has_ready && !survey.is_starting {
            // What is ready keeps a session from being settled, started or not.
            self.start_wanted();
        }
        if survey.is_settled {
            self.close_when_settled(now);
        }
        self.watch_memory(now);
    }

    fn survey(&self) -> Survey {
        let mut survey = Survey {
            has_drained: false,
            has_unwanted: false,
            has_left: false,
            is_starting: false,
            has_ready: false,
            is_settled: true,
        };
        for proc in self.procs.values() {
            survey.has_drained |= has_drained(proc);
            survey.has_unwanted |= self.is_unwanted(proc);
            survey.has_left |= has_left(proc);
            survey.is_starting |= proc.state == State::Spawning;
            survey.has_ready |= is_ready(proc);
            survey.is_settled &= self.is_settled(proc);
        }
        survey
    }

    fn finish_drained(&mut self, now: Moment) {
        for id in self.ids_of(has_drained) {
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
        let mut ids = self.ids_of(|proc| self.is_unwanted(proc));
        // Of those that are scaled away, the highest number goes first.
        if self.phase == Phase::Running {
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

    /// Returns whether it should not run, and can be moved towards that now.
    fn is_unwanted(&self, proc: &Proc) -> bool {
        let can_move = match proc.state {
            State::Up { .. } | State::Backoff { .. } => true,
            State::Stopping { stage, .. } => self.phase == Phase::Killing && stage == Stage::Asked,
            State::Idle | State::Spawning | State::Draining { .. } | State::Ended(_) => false,
        };
        can_move && (self.phase != Phase::Running || proc.goal != Goal::Run)
    }

    /// Forgets who was scaled away and runs no more.
    fn forget_left(&mut self) {
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
        self.out.push(Action::Signal(run, Signal::KILL, Reach::Group));
        // The verdict is on the end of the session, not on a kill for memory long before.
        if self.phase != Phase::Running {
            self.verdict.killed.push(id);
        }
    }

    /// Orders the next start. One at a time: the answer to it brings the next, so that a signal or a
    /// line of output is never kept waiting by a long row of starts.
    fn start_wanted(&mut self) {
        if self.phase != Phase::Running {
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
        let mut ready = self.procs.iter().filter(|(_, proc)| is_ready(proc));
        let next = ready.find(|(id, _)| may_start(id)).map(|(id, _)| *id);
        if let Some(id) = next {
            let born = Some(self.app.clone());
            let proc = self.proc(id);
            proc.born = born;
            proc.grace = None;
            proc.seq += 1;
            proc.state = State::Spawning;
            self.out.push(Action::Spawn(self.run_of(id)));
        }
    }

    /// When no instance is left to run, goes on to what may have left the groups.
    fn close_when_settled(&mut self, now: Moment) {
        match self.phase {
            // Scaled down to nothing, it waits to be scaled up.
            Phase::Running if self.procs.is_empty() && !self.left.is_empty() => {}
            Phase::Running => {
                self.end_with_first_failure();
                self.stop_strays(Stage::Asked, now);
            }
            Phase::Stopping { .. } => self.stop_strays(Stage::Asked, now),
            Phase::Killing => self.stop_strays(Stage::Killed, now),
            Phase::Strays { .. } | Phase::Over => {}
        }
    }

    /// Returns whether it does not run and will not by itself.
    pub(super) fn is_settled(&self, proc: &Proc) -> bool {
        let running = self.phase == Phase::Running;
        match proc.state {
            // As long as one is stopped by request, the session goes on: it may be started again.
            State::Ended(_) => !running || proc.goal == Goal::Run,
            State::Idle => !running,
            State::Spawning
            | State::Up { .. }
            | State::Stopping { .. }
            | State::Draining { .. }
            | State::Backoff { .. } => false,
        }
    }
}

/// Returns whether its run can be finished: all has ended that had to.
fn has_drained(proc: &Proc) -> bool {
    match proc.state {
        State::Draining { .. } => !proc.output_open && proc.group == Group::Gone,
        State::Stopping { leader, .. } => leader.is_some() && proc.group == Group::Gone,
        State::Idle
        | State::Spawning
        | State::Up { .. }
        | State::Backoff { .. }
        | State::Ended(_) => false,
    }
}

/// Returns whether it was scaled away and runs no more.
fn has_left(proc: &Proc) -> bool {
    proc.goal == Goal::Leave && !proc.state.is_active()
}

/// Returns whether it waits to be started. Not before its last life's output is shown: where nobody reads pm's,
/// one pipe after the other would wait unread.
fn is_ready(proc: &Proc) -> bool {
    proc.state == State::Idle && proc.goal == Goal::Run && !proc.output_open
}
