//! Times as `pm logs --since` and `--until` take them.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// A time.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// A time ago: `10m`.
    Ago(Duration),
    /// When it was last so late: `10:30`.
    Clock(Time),
    /// In the local time zone: `2026-11-28 10:30`.
    Local(DateTime),
    /// `2026-11-28T10:30:00Z`
    At(Timestamp),
    /// The start of the session.
    Start,
    /// The last start of each instance.
    Restart,
}

/// Units of time, longest names last where one begins another.
const UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("w", 7 * 24 * 60 * 60 * 1000),
];

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "start" => return Ok(Self::Start),
            "restart" => return Ok(Self::Restart),
            _ => {}
        }
        if let Some(ago) = duration(text) {
            return Ok(Self::Ago(ago));
        }
        // `1030` and `10` would be a time and an hour to the parser, and minutes to a person.
        let is_clock = text.contains(':') && !text.contains('-');
        if is_clock && let Ok(time) = text.parse() {
            return Ok(Self::Clock(time));
        }
        let is_date = text.contains('-');
        if is_date && let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        if is_date && let Ok(local) = text.parse() {
            return Ok(Self::Local(local));
        }
        let known = "10m, 10:30, 2026-11-28T10:30:00Z, start or restart";
        Err(format!("not a time; write it as {known}"))
    }
}

impl When {
    /// Returns the time in milliseconds since 1970; `None` for a start, which the log says.
    pub fn millisecond(&self, now: Timestamp, zone: &TimeZone) -> Option<i64> {
        let local = |local: DateTime| {
            // Far from now, where jiff has no times, all is before or after.
            let far = if local.year() < 1970 { i64::MIN } else { i64::MAX };
            zone.to_timestamp(local).map_or(far, |at| at.as_millisecond())
        };
        match self {
            Self::Ago(ago) => {
                let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                Some(now.as_millisecond().saturating_sub(ago))
            }
            Self::Clock(time) => {
                let today = now.to_zoned_datetime(zone.clone()).date();
                let at = local(today.to_datetime(*time));
                if at <= now.as_millisecond() {
                    return Some(at);
                }
                let yesterday = today.checked_sub(1.day()).unwrap_or(today);
                Some(local(yesterday.to_datetime(*time)))
            }
            Self::Local(time) => Some(local(*time)),
            Self::At(time) => Some(time.as_millisecond()),
            Self::Start | Self::Restart => None,
        }
    }
}

/// Reads `10m`, `1h30m`, `500ms`; each number has a unit.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, milliseconds) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
        total = total.checked_add(number.checked_mul(*milliseconds)?)?;
        rest = &rest[unit.len()..];
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours ahead of UTC.
    fn zone() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(2))
    }

    fn resolved(text: &str, now: &str) -> String {
        let now: Timestamp = now.parse().unwrap();
        let when: When = text.parse().unwrap();
        let at = when.millisecond(now, &zone()).unwrap();
        Timestamp::from_millisecond(at).unwrap().to_string()
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        // 12:00 there.
        let now = "2026-11-28T10:00:00Z";
        let table = [
            ("10m", "2026-11-28T09:50:00Z"),
            ("90s", "2026-11-28T09:58:30Z"),
            ("1h30m", "2026-11-28T08:30:00Z"),
            ("2d", "2026-11-26T10:00:00Z"),
            ("1w", "2026-11-21T10:00:00Z"),
            ("250ms", "2026-11-28T09:59:59.75Z"),
            ("11:30", "2026-11-28T09:30:00Z"),
            ("11:30:15", "2026-11-28T09:30:15Z"),
            ("12:00", "2026-11-28T10:00:00Z"),
            // Not yet today.
            ("23:50", "2026-11-27T21:50:00Z"),
            ("2026-11-28T09:30:00Z", "2026-11-28T09:30:00Z"),
            ("2026-11-28T11:30:00.5+02:00", "2026-11-28T09:30:00.5Z"),
            ("2026-11-28T11:30", "2026-11-28T09:30:00Z"),
            ("2026-11-28 11:30", "2026-11-28T09:30:00Z"),
            ("2026-11-28", "2026-11-27T22:00:00Z"),
        ];
        for (text, expected) in table {
            assert_eq!(resolved(text, now), expected, "{text}");
        }
        for (text, when) in [("start", When::Start), ("restart", When::Restart)] {
            assert_eq!(text.parse(), Ok(when.clone()));
            assert_eq!(when.millisecond(Timestamp::UNIX_EPOCH, &zone()), None);
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_could_be_written() {
        for text in
            ["", "10", "1030", "m", "10x", "-10m", "25:00", "10:61", "yesterday", "2026-13-01"]
        {
            let refusal = text.parse::<When>().unwrap_err();
            assert!(
                refusal.ends_with("10m, 10:30, 2026-11-28T10:30:00Z, start or restart"),
                "{text}"
            );
        }
        assert!(duration("99999999999999999999w").is_none());
        assert_eq!(
            When::Ago(Duration::MAX).millisecond(Timestamp::UNIX_EPOCH, &zone()),
            Some(i64::MIN + 1)
        );
    }
}
