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
    /// Told to stop; `until` is when patience ends. The leader may have ended before its group.
    Stopping { since: Moment, stage: StopStage, until: Moment, leader: Option<Exit>, cause: Cause },
    /// The leader ended; the rest of its output and group is waited for, until `until`.
    Draining { outcome: Outcome, until: Moment },
    /// Ended, to be started again at `until`.
    Backoff { until: Moment },
    /// Ended for good.
    Ended(Exit),
}

/// What is wanted of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// To run, by the rules of its policy.
    Run,
    /// To end its life and begin another.
    Renew,
    /// To be stopped, until someone starts it.
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
    /// pm asked it to, or killed it, since it was over its memory budget. Counts as a crash.
    OverBudget,
    /// pm asked it to, since it was not ready in time. Counts as a crash.
    NotReady,
    /// pm asked it to, since it was not alive any more. It is started again, and that is no crash.
    NotAlive,
}

impl Outcome {
    /// Returns whether it is one of the ends that count in a row.
    pub(super) fn is_crash(self) -> bool {
        match self.cause {
            Cause::OverBudget | Cause::NotReady => true,
            Cause::Itself | Cause::Asked | Cause::NotAlive => !self.exit.is_success(),
        }
    }

    /// Returns whether its command was not there or could not be executed, as a shell says it.
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
            Self::Spawning | Self::Up { .. } | Self::Stopping { .. } | Self::Draining { .. } => {
                true
            }
        }
    }

    pub(super) fn deadline(self) -> Option<Moment> {
        match self {
            Self::Stopping { until, .. }
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
