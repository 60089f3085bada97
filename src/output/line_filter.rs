//! Which lines of programs a terminal shows: of which types, and those that match a pattern. Pure.

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};

use super::plain::without_escapes;

/// Memory of a pattern at most.
const PATTERN_LIMIT: usize = 1 << 20;

/// What is shown. The default is all.
#[derive(Clone, Debug, Default)]
pub struct LineFilter {
    /// The position of the one type that is shown.
    pub only: Option<u16>,
    /// Positions of types that are not shown.
    pub muted: BTreeSet<u16>,
    /// A filter was begun: what it hides is counted.
    pub is_searching: bool,
    pattern: Option<Regex>,
}

impl LineFilter {
    /// Shows lines that match a regular expression alone; the empty one is matched by all. Returns false if it is none,
    /// and nothing is changed.
    pub fn search(&mut self, text: &str) -> bool {
        let pattern = match text {
            "" => None,
            text => match RegexBuilder::new(text).size_limit(PATTERN_LIMIT).build() {
                Ok(pattern) => Some(pattern),
                Err(_) => return false,
            },
        };
        (self.is_searching, self.pattern) = (true, pattern);
        true
    }

    /// Shows lines whether they match or not.
    pub fn end_search(&mut self) {
        (self.is_searching, self.pattern) = (false, None);
    }

    /// Returns whether anything is hidden.
    pub fn is_active(&self) -> bool {
        self.only.is_some() || !self.muted.is_empty() || self.is_searching
    }

    /// Returns whether the lines of a type are hidden.
    pub fn hides_type(&self, process_type: u16) -> bool {
        self.only.is_some_and(|only| only != process_type) || self.muted.contains(&process_type)
    }

    /// Returns whether a line is hidden, since it does not match.
    pub(super) fn hides_line(&self, line: &[u8]) -> bool {
        self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&without_escapes(line)))
    }

    /// Returns whether only lines that match are shown.
    pub(super) fn has_pattern(&self) -> bool {
        self.pattern.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_hidden_by_being_muted_or_not_the_one() {
        let table: [(Option<u16>, &[u16], [bool; 2]); 5] = [
            (None, &[], [false, false]),
            (Some(0), &[], [false, true]),
            (None, &[1], [false, true]),
            (Some(1), &[1], [true, true]),
            (Some(0), &[1], [false, true]),
        ];
        for (only, muted, hidden) in table {
            let muted = muted.iter().copied().collect();
            let filter = LineFilter { only, muted, ..LineFilter::default() };
            assert_eq!([0, 1].map(|at| filter.hides_type(at)), hidden, "{filter:?}");
        }
    }

    #[test]
    fn a_line_is_hidden_where_its_text_does_not_match_and_half_a_pattern_changes_nothing() {
        let mut filter = LineFilter::default();
        let line = b"\x1b[31mk\x1b[0meep 1";
        assert!(!filter.hides_line(line) && !filter.is_active());
        assert!(filter.search("ke+p"));
        assert!(!filter.hides_line(line) && filter.hides_line(b"drop"));
        assert!(!filter.search("ke+p("));
        assert!(filter.hides_line(b"drop"));
        assert!(filter.search(""));
        assert!(!filter.hides_line(b"drop") && filter.is_active());
        filter.end_search();
        assert!(!filter.is_active());
    }
}
