//! One instance, as the supervisor sees it.

use std::sync::Arc;
use std::time::Duration;

use super::event::Group;
use super::memory::MemoryWatch;
use super::state::{Cause, Goal, State};
use crate::app::App;

/// One instance: what is wanted of it, and what it does.
#[derive(Clone, Debug)]
pub(super) struct Proc {
    pub(super) state: State,
    pub(super) goal: Goal,
    /// The next start was asked for over the socket, and its failure concerns only who asked.
    pub(super) by_request: bool,
    /// The application as it was when the current life began.
    pub(super) born: Option<Arc<App>>,
    pub(super) pid: Option<i32>,
    /// The current life; 0 before the first.
    pub(super) seq: u32,
    /// Crashes in a row.
    pub(super) crashes: u32,
    /// Short lives in a row, crashes or not: what the wait grows by.
    pub(super) streak: u32,
    /// Starts after the first.
    pub(super) restarts: u32,
    pub(super) output_open: bool,
    /// How long its next stop may take, where who asked for that has said so.
    pub(super) grace: Option<Duration>,
    /// Its program was asked to end, the rest of its group not yet.
    pub(super) rest_waits: bool,
    /// Its files changed while it stopped: its next life is a short one.
    pub(super) is_renewed_again: bool,
    pub(super) group: Group,
    /// Why its last run ended, where that was for good.
    pub(super) cause: Cause,
    /// What is known of its memory.
    pub(super) watch: MemoryWatch,
    /// What was told of its waiting for its turn.
    pub(super) told: Told,
}

/// What was told of an instance that waits to be started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    #[default]
    Nothing,
    /// It waits for what it depends on.
    Waiting,
    /// What it depends on will never be there.
    Blocked,
}

impl Proc {
    /// Makes one that has lived `seq` times.
    pub(super) fn new(seq: u32) -> Self {
        let state = State::Idle;
        Self {
            state,
            goal: Goal::Run,
            by_request: false,
            born: None,
            pid: None,
            seq,
            crashes: 0,
            streak: 0,
            restarts: 0,
            output_open: false,
            grace: None,
            rest_waits: false,
            is_renewed_again: false,
            group: Group::Gone,
            cause: Cause::Itself,
            watch: MemoryWatch::default(),
            told: Told::Nothing,
        }
    }
}
