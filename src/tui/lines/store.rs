//! The last lines of one instance.

use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use ratatui_core::style::Style;

use super::state::LeftOn;

/// Lines that are kept of an instance: as many as a session keeps itself.
const LINES: usize = 2000;
/// A line that is longer goes on in the next one.
const LINE_LENGTH: usize = 16 << 10;

/// A line of output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredLine {
    /// Whose it is, as the model counts instances.
    pub(crate) owner: u32,
    /// Where it stands among the lines of all.
    pub(crate) order: u64,
    /// When its beginning was read, in milliseconds since 1970.
    pub(crate) at: i64,
    /// The bytes, without their end.
    pub(crate) bytes: Vec<u8>,
    /// What the line before has left on.
    pub(crate) style: Style,
}

/// The lines of one instance, up to a number and a size.
pub(crate) struct LineStore {
    owner: u32,
    lines: VecDeque<Rc<StoredLine>>,
    bytes: usize,
    limit: usize,
    /// Lines at most.
    most: usize,
    /// The last line has no end yet.
    is_open: bool,
    parser: vte::Parser,
    left_on: LeftOn,
}

impl fmt::Debug for LineStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineStore").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

/// A line that has come, or that goes on.
pub(crate) struct PushedLine {
    pub(crate) line: Rc<StoredLine>,
    /// It stands in place of the last one.
    pub(crate) goes_on: bool,
}

impl LineStore {
    /// Makes it for the lines of one instance, of so many bytes at most.
    pub(crate) fn new(owner: u32, limit: usize) -> Self {
        Self {
            owner,
            lines: VecDeque::new(),
            bytes: 0,
            limit,
            most: LINES,
            is_open: false,
            parser: vte::Parser::new(),
            left_on: LeftOn::default(),
        }
    }

    /// Makes it for lines whose number is bounded elsewhere.
    pub(crate) fn unbounded(owner: u32) -> Self {
        Self { most: usize::MAX, ..Self::new(owner, usize::MAX) }
    }

    /// Returns the lines.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = &Rc<StoredLine>> {
        self.lines.iter()
    }

    /// Returns whether a line is still kept.
    pub(crate) fn keeps(&self, line: &StoredLine) -> bool {
        self.lines.front().is_some_and(|first| first.order <= line.order)
    }

    /// Returns what the program has left on.
    pub(crate) fn left_on(&self) -> LeftOn {
        self.left_on
    }

    /// Takes bytes as they were read at a time; `order` counts lines. Gives each line to `take`.
    pub(crate) fn push(
        &mut self,
        (bytes, at): (&[u8], i64),
        order: &mut u64,
        mut take: impl FnMut(PushedLine),
    ) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let style = self.left_on.style;
            let was_alternate = self.left_on.is_alternate;
            self.parser.advance(&mut self.left_on, piece);
            // What draws a whole screen has no lines.
            if was_alternate && self.left_on.is_alternate {
                continue;
            }
            let (text, is_end) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let has_room =
                self.lines.back().is_some_and(|last| last.bytes.len() + text.len() <= LINE_LENGTH);
            let pushed = if self.is_open && has_room {
                self.extend(text)
            } else {
                self.append((text, at), style, order)
            };
            self.is_open = !is_end;
            take(pushed);
        }
    }

    /// Takes the end of a run: what it has left on is none of the next one's.
    pub(crate) fn end_run(&mut self) {
        self.is_open = false;
        self.parser = vte::Parser::new();
        self.left_on = LeftOn::default();
    }

    fn extend(&mut self, text: &[u8]) -> PushedLine {
        self.bytes += text.len();
        let last = self.lines.pop_back();
        let mut last =
            last.map_or_else(|| self.line((&[], 0), Style::default(), 0), Rc::unwrap_or_clone);
        last.bytes.extend_from_slice(text);
        let line = Rc::new(last);
        self.lines.push_back(Rc::clone(&line));
        PushedLine { line, goes_on: true }
    }

    fn append(&mut self, text: (&[u8], i64), style: Style, order: &mut u64) -> PushedLine {
        *order += 1;
        let line = Rc::new(self.line(text, style, *order));
        self.bytes += line.bytes.len();
        self.lines.push_back(Rc::clone(&line));
        while self.lines.len() > self.most || self.bytes > self.limit && self.lines.len() > 1 {
            let gone = self.lines.pop_front();
            self.bytes -= gone.map_or(0, |line| line.bytes.len());
        }
        PushedLine { line, goes_on: false }
    }

    fn line(&self, (text, at): (&[u8], i64), style: Style, order: u64) -> StoredLine {
        StoredLine { owner: self.owner, order, at, bytes: text.to_vec(), style }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui_core::style::Color;

    fn texts(store: &LineStore) -> Vec<String> {
        store.lines().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect()
    }

    #[test]
    fn a_line_that_comes_in_pieces_is_one_line() {
        let (mut store, mut order) = (LineStore::new(0, 1000), 0);
        let mut goes_on = Vec::new();
        for bytes in [&b"one\ntw"[..], b"o", b"\nthree\n", b"> "] {
            store.push((bytes, 0), &mut order, |pushed| goes_on.push(pushed.goes_on));
        }
        assert_eq!(texts(&store), ["one", "two", "three", "> "]);
        assert_eq!(goes_on, [false, false, true, true, false, false]);
        store.end_run();
        store.push((b"next\n", 0), &mut order, |_| {});
        assert_eq!(texts(&store)[3..], ["> ", "next"]);
        assert_eq!(order, 5);
    }

    #[test]
    fn no_more_is_kept_than_fits() {
        let (mut store, mut order) = (LineStore::new(0, 100), 0);
        for _ in 0..50 {
            store.push((b"0123456789\n", 0), &mut order, |_| {});
        }
        assert_eq!(texts(&store).len(), 10);
        let mut store = LineStore::new(0, usize::MAX);
        for _ in 0..3000 {
            store.push((b"x\n", 0), &mut order, |_| {});
        }
        assert_eq!(texts(&store).len(), LINES);
        store.push((&vec![b'y'; 3 * LINE_LENGTH], 0), &mut order, |_| {});
        store.push((b"z", 0), &mut order, |_| {});
        assert_eq!(texts(&store)[LINES - 1], "z", "a line has an end");
    }

    #[test]
    fn a_colour_that_is_left_on_is_seen_on_the_next_line_until_the_run_ends() {
        let (mut store, mut order) = (LineStore::new(0, 1000), 0);
        store.push((b"\x1b[3", 0), &mut order, |_| {});
        store.push((b"1mred\nstill\n", 0), &mut order, |_| {});
        let style = |store: &LineStore| store.lines().next_back().unwrap().style;
        assert_eq!(style(&store).fg, Some(Color::Indexed(1)));
        store.end_run();
        store.push((b"plain\n", 0), &mut order, |_| {});
        assert_eq!(style(&store).fg, None);
    }

    #[test]
    fn what_draws_a_whole_screen_has_no_lines() {
        let (mut store, mut order) = (LineStore::new(0, 1000), 0);
        store.push((b"before\n\x1b[?1049h\x1b[Hscreen\nmore\n", 0), &mut order, |_| {});
        assert!(store.left_on().is_alternate);
        store.push((b"\x1b[Hagain\n", 0), &mut order, |_| {});
        store.push((b"\x1b[?1049lafter\n", 0), &mut order, |_| {});
        assert!(!store.left_on().is_alternate);
        let texts: Vec<_> = store.lines().map(|line| super::super::plain(&line.bytes)).collect();
        assert_eq!(texts, ["before", "screen", "after"]);
    }
}
