//! Text without escape sequences.

use std::borrow::Cow;

use memchr::memchr2;

use super::escape::{Parser, TerminalToken};

/// Returns the bytes without escape sequences: colours, links, cursor movement, titles. All other bytes stay.
pub fn without_escapes(bytes: &[u8]) -> Cow<'_, [u8]> {
    // ESC, and what a C1 control begins with.
    if memchr2(0x1b, 0xc2, bytes).is_none() {
        return Cow::Borrowed(bytes);
    }
    let (mut parser, mut out) = (Parser::default(), Vec::with_capacity(bytes.len()));
    let mut take = |token: TerminalToken<'_>| match token {
        TerminalToken::Text(text) => out.extend_from_slice(text),
        TerminalToken::Control(byte) => out.push(byte),
        TerminalToken::Csi(_) | TerminalToken::Osc { .. } | TerminalToken::Other => {}
    };
    parser.push(bytes, &mut take);
    parser.end(&mut take);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_escape_sequences_is_taken_out() {
        let table: [(&[u8], &[u8]); 7] = [
            (b"plain\ttext\r", b"plain\ttext\r"),
            (b"\x1b[31mred\x1b[0m line\r", b"red line\r"),
            (b"\x1b]8;;http://a/\x1b\\link\x1b]8;;\x07.", b"link."),
            (b"\xff\xfe \x00\x07 \xc2\xa9 \x1b(B\xc2", b"\xff\xfe \x00\x07 \xc2\xa9 \xc2"),
            (b"10%\r\x1b[2K20%\x08", b"10%\r20%\x08"),
            (b"cut \x1b[3", b"cut "),
            (b"", b""),
        ];
        for (bytes, expected) in table {
            assert_eq!(without_escapes(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
