//! When a burst of changes is over. Time is a parameter.

use std::time::{Duration, Instant};

use crate::git::GitActivity;

/// A burst that goes on is told of after this, or after its silence where that is longer.
const LONGEST: Duration = Duration::from_secs(2);
/// How long a burst waits for git to finish.
const LONGEST_WITH_GIT: Duration = Duration::from_secs(10);
/// How often it looks whether git has finished.
const GIT_INTERVAL: Duration = Duration::from_millis(50);
/// Between two steps, git takes no longer than this: where it does, it waits for a person (`edit`, a conflict).
const GIT_STEP: Duration = Duration::from_millis(500);

/// Changes that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Burst {
    /// When the first was seen.
    pub(super) first: Instant,
    /// When the last was seen, or git at work.
    last: Instant,
    /// git was at work.
    is_of_git: bool,
    /// When it is over, if nothing more is seen.
    due: Instant,
}

impl Burst {
    /// The first change.
    pub(super) fn begin(now: Instant, silence: Duration) -> Self {
        Self { first: now, last: now, is_of_git: false, due: now + silence }
    }

    /// One more change.
    pub(super) fn go_on(&mut self, now: Instant, silence: Duration) {
        let longest = self.first + LONGEST.max(silence);
        self.last = now;
        self.due = self.due.max((now + silence).min(longest));
    }

    /// Its end has come. Returns whether it goes on all the same, for as long as a burst may wait for git: while git is at
    /// work, and then until there is silence. Between the steps of a rebase that silence is a longer one.
    pub(super) fn goes_on_for(
        &mut self,
        git: GitActivity,
        now: Instant,
        silence: Duration,
    ) -> bool {
        let silence = match git {
            GitActivity::AtWork => {
                self.last = now;
                silence
            }
            GitActivity::BetweenSteps => silence + GIT_STEP,
            GitActivity::None if self.is_of_git => silence,
            GitActivity::None => return false,
        };
        self.is_of_git = true;
        let until = (self.last + silence).min(self.first + LONGEST_WITH_GIT);
        if until > now {
            self.due = until.min(now + GIT_INTERVAL);
        }
        until > now
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
        assert!(burst.goes_on_for(GitActivity::AtWork, start + ms(9_900), SILENCE));
        assert_eq!(burst.due(), start + ms(9_950));
        assert!(burst.goes_on_for(GitActivity::AtWork, start + ms(9_980), SILENCE));
        assert_eq!(burst.due(), start + ms(10_000));
        assert!(!burst.goes_on_for(GitActivity::AtWork, start + ms(10_000), SILENCE));
    }

    #[test]
    fn after_git_there_is_silence_before_a_burst_is_over() {
        let start = now();
        let mut burst = Burst::begin(start, SILENCE);
        assert!(!burst.goes_on_for(GitActivity::None, start + ms(100), SILENCE));
        assert!(burst.goes_on_for(GitActivity::AtWork, start + ms(100), SILENCE));
        assert!(burst.goes_on_for(GitActivity::None, start + ms(150), SILENCE));
        burst.go_on(start + ms(160), SILENCE);
        assert!(burst.goes_on_for(GitActivity::None, start + ms(200), SILENCE));
        assert!(!burst.goes_on_for(GitActivity::None, start + ms(260), SILENCE));
    }

    #[test]
    fn between_the_steps_of_a_rebase_a_burst_is_over_when_git_waits_for_a_person() {
        let start = now();
        let mut burst = Burst::begin(start, SILENCE);
        for at in (100..5_000).step_by(400) {
            burst.go_on(start + ms(at), SILENCE);
            let asked = start + ms(at + 300);
            assert!(burst.goes_on_for(GitActivity::BetweenSteps, asked, SILENCE), "{at}");
        }
        let end = start + ms(4_900 + 600);
        assert!(burst.goes_on_for(GitActivity::BetweenSteps, end - ms(1), SILENCE));
        assert!(!burst.goes_on_for(GitActivity::BetweenSteps, end, SILENCE));
    }
}
