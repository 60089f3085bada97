//! `pm logs --grep`

use crate::output::without_escapes;

/// Which lines are looked for.
#[derive(Clone, Debug)]
pub(super) struct Search {
    pattern: regex::bytes::Regex,
    /// The others are shown.
    is_inverted: bool,
}

/// How letters are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// As they are.
    Exact,
    /// Whether they are capitals or not.
    AnyCase,
}

impl Search {
    /// Makes one of a regular expression.
    ///
    /// # Errors
    /// It is none; the text says why.
    pub(super) fn new(pattern: &str, letters: Letters, is_inverted: bool) -> Result<Self, String> {
        let pattern = regex::bytes::RegexBuilder::new(pattern)
            .case_insensitive(letters == Letters::AnyCase)
            .build()
            .map_err(|error| reason(&error))?;
        Ok(Self { pattern, is_inverted })
    }

    /// Returns whether a line is one of those that are shown. It is looked at as it is seen: without escape
    /// sequences, and without the CR of CR LF.
    pub(super) fn takes(&self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.pattern.is_match(&without_escapes(line)) != self.is_inverted
    }
}

/// Returns the last line of the error, which says why; those before it show where.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_as_they_are_seen() {
        let lines: [&[u8]; 9] = [
            b"GET /a 200",
            b"get /b 404\r",
            b"POST /c 500",
            b"foo.bar",
            b"fooxbar",
            b"\x1b[31merror\x1b[0m: \xff broken",
            b"",
            "caf\u{e9} CAF\u{c9}".as_bytes(),
            b"\xe9t\xe9",
        ];
        let table: [(&str, Letters, bool, &[usize]); 12] = [
            ("GET", Letters::Exact, false, &[0]),
            ("get", Letters::AnyCase, false, &[0, 1]),
            (r" [45]\d\d$", Letters::Exact, false, &[1, 2]),
            ("/", Letters::Exact, true, &[3, 4, 5, 6, 7, 8]),
            (r"foo\.bar", Letters::Exact, false, &[3]),
            ("error: ", Letters::Exact, false, &[5]),
            ("^$", Letters::Exact, false, &[6]),
            ("^error: . broken$", Letters::Exact, false, &[]),
            (r"(?-u)^error: \xff broken$", Letters::Exact, false, &[5]),
            ("caf\u{e9}$", Letters::Exact, false, &[]),
            ("caf\u{e9}$", Letters::AnyCase, false, &[7]),
            ("a|b|z", Letters::Exact, false, &[0, 1, 3, 4, 5, 7]),
        ];
        for (pattern, letters, is_inverted, expected) in table {
            let search = Search::new(pattern, letters, is_inverted).unwrap();
            let found: Vec<_> = (0..lines.len()).filter(|at| search.takes(lines[*at])).collect();
            assert_eq!(found, expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_regular_expression_is_refused_with_the_reason() {
        for (pattern, reason) in [
            ("(", "unclosed group"),
            ("a{2,1}", "invalid repetition count range, the start must be <= the end"),
            ("[a", "unclosed character class"),
        ] {
            assert_eq!(Search::new(pattern, Letters::Exact, false).unwrap_err(), reason);
        }
    }
}
