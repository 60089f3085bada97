//! Filters a program's output so that it cannot draw over other lines: only text, colours, links and tabs are kept. A
//! carriage return starts the line again, and every line ends with its style reset.

mod line;

use self::line::FilteredLine;
use super::escape::{Parser, find_closed_line, is_plain};
use super::splitter::KEEP;

/// A piece of filtered output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment<'a> {
    /// A line, or the rest of one, without its newline.
    Line(&'a [u8]),
    /// A part of a line that may go on.
    Partial(&'a [u8]),
    /// The line of which a part was shown does not go on: it was started again.
    Restarted,
}

/// Removes screen control from a run's output, and makes lines from it.
#[derive(Debug, Default)]
pub(super) struct Filter {
    parser: Parser,
    line: FilteredLine,
}

impl Filter {
    /// Returns whether these bytes can be shown unchanged, and only need to be split. `splitter` has the unfinished
    /// line.
    #[inline]
    pub(super) fn passes(&mut self, bytes: &[u8]) -> bool {
        // Empty lines may be written to scroll the screen before drawing on it.
        let passes = self.parser.is_idle()
            && self.line.is_idle()
            && is_plain(bytes)
            && !bytes.ends_with(b"\n\n")
            && bytes != b"\n";
        if passes && self.line.is_shown && memchr::memchr(b'\n', bytes).is_some() {
            self.line.is_shown = false;
        }
        passes
    }

    /// Filters the next bytes, which follow `unfinished`, and calls `show` with each piece. Returns the new unfinished
    /// line, if it can be split together with the bytes that follow.
    pub(super) fn push(
        &mut self,
        unfinished: Vec<u8>,
        mut bytes: &[u8],
        show: &mut impl FnMut(Fragment<'_>),
    ) -> Vec<u8> {
        let Self { parser, line } = self;
        line.resume(unfinished);
        while !bytes.is_empty() {
            // Most lines reset their style, and need not be parsed.
            let is_idle = parser.is_idle() && line.is_idle();
            let closed = if is_idle { find_closed_line(bytes) } else { None };
            if let Some(length) = closed.filter(|length| *length <= line.limit) {
                show(Fragment::Line(&bytes[..length]));
                line.is_shown = false;
                bytes = &bytes[length + 1..];
                continue;
            }
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            parser.push(&bytes[..end], |token| line.take(token, show));
            bytes = &bytes[end..];
        }
        match parser.is_idle() {
            true => line.hand_over(),
            false => Vec::new(),
        }
    }

    /// Returns the length of the unfinished line in this filter.
    pub(super) fn unfinished(&self) -> usize {
        self.line.bytes.len()
    }

    /// Frees the memory of long lines.
    pub(super) fn shrink(&mut self) {
        self.line.bytes.shrink_to(KEEP);
    }

    /// Returns whether something has not been shown yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.line.blanks > 0 || self.line.is_worth_it()
    }

    /// Shows the unfinished line, because nothing came for a while.
    pub(super) fn silence(&mut self, show: &mut impl FnMut(Fragment<'_>)) {
        let line = &mut self.line;
        line.flush_blanks(show);
        if line.is_worth_it() {
            let at = (line.has_returned, line.is_erased);
            line.finish(show, |bytes| Fragment::Partial(bytes));
            (line.has_returned, line.is_erased) = at;
            line.is_shown = true;
        }
    }

    /// Notes that a part of the unfinished line, which the splitter had, was shown.
    pub(super) fn note_part(&mut self) {
        self.line.is_shown = true;
    }

    /// Shows the rest at the end of the output.
    pub(super) fn end(&mut self, show: &mut impl FnMut(Fragment<'_>)) {
        let Self { parser, line } = self;
        parser.end(|token| line.take(token, show));
        line.flush_blanks(show);
        if line.is_worth_it() {
            line.finish(show, |bytes| Fragment::Line(bytes));
        }
        // What follows is from another run, or follows a gap.
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
