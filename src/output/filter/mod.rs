//! Keeps what makes sense in a line of a program's output, so that it cannot draw over others: text,
//! colours, links and tabs. A carriage return starts the line again; every line ends without colour.

mod line;

use self::line::FilteredLine;
use super::escape::{Parser, find_closed_line, is_plain};
use super::splitter::KEEP;

/// What is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment<'a> {
    /// A line, or the rest of one, without its newline.
    Line(&'a [u8]),
    /// A part of a line that may go on.
    Partial(&'a [u8]),
    /// The line that a part was shown of does not go on: it was begun again.
    Restarted,
}

/// Takes the screen control out of a run's output, and makes lines of it.
#[derive(Debug, Default)]
pub(super) struct Filter {
    parser: Parser,
    line: FilteredLine,
}

impl Filter {
    /// Returns whether these bytes are lines as they are. They are then to be split; `splitter` has what is
    /// unfinished.
    #[inline]
    pub(super) fn passes(&mut self, bytes: &[u8]) -> bool {
        // Empty lines may be there to push away what a program then draws over.
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

    /// Takes the next bytes behind `unfinished`, and gives what they show. Returns what is unfinished now,
    /// where it may be split with what comes.
    pub(super) fn push(
        &mut self,
        unfinished: Vec<u8>,
        mut bytes: &[u8],
        show: &mut impl FnMut(Fragment<'_>),
    ) -> Vec<u8> {
        let Self { parser, line } = self;
        line.resume(unfinished);
        while !bytes.is_empty() {
            // Most lines end what they begin, and need not be taken apart.
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

    /// Returns the length of the unfinished line, as far as it is here.
    pub(super) fn unfinished(&self) -> usize {
        self.line.bytes.len()
    }

    /// Gives back the memory of long lines.
    pub(super) fn shrink(&mut self) {
        self.line.bytes.shrink_to(KEEP);
    }

    /// Returns whether something waits to be shown.
    pub(super) fn is_waiting(&self) -> bool {
        self.line.blanks > 0 || self.line.is_worth_it()
    }

    /// Shows what waits: nothing came for a while.
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

    /// Notes that a part of the unfinished line was shown that the splitter had.
    pub(super) fn note_part(&mut self) {
        self.line.is_shown = true;
    }

    /// Shows what is left at the end.
    pub(super) fn end(&mut self, show: &mut impl FnMut(Fragment<'_>)) {
        let Self { parser, line } = self;
        parser.end(|token| line.take(token, show));
        line.flush_blanks(show);
        if line.is_worth_it() {
            line.finish(show, |bytes| Fragment::Line(bytes));
        }
        // What comes is another run's, or comes behind a gap.
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
