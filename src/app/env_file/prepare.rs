//! Has dotenvy read what pm's own reader has prepared (conformance/DIALECT.md section 5).
//!
//! dotenvy alone would expand `$` silently, stop at the first bad line, and take an apostrophe in
//! a bare value for a quote that runs to the end of the file. So it sees a line unchanged only where
//! both readers agree; every other value is quoted for it, and a key that it refuses travels under
//! an alias. Its `dotenv()`, `from_path*` and `load*` are never used: they write to this process's
//! environment, or let the caller's variables and the first of two lines win.

use std::fmt::Write as _;

use super::{Assignment, Reading};

/// Returns the assignments as dotenvy reads them, under their own keys.
pub(super) fn through_dotenvy(readings: Vec<Reading>) -> Vec<Assignment> {
    let mut prepared = String::new();
    for (n, reading) in readings.iter().enumerate() {
        let written = match &reading.raw {
            Some(raw) if is_known_key(&reading.key) && is_unchanged(raw) => {
                writeln!(prepared, "{}={raw}", reading.key)
            }
            _ if is_known_key(&reading.key) => {
                writeln!(prepared, "{}={}", reading.key, requote(&reading.value))
            }
            _ => writeln!(prepared, "PM_ALIAS_{n}={}", requote(&reading.value)),
        };
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    let mut items = dotenvy::from_read_iter(prepared.as_bytes());
    let assignment = |reading: Reading| {
        // dotenvy reads back every prepared line, as the property tests show; were it to refuse one,
        // the value of pm's own reader is the same.
        let value = match items.next() {
            Some(Ok((_, value))) => value,
            Some(Err(_)) | None => reading.value,
        };
        Assignment { key: reading.key, value, line: reading.line }
    };
    readings.into_iter().map(assignment).collect()
}

/// Returns whether dotenvy takes this for a key.
fn is_known_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}

/// Returns whether dotenvy reads this value as pm does.
fn is_unchanged(raw: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '\\' | '$' | '\0');
    !raw.starts_with('#') && raw.chars().all(plain)
}

/// Quotes any text without NUL so that dotenvy reads it back, on one line.
fn requote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\\' | '"' | '$' => quoted.extend(['\\', c]),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::line;
    use super::*;
    use crate::long::cases;

    fn dotenvy_alone(text: &str) -> Vec<(String, String)> {
        let read: Result<Vec<_>, _> = dotenvy::from_read_iter(text.as_bytes()).collect();
        read.unwrap_or_else(|e| panic!("{text:?}: {e}"))
    }

    #[test]
    fn an_alias_gives_its_key_back() {
        let keys = ["1A", "my-key", "PM_ALIAS_0", "a.b", "export", "42"];
        let reading =
            |key: &&str| Reading { key: (*key).into(), value: "a $b".into(), raw: None, line: 1 };
        let read = through_dotenvy(keys.iter().map(reading).collect());
        assert_eq!(read.iter().map(|a| a.key.as_str()).collect::<Vec<_>>(), keys);
        assert!(read.iter().all(|a| a.value == "a $b"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(cases(200)))]

        #[test]
        fn a_quoted_value_comes_back_from_dotenvy(value in "([^\0]|[\"'\\\\$#\n\r \t=]){0,30}") {
            let read = dotenvy_alone(&format!("KEY={}\n", requote(&value)));
            prop_assert_eq!(read, [("KEY".to_owned(), value)]);
        }

        #[test]
        fn both_readers_agree_on_every_unchanged_line(
            key in "[A-Za-z_][A-Za-z0-9_.]{0,8}",
            noise in "([^\0]|[=:/@?&%~`{}!*()+.,a-z#-]){0,20}",
        ) {
            let raw: String = noise.chars().filter(|c| is_unchanged(&format!("x{c}"))).collect();
            let raw = raw.trim_start_matches('#');
            prop_assert!(is_known_key(&key) && is_unchanged(raw));
            let text = format!("{key}={raw}\n");
            let ours: Vec<_> = line::read(&text, &mut Vec::new()).into_iter().map(|r| (r.key, r.value)).collect();
            prop_assert_eq!(dotenvy_alone(&text), ours);
        }
    }
}
