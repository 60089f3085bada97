//! How often an instance was started, and why again. It hears what the supervisor notes of the instance: no more is
//! needed, and it is pure.

use crate::app::{Exit, MemoryAction};
use crate::control::proto::RestartCounts;
use crate::supervisor::{Next, Note};

/// Why an instance is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RestartCause {
    /// It ended by itself; with `restart = "always"` also with success.
    Crash,
    Memory,
    NotReady,
    NotAlive,
    Watch,
    Asked,
}

/// The starts of an instance. They stay when it is scaled away.
#[derive(Clone, Debug, Default)]
pub(super) struct StartTally {
    starts: u64,
    restarts: RestartCounts,
    /// It has run since it came into being.
    has_run: bool,
    /// Why the current run is about to end.
    reason: Option<RestartCause>,
    /// Why it will be started next.
    next: Option<RestartCause>,
}

impl StartTally {
    /// Returns the number of starts, and of those that came after an end, by cause.
    pub(super) fn counts(&self) -> (u64, RestartCounts) {
        (self.starts, self.restarts)
    }

    /// Takes note of what happens to the instance.
    pub(super) fn heard(&mut self, note: &Note) {
        match note {
            Note::Started { .. } => self.started(),
            Note::OverBudget { budget, .. } if budget.action != MemoryAction::Warn => {
                self.reason = Some(RestartCause::Memory);
            }
            Note::NotReady { .. } => self.reason = Some(RestartCause::NotReady),
            Note::NotAlive { .. } => self.reason = Some(RestartCause::NotAlive),
            Note::FilesChanged { signal: None, .. } => {
                self.reason = Some(RestartCause::Watch);
                // Where it does not run, this is what starts it.
                self.next = self.reason;
            }
            Note::Ended { exit, next, .. } => {
                let reason = self.reason.take();
                self.next = match next {
                    Next::Restart { .. } if *exit == Exit::OutOfMemory => {
                        Some(RestartCause::Memory)
                    }
                    Next::Restart { .. } => {
                        reason.filter(|it| *it != RestartCause::Watch).or(Some(RestartCause::Crash))
                    }
                    Next::AtOnce => Some(RestartCause::NotAlive),
                    Next::Again if reason == Some(RestartCause::Watch) => reason,
                    Next::Again => Some(RestartCause::Asked),
                    // A replacement has been counted at its start.
                    Next::Replaced | Next::NotReplaced => None,
                    Next::Nothing | Next::CannotRun | Next::GaveUp { .. } => None,
                };
            }
            _ => {} // It says nothing of an end or a start.
        }
    }

    fn started(&mut self) {
        self.starts += 1;
        // One that has ended for good, or is replaced while it runs, is started since somebody asks for it.
        let asked = self.has_run.then_some(RestartCause::Asked);
        let counts = &mut self.restarts;
        let cause = self.next.take().or(self.reason.take()).or(asked).filter(|_| self.has_run);
        match cause {
            None => {}
            Some(RestartCause::Crash) => counts.crash += 1,
            Some(RestartCause::Memory) => counts.memory += 1,
            Some(RestartCause::NotReady) => counts.not_ready += 1,
            Some(RestartCause::NotAlive) => counts.not_alive += 1,
            Some(RestartCause::Watch) => counts.watch += 1,
            Some(RestartCause::Asked) => counts.asked += 1,
        }
        self.has_run = true;
        self.reason = None;
    }

    /// The instance was scaled away: its next start is none of a restart.
    pub(super) fn left(&mut self) {
        (self.has_run, self.reason, self.next) = (false, None, None);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::{Budget, Signal, Size};

    const STARTED: Note = Note::Started { pid: 7 };
    const AGAIN: Next = Next::Restart { crash: 1, restart: 1, limit: 5, delay: Duration::ZERO };

    fn ended(exit: Exit, next: Next) -> Note {
        Note::Ended { exit, next, is_crash: true, stays_failed: false }
    }

    fn over(action: MemoryAction) -> Note {
        let size = Size::from_mib(1).unwrap();
        Note::OverBudget { used: 2 << 20, budget: Budget { size, action } }
    }

    fn changed(signal: Option<Signal>) -> Note {
        Note::FilesChanged { file: "a".into(), others: 0, signal }
    }

    /// Returns `starts: cause cause ...`, in the order of the contract.
    fn counted(notes: &[Note]) -> String {
        let mut tally = StartTally::default();
        notes.iter().for_each(|note| tally.heard(note));
        let (starts, RestartCounts { crash, memory, not_ready, not_alive, watch, asked }) =
            tally.counts();
        format!("{starts}: {crash} {memory} {not_ready} {not_alive} {watch} {asked}")
    }

    #[test]
    fn each_cause_is_told_from_the_others() {
        let failed = || ended(Exit::Code(1), AGAIN);
        let term = || Exit::Signal(Signal::TERM);
        let not_ready = Note::NotReady { timeout: Duration::ZERO };
        let not_alive = || Note::NotAlive { why: String::new() };
        for (between, expected) in [
            (vec![], "1: 0 0 0 0 0 0"),
            (vec![failed(), STARTED], "2: 1 0 0 0 0 0"),
            (vec![ended(Exit::Code(0), AGAIN), STARTED], "2: 1 0 0 0 0 0"),
            (vec![over(MemoryAction::Restart), failed(), STARTED], "2: 0 1 0 0 0 0"),
            (vec![over(MemoryAction::Kill), failed(), STARTED], "2: 0 1 0 0 0 0"),
            (vec![over(MemoryAction::Warn), failed(), STARTED], "2: 1 0 0 0 0 0"),
            (vec![ended(Exit::OutOfMemory, AGAIN), STARTED], "2: 0 1 0 0 0 0"),
            (vec![not_ready, failed(), STARTED], "2: 0 0 1 0 0 0"),
            (vec![not_alive(), ended(term(), Next::AtOnce), STARTED], "2: 0 0 0 1 0 0"),
            (vec![changed(None), ended(term(), Next::Again), STARTED], "2: 0 0 0 0 1 0"),
            (vec![ended(Exit::Code(0), Next::Nothing), changed(None), STARTED], "2: 0 0 0 0 1 0"),
            (vec![changed(Some(Signal::TERM)), failed(), STARTED], "2: 1 0 0 0 0 0"),
            (vec![ended(term(), Next::Again), STARTED], "2: 0 0 0 0 0 1"),
            (vec![ended(term(), Next::Nothing), STARTED], "2: 0 0 0 0 0 1"),
            // What was found of one run is not why a later one ends.
            (
                vec![not_alive(), ended(term(), Next::Nothing), STARTED, failed(), STARTED],
                "3: 1 0 0 0 0 1",
            ),
            // Another takes its place while it runs.
            (vec![STARTED, ended(term(), Next::Nothing)], "2: 0 0 0 0 0 1"),
        ] {
            let notes: Vec<_> = std::iter::once(STARTED).chain(between).collect();
            assert_eq!(counted(&notes), expected, "{notes:?}");
        }
    }

    #[test]
    fn what_is_scaled_away_and_comes_back_goes_on_counting_and_was_not_restarted() {
        let mut tally = StartTally::default();
        tally.heard(&STARTED);
        tally.heard(&ended(Exit::Code(1), AGAIN));
        tally.heard(&STARTED);
        tally.left();
        tally.heard(&STARTED);
        let (starts, restarts) = tally.counts();
        assert_eq!((starts, restarts), (3, RestartCounts { crash: 1, ..RestartCounts::default() }));
    }
}
