//! When to replace a watchdog: at once, and with a growing delay if one after the other is killed.

use std::time::Duration;

/// A watchdog that has lived this long does not count as killed in a row.
const LONG: Duration = Duration::from_secs(10);
/// The pause before the second restart in a row. Each further pause is twice as long.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);

/// The delays between restarts of the watchdog.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    next: Duration,
}

impl Pace {
    /// Returns how long to wait after the end of a watchdog that lived for this long.
    pub(super) fn pause_after(&mut self, watched: Duration) -> Duration {
        if watched >= LONG {
            self.next = Duration::ZERO;
        }
        let pause = self.next;
        self.next = self.pause_after_failure();
        pause
    }

    /// Returns how long to wait after a start that has failed.
    pub(super) fn pause_after_failure(&mut self) -> Duration {
        self.next = (self.next * 2).clamp(FIRST, LONGEST);
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_replaced_at_once_and_those_of_a_row_at_most_once_a_second() {
        let mut pace = Pace::default();
        let mut pauses = |seconds: &[u64]| -> Vec<u128> {
            let pause = |seconds: &u64| pace.pause_after(Duration::from_secs(*seconds)).as_millis();
            seconds.iter().map(pause).collect()
        };
        assert_eq!(pauses(&[0, 0, 1, 0, 0, 0, 9]), [0, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(pauses(&[10, 0, 60]), [0, 100, 0]);
        assert_eq!(pace.pause_after_failure(), Duration::from_millis(200));
    }
}
