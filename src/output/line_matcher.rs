//! Looks for the lines that show that a run is ready (`ready = "log:…"`). It costs nothing after they were seen.

use super::escape::{Parser, TerminalToken};
use crate::app::readiness::LogPattern;

/// How many bytes of a line are matched.
const LONGEST: usize = 64 << 10;

/// The patterns that have not matched yet, and the unfinished line.
#[derive(Debug)]
pub(super) struct LineMatcher {
    patterns: Vec<LogPattern>,
    parser: Parser,
    line: Vec<u8>,
    /// How much of the line was matched without success, so that a line that grows past the limit is not matched again
    /// and again.
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
        if line.len() > *looked {
            look(patterns, line);
            *looked = line.len();
        }
        patterns.is_empty()
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
