//! Memory budgets: when to measure, and what an instance that stays over its budget comes to.

use std::time::Duration;

use super::event::{Action, Note, Sample};
use super::kind::Kind;
use super::state::{Cause, Phase, State};
use super::{InstanceId, Moment, Supervisor};
use crate::app::MemoryAction;

/// Time between two samples.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Samples over the budget in a row that count: a short peak, as of a start or a collection, does not.
const SAMPLES_OVER: u8 = 3;

/// What the samples of one run have told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MemoryWatch {
    /// Samples over the budget in a row.
    over: u8,
    /// It was warned of; not again before it has been below.
    is_told: bool,
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

    /// Keeps the deadline of the next sample for as long as something is to be measured.
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
        let is_up = matches!(proc.state, State::Up { .. });
        // After a warning only a fall counts, and the cheap figure shows that.
        let limit = (!proc.watch.is_told).then_some(budget.size);
        (is_up && self.phase == Phase::Running).then(|| Sample { run: self.run_of(id), limit })
    }

    /// Counts a sample, and acts on the third in a row that is over the budget.
    pub(super) fn measured(&mut self, id: InstanceId, used: u64, now: Moment) {
        let Some(budget) = self.policy(id).budget else { return };
        let proc = self.proc(id);
        let State::Up { since, .. } = proc.state else { return };
        if used <= budget.size.bytes() {
            proc.watch = MemoryWatch::default();
            return;
        }
        proc.watch.over = proc.watch.over.saturating_add(1);
        if proc.watch.over < SAMPLES_OVER || proc.watch.is_told || self.phase != Phase::Running {
            return;
        }
        self.out.push(Action::Note(id, Note::OverBudget { used, budget }));
        match budget.action {
            MemoryAction::Warn => self.proc(id).watch.is_told = true,
            MemoryAction::Restart => self.ask_to_stop(id, since, Cause::OverBudget, now),
            MemoryAction::Kill => self.kill_at_once(id, since, Cause::OverBudget, now),
        }
    }
}
