//! Terminal modes that programs have set, and the sequences that reset them for the shell afterwards.

use super::escape::{Parser, TerminalToken};

/// Modes of `CSI ? N h` and `l` (xterm's ctlseqs) that change what the user sees or what keys and mouse send, each with
/// its default.
const MODES: [(u16, bool); 26] = [
    // The alternate screen first: a terminal may have the other modes per screen.
    (1049, false),
    (1047, false),
    (47, false),
    // Application cursor keys, reverse video, origin, wrap, blinking, visible cursor, margins, reverse wrap.
    (1, false),
    (5, false),
    (6, false),
    (7, true),
    (12, false),
    (25, true),
    (45, false),
    (69, false),
    // Application keypad.
    (66, false),
    // Mouse and focus, in all their forms.
    (9, false),
    (1000, false),
    (1001, false),
    (1002, false),
    (1003, false),
    (1004, false),
    (1005, false),
    (1006, false),
    (1015, false),
    (1016, false),
    // Pasted text in brackets, synchronised output, news of colours and of sizes.
    (2004, false),
    (2026, false),
    (2031, false),
    (2048, false),
];

/// Tracks the modes that the bytes sent to a terminal have set.
#[derive(Debug, Default)]
pub struct Modes {
    parser: Parser,
    set: ModeState,
}

#[derive(Debug)]
struct ModeState {
    /// In the order of [`MODES`].
    modes: [bool; MODES.len()],
    inserts: bool,
    has_margins: bool,
    has_cursor_shape: bool,
    /// Keyboard protocols: how often kitty's was pushed, and whether xterm's is on.
    pushed_keys: u16,
    has_keys: bool,
    modifies_keys: bool,
    /// Changed colours: of the palette, the text, the background and the cursor.
    has_colours: [bool; 4],
    has_link: bool,
}

impl Default for ModeState {
    fn default() -> Self {
        Self {
            modes: MODES.map(|(_, is_on)| is_on),
            inserts: false,
            has_margins: false,
            has_cursor_shape: false,
            pushed_keys: 0,
            has_keys: false,
            modifies_keys: false,
            has_colours: [false; 4],
            has_link: false,
        }
    }
}

impl Modes {
    /// Takes bytes that are sent to the terminal.
    pub fn note(&mut self, bytes: &[u8]) {
        let Self { parser, set } = self;
        parser.push(bytes, |token| set.take(token));
    }

    /// Returns the sequences that set modes again, for a program whose terminal was a shell's for a while.
    pub fn again(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for ((number, was_on), is_on) in MODES.iter().zip(&self.set.modes) {
            if is_on != was_on {
                let last = if *is_on { 'h' } else { 'l' };
                out.extend_from_slice(format!("\x1b[?{number}{last}").as_bytes());
            }
        }
        out
    }

    /// Returns the sequences that make the terminal usable for a shell.
    pub fn restore(&self) -> Vec<u8> {
        let ModeState { modes, .. } = &self.set;
        let mut out = Vec::new();
        // Ends an unterminated string.
        out.extend_from_slice(b"\x1b\\");
        if self.set.pushed_keys > 0 {
            out.extend_from_slice(format!("\x1b[<{}u", self.set.pushed_keys).as_bytes());
        }
        if self.set.has_keys {
            out.extend_from_slice(b"\x1b[=0u");
        }
        for ((number, is_on), was_on) in MODES.iter().zip(modes) {
            if is_on != was_on {
                let last = if *is_on { 'h' } else { 'l' };
                out.extend_from_slice(format!("\x1b[?{number}{last}").as_bytes());
            }
        }
        let rest: [(bool, &[u8]); 10] = [
            (self.set.inserts, b"\x1b[4l"),
            // Resetting the margins moves the cursor.
            (self.set.has_margins, b"\x1b7\x1b[r\x1b8"),
            (self.set.has_cursor_shape, b"\x1b[0 q"),
            (self.set.modifies_keys, b"\x1b[>4m"),
            (self.set.has_colours[0], b"\x1b]104\x1b\\"),
            (self.set.has_colours[1], b"\x1b]110\x1b\\"),
            (self.set.has_colours[2], b"\x1b]111\x1b\\"),
            (self.set.has_colours[3], b"\x1b]112\x1b\\"),
            (self.set.has_link, b"\x1b]8;;\x1b\\"),
            // Charset, keypad and colours: an unnecessary reset does no harm.
            (true, b"\x1b(B\x0f\x1b>\x1b[0m"),
        ];
        for (is_set, end) in rest {
            if is_set {
                out.extend_from_slice(end);
            }
        }
        out
    }
}

impl ModeState {
    fn take(&mut self, token: TerminalToken<'_>) {
        match token {
            TerminalToken::Csi(sequence) => self.csi(sequence),
            TerminalToken::Osc { payload, .. } => self.osc(payload),
            TerminalToken::Text(_) | TerminalToken::Control(_) | TerminalToken::Other => {}
        }
    }

    fn csi(&mut self, sequence: &[u8]) {
        let Some((last, parameters)) = sequence.split_last() else { return };
        match (parameters, last) {
            ([b'?', numbers @ ..], b'h' | b'l') => self.private(numbers, *last == b'h'),
            ([b'>', ..], b'u') => self.pushed_keys = self.pushed_keys.saturating_add(1),
            ([b'<', count @ ..], b'u') => {
                let count = number(count).unwrap_or(1).max(1);
                self.pushed_keys = self.pushed_keys.saturating_sub(count);
            }
            ([b'=', ..], b'u') => self.has_keys = true,
            ([b'>', b'4', ..], b'm') => self.modifies_keys = true,
            ([.., b' '], b'q') => self.has_cursor_shape = true,
            (b"4", b'h' | b'l') => self.inserts = *last == b'h',
            ([], b'r') => self.has_margins = false,
            ([b'0'..=b'9' | b';', ..], b'r') => self.has_margins = true,
            // A soft reset.
            (b"!", b'p') => {
                for (number, is_on) in [(1, false), (6, false), (7, true), (25, true)] {
                    self.mode(number, is_on);
                }
                (self.inserts, self.has_margins) = (false, false);
            }
            _ => {}
        }
    }

    fn private(&mut self, numbers: &[u8], is_on: bool) {
        for number in numbers.split(|byte| *byte == b';').filter_map(number) {
            self.mode(number, is_on);
        }
    }

    fn mode(&mut self, number: u16, is_on: bool) {
        if let Some(at) = MODES.iter().position(|(known, _)| *known == number) {
            self.modes[at] = is_on;
        }
    }

    fn osc(&mut self, payload: &[u8]) {
        let Some(at) = memchr::memchr(b';', payload) else { return };
        // A query changes nothing.
        if payload.ends_with(b"?") {
            return;
        }
        if let Some(link) = payload.strip_prefix(b"8;") {
            self.has_link = memchr::memchr(b';', link).is_some_and(|at| at + 1 < link.len());
        }
        if let Some(at) = [4, 10, 11, 12].iter().position(|it| number(&payload[..at]) == Some(*it))
        {
            self.has_colours[at] = true;
        }
    }
}

fn number(digits: &[u8]) -> Option<u16> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sequences that are always written.
    const ALWAYS: &str = "\x1b(B\x0f\x1b>\x1b[0m";

    fn restored(pieces: &[&str]) -> String {
        let mut modes = Modes::default();
        pieces.iter().for_each(|piece| modes.note(piece.as_bytes()));
        let text = String::from_utf8(modes.restore()).unwrap();
        let text = text.strip_prefix("\x1b\\").unwrap();
        text.strip_suffix(ALWAYS).unwrap().to_owned()
    }

    #[test]
    fn what_was_set_is_taken_back_and_nothing_else() {
        let table: [(&[&str], &str); 21] = [
            (&["plain \x1b[31mred\x1b[0m\r\n"], ""),
            (&["\x1b[?1049h\x1b[?25l"], "\x1b[?1049l\x1b[?25h"),
            (&["\x1b[?10", "49", "h"], "\x1b[?1049l"),
            (&["\x1b[?1049h", "\x1b[?1049l"], ""),
            (&["\x1b[?1049;25;2004h\x1b[?1049l"], "\x1b[?2004l"),
            (&["\x1b[?47h"], "\x1b[?47l"),
            (&["\x1b[?1000;1006h\x1b[?1004h"], "\x1b[?1000l\x1b[?1004l\x1b[?1006l"),
            (&["\x1b[?7l\x1b[?1h"], "\x1b[?1l\x1b[?7h"),
            (&["\x1b[2;9r"], "\x1b7\x1b[r\x1b8"),
            (&["\x1b[2;9r\x1b[r"], ""),
            (&["\x1b[4h"], "\x1b[4l"),
            (&["\x1b[?25l\x1b[4h\x1b[2;9r\x1b[!p"], ""),
            (&["\x1b[6 q"], "\x1b[0 q"),
            (&["\x1b[>1u\x1b[>5u\x1b[<u"], "\x1b[<1u"),
            (&["\x1b[=1u"], "\x1b[=0u"),
            (&["\x1b[>4;2m"], "\x1b[>4m"),
            (&["\x1b]11;?\x07\x1b]0;title\x07"], ""),
            (&["\x1b]11;#000000\x07\x1b]4;1;red\x1b\\"], "\x1b]104\x1b\\\x1b]111\x1b\\"),
            (&["\x1b]8;;http://a/\x07link"], "\x1b]8;;\x1b\\"),
            (&["\x1b]8;;http://a/\x07link\x1b]8;;\x07"], ""),
            (&["\x1b[?9999h\x1b[?h\x1b[x"], ""),
        ];
        for (pieces, expected) in table {
            assert_eq!(restored(pieces), expected, "{pieces:?}");
        }
    }
}
