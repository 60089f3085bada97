//! What holds for any bytes.

use proptest::prelude::*;

use super::super::*;
use super::shown;
use crate::output::LineAssembler;
use crate::output::escape::TerminalToken;
use crate::output::style::Style;

/// Takes out what may stand in a line by rules of its own, and returns the rest.
fn without_colours_and_links(mut line: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    while let Some((first, behind)) = line.split_first() {
        let is_sgr = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b';' | b':');
        let end = match behind {
            [b'[', parameters @ ..] if *first == 0x1b => {
                let length = parameters.iter().take_while(|byte| is_sgr(byte)).count();
                (parameters.get(length) == Some(&b'm')).then_some(length + 3)
            }
            [b']', b'8', b';', link @ ..] if *first == 0x1b => {
                let length = link.iter().take_while(|byte| **byte >= b' ').count();
                match &link[length..] {
                    [0x07, ..] => Some(length + 5),
                    [0x1b, b'\\', ..] => Some(length + 6),
                    _ => None,
                }
            }
            _ => None,
        };
        match end {
            Some(end) => line = &line[end..],
            None => {
                rest.push(*first);
                line = behind;
            }
        }
    }
    rest
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => proptest::sample::select(&b"\x1b[]\\;:0138mKGHP\r\n\n\x07\x08\xc2\x9b\x9c\x9d"[..]),
        2 => proptest::sample::select(&b"abc "[..]),
        1 => any::<u8>(),
    ];
    proptest::collection::vec(byte, 0..120)
}

/// Lines as programs write them, most of which are shown as they are.
fn coloured() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&[u8]] = &[
        b"\x1b[31m",
        b"\x1b[94m",
        b"\x1b[1;38;5;208m",
        b"\x1b[0m",
        b"\x1b[m",
        b"\x1b[39m",
        b"\x1b[0;1m",
        b"\x1b[77m",
        b"\x1b[K",
        b"\x1b[>4m",
        b"text",
        b" ",
        b"\t",
        b"\r",
        b"\xc2",
        b"\x9b",
        b"\n",
        b"\n",
        b"\n",
        b"\x1b]8;;u\x07",
        b"\x1b]8;;\x07",
    ];
    let words = proptest::collection::vec(proptest::sample::select(words), 0..40);
    words.prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn lines_that_are_shown_as_they_are_are_those_that_would_be_made(bytes in coloured()) {
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(shown(&[&bytes]), shown(&single));
    }

    #[test]
    fn no_line_draws_and_none_leaves_anything_on(bytes in stream()) {
        let mut lines = LineAssembler::filtered();
        let mut out: Vec<Vec<u8>> = Vec::new();
        let mut show = |piece: Fragment<'_>| {
            if let Fragment::Line(bytes) | Fragment::Partial(bytes) = piece {
                out.push(bytes.to_vec());
            }
        };
        let (a, b) = bytes.split_at(bytes.len() / 2);
        lines.push(a, &mut show);
        lines.silence(&mut show);
        lines.push(b, &mut show);
        lines.end(&mut show);
        for line in out {
            let rest = without_colours_and_links(&line);
            let draws = |pair: &[u8]| pair[0] == 0xc2 && (0x80..=0x9f).contains(&pair[1]);
            prop_assert!(!rest.windows(2).any(draws), "{}", line.escape_ascii());
            let is_control = |byte: &u8| *byte < b' ' && !matches!(*byte, b'\t' | 0 | 7);
            prop_assert!(!rest.iter().any(is_control), "{}", line.escape_ascii());
            let mut style = Style::default();
            Parser::default().push(&line, |token| match token {
                TerminalToken::Csi(sequence) => style.set(&sequence[..sequence.len() - 1]),
                TerminalToken::Osc { payload, .. } => style.link(payload),
                TerminalToken::Text(_) | TerminalToken::Control(_) | TerminalToken::Other => {}
            });
            prop_assert!(!style.is_open(), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn any_split_of_the_same_bytes_shows_the_same(
        bytes in stream(),
        cuts in proptest::collection::vec(0_usize..120, 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
        prop_assert_eq!(shown(&pieces), shown(&[&bytes]));
    }
}
