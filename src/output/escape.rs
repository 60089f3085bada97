//! Parses bytes as a terminal does (ECMA-48; vt100.net/emu/dec_ansi_parser): text, control characters and escape
//! sequences, in any pieces.
//!
//! The `vte` crate is not used because it returns characters (invalid UTF-8 is lost), buffers an unterminated OSC for
//! ever, and does not end one at a line feed. Here, text remains a slice of the input.

use super::splitter::LINE_LIMIT;

/// Longer sequences are dropped: no colour is that long, and no link that terminals accept.
const KEPT: usize = 8 << 10;
/// An unterminated string that is longer than this was not meant as one; what follows is text.
const STRING_LIMIT: usize = LINE_LIMIT / 16;

/// A token of a terminal's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TerminalToken<'a> {
    /// Bytes that are shown, and bytes that do not move the cursor to another line: tab, NUL, BEL, DEL.
    Text(&'a [u8]),
    /// Any other byte below a space.
    Control(u8),
    /// What follows `ESC [`, including the final letter.
    Csi(&'a [u8]),
    /// What is between `ESC ]` and its terminator.
    Osc { payload: &'a [u8], end: &'static [u8] },
    /// Any other sequence, and one that is broken or too long.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ParserState {
    Ground,
    /// After 0xC2: the next byte may make it a C1 control, U+0080 to U+009F.
    Lead,
    /// After ESC.
    Escape,
    Csi,
    /// In an OSC (true), or in a DCS, SOS, PM or APC.
    String(bool),
    /// In a string, after ESC: a backslash ends it.
    StringEscape(bool),
    /// In a string, after 0xC2: U+009C ends it.
    StringLead(bool),
}

/// Remembers an unfinished sequence between two reads.
#[derive(Debug)]
pub(super) struct Parser {
    state: ParserState,
    /// The sequence without its introducer, up to the limit.
    held: Vec<u8>,
    /// The length of the sequence.
    length: usize,
}

impl Default for Parser {
    fn default() -> Self {
        Self { state: ParserState::Ground, held: Vec::new(), length: 0 }
    }
}

/// Returns whether a byte may not be text: 0xC2 may begin a C1 control.
fn is_special(byte: u8) -> bool {
    (byte < b' ' && !matches!(byte, b'\t' | 0 | 7)) || byte == 0xc2
}

/// Returns non-zero if a byte may be special. For speed, NUL and BEL count as special, too.
fn doubt(byte: u8) -> u8 {
    let is_control = u8::from(byte < b' ') & u8::from(byte.wrapping_sub(b'\t') > 1);
    is_control | u8::from(byte == 0xc2)
}

/// Returns whether bytes contain only text and line feeds. The compiler vectorises the loop (16 bytes at a time).
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<64>();
    let is_plain = |chunk: &[u8]| chunk.iter().fold(0, |all, byte| all | doubt(*byte)) == 0;
    chunks.iter().all(|chunk| is_plain(chunk)) && is_plain(rest)
}

/// Returns the position of the first special byte.
fn find_special(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    for chunk in bytes.chunks(32) {
        let any = chunk.iter().fold(0, |all, byte| all | doubt(*byte) | u8::from(*byte == b'\n'));
        if any != 0
            && let Some(at) = chunk.iter().position(|byte| is_special(*byte))
        {
            return Some(start + at);
        }
        start += chunk.len();
    }
    None
}

/// Returns the parameters of an SGR, which sets colours and attributes. Other CSI end with the same letter: `CSI > 4 m`
/// changes what keys send.
pub(super) fn sgr(sequence: &[u8]) -> Option<&[u8]> {
    let parameters = sequence.strip_suffix(b"m")?;
    parameters.iter().all(|byte| matches!(byte, b'0'..=b';')).then_some(parameters)
}

/// Returns the length of the first line if it is not empty and can be shown unchanged: text, with colours that it
/// resets in the usual way. For other lines, which may be as harmless, the parser must be used.
pub(super) fn find_closed_line(bytes: &[u8]) -> Option<usize> {
    let end = memchr::memchr(b'\n', bytes).filter(|end| *end > 0)?;
    let mut rest = &bytes[..end];
    // Whether any attribute is on, and whether one is on that is no text colour.
    let (mut is_on, mut is_more) = (false, false);
    while let Some(at) = find_special(rest) {
        let sequence = whole_csi(rest[at..].strip_prefix(b"\x1b")?)?;
        (is_on, is_more) = match sgr(sequence)? {
            b"" | b"0" => (false, false),
            b"39" => (is_more, is_more),
            [b'3' | b'9', b'0'..=b'7'] => (true, is_more),
            _ => (true, true),
        };
        rest = &rest[at + b"\x1b[".len() + sequence.len()..];
    }
    (!is_on).then_some(end)
}

impl Parser {
    /// Returns whether no sequence is unfinished.
    pub(super) fn is_idle(&self) -> bool {
        self.state == ParserState::Ground
    }

    /// Parses the next bytes, and calls `take` with each token.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(TerminalToken<'_>)) {
        while !bytes.is_empty() {
            if self.state == ParserState::Ground {
                bytes = self.ground(bytes, &mut take);
            } else if self.step(bytes[0], &mut take) {
                bytes = &bytes[1..];
            }
        }
    }

    /// Passes on a byte that was held back: half a character.
    pub(super) fn end(&mut self, mut take: impl FnMut(TerminalToken<'_>)) {
        if self.state == ParserState::Lead {
            take(TerminalToken::Text(b"\xc2"));
        }
        self.state = ParserState::Ground;
    }

    /// Parses text up to the next control character, and that character.
    fn ground<'a>(
        &mut self,
        bytes: &'a [u8],
        take: &mut impl FnMut(TerminalToken<'_>),
    ) -> &'a [u8] {
        let mut end = 0;
        let special = loop {
            let Some(at) = find_special(&bytes[end..]).map(|at| end + at) else { break None };
            end = at;
            match (bytes[at], bytes.get(at + 1)) {
                // The first half of an ordinary character.
                (0xc2, Some(next)) if !(0x80..=0x9f).contains(next) => end += 1,
                (byte, _) => break Some(byte),
            }
        };
        let Some(special) = special else {
            take(TerminalToken::Text(bytes));
            return &[];
        };
        if end > 0 {
            take(TerminalToken::Text(&bytes[..end]));
        }
        let rest = &bytes[end + 1..];
        match special {
            0xc2 => self.state = ParserState::Lead,
            0x1b => {
                if let Some(sequence) = whole_csi(rest) {
                    take(TerminalToken::Csi(sequence));
                    return &rest[1 + sequence.len()..];
                }
                self.begin(ParserState::Escape);
            }
            control => take(TerminalToken::Control(control)),
        }
        rest
    }

    fn begin(&mut self, state: ParserState) {
        self.state = state;
        self.held.clear();
        self.length = 0;
    }

    fn keep(&mut self, byte: u8) {
        self.length += 1;
        if self.length <= KEPT {
            self.held.push(byte);
        }
    }

    /// Ends an invalid sequence.
    fn abandon(&mut self, take: &mut impl FnMut(TerminalToken<'_>)) -> bool {
        self.state = ParserState::Ground;
        take(TerminalToken::Other);
        false
    }

    /// Parses a byte outside of text. Returns false if the byte belongs to what follows.
    fn step(&mut self, byte: u8, take: &mut impl FnMut(TerminalToken<'_>)) -> bool {
        match (self.state, byte) {
            (ParserState::Ground, _) => return false,
            (ParserState::Lead, 0x80..=0x9f) => self.c1(byte, take),
            (ParserState::Lead, _) => {
                self.state = ParserState::Ground;
                take(TerminalToken::Text(b"\xc2"));
                return false;
            }
            (ParserState::Escape | ParserState::Csi, 0x1b) => {
                take(TerminalToken::Other);
                self.begin(ParserState::Escape);
            }
            (ParserState::Escape | ParserState::Csi, 0..0x20 | 0x80..) => {
                return self.abandon(take);
            }
            (ParserState::Escape | ParserState::Csi, 0x7f) => {}
            (ParserState::Escape, b'[' | b']' | b'P' | b'X' | b'^' | b'_' | b'k')
                if self.length == 0 =>
            {
                self.begin(match byte {
                    b'[' => ParserState::Csi,
                    // `ESC k` is how screen(1) and tmux(1) set a title.
                    _ => ParserState::String(byte == b']'),
                });
            }
            (ParserState::Escape, 0x20..=0x2f) => self.keep(byte),
            (ParserState::Escape, _) => return !self.abandon(take),
            (ParserState::Csi, _) => {
                self.keep(byte);
                if byte >= 0x40 {
                    self.state = ParserState::Ground;
                    let is_whole = self.length <= KEPT;
                    take(if is_whole {
                        TerminalToken::Csi(&self.held)
                    } else {
                        TerminalToken::Other
                    });
                }
            }
            (ParserState::String(is_osc), _) => return self.step_in_string(is_osc, byte, take),
            (ParserState::StringEscape(is_osc), b'\\') => self.end_string(is_osc, b"\x1b\\", take),
            (ParserState::StringEscape(_), _) => {
                take(TerminalToken::Other);
                self.begin(ParserState::Escape);
                return false;
            }
            (ParserState::StringLead(is_osc), 0x9c) => self.end_string(is_osc, b"\x1b\\", take),
            (ParserState::StringLead(_), 0x80..=0x9f) => {
                take(TerminalToken::Other);
                self.c1(byte, take);
            }
            (ParserState::StringLead(is_osc), _) => {
                self.keep(0xc2);
                self.state = ParserState::String(is_osc);
                return false;
            }
        }
        true
    }

    /// Does the same within a string, which is an OSC or another.
    fn step_in_string(
        &mut self,
        is_osc: bool,
        byte: u8,
        take: &mut impl FnMut(TerminalToken<'_>),
    ) -> bool {
        match byte {
            0x07 if is_osc => self.end_string(true, b"\x07", take),
            0x07 => self.keep(byte),
            0x1b => self.state = ParserState::StringEscape(is_osc),
            0xc2 => self.state = ParserState::StringLead(is_osc),
            // A string contains no control characters: it was unterminated.
            0..0x20 => return self.abandon(take),
            _ if self.length >= STRING_LIMIT => return self.abandon(take),
            _ => self.keep(byte),
        }
        true
    }

    fn c1(&mut self, byte: u8, take: &mut impl FnMut(TerminalToken<'_>)) {
        match byte {
            0x9b => self.begin(ParserState::Csi),
            0x9d => self.begin(ParserState::String(true)),
            0x90 | 0x98 | 0x9e | 0x9f => self.begin(ParserState::String(false)),
            _ => {
                self.state = ParserState::Ground;
                take(TerminalToken::Other);
            }
        }
    }

    fn end_string(
        &mut self,
        is_osc: bool,
        end: &'static [u8],
        take: &mut impl FnMut(TerminalToken<'_>),
    ) {
        self.state = ParserState::Ground;
        let is_whole = is_osc && self.length <= KEPT;
        take(if is_whole {
            TerminalToken::Osc { payload: &self.held, end }
        } else {
            TerminalToken::Other
        });
    }
}

/// Returns a complete short CSI without its bracket. Most CSI come in one piece.
fn whole_csi(behind_escape: &[u8]) -> Option<&[u8]> {
    let rest = behind_escape.strip_prefix(b"[")?;
    let end = rest.iter().take(32).position(|byte| !matches!(byte, 0x20..=0x3f))?;
    matches!(rest[end], 0x40..=0x7e).then(|| &rest[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(pieces: &[&[u8]]) -> Vec<String> {
        let (mut parser, mut tokens) = (Parser::default(), Vec::new());
        for piece in pieces {
            parser.push(piece, |token| tokens.push(shown(token)));
        }
        parser.end(|token| tokens.push(shown(token)));
        tokens
    }

    fn shown(token: TerminalToken<'_>) -> String {
        match token {
            TerminalToken::Text(text) => format!("text {}", text.escape_ascii()),
            TerminalToken::Control(byte) => format!("control {byte:#x}"),
            TerminalToken::Csi(sequence) => format!("csi {}", sequence.escape_ascii()),
            TerminalToken::Osc { payload, end } => {
                format!("osc {} {}", payload.escape_ascii(), end.escape_ascii())
            }
            TerminalToken::Other => "other".to_owned(),
        }
    }

    #[test]
    fn bytes_are_taken_apart_as_a_terminal_does() {
        let table: [(&[u8], &[&str]); 24] = [
            (b"a\tb\0\x07\x7f", &["text a\\tb\\x00\\x07\\x7f"]),
            (b"a\nb\r\x08", &["text a", "control 0xa", "text b", "control 0xd", "control 0x8"]),
            (b"\x1b[1;31mx", &["csi 1;31m", "text x"]),
            (b"\x1b[>4;2m\x1b[0 q", &["csi >4;2m", "csi 0 q"]),
            (
                b"\x1b]0;t\x07x\x1b]8;;u\x1b\\y",
                &["osc 0;t \\x07", "text x", "osc 8;;u \\x1b\\\\", "text y"],
            ),
            (b"\x1b(0x\x1bcx\x1b#8x", &["other", "text x", "other", "text x", "other", "text x"]),
            (b"\x1bP+q\x07\x1b\\x\x1b_G\x1b\\y", &["other", "text x", "other", "text y"]),
            (b"\x1bktitle\x1b\\x", &["other", "text x"]),
            // An unterminated sequence ends at a line feed, and where another one begins.
            (b"\x1b]0;t\nx", &["other", "control 0xa", "text x"]),
            (b"\x1b]0;t\rx", &["other", "control 0xd", "text x"]),
            (b"\x1b]0;t\x1b[1mx", &["other", "csi 1m", "text x"]),
            (b"\x1b[12\nx", &["other", "control 0xa", "text x"]),
            (b"\x1b[1\x1b[2mx", &["other", "csi 2m", "text x"]),
            (b"\x1b\x1b[2mx", &["other", "csi 2m", "text x"]),
            (b"\x1b[1\xc3\xa9", &["other", "text \\xc3\\xa9"]),
            (b"\x1b(\x18x", &["other", "control 0x18", "text x"]),
            // C1 controls are characters of two bytes in UTF-8. A single byte is invalid UTF-8, and is kept.
            (b"\xc2\x9b2Jx", &["csi 2J", "text x"]),
            (b"a\xc2\x85b", &["text a", "other", "text b"]),
            (b"\xc2\x9d0;t\xc2\x9cx", &["osc 0;t \\x1b\\\\", "text x"]),
            (b"\xc2\x90q\xc2\x9b1mx", &["other", "csi 1m", "text x"]),
            (b"\x9b2J \xc2\xa9 \xe2\x9b\x84", &["text \\x9b2J \\xc2\\xa9 \\xe2\\x9b\\x84"]),
            (b"\x1b]8;;\xc2\xa9\x07", &["osc 8;;\\xc2\\xa9 \\x07"]),
            (b"x\xc2", &["text x", "text \\xc2"]),
            (b"\xc2\xc2\x85", &["text \\xc2", "other"]),
        ];
        for (bytes, expected) in table {
            assert_eq!(tokens(&[bytes]), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_sequence_in_pieces_is_the_same_sequence() {
        let whole: &[u8] =
            b"\x1b[1;31m\x1b]8;;http://a/\x1b\\\x1b(0\xc2\x9b2J\x1bPq\xc2\x9c\x1b]0;t\x07";
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(tokens(&bytes), tokens(&[whole]));
    }

    #[test]
    fn a_string_without_an_end_is_bounded_and_so_is_what_is_kept_of_a_sequence() {
        let endless = [b"\x1b]0;", &b"x".repeat(STRING_LIMIT)[..], b"shown"].concat();
        let mut parser = Parser::default();
        let mut text = Vec::new();
        parser.push(&endless, |token| {
            if let TerminalToken::Text(bytes) = token {
                text.extend_from_slice(bytes);
            }
        });
        assert!(text.ends_with(b"xshown"), "{}", text.len());
        assert!(parser.held.capacity() <= 2 * KEPT, "{}", parser.held.capacity());
        let long = |length| [b"\x1b[", &b"1".repeat(length)[..], b"m"].concat();
        assert_ne!(tokens(&[&long(KEPT - 1)]), ["other"]);
        assert_eq!(tokens(&[&long(KEPT)]), ["other"]);
    }

    #[test]
    fn plain_bytes_are_told_from_those_that_are_to_be_taken_apart() {
        for byte in 0..=u8::MAX {
            let is_text = !is_special(byte) && !matches!(byte, 0 | 7);
            let mut bytes = vec![b'x'; 600];
            bytes[599] = byte;
            assert_eq!(is_plain(&bytes), is_text || byte == b'\n', "{byte:#x}");
        }
    }
}
