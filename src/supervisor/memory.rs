//! Memory budgets: when to measure, and what happens to an instance that stays over its budget.

use std::time::Duration;

use super::event::{Action, Note, Sample};
use super::kind::Kind;
use super::state::{Cause, Phase, State};
use super::{InstanceId, Moment, Supervisor};
use crate::app::MemoryAction;

/// Time between two samples.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Number of samples over the budget in a row after which pm acts. A shorter peak, as during a start or a garbage
/// collection, is ignored.
const SAMPLES_OVER: u8 = 3;

/// What is known from the samples of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MemoryWatch {
    /// Samples over the budget in a row.
    over: u8,
    /// A warning was given; there is no second one until it has been below the budget.
    is_told: bool,
    /// Replacements in a row that have failed.
    failed: u8,
}

impl MemoryWatch {
    /// Returns how many samples in a row over the budget lead to something.
    fn limit(self) -> u8 {
        SAMPLES_OVER << self.failed.min(5)
    }

    /// A replacement has failed: the next one is tried later.
    pub(super) fn put_off(&mut self) {
        self.over = 0;
        self.failed = self.failed.saturating_add(1);
    }
}

impl Supervisor {
    /// Orders a sample where one is due.
    pub(super) fn expire_memory(&mut self, now: Moment) {
        if self.measure_at.is_none_or(|at| at > now) {
            return;
        }
        let samples: Vec<Sample> = self.procs.ids().filter_map(|id| self.sample_of(id)).collect();
        if !samples.is_empty() {
            self.out.push(Action::Measure(samples));
        }
        self.measure_at = Some(now + SAMPLE_EVERY);
    }

    /// Sets the deadline of the next sample, or clears it if nothing has to be measured.
    pub(super) fn watch_memory(&mut self, now: Moment) {
        let types = self.app.types.iter().zip(0..);
        let mut held = types.filter(|(own, _)| own.policy.budget.is_some()).map(|(_, at)| at);
        let is_watching = self.phase == Phase::Running
            && held.any(|at| self.procs.first_of_type(Kind::Up, at).is_some());
        self.measure_at = match self.measure_at {
            _ if !is_watching => None,
            None => Some(now + SAMPLE_EVERY),
            at => at,
        };
    }

    fn sample_of(&self, id: InstanceId) -> Option<Sample> {
        let budget = self.policy(id).budget?;
        let proc = self.procs.get(id)?;
        let is_up = matches!(proc.life.state, State::Up { .. });
        // After a warning, only a fall below the budget matters, and the cheap figure shows that.
        let limit = (!proc.life.watch.is_told).then_some(budget.size);
        (is_up && self.phase == Phase::Running).then(|| Sample { run: self.run_of(id), limit })
    }

    /// Counts a sample, and acts on the third in a row that is over the budget.
    pub(super) fn measured(&mut self, id: InstanceId, used: u64, now: Moment) {
        let Some(budget) = self.policy(id).budget else { return };
        let proc = self.proc(id);
        let State::Up { since, .. } = proc.life.state else { return };
        if used <= budget.size.bytes() {
            proc.life.watch = MemoryWatch::default();
            return;
        }
        proc.life.watch.over = proc.life.watch.over.saturating_add(1);
        if proc.life.watch.over < proc.life.watch.limit()
            || proc.life.watch.is_told
            || self.phase != Phase::Running
        {
            return;
        }
        if budget.action == MemoryAction::Restart && self.is_rolled(id) {
            return; // It is about to be replaced.
        }
        self.out.push(Action::Note(id, Note::OverBudget { used, budget }));
        match budget.action {
            MemoryAction::Warn => self.proc(id).life.watch.is_told = true,
            MemoryAction::Restart if self.rolls(id) => self.roll_by_itself(id),
            MemoryAction::Restart => {
                self.ask_to_stop(self.run_of(id), since, Cause::OverBudget, now);
            }
            MemoryAction::Kill => {
                self.kill_at_once(self.run_of(id), since, Cause::OverBudget, now);
            }
        }
    }
}
