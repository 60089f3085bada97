//! The time that is shown before lines.

use jiff::{Timestamp, tz::TimeZone};

/// The wall clock as text, which is only formatted again when it changes.
pub(super) struct LineClock {
    format: Option<String>,
    zone: TimeZone,
    fractions: bool,
    second: i64,
    pub(super) millisecond: i64,
    pub(super) text: String,
}

impl LineClock {
    pub(super) fn new(format: Option<String>, zone: TimeZone) -> Self {
        let fractions = format.as_deref().is_some_and(changes_within_a_second);
        Self { format, zone, fractions, second: i64::MIN, millisecond: 0, text: String::new() }
    }

    /// Returns the time of day, whether lines show it or not.
    pub(super) fn time_of_day(&self) -> String {
        let now = Timestamp::from_millisecond(self.millisecond).unwrap_or_default();
        now.to_zoned_datetime(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// Returns whether the text may have changed.
    pub(super) fn set(&mut self, now: Timestamp) -> bool {
        self.millisecond = now.as_millisecond();
        let Some(format) = &self.format else { return false };
        if now.as_second() == self.second && !self.fractions {
            return false;
        }
        self.second = now.as_second();
        let zoned = now.to_zoned_datetime(self.zone.clone());
        // The format was checked when the options were read.
        self.text = jiff::fmt::strtime::format(format, &zoned).unwrap_or_default();
        true
    }
}

/// Returns whether a format shows fractions of a second, in any of strftime's spellings.
fn changes_within_a_second(format: &str) -> bool {
    let at = |nanosecond| {
        let time = Timestamp::new(0, nanosecond).unwrap_or_default();
        jiff::fmt::strtime::format(format, &time.to_zoned_datetime(TimeZone::UTC)).ok()
    };
    at(123_456_789) != at(987_654_321)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_made_again_at_each_look_only_where_it_shows_fractions() {
        let now = Timestamp::new(5, 0).unwrap();
        for (format, again) in [(Some("%T"), false), (Some("%.3f"), true), (None, false)] {
            let mut clock = LineClock::new(format.map(str::to_owned), TimeZone::UTC);
            assert_eq!(clock.set(now), format.is_some());
            assert_eq!(clock.set(now), again, "{format:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_or_forth_is_followed() {
        let mut clock = LineClock::new(Some("%Y %H:%M:%S".to_owned()), TimeZone::UTC);
        for (second, text, is_new) in [
            (0, "1970 00:00:00", true),
            (0, "1970 00:00:00", false),
            (86_399, "1970 23:59:59", true),
            (1, "1970 00:00:01", true),
            (253_402_207_200, "9999 22:00:00", true),
            (-1, "1969 23:59:59", true),
        ] {
            let now = Timestamp::new(second, 0).unwrap();
            assert_eq!((clock.set(now), clock.text.as_str()), (is_new, text), "{second}");
            assert_eq!(clock.millisecond, second * 1000);
        }
    }

    #[test]
    fn fractions_of_a_second_are_found_in_every_spelling() {
        for format in ["%f", "%3f", "%.3f", "%6N", "%N", "%T%.f", "%H:%M:%S,%3f"] {
            assert!(changes_within_a_second(format), "{format}");
        }
        for format in ["", "%H:%M:%S", "%%f", "%s", "100%%.3f"] {
            assert!(!changes_within_a_second(format), "{format}");
        }
    }
}
