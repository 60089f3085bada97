//! What must hold of every world, and the trace that a test compares.

use std::collections::BTreeSet;

use super::World;
use super::child::Traffic;

impl World {
    /// What holds after every single event.
    pub(super) fn check(&self) {
        let is_ahead = self.sup.next_deadline().is_none_or(|at| at > self.now);
        assert!(is_ahead, "a deadline passed unhandled\n{}", self.trace());
        assert!(self.sup.out.is_empty(), "an action was kept back\n{}", self.trace());
        // In a large world now and then: each comparison is with all instances.
        let looks = self.sup.procs.len() < 50 || self.trace.len().is_multiple_of(32);
        let is_indexed = !looks || self.sup.procs.is_indexed();
        assert!(is_indexed, "the index is not what is there\n{}", self.trace());
        assert!(self.sup.waits_for_all(self.now), "an answer was forgotten\n{}", self.trace());
        let in_traffic = self.lives.iter().filter(|(_, life)| life.traffic == Traffic::Requests);
        let in_traffic: Vec<_> = in_traffic.map(|(run, _)| run.instance).collect();
        let is_one = in_traffic.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(is_one, "two runs of an instance get requests\n{}", self.trace());
        if self.sup.finished().is_some() {
            assert!(self.sup.rollouts.is_empty(), "a rollout after the end");
            assert_eq!(self.sup.next_deadline(), None, "a deadline after the end");
        }
    }

    pub(super) fn check_end(&self) {
        assert!(self.lives.is_empty(), "{:?} live on\n{}", self.lives, self.trace());
        assert_eq!(self.spawns, self.sweeps + self.failures, "\n{}", self.trace());
        let answered: BTreeSet<_> = self.replies.keys().copied().collect();
        assert_eq!(self.asked, answered, "\n{}", self.trace());
    }

    /// Returns every action with its milliseconds, one a line.
    pub(in crate::supervisor) fn trace(&self) -> String {
        self.trace.join("\n")
    }

    /// Returns the lines of the trace that hold one of `words`.
    pub(in crate::supervisor) fn lines(&self, words: &[&str]) -> Vec<&str> {
        let lines = self.trace.iter().map(String::as_str);
        lines.filter(|line| words.iter().any(|word| line.contains(word))).collect()
    }

    /// Asserts the whole trace, but for what follows each start; spaces around a line are nothing.
    #[track_caller]
    pub(in crate::supervisor) fn assert(&self, expected: &str) {
        let is_said = |line: &&str| !line.contains(" read ") && !line.contains(" started ");
        let actual: Vec<_> = self.trace.iter().map(String::as_str).filter(is_said).collect();
        let expected = expected.lines().map(str::trim).filter(|line| !line.is_empty());
        let expected: Vec<_> = expected.collect();
        assert_eq!(actual.join("\n"), expected.join("\n"), "\nactual:\n{}\n", actual.join("\n"));
    }
}
