mod properties;

use super::line::SCREEN;
use super::*;
use crate::output::LineAssembler;
use crate::output::splitter::LINE_LIMIT;

/// A pause of the program.
const PAUSE: &[u8] = b"(pause)";

/// Returns what is shown: lines, parts with `…` behind them, and `(over)`.
fn shown(pieces: &[&[u8]]) -> Vec<String> {
    let (mut lines, mut out) = (LineAssembler::filtered(), Vec::new());
    let mut show = |piece: Fragment<'_>| {
        out.push(match piece {
            Fragment::Line(bytes) => bytes.escape_ascii().to_string(),
            Fragment::Partial(bytes) => format!("{}…", bytes.escape_ascii()),
            Fragment::Restarted => "(over)".to_owned(),
        });
    };
    for piece in pieces {
        match *piece {
            PAUSE => lines.silence(&mut show),
            bytes => lines.push(bytes, &mut show),
        }
    }
    lines.end(&mut show);
    out
}

#[test]
fn text_colours_links_and_tabs_pass_and_nothing_else_does() {
    let same = [
        "plain\\ttext\\x00\\x07\\x7f",
        "\\x1b[1;31mred\\x1b[0m \\x1b[38;5;208mx\\x1b[m \\x1b[38;2;1;2;3;4my\\x1b[0m",
        "\\x1b[91;48:5:17mq\\x1b[0m",
        "\\x1b]8;;http://a/\\x1b\\\\link\\x1b]8;;\\x1b\\\\ \\x1b]8;id=1;http://b/\\x07two\\x1b]8;;\\x07",
        "\\xff\\x9b2J \\xe2\\x9b\\x84 \\xc2\\xa9 \\xc2",
        "\\x1b[0mnothing was on",
    ];
    // What is taken out does not make one control of two bytes.
    assert_eq!(shown(&[b"a\xc2\x1b[K\x9b2J\n", b"\xc2\r\x9b2J\n"]), ["a\\xc22J", "2J"]);
    assert_eq!(shown(&[b"a\xc2\x1b[K\x9b", b"\x9b2J\n"]), ["a\\xc22J"]);
    let gone: [&[u8]; 34] = [
        b"\x1b[3A",
        b"\x1b[H",
        b"\x1b[5;7H",
        b"\x1b[20G",
        b"\x1b[2J",
        b"\x1b[2K",
        b"\x1b[4L",
        b"\x1b[2;9r",
        b"\x1b[?1049h",
        b"\x1b[?25l",
        b"\x1b[?1000;1006h",
        b"\x1b]0;TITLE\x07",
        b"\x1b]2;TITLE\x1b\\",
        b"\x1b[c",
        b"\x1b[6n",
        b"\x1b]11;?\x07",
        b"\x1bP+q544e\x1b\\",
        b"\x1bc",
        b"\x1b7",
        b"\x1b(0",
        b"\x0e",
        b"\x0f",
        b"\x08",
        b"\x0b",
        b"\x0c",
        b"\x05",
        b"\xc2\x9b2J",
        b"\xc2\x85",
        b"\xc2\x9d0;TITLE\xc2\x9c",
        b"\x1b[>4;2m",
        b"\x1b[?4m",
        b"\x1b]52;c;eA==\x07",
        b"\x1bkTITLE\x1b\\",
        b"\x1b[1$}",
    ];
    for line in same {
        let bytes = unescaped(line);
        assert_eq!(shown(&[&bytes, b"\n"]), [line]);
    }
    for sequence in gone {
        let line = [b"a", sequence, b"b\n"].concat();
        assert_eq!(shown(&[&line]), ["ab"], "{}", sequence.escape_ascii());
        let line = [sequence, b"<text>\n"].concat();
        assert_eq!(shown(&[&line]), ["<text>"], "{}", sequence.escape_ascii());
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let (byte, length) = match (first, behind) {
            (b'\\', [b'x', hex @ ..]) => {
                let hex = std::str::from_utf8(&hex[..2]).unwrap();
                (u8::from_str_radix(hex, 16).unwrap(), 4)
            }
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', _) => (b'\\', 2),
            (byte, _) => (*byte, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes
}

#[test]
fn a_carriage_return_begins_the_line_again() {
    let table: [(&[&[u8]], &[&str]); 17] = [
        (&[b" 10%\r 20%\r100%\nafter\n"], &["100%", "after"]),
        (&[b"\r 10%", b"\r100%", b"\n"], &["100%"]),
        (&[b"10%\r", b"20%\r\n"], &["20%"]),
        (&[b"a\r\r\nb\n"], &["a", "b"]),
        (&[b"a\r\x1b[32m\x1b[0m\n"], &["a\\x1b[32m\\x1b[0m"]),
        // A colour that was set in what is gone is in force anyway.
        (&[b"\x1b[31m10%\r20%\x1b[0m\n"], &["\\x1b[31m20%\\x1b[0m"]),
        // Erased before it is begun again, as most do it; Node's libraries go to column 1.
        (&[b"10%\r\x1b[K\n"], &[]),
        (&[b"10%\r\x1b[Kdone\n"], &["done"]),
        (&[b"10%\x1b[2K\rdone\n"], &["done"]),
        (&[b"10%\x1b[2K\r\n"], &[]),
        (&[b"\x1b[1G\x1b[0K|\x1b[1G\x1b[0K/\x1b[1G\x1b[0Kdone\n"], &["done"]),
        (&[b"10%\r   \r\n"], &[]),
        // Nothing is lost where the line does not begin again.
        (&[b"10%\x1b[2K\n"], &["10%"]),
        (&[b"10%\x1b[K!\n"], &["10%!"]),
        // At the end, and at a pause.
        (&[b"10%\r20%"], &["20%"]),
        (&[b"10%\r"], &["10%"]),
        (&[b"10%\r\x1b[K"], &[]),
    ];
    for (pieces, expected) in table {
        assert_eq!(shown(pieces), expected, "{pieces:?}");
    }
}

#[test]
fn what_was_shown_in_a_pause_goes_on_or_is_over() {
    let table: [(&[&[u8]], &[&str]); 13] = [
        (&[b"name: ", PAUSE, b"Ada\nnext\n"], &["name: …", "Ada", "next"]),
        (
            &[b"\r10%", PAUSE, b"\r20%", b"\r30%", PAUSE, b"\n"],
            &["10%…", "(over)", "30%…", "(over)"],
        ),
        (&[b"10%\r", PAUSE, b"20%\r\n"], &["10%…", "(over)", "20%"]),
        (&[b"10%\r", PAUSE, b"\n"], &["10%…", ""]),
        (&[b"10%", PAUSE, b"\r\x1b[K", b"done\n"], &["10%…", "(over)", "done"]),
        (&[b"10%", PAUSE, PAUSE], &["10%…"]),
        (&[b"a\n\n", PAUSE, b"b\n"], &["a", "", "b"]),
        (&[b"a\n\n", b"b\n"], &["a", "", "b"]),
        (&[b"a\n\n\n"], &["a", "", ""]),
        (
            &[b"\x1b[31mred? ", PAUSE, b"yes\x1b[0m\n"],
            &["\\x1b[31mred? \\x1b[0m…", "\\x1b[31myes\\x1b[0m"],
        ),
        // Nothing to be seen is nothing to be shown.
        (&[b"\x1b[?25l\x1b[1m", PAUSE, b"x"], &["\\x1b[1mx\\x1b[0m"]),
        (&[b"> \x1b[", PAUSE, b"6nx"], &["> …", "x"]),
        (&[b"a\nname: ", PAUSE, b"Ada\n", b"\rb\n"], &["a", "name: …", "Ada", "b"]),
    ];
    for (pieces, expected) in table {
        assert_eq!(shown(pieces), expected, "{pieces:?}");
    }
}

#[test]
fn a_line_that_is_empty_only_without_its_drawing_was_none() {
    let table: [(&[u8], &[&str]); 9] = [
        (b"a\n\nb\n", &["a", "", "b"]),
        (b"\x1b[2K\n\x1b[?25l\na\n", &["a"]),
        (b"\x1b[0m\n", &["\\x1b[0m"]),
        (b" \t\n", &[" \\t"]),
        (b"\x1b[2J\x1b[H \n", &[]),
        (b"\x1b]0;title\x07\n", &[]),
        // The screen is pushed up before it is erased, as Vite does it.
        (b"a\n\n\n\n\x1b[1;1H\x1b[0J\n  VITE ready\n\n", &["a", "  VITE ready", ""]),
        (b"\n\n\x1b[32mok\x1b[0m\n", &["", "", "\\x1b[32mok\\x1b[0m"]),
        (b"\x1b[31m\n\nred\n", &["\\x1b[31m\\x1b[0m", "", "\\x1b[31mred\\x1b[0m"]),
    ];
    for (bytes, expected) in table {
        assert_eq!(shown(&[bytes]), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn empty_lines_without_an_end_are_shown_as_they_come() {
    let (mut lines, mut count) = (LineAssembler::filtered(), 0);
    for _ in 0..10 {
        lines.push(&[b'\n'; SCREEN], |_| count += 1);
    }
    assert_eq!(count, 9 * SCREEN);
    lines.end(|_| count += 1);
    assert_eq!(count, 10 * SCREEN);
}

#[test]
fn what_comes_behind_an_end_begins_without_what_was_on() {
    let (mut lines, mut out) = (LineAssembler::filtered(), Vec::new());
    let mut show = |piece: Fragment<'_>| out.push(format!("{piece:?}"));
    lines.push(b"\x1b[31mred\n", &mut show);
    lines.end(&mut show);
    lines.push(b"\x1b[0", &mut show);
    lines.end(&mut show);
    lines.push(b"mplain\n", &mut show);
    let line = |bytes: &[u8]| format!("{:?}", Fragment::Line(bytes));
    assert_eq!(out, [line(b"\x1b[31mred\x1b[0m"), line(b"mplain")]);
}

#[test]
fn what_is_on_at_a_lines_end_is_off_there_and_on_again_in_the_next() {
    let table: [(&[u8], &[&str]); 7] = [
        (
            b"\x1b[1;31mone\ntwo\nthree\x1b[0m\nfour\n",
            &[
                "\\x1b[1;31mone\\x1b[0m",
                "\\x1b[1;31mtwo\\x1b[0m",
                "\\x1b[1;31mthree\\x1b[0m",
                "four",
            ],
        ),
        // Most programs end their colour behind the newline.
        (b"\x1b[31mred\n\x1b[0mplain\n", &["\\x1b[31mred\\x1b[0m", "plain"]),
        (
            b"\x1b[31mred\n\x1b[32mgreen\n\x1b[m",
            &["\\x1b[31mred\\x1b[0m", "\\x1b[32mgreen\\x1b[0m"],
        ),
        (b"\x1b[1mbold\n\x1b[31mboth\n", &["\\x1b[1mbold\\x1b[0m", "\\x1b[1;31mboth\\x1b[0m"]),
        (
            b"\x1b]8;;u\x07a\nb\x1b]8;;\x07\nc\n",
            &["\\x1b]8;;u\\x07a\\x1b]8;;\\x1b\\\\", "\\x1b]8;;u\\x1b\\\\b\\x1b]8;;\\x07", "c"],
        ),
        (b"\x1b[31mred", &["\\x1b[31mred\\x1b[0m"]),
        (b"\x1b[99mwho knows\nplain\n", &["\\x1b[99mwho knows\\x1b[0m", "plain"]),
    ];
    for (bytes, expected) in table {
        assert_eq!(shown(&[bytes]), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_sequence_without_an_end_takes_no_other_line() {
    for sequence in ["\x1b]0;title", "\x1bPq", "\x1b[12", "\x1b]8;;http://a/", "\x1b_x", "\x1b("] {
        let bytes = format!("before\n{sequence}\nbehind\n");
        assert_eq!(shown(&[bytes.as_bytes()]), ["before", "behind"], "{sequence:?}");
    }
}

#[test]
fn a_line_past_the_limit_is_broken_with_its_colour() {
    let mut line = FilteredLine { limit: 12, ..FilteredLine::default() };
    let (mut parser, mut out) = (Parser::default(), Vec::new());
    parser.push(b"\x1b[31mabcdefgh\x1b[0mi\n", |token| {
        line.take(token, &mut |piece| {
            let Fragment::Line(bytes) = piece else { panic!("{piece:?}") };
            out.push(bytes.escape_ascii().to_string());
        });
    });
    let red = |text| format!("\\x1b[31m{text}\\x1b[0m");
    assert_eq!(out, [red("abcdefg"), format!("{}i", red("h"))]);
}

#[test]
fn the_memory_of_a_long_line_is_given_back_and_plain_lines_are_only_split() {
    let mut lines = LineAssembler::filtered();
    let mut sizes = Vec::new();
    let mut show = |piece: Fragment<'_>| {
        if let Fragment::Line(bytes) = piece {
            sizes.push(bytes.len());
        }
    };
    lines.push(b"\x1b[1mbold\x1b[0m ", &mut show);
    for _ in 0..20 {
        lines.push(&[b'x'; 1 << 20], &mut show);
    }
    lines.push(b"\nshort\n", &mut show);
    assert_eq!(sizes, [LINE_LIMIT, (4 << 20) + 13, 5]);
    assert!(lines.plain(b"plain\n").is_some());
    assert!(lines.plain(b"\x1b[1m").is_none());
    assert!(lines.plain(b"plain\n\n").is_none());
}
