//! The visible part of the line that a program is writing: text and colours. A carriage return starts it again.

use super::Fragment;
use crate::output::escape::{TerminalToken, sgr};
use crate::output::splitter::LINE_LIMIT;
use crate::output::style::Style;

/// No screen has more rows: this many empty lines push everything off it.
pub(super) const SCREEN: usize = 1000;

/// The visible part of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    #[default]
    Nothing,
    Blank,
    Text,
}

/// The line that is being made.
#[derive(Debug)]
pub(super) struct FilteredLine {
    /// After its bytes, `style` is active on the terminal; while it is empty, no style is.
    pub(super) bytes: Vec<u8>,
    pub(super) style: Style,
    pub(super) sight: Sight,
    /// A carriage return takes effect with the next character.
    pub(super) has_returned: bool,
    /// All of it was erased, which becomes visible when the line is started again.
    pub(super) is_erased: bool,
    /// Something was removed from it. If nothing is left, the line is dropped.
    pub(super) has_drawn: bool,
    /// A part of it was shown already.
    pub(super) is_shown: bool,
    /// Its text ends with 0xC2. After a removal, this must not form a C1 control with the next byte.
    pub(super) has_lead: bool,
    /// Empty lines before it that were not shown yet.
    pub(super) blanks: usize,
    pub(super) limit: usize,
}

impl Default for FilteredLine {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            style: Style::default(),
            sight: Sight::Nothing,
            has_returned: false,
            is_erased: false,
            has_drawn: false,
            is_shown: false,
            has_lead: false,
            blanks: 0,
            limit: LINE_LIMIT,
        }
    }
}

impl FilteredLine {
    /// Returns whether plain lines can be shown without it.
    pub(super) fn is_idle(&self) -> bool {
        self.bytes.is_empty() && self.may_be_split()
    }

    fn may_be_split(&self) -> bool {
        !(self.style.is_open() || self.has_returned || self.has_drawn || self.has_lead)
            && self.blanks == 0
    }

    pub(super) fn resume(&mut self, unfinished: Vec<u8>) {
        if !unfinished.is_empty() {
            self.bytes = unfinished;
            self.sight = sight_of(&self.bytes);
        }
    }

    pub(super) fn hand_over(&mut self) -> Vec<u8> {
        // Anything else could not be distinguished from text later.
        if self.sight == Sight::Text && self.may_be_split() {
            self.sight = Sight::Nothing;
            return std::mem::take(&mut self.bytes);
        }
        Vec::new()
    }

    pub(super) fn take(&mut self, token: TerminalToken<'_>, show: &mut impl FnMut(Fragment<'_>)) {
        match token {
            TerminalToken::Text(text) => self.text(text, show),
            TerminalToken::Control(b'\n') => self.newline(show),
            TerminalToken::Control(b'\r') => self.carriage_return(show),
            TerminalToken::Csi(sequence) => self.csi(sequence, show),
            TerminalToken::Osc { payload, end } if payload.starts_with(b"8;") => {
                if !self.is_set_anyway() {
                    self.put_sequence([b"\x1b]", payload, end], show);
                }
                self.style.link(payload);
            }
            TerminalToken::Control(_) | TerminalToken::Osc { .. } | TerminalToken::Other => {
                self.has_drawn = true;
            }
        }
    }

    fn text(&mut self, mut text: &[u8], show: &mut impl FnMut(Fragment<'_>)) {
        if self.has_lead {
            let end = text.iter().position(|byte| !(0x80..=0x9f).contains(byte));
            let Some(end) = end else { return };
            text = &text[end..];
        }
        self.has_lead = text.ends_with(b"\xc2");
        if self.has_returned {
            self.begin_again(show);
        }
        self.is_erased = false;
        self.flush_blanks(show);
        self.put(text, show);
        self.sight = self.sight.max(sight_of(text));
    }

    fn csi(&mut self, sequence: &[u8], show: &mut impl FnMut(Fragment<'_>)) {
        if let Some(parameters) = sgr(sequence) {
            if !self.is_set_anyway() {
                self.put_sequence([b"\x1b[", sequence, b""], show);
            }
            self.style.set(parameters);
            return;
        }
        let Some((last, parameters)) = sequence.split_last() else { return };
        self.has_drawn = true;
        match (parameters, last) {
            // To the first column.
            (b"" | b"0" | b"1", b'G' | b'`') => self.carriage_return(show),
            (b"" | b"0" | b"2", b'K' | b'J') if self.has_returned => self.begin_again(show),
            (b"2", b'K' | b'J') => self.is_erased = true,
            _ => {}
        }
        // It moves to another line, so the empty lines before it were only written to scroll the screen.
        if self.sight == Sight::Nothing && b"AFHJdf".contains(last) {
            self.blanks = 0;
        }
    }

    fn carriage_return(&mut self, show: &mut impl FnMut(Fragment<'_>)) {
        match self.is_erased {
            true => self.begin_again(show),
            false => self.has_returned = true,
        }
    }

    /// Forgets the line, except that a part of it was shown.
    fn begin_again(&mut self, show: &mut impl FnMut(Fragment<'_>)) {
        if std::mem::take(&mut self.is_shown) {
            show(Fragment::Restarted);
        }
        self.clear();
        self.has_drawn = true;
    }

    fn newline(&mut self, show: &mut impl FnMut(Fragment<'_>)) {
        let is_own = !self.has_drawn && (self.is_shown || !self.bytes.is_empty());
        if self.is_worth_it() || is_own {
            self.flush_blanks(show);
            self.finish(show, |bytes| Fragment::Line(bytes));
        } else if self.is_shown {
            show(Fragment::Restarted);
        } else if !self.has_drawn {
            match self.blanks {
                SCREEN => show(Fragment::Line(b"")),
                _ => self.blanks += 1,
            }
        }
        self.clear();
        (self.has_drawn, self.is_shown, self.has_lead) = (false, false, false);
    }

    /// Returns whether there is anything visible.
    pub(super) fn is_worth_it(&self) -> bool {
        match self.sight {
            Sight::Nothing => false,
            Sight::Blank => !self.has_drawn,
            Sight::Text => true,
        }
    }

    pub(super) fn flush_blanks(&mut self, show: &mut impl FnMut(Fragment<'_>)) {
        for _ in 0..std::mem::take(&mut self.blanks) {
            show(Fragment::Line(b""));
        }
    }

    /// Shows the bytes, and resets the style at the end.
    pub(super) fn finish(
        &mut self,
        show: &mut impl FnMut(Fragment<'_>),
        piece: impl for<'a> Fn(&'a [u8]) -> Fragment<'a>,
    ) {
        if !self.bytes.is_empty() {
            self.style.close(&mut self.bytes);
        }
        show(piece(&self.bytes));
        self.clear();
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.sight = Sight::Nothing;
        (self.has_returned, self.is_erased) = (false, false);
    }

    /// Returns whether the style will be set before the next text anyway, so that changing it needs no bytes.
    fn is_set_anyway(&self) -> bool {
        self.bytes.is_empty() && self.style.is_open()
    }

    /// Adds an escape sequence, which is never split.
    fn put_sequence(&mut self, parts: [&[u8]; 3], show: &mut impl FnMut(Fragment<'_>)) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.bytes.len() + length > self.limit {
            self.finish(show, |bytes| Fragment::Line(bytes));
            self.style.open(&mut self.bytes);
        }
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
    }

    /// Adds to the line, and breaks it if it exceeds the limit.
    fn put(&mut self, mut bytes: &[u8], show: &mut impl FnMut(Fragment<'_>)) {
        loop {
            if self.is_set_anyway() {
                self.style.open(&mut self.bytes);
            }
            let room = self.limit.saturating_sub(self.bytes.len());
            if bytes.len() <= room {
                break;
            }
            // Something is put in any case.
            let room = room.max(1);
            self.bytes.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
            self.finish(show, |bytes| Fragment::Line(bytes));
        }
        self.bytes.extend_from_slice(bytes);
    }
}

fn sight_of(text: &[u8]) -> Sight {
    match text.iter().any(|byte| !matches!(byte, b' ' | b'\t')) {
        true => Sight::Text,
        false if text.is_empty() => Sight::Nothing,
        false => Sight::Blank,
    }
}
