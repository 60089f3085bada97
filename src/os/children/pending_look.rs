//! When to look at the children.

use std::time::Duration;

use crate::app::Moment;

/// How long a look may be put off while other events wait. Each look goes through all children, and when a thousand are
/// stopped most end at the same time.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Whether some child has changed since the last look, and the time of the last look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PendingLook {
    pub(super) is_there: bool,
    looked: Moment,
}

impl PendingLook {
    /// Returns once whether it is time to look.
    pub(super) fn is_due(&mut self, now: Moment, waiting_events: usize) -> bool {
        let is_due = self.is_there && (waiting_events == 0 || now.since(self.looked) >= LOOK_EVERY);
        if is_due {
            *self = Self { is_there: false, looked: now };
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_is_looked_at_once_and_at_once_unless_events_wait() {
        let at = |ms| Moment(Duration::from_millis(ms));
        let mut news = PendingLook::default();
        assert!(!news.is_due(at(1000), 0));
        news.is_there = true;
        assert!(news.is_due(at(1000), 7));
        assert!(!news.is_due(at(1000), 0));
        news.is_there = true;
        assert!(!news.is_due(at(1004), 7));
        assert!(news.is_due(at(1005), 7));
        news.is_there = true;
        assert!(news.is_due(at(1005), 0));
    }
}
