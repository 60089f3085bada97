//! When a burst of changes is over. Time is a parameter.

use std::time::{Duration, Instant};

/// A burst that goes on is told of after this, or after its silence where that is longer.
const LONGEST: Duration = Duration::from_secs(2);
/// How long a burst waits for git to finish.
const LONGEST_WITH_GIT: Duration = Duration::from_secs(10);
/// How often it looks whether git has finished.
const GIT_INTERVAL: Duration = Duration::from_millis(50);

/// Changes that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Burst {
    /// When the first was seen.
    pub(super) first: Instant,
    /// When it is over, if nothing more is seen.
    due: Instant,
}

impl Burst {
    /// The first change.
    pub(super) fn begin(now: Instant, silence: Duration) -> Self {
        Self { first: now, due: now + silence }
    }

    /// One more change.
    pub(super) fn go_on(&mut self, now: Instant, silence: Duration) {
        let longest = self.first + LONGEST.max(silence);
        self.due = self.due.max((now + silence).min(longest));
    }

    /// git is at work in this folder: asks again soon, for as long as a burst may wait for it.
    pub(super) fn wait_for_git(&mut self, now: Instant) -> bool {
        let may_wait = now < self.first + LONGEST_WITH_GIT;
        if may_wait {
            self.due = now + GIT_INTERVAL;
        }
        may_wait
    }

    /// Returns whether it ends though changes go on.
    pub(super) fn is_cut_off(&self) -> bool {
        self.due >= self.first + LONGEST
    }

    /// Returns when it is over.
    pub(super) fn due(&self) -> Instant {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_millis(100);

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn now() -> Instant {
        Instant::now()
    }

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_burst_is_over_after_silence_and_after_two_seconds_at_most() {
        let start = now();
        let mut burst = Burst::begin(start, SILENCE);
        assert_eq!(burst.due(), start + ms(100));
        for at in (0..5_000).step_by(50) {
            burst.go_on(start + ms(at), SILENCE);
            assert_eq!(burst.due(), start + ms((at + 100).min(2_000)), "{at}");
            assert_eq!(burst.is_cut_off(), at >= 1_900, "{at}");
        }
    }

    #[test]
    fn a_silence_of_more_than_two_seconds_is_waited_for() {
        let start = now();
        let mut burst = Burst::begin(start, ms(3_000));
        burst.go_on(start + ms(500), ms(3_000));
        assert_eq!(burst.due(), start + ms(3_000));
    }

    #[test]
    fn git_is_waited_for_ten_seconds() {
        let start = now();
        let mut burst = Burst::begin(start, SILENCE);
        assert!(burst.wait_for_git(start + ms(9_999)));
        assert_eq!(burst.due(), start + ms(10_049));
        assert!(!burst.wait_for_git(start + ms(10_049)));
    }
}
