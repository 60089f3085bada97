//! One instance, as the supervisor sees it.

use std::time::Duration;

use super::Moment;
use super::file_changes::RunTime;
use super::life::{Beside, InstanceRun};
use super::state::{Cause, Goal};
use crate::app::PortSlot;

/// One instance: what is wanted of it, and what it does.
#[derive(Clone, Debug)]
pub(super) struct Proc {
    /// The run that counts.
    pub(super) life: InstanceRun,
    /// The run beside it, while it is replaced.
    pub(super) beside: Beside,
    pub(super) goal: Goal,
    /// The next start was asked for over the socket, and its failure concerns only who asked.
    pub(super) by_request: bool,
    /// How many runs it has had.
    pub(super) runs: u32,
    /// Crashes in a row.
    pub(super) crashes: u32,
    /// Short lives in a row, crashes or not: what the wait grows by.
    pub(super) streak: u32,
    /// Starts after the first.
    pub(super) restarts: u32,
    /// How long its next stop may take, where who asked for that has said so.
    pub(super) grace: Option<Duration>,
    /// Its files changed while it stopped: its next life is a short one.
    pub(super) is_renewed_again: bool,
    /// Its last runs, where its files are watched.
    pub(super) run_times: Vec<RunTime>,
    /// Why its last run ended, where that was for good.
    pub(super) cause: Cause,
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
    /// Makes one that has had this number of runs.
    pub(super) fn new(runs: u32) -> Self {
        Self {
            life: InstanceRun::idle(runs, PortSlot::default()),
            beside: Beside::Nobody,
            goal: Goal::Run,
            by_request: false,
            runs,
            crashes: 0,
            streak: 0,
            restarts: 0,
            grace: None,
            is_renewed_again: false,
            run_times: Vec::new(),
            cause: Cause::Itself,
            told: Told::Nothing,
        }
    }

    /// Returns its run with this number, as long as that is not over.
    pub(super) fn life(&self, seq: u32) -> Option<&InstanceRun> {
        let beside = self.beside.life().filter(|life| life.seq == seq);
        if self.life.seq == seq { Some(&self.life) } else { beside }
    }

    /// Returns the same, to be changed.
    pub(super) fn life_mut(&mut self, seq: u32) -> Option<&mut InstanceRun> {
        if self.life.seq == seq {
            return Some(&mut self.life);
        }
        self.beside.life_mut().filter(|life| life.seq == seq)
    }

    /// Returns the numbers of its runs.
    pub(super) fn seqs(&self) -> impl Iterator<Item = u32> + use<> {
        [Some(self.life.seq), self.beside.life().map(|life| life.seq)].into_iter().flatten()
    }

    /// Returns whether a process of it may exist.
    pub(super) fn is_active(&self) -> bool {
        self.life.state.is_active() || self.beside.life().is_some()
    }

    /// Returns its earliest deadline.
    pub(super) fn deadline(&self) -> Option<Moment> {
        [self.life.state.deadline(), self.beside.deadline()].into_iter().flatten().min()
    }
}
