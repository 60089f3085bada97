//! What follows when a run has ended: a restart, the end of the instance, or the end of the session.

use std::time::Duration;

use super::event::{Action, Next, Note, Why};
use super::kind::Kind;
use super::life::Beside;
use super::proc::Proc;
use super::state::{Cause, Goal, Outcome, Phase, State};
use super::{BACKOFF_FIRST, BACKOFF_MAX, BACKOFF_RESET, Culprit, InstanceId, Moment, Supervisor};
use crate::app::{Exit, ExitOn, Milestone, Restart, Role, RunId};

impl Supervisor {
    /// Sweeps an ended run and decides what follows.
    pub(super) fn finish_run(&mut self, run: RunId, outcome: Outcome, now: Moment) {
        self.out.push(Action::Sweep(run));
        let id = run.instance;
        if !self.counts(run) {
            return self.finish_beside(run, outcome);
        }
        let goal = self.proc(id).goal;
        let exit = outcome.exit;
        let ends_session = self.app.exit_on == ExitOn::First && outcome.cause == Cause::Itself;
        let goes_on = self.phase == Phase::Running && exit != Exit::Lost && !ends_session;
        if goal == Goal::Run && goes_on {
            if let Beside::Coming(_) = self.proc(id).beside {
                return self.replacement_stands_in(id, outcome);
            }
            // It would have been replaced anyway.
            if let Beside::Wanted = self.proc(id).beside {
                let proc = self.proc(id);
                (proc.beside, proc.goal) = (Beside::Nobody, Goal::Renew);
            }
        }
        let goal = self.proc(id).goal;
        let next = self.next_by_goal(id, goal, outcome);
        self.proc(id).life.pid = None;
        let is_over = matches!(next, Next::Nothing | Next::CannotRun | Next::GaveUp { .. });
        let is_final = is_over && goal == Goal::Run;
        if next != Next::Again {
            self.step_ended(run, outcome, is_over);
        }
        let stays_failed = is_final && self.stays_failed(id, outcome);
        let is_crash = outcome.cause != Cause::Asked && next != Next::AtOnce && outcome.is_crash();
        self.out.push(Action::Note(id, Note::Ended { exit, next, is_crash, stays_failed }));
        match next {
            Next::Restart { delay, .. } => {
                let proc = self.proc(id);
                proc.restarts += 1;
                proc.life.state = State::Backoff { until: now + delay };
            }
            Next::AtOnce => {
                let proc = self.proc(id);
                proc.restarts += 1;
                proc.life.state = State::Idle;
            }
            Next::Again => self.make_ready(id),
            Next::Replaced | Next::NotReplaced => unreachable!("they are for two runs"),
            Next::Nothing | Next::CannotRun | Next::GaveUp { .. } => {
                self.end_for_good(id, outcome);
                if is_final {
                    if !outcome.is_crash() {
                        self.came_back(id, Milestone::Done);
                    }
                    self.apply_exit_rule(id, outcome, now);
                }
            }
        }
    }

    pub(super) fn end_for_good(&mut self, id: InstanceId, outcome: Outcome) {
        let proc = self.proc(id);
        proc.life.state = State::Ended(outcome.exit);
        proc.cause = outcome.cause;
        proc.is_renewed_again = false;
    }

    /// Decides by what is wanted of the instance.
    fn next_by_goal(&mut self, id: InstanceId, goal: Goal, outcome: Outcome) -> Next {
        match goal {
            _ if self.phase != Phase::Running => Next::Nothing,
            // A process that even SIGKILL did not end may still hold what its successor needs.
            Goal::Renew if outcome.exit == Exit::Lost => {
                self.proc(id).goal = Goal::Stop;
                Next::Nothing
            }
            Goal::Renew => Next::Again,
            Goal::Run if outcome.cause == Cause::NotAlive && outcome.exit != Exit::Lost => {
                Next::AtOnce
            }
            Goal::Run => self.next_after(id, outcome),
            Goal::Stop | Goal::Leave => Next::Nothing,
        }
    }

    fn next_after(&mut self, id: InstanceId, outcome: Outcome) -> Next {
        let policy = self.policy(id);
        let (restart, limit, role) = (policy.restart, policy.max_restarts, policy.role);
        let Outcome { exit, uptime, cause } = outcome;
        if outcome.could_not_run() {
            return Next::CannotRun;
        }
        // A process that even SIGKILL did not end still runs, and must not get a second one beside it.
        let still_runs = cause != Cause::Itself && exit == Exit::Lost;
        // The first end ends the session, so nothing is restarted.
        let is_over = self.app.exit_on == ExitOn::First;
        if role == Role::Release || still_runs || is_over {
            return Next::Nothing;
        }
        let proc = self.proc(id);
        // A run that was not ready in time does not reset the counts, however long it lasted.
        if uptime >= BACKOFF_RESET && cause != Cause::NotReady {
            proc.crashes = 0;
            proc.streak = 0;
        }
        proc.crashes = if outcome.is_crash() { proc.crashes + 1 } else { 0 };
        let crash = proc.crashes;
        let again = match restart {
            Restart::Never => false,
            Restart::OnFailure => outcome.is_crash(),
            Restart::Always => true,
        };
        if !again {
            return Next::Nothing;
        }
        if crash > limit {
            return Next::GaveUp { crashes: crash };
        }
        let delay = backoff(proc.streak);
        proc.streak += 1;
        Next::Restart { crash, restart: proc.streak, limit, delay }
    }

    /// Returns whether the end of this run leaves the instance failed while the session continues.
    pub(super) fn stays_failed(&mut self, id: InstanceId, outcome: Outcome) -> bool {
        let is_service = self.policy(id).role == Role::Service;
        let is_left = match self.app.exit_on {
            _ if self.is_watched(id) => true,
            ExitOn::All => self.unsettled() > 1,
            ExitOn::First | ExitOn::Failure => false,
        };
        self.phase == Phase::Running && is_service && outcome.is_crash() && is_left
    }

    pub(super) fn apply_exit_rule(&mut self, id: InstanceId, outcome: Outcome, now: Moment) {
        let is_release = self.policy(id).role == Role::Release;
        match self.app.exit_on {
            // It is tried again when its files change.
            _ if self.is_watched(id) => {}
            _ if is_release => {
                if outcome.is_crash() {
                    self.end_session_with(id, outcome, now);
                }
            }
            ExitOn::First => self.end_session_with(id, outcome, now),
            ExitOn::Failure if outcome.is_crash() => self.end_session_with(id, outcome, now),
            ExitOn::Failure => {}
            ExitOn::All if outcome.is_crash() && self.phase == Phase::Running => {
                self.failures.push((self.culprit(id, outcome, now), outcome.code()));
            }
            ExitOn::All => {}
        }
    }

    /// All have ended. The first one that failed, and was not started again, decides the exit code.
    pub(super) fn end_with_first_failure(&mut self) {
        if let Some((culprit, code)) = self.failures.first() {
            self.verdict.culprit = Some(*culprit);
            self.code = Some(*code);
        }
    }

    /// Ends the session because of one instance, with its code.
    fn end_session_with(&mut self, id: InstanceId, outcome: Outcome, now: Moment) {
        if self.phase == Phase::Running {
            if outcome.is_crash() {
                self.verdict.culprit = Some(self.culprit(id, outcome, now));
            }
            let others = !self.procs.of(Kind::Active).is_empty();
            let code = outcome.code();
            if others {
                self.shut_down(Why::Ended(id), code, now);
            } else {
                self.code = Some(code);
                self.phase = Phase::Stopping { announce: now + super::ANNOUNCE_AFTER };
            }
        }
    }

    fn culprit(&self, id: InstanceId, outcome: Outcome, now: Moment) -> Culprit {
        let Outcome { exit, uptime, .. } = outcome;
        let restarts = self.procs.get(id).map_or(0, |proc| proc.restarts);
        Culprit { instance: id, exit, uptime, restarts, at: now }
    }
}

impl Proc {
    /// Returns whether the last run of one that has ended for good was a crash. One that was not ready in time may end
    /// well when it is asked to.
    pub(super) fn crashed(&self, exit: Exit) -> bool {
        Outcome { exit, uptime: Duration::ZERO, cause: self.cause }.is_crash()
    }
}

/// Returns the wait before the restart that follows `streak` short lives.
fn backoff(streak: u32) -> Duration {
    let factor = 2_u32.saturating_pow(streak.min(16));
    BACKOFF_FIRST.saturating_mul(factor).min(BACKOFF_MAX)
}

/// Names an end for a person: `exited with code 3`, `terminated by SIGKILL`.
impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "terminated by {signal}"),
            Self::OutOfMemory => f.write_str("killed by the kernel: out of memory"),
            Self::NotStarted => f.write_str("could not be started"),
            Self::Lost => f.write_str("did not end"),
        }
    }
}
