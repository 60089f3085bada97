//! The states of an instance and of the session. A deadline is a field of the state that it ends,
//! so leaving the state cancels it.

use std::time::Duration;

use super::{CANNOT_RUN, Moment};
use crate::app::Exit;

/// What an instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No process: not started yet.
    Idle,
    /// A start was ordered and not yet answered.
    Spawning,
    /// It runs; `unready` is when it must be ready, as long as it is not.
    Up { since: Moment, unready: Option<Moment> },
    /// It is to stop, and a front gives it no more requests; it is asked to stop when it has answered those that it has,
    /// at `until` at the latest.
    Withdrawing { since: Moment, until: Moment, cause: Cause },
    /// It was asked to stop, or killed; `until` is the deadline. The leader may have ended before its group.
    Stopping { since: Moment, stage: StopStage, until: Moment, leader: Option<Exit>, cause: Cause },
    /// The leader ended; pm waits for the rest of its output and its group, until `until` at most.
    Draining { outcome: Outcome, until: Moment },
    /// Ended, to be started again at `until`.
    Backoff { until: Moment },
    /// Ended for good.
    Ended(Exit),
}

/// What is wanted of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// To run, as its policy says.
    Run,
    /// To be stopped and started again.
    Renew,
    /// To be stopped until someone starts it.
    Stop,
    /// To be stopped and forgotten: it was scaled away.
    Leave,
}

/// How hard an instance was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopStage {
    Asked,
    Killed,
}

/// An ended run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) exit: Exit,
    pub(super) uptime: Duration,
    pub(super) cause: Cause,
}

/// Why a run ended. Recorded when the stop is ordered, never guessed at exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// By itself, or by someone else's signal.
    Itself,
    /// pm asked it to.
    Asked,
    /// pm stopped or killed it because it was over its memory budget. Counts as a crash.
    OverBudget,
    /// pm stopped it because it was not ready in time. Counts as a crash.
    NotReady,
    /// pm stopped it because it was no longer alive. It is restarted, which does not count as a crash.
    NotAlive,
}

impl Outcome {
    /// Returns whether it counts as a crash in a row of crashes.
    pub(super) fn is_crash(self) -> bool {
        match self.cause {
            Cause::OverBudget | Cause::NotReady => true,
            Cause::Itself | Cause::Asked | Cause::NotAlive => !self.exit.is_success(),
        }
    }

    /// Returns whether the shell reported that the command was not found or could not be executed.
    pub(super) fn could_not_run(self) -> bool {
        let is_early = self.uptime < CANNOT_RUN && self.cause == Cause::Itself;
        is_early && matches!(self.exit, Exit::Code(126 | 127))
    }

    /// Returns the exit code of a session that ends with it: not 0 after a crash.
    pub(super) fn code(self) -> i32 {
        match self.exit.code() {
            0 if self.is_crash() => 1,
            code => code,
        }
    }
}

impl State {
    /// Returns whether a process may exist.
    pub(super) fn is_active(self) -> bool {
        match self {
            Self::Idle | Self::Backoff { .. } | Self::Ended(_) => false,
            Self::Spawning
            | Self::Up { .. }
            | Self::Withdrawing { .. }
            | Self::Stopping { .. }
            | Self::Draining { .. } => true,
        }
    }

    pub(super) fn deadline(self) -> Option<Moment> {
        match self {
            Self::Withdrawing { until, .. }
            | Self::Stopping { until, .. }
            | Self::Draining { until, .. }
            | Self::Backoff { until } => Some(until),
            Self::Up { unready, .. } => unready,
            Self::Idle | Self::Spawning | Self::Ended(_) => None,
        }
    }
}

/// What the session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Instances are started and kept running.
    Running,
    /// Every instance is asked to stop; `announce` is when pm says whom it waits for.
    Stopping { announce: Moment },
    /// Every instance is killed.
    Killing,
    /// No instance is left; descendants outside of the groups are stopped. `announce` is when pm says
    /// that it waits for them.
    Orphans { stage: StopStage, until: Moment, announce: Moment },
    /// Nothing is left.
    Over,
}

impl Phase {
    pub(super) fn deadline(self) -> Option<Moment> {
        match self {
            Self::Stopping { announce } => Some(announce),
            Self::Orphans { until, announce, .. } => Some(until.min(announce)),
            Self::Running | Self::Killing | Self::Over => None,
        }
    }
}
