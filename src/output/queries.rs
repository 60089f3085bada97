//! Removes queries from earlier output before it is shown again: the terminal would answer them again, and the answer
//! would be typed into a program that does not expect it.

use super::escape::{Parser, TerminalToken};

/// Returns the bytes without queries.
pub(super) fn without_questions(bytes: &[u8]) -> Vec<u8> {
    let mut parser = Parser::default();
    let mut out = Vec::new();
    let mut start = 0;
    for at in 0..bytes.len() {
        let mut asks = false;
        parser.push(&bytes[at..=at], |token| asks |= is_question(token));
        if parser.is_idle() {
            let sequence = &bytes[start..=at];
            let is_request = [&b"\x1bP+q"[..], b"\x1bP$q", b"\x1bZ"];
            if !asks && !is_request.iter().any(|it| sequence.starts_with(it)) {
                out.extend_from_slice(sequence);
            }
            start = at + 1;
        }
    }
    // It continues in later output.
    out.extend_from_slice(&bytes[start..]);
    out
}

/// Returns whether a terminal answers a sequence (xterm's ctlseqs; kitty's keyboard protocol).
fn is_question(token: TerminalToken<'_>) -> bool {
    match token {
        TerminalToken::Control(0x05) => true,
        TerminalToken::Csi([.., b'n' | b'c' | b'x' | b't'] | [.., b'$', b'p']) => true,
        TerminalToken::Csi([b'?', .., b'u' | b'S'] | [b'>', .., b'q']) => true,
        TerminalToken::Osc { payload, .. } => payload.ends_with(b"?"),
        TerminalToken::Text(_)
        | TerminalToken::Control(_)
        | TerminalToken::Csi(_)
        | TerminalToken::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_the_terminal_is_left_out_and_all_else_is_as_it_was() {
        let questions: [&[u8]; 13] = [
            b"\x1b[6n",
            b"\x1b[c",
            b"\x1b[>c",
            b"\x1b[?2026$p",
            b"\x1b[?u",
            b"\x1b[>0q",
            b"\x1b[14t",
            b"\x1b[?2;1S",
            b"\x1b]11;?\x07",
            b"\x1b]4;1;?\x1b\\",
            b"\x1bP+q544e\x1b\\",
            b"\x1bZ",
            b"\x05",
        ];
        for question in questions {
            let bytes = [b"a", question, b"b"].concat();
            assert_eq!(without_questions(&bytes), b"ab", "{}", question.escape_ascii());
        }
        let kept: [&[u8]; 6] = [
            b"\xffa\r\n\x1b[1;31mred\x1b[?1049h\x1b[2J\x1b[3;5H\x1b]0;title\x07",
            b"\x1b[>1u\x1b[<u\x1b[4S\x1b[6 q\x1b7\x1b8\x1b(0",
            b"\x1bPq#0\x1b\\ \xc2\xa9 \xc2",
            b"\x1b[12\nx",
            b"half \x1b[6",
            b"half \x1b]11;",
        ];
        for bytes in kept {
            assert_eq!(without_questions(bytes), bytes, "{}", bytes.escape_ascii());
        }
    }
}
