//! Turns the machine's clock into [`Moment`]s.

use crate::app::Moment;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// If pm wakes up later than this after a deadline, it was stopped (SIGSTOP) or got no CPU.
const LATE: Duration = Duration::from_millis(100);
/// Time that pm then takes to learn what happened meanwhile, before it acts on the deadline.
const CATCH_UP: Duration = Duration::from_millis(50);

/// Time since pm started, without the time in which it was stopped (Ctrl-Z, SIGSTOP). So grace periods and back-off
/// pause with pm.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    paused: Duration,
    /// The latest deadline that was put off.
    put_off: Moment,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: read(), paused: Duration::ZERO, put_off: Moment::default() }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment(read().saturating_duration_since(self.start).saturating_sub(self.paused))
    }

    /// Converts `moment` to the machine's clock; a year from the start if it is later than the clock can represent.
    pub(crate) fn instant_of(&self, moment: Moment) -> Instant {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let since_start = self.paused.saturating_add(moment.0);
        self.start.checked_add(since_start).unwrap_or_else(|| self.start + YEAR)
    }

    /// Returns what the session's clock showed at some time of the machine's clock.
    pub(crate) fn moment_of(&self, instant: Instant) -> Moment {
        Moment(self.now().0.saturating_sub(read().saturating_duration_since(instant)))
    }

    /// Returns whether pm, which should have woken up at `due`, was kept from running until much later. If so, that
    /// time is left out, and `due` lies ahead again: a process that ended in time must not be killed because pm was
    /// stopped. This happens once per deadline; otherwise a pm that is always late (a container whose CPU quota is used
    /// up) would never kill.
    pub(crate) fn overslept(&mut self, due: Moment) -> bool {
        let late = self.now().since(due);
        let is_late = late > LATE && due > self.put_off;
        if is_late {
            self.paused += late + CATCH_UP;
            self.put_off = due;
        }
        is_late
    }

    /// Runs a function that stops the process, and leaves out the time that it takes.
    pub(crate) fn pause_during(&mut self, stop: impl FnOnce()) {
        let before = read();
        stop();
        self.paused += read().saturating_duration_since(before);
    }
}

/// Returns the time of day, which files are stamped with.
#[expect(clippy::disallowed_methods, reason = "this module reads the clocks")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Returns the time of the machine's clock, for deadlines outside the supervisor.
pub(crate) fn instant() -> Instant {
    read()
}

/// Returns the time of day in milliseconds since 1970, for what is told of a moment.
pub(crate) fn unix_milliseconds() -> i64 {
    // A clock before 1970 tells nothing that anybody could use.
    let since = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "the one reader of the monotonic clock")]
fn read() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets time pass in which pm does not run.
    fn lose(clock: &mut Clock, time: Duration) {
        clock.start -= time;
    }

    #[test]
    fn a_deadline_that_was_slept_through_is_still_to_come() {
        let mut clock = Clock::start();
        let due = clock.now() + Duration::from_secs(1);
        lose(&mut clock, Duration::from_secs(9));
        assert!(clock.overslept(due));
        assert!(clock.now() < due);
        let later = due + Duration::from_secs(1);
        lose(&mut clock, Duration::from_secs(9));
        assert!(clock.overslept(later));
        assert!((due..later).contains(&clock.now()));
    }

    #[test]
    fn a_deadline_is_put_off_once_however_late_pm_comes_every_time() {
        let mut clock = Clock::start();
        let due = clock.now() + Duration::from_secs(1);
        lose(&mut clock, Duration::from_secs(9));
        assert!(clock.overslept(due));
        lose(&mut clock, Duration::from_secs(9));
        assert!(!clock.overslept(due));
        assert!(clock.now() > due);
    }
}
