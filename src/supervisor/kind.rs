//! The kinds of instances that the steps of the reconcile pass look for.

use super::life::{Beside, InstanceRun};
use super::proc::Proc;
use super::state::{Goal, State, StopStage};

/// A condition that some step looks for. An instance may be of several kinds at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It waits to be started, and the output of its last run has been shown. Without the second condition, restarts
    /// would pile up unread pipes while nobody reads pm's output.
    Startable,
    /// A start of it was ordered, and the answer has not come yet.
    Spawning,
    Up,
    Backoff,
    /// It is to stop, and was not killed yet.
    Asked,
    /// It should not run, and can be stopped or reset now.
    Unwanted,
    /// A run of it can be swept: everything that had to end has ended.
    Drained,
    /// It has a run beside the one that counts, or is to have one.
    Doubled,
    /// The start of a replacement is to be ordered.
    Replaceable,
    /// A process may exist.
    Active,
    /// It ended for good, and not because someone stopped it.
    Done,
    /// It was scaled away and runs no more.
    Left,
    /// It runs and is not ready yet.
    Unready,
    /// It is not scaled away.
    Wanted,
    /// It has been started: it runs, or has ended well.
    Begun,
    /// It runs, and is ready if its type has `ready`.
    Serving,
    /// It has ended well.
    Succeeded,
    /// It has failed for good.
    Failed,
    /// It was stopped by request, or is being stopped.
    Stopped,
}

impl Kind {
    pub(super) const ALL: [Self; 19] = [
        Self::Startable,
        Self::Spawning,
        Self::Up,
        Self::Backoff,
        Self::Asked,
        Self::Unwanted,
        Self::Drained,
        Self::Doubled,
        Self::Replaceable,
        Self::Active,
        Self::Done,
        Self::Left,
        Self::Unready,
        Self::Wanted,
        Self::Begun,
        Self::Serving,
        Self::Succeeded,
        Self::Failed,
        Self::Stopped,
    ];

    pub(super) fn is_of(self, proc: &Proc) -> bool {
        let (state, goal) = (proc.life.state, proc.goal);
        match self {
            Self::Startable => state == State::Idle && goal == Goal::Run && !proc.life.output_open,
            Self::Spawning => {
                let beside = proc.beside.life().map(|life| life.state);
                [Some(state), beside].contains(&Some(State::Spawning))
            }
            Self::Up => matches!(state, State::Up { .. }),
            Self::Backoff => matches!(state, State::Backoff { .. }),
            Self::Asked => matches!(
                state,
                State::Withdrawing { .. } | State::Stopping { stage: StopStage::Asked, .. }
            ),
            Self::Unwanted => {
                goal != Goal::Run && matches!(state, State::Up { .. } | State::Backoff { .. })
            }
            Self::Drained => {
                let beside = proc.beside.life();
                proc.life.is_drained() || beside.is_some_and(InstanceRun::is_drained)
            }
            Self::Doubled => !proc.beside.is_nobody(),
            Self::Replaceable => matches!(proc.beside, Beside::Wanted),
            Self::Active => proc.is_active(),
            Self::Done => {
                goal == Goal::Run && matches!(state, State::Ended(_)) && proc.beside.is_nobody()
            }
            Self::Left => goal == Goal::Leave && !proc.is_active(),
            Self::Unready => matches!(state, State::Up { unready: Some(_), .. }),
            Self::Wanted => goal != Goal::Leave,
            Self::Begun => matches!(state, State::Up { .. }) || Self::Succeeded.is_of(proc),
            Self::Serving => matches!(state, State::Up { unready: None, .. }),
            Self::Succeeded => Self::Done.is_of(proc) && !Self::Failed.is_of(proc),
            Self::Failed => {
                Self::Done.is_of(proc) && matches!(state, State::Ended(exit) if proc.crashed(exit))
            }
            Self::Stopped => goal == Goal::Stop,
        }
    }
}

/// The kinds of an instance, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u32);

impl Kinds {
    pub(super) fn of(proc: &Proc) -> Self {
        let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_of(proc));
        Self(kinds.fold(0, |all, kind| all | 1 << kind as u32))
    }

    pub(super) fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u32 != 0
    }
}
