//! One run of an instance, from the order to start it until it is over, and the run beside it.

use std::sync::Arc;

use super::Moment;
use super::event::Group;
use super::memory::MemoryWatch;
use super::state::State;
use crate::app::{App, PortSlot, Signal};

/// One run of an instance, or, before its first, none.
#[derive(Clone, Debug)]
pub(super) struct InstanceRun {
    pub(super) state: State,
    /// Which run of its instance it is; 0 before the first.
    pub(super) seq: u32,
    /// Which of the two ports of the instance it has.
    pub(super) slot: PortSlot,
    /// The application as it was when it began.
    pub(super) born: Option<Arc<App>>,
    pub(super) pid: Option<i32>,
    /// It was ordered to get requests from a front, and was not withdrawn.
    pub(super) serves: bool,
    /// Its type has no `ready`; it is ready when it listens on its port.
    pub(super) asks_port: bool,
    pub(super) output_open: bool,
    /// Its program was asked to end, the rest of its group not yet.
    pub(super) rest_waits: bool,
    pub(super) group: Group,
    /// What is known of its memory.
    pub(super) watch: MemoryWatch,
    /// The signal that it gets when it is ready: its files have changed before.
    pub(super) when_ready: Option<Signal>,
}

impl InstanceRun {
    /// Makes one in whose place nothing runs.
    pub(super) fn idle(seq: u32, slot: PortSlot) -> Self {
        Self {
            state: State::Idle,
            seq,
            slot,
            born: None,
            pid: None,
            serves: false,
            asks_port: false,
            output_open: false,
            rest_waits: false,
            group: Group::Gone,
            watch: MemoryWatch::default(),
            when_ready: None,
        }
    }

    /// Makes one whose start is ordered.
    pub(super) fn starting(seq: u32, slot: PortSlot, born: Arc<App>) -> Self {
        Self { state: State::Spawning, born: Some(born), ..Self::idle(seq, slot) }
    }

    /// Returns whether it can be swept: everything that had to end has ended.
    pub(super) fn is_drained(&self) -> bool {
        match self.state {
            State::Draining { .. } => !self.output_open && self.group == Group::Gone,
            State::Stopping { leader, .. } => leader.is_some() && self.group == Group::Gone,
            State::Idle
            | State::Spawning
            | State::Up { .. }
            | State::Withdrawing { .. }
            | State::Backoff { .. }
            | State::Ended(_) => false,
        }
    }
}

/// A second run of an instance, while the instance is replaced.
///
/// The other one is the run that counts: what the instance does, is what that does. Two runs of an instance never have
/// the same slot, and only the one that counts gets requests.
#[derive(Clone, Debug, Default)]
pub(super) enum Beside {
    /// There is none.
    #[default]
    Nobody,
    /// A replacement, whose start was not ordered yet.
    Wanted,
    /// A replacement, which takes over when it is ready. It ends as a failure if it ends before.
    Coming(Box<InstanceRun>),
    /// It was replaced, or is a replacement that nobody wants any more: it ends.
    Leaving(Box<InstanceRun>),
}

impl Beside {
    pub(super) fn life(&self) -> Option<&InstanceRun> {
        match self {
            Self::Nobody | Self::Wanted => None,
            Self::Coming(life) | Self::Leaving(life) => Some(life),
        }
    }

    pub(super) fn life_mut(&mut self) -> Option<&mut InstanceRun> {
        match self {
            Self::Nobody | Self::Wanted => None,
            Self::Coming(life) | Self::Leaving(life) => Some(life),
        }
    }

    pub(super) fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }

    /// Returns whether a replacement is on its way.
    pub(super) fn is_replacement(&self) -> bool {
        matches!(self, Self::Wanted | Self::Coming(_))
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        self.life().and_then(|life| life.state.deadline())
    }

    /// The replacement is not wanted any more.
    pub(super) fn dismiss(&mut self) {
        *self = match std::mem::take(self) {
            Self::Nobody | Self::Wanted => Self::Nobody,
            Self::Coming(life) | Self::Leaving(life) => Self::Leaving(life),
        };
    }
}
