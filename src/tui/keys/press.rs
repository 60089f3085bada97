//! Keys as a terminal sends them (xterm's ctlseqs).

use std::fmt;
use std::str::FromStr;

/// As many equal arrows in one read are the wheel of a mouse: a terminal on its alternate screen sends arrows for it
/// (mode 1007 of xterm's ctlseqs), and nobody types that fast.
const WHEEL: usize = 3;
/// The beginning and the end of what is pasted.
const PASTE: (&[u8], &[u8]) = (b"\x1b[200~", b"\x1b[201~");

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyPress {
    /// A letter, a digit or a sign.
    Char(char),
    /// With the Ctrl key: a small letter or `]`.
    Ctrl(char),
    /// Enter.
    Enter,
    /// Esc.
    Esc,
    /// Tab.
    Tab,
    /// Shift and Tab.
    BackTab,
    /// Backspace.
    Backspace,
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
    /// Delete.
    Delete,
    /// The wheel, away from the person, over this column.
    WheelUp(u16),
    /// The wheel, towards the person, over this column.
    WheelDown(u16),
    /// The left button of the mouse, at this column and row.
    Click(u16, u16),
}

/// Keys that have a name in `ui.toml` and on the screen.
const NAMES: [(&str, KeyPress); 14] = [
    ("enter", KeyPress::Enter),
    ("esc", KeyPress::Esc),
    ("tab", KeyPress::Tab),
    ("shift-tab", KeyPress::BackTab),
    ("backspace", KeyPress::Backspace),
    ("up", KeyPress::Up),
    ("down", KeyPress::Down),
    ("left", KeyPress::Left),
    ("right", KeyPress::Right),
    ("page-up", KeyPress::PageUp),
    ("page-down", KeyPress::PageDown),
    ("home", KeyPress::Home),
    ("end", KeyPress::End),
    ("delete", KeyPress::Delete),
];

impl FromStr for KeyPress {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let only = |text: &str| {
            let mut chars = text.chars();
            chars.next().filter(|c| chars.next().is_none() && !c.is_control())
        };
        if let Some((_, key)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(*key);
        }
        if text == "space" {
            return Ok(Self::Char(' '));
        }
        if let Some(rest) = text.strip_prefix("ctrl-") {
            let letter = only(rest).filter(|c| c.is_ascii_lowercase() || *c == ']');
            return letter.map(Self::Ctrl).ok_or(());
        }
        only(text).map(Self::Char).ok_or(())
    }
}

impl fmt::Display for KeyPress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(' ') => f.write_str("space"),
            Self::Char(c) => write!(f, "{c}"),
            Self::Ctrl(c) => write!(f, "ctrl-{c}"),
            other => {
                let name = NAMES.iter().find(|(_, key)| key == other).map(|(name, _)| *name);
                f.write_str(name.unwrap_or("mouse"))
            }
        }
    }
}

/// Takes what the terminal sends apart.
#[derive(Debug, Default)]
pub(crate) struct TypedKeys {
    bytes: Vec<u8>,
}

impl TypedKeys {
    /// Takes bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns whether a key has begun whose rest has not come: perhaps it is Esc alone.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Returns everything that is not taken apart yet, as it was typed.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Returns the next key. `is_all`: nothing more comes for now, so that Esc is a key.
    pub(crate) fn next(&mut self, is_all: bool) -> Option<KeyPress> {
        while !self.bytes.is_empty() {
            if let Some(key) = self.wheel() {
                return Some(key);
            }
            let (key, used) = match parse(&self.bytes) {
                ParsedKey::Key(key, used) => (Some(key), used),
                ParsedKey::Nothing(used) => (None, used),
                ParsedKey::Unfinished if !is_all => return None,
                ParsedKey::Unfinished => ((self.bytes[0] == 0x1b).then_some(KeyPress::Esc), 1),
            };
            self.bytes.drain(..used.min(self.bytes.len()));
            if key.is_some() {
                return key;
            }
        }
        None
    }

    /// Takes a burst of arrows for the wheel.
    fn wheel(&mut self) -> Option<KeyPress> {
        let arrow = self.bytes.get(..3)?;
        let key = match arrow {
            [0x1b, b'[' | b'O', b'A'] => KeyPress::WheelUp(u16::MAX),
            [0x1b, b'[' | b'O', b'B'] => KeyPress::WheelDown(u16::MAX),
            _ => return None,
        };
        let count = self.bytes.chunks(3).take_while(|chunk| *chunk == arrow).count();
        if count < WHEEL {
            return None;
        }
        self.bytes.drain(..3 * WHEEL);
        Some(key)
    }
}

enum ParsedKey {
    /// A key of so many bytes.
    Key(KeyPress, usize),
    /// So many bytes mean nothing here.
    Nothing(usize),
    /// It needs more bytes.
    Unfinished,
}

fn parse(bytes: &[u8]) -> ParsedKey {
    use ParsedKey::{Key, Nothing, Unfinished};
    match bytes {
        [0x1b] => Unfinished,
        [0x1b, b'[', ..] if PASTE.0.starts_with(bytes) && bytes.len() > 2 => Unfinished,
        [0x1b, b'[', ..] if bytes.starts_with(PASTE.0) => Nothing(PASTE.0.len()),
        [0x1b, b'[', ..] if bytes.starts_with(PASTE.1) => Nothing(PASTE.1.len()),
        [0x1b, b'[', b'<', rest @ ..] => mouse(rest),
        [0x1b, b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|byte| (0x40..=0x7e).contains(byte)) else {
                return if rest.len() > 32 { Nothing(bytes.len()) } else { Unfinished };
            };
            let used = end + 3;
            csi(&rest[..end], rest[end]).map_or(Nothing(used), |key| Key(key, used))
        }
        [0x1b, b'O', last, ..] => csi(b"", *last).map_or(Nothing(3), |key| Key(key, 3)),
        [0x1b, b'O'] => Unfinished,
        // Esc, and then a key.
        [0x1b, ..] => Key(KeyPress::Esc, 1),
        [b'\r' | b'\n', ..] => Key(KeyPress::Enter, 1),
        [b'\t', ..] => Key(KeyPress::Tab, 1),
        [0x7f | 0x08, ..] => Key(KeyPress::Backspace, 1),
        [0x1d, ..] => Key(KeyPress::Ctrl(']'), 1),
        [byte @ 1..=0x1a, ..] => Key(KeyPress::Ctrl((byte + 0x60) as char), 1),
        [0..=0x1f, ..] => Nothing(1),
        [first, ..] => {
            let length = match first {
                0xf0.. => 4,
                0xe0.. => 3,
                0xc0.. => 2,
                _ => 1,
            };
            let Some(char) = bytes.get(..length) else { return Unfinished };
            let char = std::str::from_utf8(char).ok().and_then(|text| text.chars().next());
            char.map_or(Nothing(1), |char| Key(KeyPress::Char(char), length))
        }
        [] => Unfinished,
    }
}

fn csi(parameters: &[u8], last: u8) -> Option<KeyPress> {
    Some(match (parameters, last) {
        (_, b'A') => KeyPress::Up,
        (_, b'B') => KeyPress::Down,
        (_, b'C') => KeyPress::Right,
        (_, b'D') => KeyPress::Left,
        (_, b'H') | ([b'1' | b'7', ..], b'~') => KeyPress::Home,
        (_, b'F') | ([b'4' | b'8', ..], b'~') => KeyPress::End,
        (_, b'Z') => KeyPress::BackTab,
        (b"", b'M') => KeyPress::Enter,
        ([b'3', ..], b'~') => KeyPress::Delete,
        ([b'5', ..], b'~') => KeyPress::PageUp,
        ([b'6', ..], b'~') => KeyPress::PageDown,
        _ => return None,
    })
}

/// Reads the report of a mouse behind `CSI <` (mode 1006).
fn mouse(rest: &[u8]) -> ParsedKey {
    let Some(end) = rest.iter().position(|byte| matches!(byte, b'M' | b'm')) else {
        return if rest.len() > 32 {
            ParsedKey::Nothing(rest.len() + 3)
        } else {
            ParsedKey::Unfinished
        };
    };
    let used = end + 4;
    let text = std::str::from_utf8(&rest[..end]).unwrap_or_default();
    let mut numbers = text.split(';').map(|number| number.parse::<u16>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let (button, column, row) = (next(), next().saturating_sub(1), next().saturating_sub(1));
    match (button, rest[end]) {
        (64, b'M') => ParsedKey::Key(KeyPress::WheelUp(column), used),
        (65, b'M') => ParsedKey::Key(KeyPress::WheelDown(column), used),
        (0, b'M') => ParsedKey::Key(KeyPress::Click(column, row), used),
        _ => ParsedKey::Nothing(used),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(typed: &[u8]) -> Vec<KeyPress> {
        let mut reader = TypedKeys::default();
        reader.push(typed);
        std::iter::from_fn(|| reader.next(true)).collect()
    }

    #[test]
    fn keys_are_known_as_terminals_send_them() {
        use KeyPress::{Backspace, Char, Ctrl, Down, End, Enter, Esc, Home, PageUp, Tab, Up};
        for (typed, expected) in [
            (&b"/ab\r"[..], vec![Char('/'), Char('a'), Char('b'), Enter]),
            (b"\x1b[A\x1bOB\x1b[1;5A", vec![Up, Down, Up]),
            (b"\x1b[5~\x1b[H\x1b[4~\t\x7f", vec![PageUp, Home, End, Tab, Backspace]),
            (b"\x1b", vec![Esc]),
            (b"\x1bq", vec![Esc, Char('q')]),
            (b"\x03\x1d", vec![Ctrl('c'), Ctrl(']')]),
            ("é日".as_bytes(), vec![Char('é'), Char('日')]),
            (b"\x1b[<64;9;3M", vec![KeyPress::WheelUp(8)]),
            (b"\x1b[<0;9;3M\x1b[<0;9;3m", vec![KeyPress::Click(8, 2)]),
            (b"\x1b[200~ab\x1b[201~", vec![Char('a'), Char('b')]),
            (b"\x1b[A\x1b[A\x1b[A\x1b[A", vec![KeyPress::WheelUp(u16::MAX), Up]),
            (b"\x1b[?1;2c\xff\x00x", vec![Char('x')]),
        ] {
            assert_eq!(keys(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn a_key_that_comes_in_pieces_is_one_key() {
        let mut reader = TypedKeys::default();
        reader.push(b"\x1b");
        assert_eq!(reader.next(false), None);
        assert!(reader.is_waiting());
        reader.push(b"[B");
        assert_eq!(reader.next(false), Some(KeyPress::Down));
        assert!(!reader.is_waiting());
    }

    #[test]
    fn what_was_typed_behind_a_key_is_there_as_it_was_typed() {
        let mut reader = TypedKeys::default();
        reader.push(b"izz\x1b[A\r");
        assert_eq!(reader.next(true), Some(KeyPress::Char('i')));
        assert_eq!(reader.take_rest(), b"zz\x1b[A\r");
    }

    #[test]
    fn names_of_keys_are_read_as_they_are_shown() {
        for text in ["q", "/", "ctrl-f", "ctrl-]", "page-up", "space", "enter", "é"] {
            assert_eq!(text.parse::<KeyPress>().map(|key| key.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "qq", "ctrl-", "ctrl-F", "hyper-x", "\x01"] {
            assert_eq!(text.parse::<KeyPress>(), Err(()), "{text:?}");
        }
    }

    #[test]
    fn no_bytes_are_too_odd() {
        proptest::proptest!(|(bytes: Vec<u8>)| { keys(&bytes); });
    }
}
