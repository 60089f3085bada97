//! What keys mean. Pure: bytes of the terminal in, what is to be done out.

/// What a key asks for. Types are counted from 0, as the line has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyAction {
    /// Show this type alone, or all again.
    Only(usize),
    /// Hide this type, or show it again.
    Mute(usize),
    /// Begin to type a filter, in place of one that there may be: what it hides is counted from now on.
    BeginFilter,
    /// Show lines that match this, as far as it is typed.
    Filter(String),
    /// Show all lines again.
    EndFilter,
    Restart(KeyTarget),
    /// Stop what runs, or start what is stopped.
    StopOrStart(KeyTarget),
    /// One instance more.
    Grow(usize),
    /// One instance fewer.
    Shrink(usize),
    /// Attach to the one instance that waits for input, if there is one.
    AttachTheOne,
    Attach(usize),
    LastLines(usize),
    Table,
    Ruler,
    Help,
    Quit,
    Enter,
}

/// Whom a key with a digit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyTarget {
    Type(usize),
    All,
}

/// A key that needs a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DigitKey {
    Mute,
    Restart,
    StopOrStart,
    Grow,
    Shrink,
    Attach,
    LastLines,
}

impl DigitKey {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            b'm' => Self::Mute,
            b'r' => Self::Restart,
            b's' => Self::StopOrStart,
            b'+' => Self::Grow,
            b'-' => Self::Shrink,
            b'a' => Self::Attach,
            b'l' => Self::LastLines,
            _ => return None,
        })
    }

    fn with(self, of: KeyTarget) -> Option<KeyAction> {
        Some(match (self, of) {
            (Self::Restart, of) => KeyAction::Restart(of),
            (Self::StopOrStart, of) => KeyAction::StopOrStart(of),
            (Self::Mute, KeyTarget::Type(at)) => KeyAction::Mute(at),
            (Self::Grow, KeyTarget::Type(at)) => KeyAction::Grow(at),
            (Self::Shrink, KeyTarget::Type(at)) => KeyAction::Shrink(at),
            (Self::Attach, KeyTarget::Type(at)) => KeyAction::Attach(at),
            (Self::LastLines, KeyTarget::Type(at)) => KeyAction::LastLines(at),
            (
                Self::Mute | Self::Grow | Self::Shrink | Self::Attach | Self::LastLines,
                KeyTarget::All,
            ) => return None,
        })
    }

    /// Returns what it does, and whether Enter does it to all types.
    pub(super) fn describe(self) -> (&'static str, bool) {
        match self {
            Self::Mute => ("mute", false),
            Self::Restart => ("restart", true),
            Self::StopOrStart => ("stop or start", true),
            Self::Grow => ("one more of", false),
            Self::Shrink => ("one fewer of", false),
            Self::Attach => ("attach to", false),
            Self::LastLines => ("last lines of", false),
        }
    }
}

/// What the next key is a part of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum KeyState {
    /// Nothing: it is a key of its own.
    #[default]
    Ready,
    /// The digit of a key is expected.
    Digit(DigitKey),
    /// A filter is typed.
    Filter(String),
}

/// Turns what is typed into actions, over any number of reads.
#[derive(Debug, Default)]
pub(crate) struct KeyParser {
    state: KeyState,
    /// The beginning of a character of a filter.
    character: Vec<u8>,
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keystroke {
    Byte(u8),
    Enter,
    Escape,
    /// An arrow, a function key, a key with Alt.
    Other,
}

impl KeyParser {
    /// Returns what the next key is a part of.
    pub(crate) fn state(&self) -> &KeyState {
        &self.state
    }

    /// Forgets what was begun.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes keys up to the next one that asks for something. `None`: all are taken.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Option<KeyAction> {
        while !bytes.is_empty() {
            if let Some(action) = self.take(key(bytes)) {
                return Some(action);
            }
        }
        None
    }

    fn take(&mut self, key: Keystroke) -> Option<KeyAction> {
        match &mut self.state {
            KeyState::Ready => self.begin(key),
            KeyState::Digit(verb) => {
                let verb = *verb;
                self.state = KeyState::Ready;
                verb.with(match key {
                    Keystroke::Byte(digit @ b'1'..=b'9') => {
                        KeyTarget::Type(usize::from(digit - b'1'))
                    }
                    Keystroke::Enter => KeyTarget::All,
                    // It was not meant.
                    Keystroke::Byte(_) | Keystroke::Escape | Keystroke::Other => return None,
                })
            }
            KeyState::Filter(text) => {
                match key {
                    Keystroke::Byte(0x7f | 0x08) => drop(text.pop()),
                    Keystroke::Byte(0x15) => text.clear(),
                    Keystroke::Byte(byte) if byte < b' ' => return None,
                    Keystroke::Byte(byte) => text.push(character(&mut self.character, byte)?),
                    Keystroke::Enter => {
                        self.state = KeyState::Ready;
                        return None;
                    }
                    Keystroke::Escape => {
                        self.reset();
                        return Some(KeyAction::EndFilter);
                    }
                    Keystroke::Other => return None,
                }
                Some(KeyAction::Filter(text.clone()))
            }
        }
    }

    fn begin(&mut self, key: Keystroke) -> Option<KeyAction> {
        let byte = match key {
            Keystroke::Byte(byte) => byte,
            Keystroke::Enter => return Some(KeyAction::Enter),
            Keystroke::Escape => return Some(KeyAction::EndFilter),
            Keystroke::Other => return None,
        };
        if let Some(verb) = DigitKey::of(byte) {
            self.state = KeyState::Digit(verb);
            return (verb == DigitKey::Attach).then_some(KeyAction::AttachTheOne);
        }
        Some(match byte {
            b'1'..=b'9' => KeyAction::Only(usize::from(byte - b'1')),
            b'/' => {
                self.state = KeyState::Filter(String::new());
                KeyAction::BeginFilter
            }
            b'p' => KeyAction::Table,
            b'c' => KeyAction::Ruler,
            b'?' => KeyAction::Help,
            b'q' => KeyAction::Quit,
            _ => return None,
        })
    }
}

/// Takes one key. A sequence that a terminal sends for one key comes in one read.
fn key(bytes: &mut &[u8]) -> Keystroke {
    let Some((first, rest)) = bytes.split_first() else { return Keystroke::Other };
    *bytes = rest;
    match (first, rest) {
        (b'\r' | b'\n', _) => Keystroke::Enter,
        (0x1b, []) => Keystroke::Escape,
        (0x1b, [b'[', rest @ ..]) => {
            let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte));
            *bytes = &rest[end.map_or(rest.len(), |end| end + 1)..];
            Keystroke::Other
        }
        (0x1b, [b'O', rest @ ..]) => {
            *bytes = rest.get(1..).unwrap_or_default();
            Keystroke::Other
        }
        (0x1b, [_, rest @ ..]) => {
            *bytes = rest;
            Keystroke::Other
        }
        (byte, _) => Keystroke::Byte(*byte),
    }
}

/// Adds a byte to a character of UTF-8, and returns it when it is whole. What is none is dropped.
fn character(begun: &mut Vec<u8>, byte: u8) -> Option<char> {
    begun.push(byte);
    match std::str::from_utf8(begun) {
        Ok(text) => {
            let character = text.chars().next();
            begun.clear();
            character
        }
        Err(error) => {
            if error.error_len().is_some() {
                begun.clear();
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types these reads, and returns the actions and what the next key is a part of.
    fn typed(reads: &[&[u8]]) -> (Vec<KeyAction>, KeyState) {
        let mut parser = KeyParser::default();
        let mut actions = Vec::new();
        for mut bytes in reads.iter().copied() {
            while let Some(action) = parser.next(&mut bytes) {
                actions.push(action);
            }
        }
        (actions, parser.state)
    }

    #[test]
    fn each_key_has_its_action() {
        use KeyAction::*;
        let filter = |text: &str| Filter(text.to_owned());
        let table: &[(&[&[u8]], &[KeyAction])] = &[
            (&[b"1"], &[Only(0)]),
            (&[b"9"], &[Only(8)]),
            (&[b"m2"], &[Mute(1)]),
            (&[b"m", b"2"], &[Mute(1)]),
            (&[b"r1"], &[Restart(KeyTarget::Type(0))]),
            (&[b"r\n"], &[Restart(KeyTarget::All)]),
            (&[b"s\r"], &[StopOrStart(KeyTarget::All)]),
            (&[b"s3"], &[StopOrStart(KeyTarget::Type(2))]),
            (&[b"+1-1"], &[Grow(0), Shrink(0)]),
            (&[b"a", b"1"], &[AttachTheOne, Attach(0)]),
            (&[b"l4"], &[LastLines(3)]),
            (&[b"pc?q\n"], &[Table, Ruler, Help, Quit, Enter]),
            (&[b"\x1b"], &[EndFilter]),
            (
                &[b"/k+", b"\x7f", b"\x15"],
                &[BeginFilter, filter("k"), filter("k+"), filter("k"), filter("")],
            ),
            (&[b"/q\x1b"], &[BeginFilter, filter("q"), EndFilter]),
            (&[b"/q\nq/"], &[BeginFilter, filter("q"), Quit, BeginFilter]),
            (&[b"/\xc3", b"\xa9\xff\xc3a"], &[BeginFilter, filter("é")]),
        ];
        for (reads, expected) in table {
            assert_eq!(typed(reads).0, *expected, "{reads:?}");
        }
    }

    #[test]
    fn every_other_key_does_nothing_and_a_key_that_was_begun_does_not_change_its_meaning() {
        let table: [&[&[u8]]; 9] = [
            &[b"xzXZ,;!%&()=\t\x7f\x01\x04hjkGgw~0"],
            &[b"\x1b[A\x1bOB\x1b[1;5C\x1b[200~\x1bq"],
            &[b"\x1b[1;", b"0"],
            &["é".as_bytes()],
            &[b"rq"],
            &[b"m\n"],
            &[b"+x"],
            &[b"r", b"\x1b"],
            &[b"s\x1b[A"],
        ];
        for reads in table {
            assert_eq!(typed(reads), (Vec::new(), KeyState::Ready), "{reads:?}");
        }
        assert_eq!(typed(&[b"r"]).1, KeyState::Digit(DigitKey::Restart));
        assert_eq!(typed(&[b"/ab"]).1, KeyState::Filter("ab".to_owned()));
    }
}
