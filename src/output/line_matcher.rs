//! Looks for the lines that show that a run is ready (`ready = "log:…"`). It costs nothing after they were seen.

use super::escape::{Parser, TerminalToken};
use crate::app::readiness::LogPattern;

/// How many bytes of a line are matched.
const LONGEST: usize = 64 << 10;
/// Up to this length, an unfinished line is matched whenever it grows; a longer one when it has grown by half, or after
/// silence. So the time is linear in the length of the output.
const SHORT: usize = 512;

/// The patterns that have not matched yet, and the unfinished line.
#[derive(Debug)]
pub(super) struct LineMatcher {
    patterns: Vec<LogPattern>,
    parser: Parser,
    line: Vec<u8>,
    /// How much of the line was matched without success.
    looked: usize,
}

impl LineMatcher {
    pub(super) fn new(patterns: Vec<LogPattern>) -> Self {
        Self { patterns, parser: Parser::default(), line: Vec::new(), looked: 0 }
    }

    /// Takes written bytes, ignoring escape sequences. Returns whether every pattern has matched a line. An unfinished
    /// line, such as a prompt, counts.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let Self { patterns, parser, line, looked } = self;
        parser.push(bytes, |token| match token {
            TerminalToken::Text(text) => {
                line.extend_from_slice(&text[..text.len().min(LONGEST - line.len())]);
            }
            // Text that a carriage return overwrites (a spinner) was a line, too.
            TerminalToken::Control(b'\n' | b'\r') => {
                look(patterns, line);
                line.clear();
                *looked = 0;
            }
            TerminalToken::Control(_)
            | TerminalToken::Csi(_)
            | TerminalToken::Osc { .. }
            | TerminalToken::Other => {}
        });
        if line.len() > *looked && (line.len() <= SHORT || line.len() >= *looked + *looked / 2) {
            look(patterns, line);
            *looked = line.len();
        }
        patterns.is_empty()
    }

    /// Returns whether some of the unfinished line was not looked at.
    pub(super) fn is_waiting(&self) -> bool {
        self.line.len() > self.looked
    }

    /// Looks at all of the unfinished line: nothing came for a while. Returns the same as [`Self::push`].
    pub(super) fn silence(&mut self) -> bool {
        if self.is_waiting() {
            look(&mut self.patterns, &self.line);
            self.looked = self.line.len();
        }
        self.patterns.is_empty()
    }
}

/// Removes the patterns that match a line.
fn look(patterns: &mut Vec<LogPattern>, line: &[u8]) {
    if !line.is_empty() {
        let text = String::from_utf8_lossy(line);
        patterns.retain(|pattern| !pattern.is_in(&text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::readiness::Probe;

    fn matcher(patterns: &[&str]) -> LineMatcher {
        let pattern = |text: &&str| match Probe::parse(&format!("log:{text}")) {
            Ok(Probe::Log(pattern)) => pattern,
            other => panic!("{other:?}"),
        };
        LineMatcher::new(patterns.iter().map(pattern).collect())
    }

    #[test]
    fn a_line_matches_in_whatever_pieces_it_comes() {
        let text = b"booting\nnow listening on 5000\nmore";
        for size in 1..=text.len() {
            let mut matcher = matcher(&["^now listening on \\d+$"]);
            let mut pieces = text.chunks(size).map(|piece| matcher.push(piece));
            assert!(pieces.any(|matched| matched), "pieces of {size}");
        }
        assert!(!matcher(&["^listening"]).push(text));
        assert!(!matcher(&["booting.*listening"]).push(text), "each line by itself");
    }

    #[test]
    fn colours_and_moves_are_no_part_of_a_line() {
        let text = b"\x1b[32mready\x1b[0m in \x1b[1m12\x1b[22m ms\x1b[K\r\n";
        assert!(matcher(&["^ready in 12 ms$"]).push(text));
        assert!(matcher(&["^ready$"]).push(b"loading\rready\rserving"));
    }

    #[test]
    fn an_unfinished_line_matches() {
        assert!(matcher(&["> $"]).push(b"mysql> "));
    }

    #[test]
    fn a_line_that_grows_byte_by_byte_is_looked_at_a_few_times_and_to_its_end_after_silence() {
        let mut matcher = matcher(&["x$", "> $"]);
        let mut looks = 0;
        for _ in 0..LONGEST - 2 {
            let before = matcher.looked;
            matcher.push(b".");
            looks += if matcher.looked > before { matcher.looked } else { 0 };
        }
        assert!(looks < 6 * LONGEST, "{looks} bytes looked at");
        assert!(!matcher.push(b"> ") && matcher.is_waiting());
        assert!(!matcher.silence() && !matcher.is_waiting());
        assert_eq!(matcher.patterns.len(), 1);
        assert!(matcher.push(b"\nx"));
    }

    #[test]
    fn all_patterns_must_have_matched() {
        let mut matcher = matcher(&["one", "two"]);
        assert!(!matcher.push(b"two\n"));
        assert!(!matcher.push(b"three\n"));
        assert!(matcher.push(b"one\n"));
    }

    #[test]
    fn a_long_line_is_matched_in_its_beginning() {
        let long = [b"start ".repeat(20_000), b"end".to_vec()].concat();
        assert!(matcher(&["^start"]).push(&long));
        assert!(!matcher(&["end"]).push(&long));
        let mut matcher = matcher(&["next"]);
        matcher.push(&long);
        assert!(matcher.push(b"\nnext"));
    }
}
