//! The colours, attributes and link that are active in a program's output (SGR and OSC 8).

/// Longest parameter that a terminal knows: `38:2:255:255:255:255:255:255`.
const LONGEST: usize = 31;

/// The attribute that a parameter changes, in the order in which they are set again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Attribute {
    Bold,
    Faint,
    Italic,
    Underline,
    Blink,
    Reverse,
    Hidden,
    Struck,
    Font,
    Spacing,
    Frame,
    Overline,
    Ideogram,
    Script,
    Foreground,
    Background,
    UnderlineColor,
}

/// A parameter as it was written.
#[derive(Clone, Copy, Debug)]
struct Code {
    bytes: [u8; LONGEST],
    length: u8,
}

impl Code {
    /// `None` if it is too long to be one.
    fn of(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes, length: u8::try_from(text.len()).ok()? })
    }

    fn text(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The active style. There is one code per attribute at most, so its size is bounded.
#[derive(Debug, Default)]
pub(super) struct Style {
    codes: Vec<(Attribute, Code)>,
    /// An unknown parameter came, whose effect is unknown.
    is_doubtful: bool,
    /// The content of the link's OSC; empty: no link.
    link: Vec<u8>,
}

impl Style {
    /// Returns whether anything is active.
    pub(super) fn is_open(&self) -> bool {
        self.is_doubtful || !self.codes.is_empty() || !self.link.is_empty()
    }

    /// Appends the sequences that set it on a terminal without style.
    pub(super) fn open(&self, out: &mut Vec<u8>) {
        for (at, (_, code)) in self.codes.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"\x1b[" } else { b";" });
            out.extend_from_slice(code.text());
        }
        if !self.codes.is_empty() {
            out.push(b'm');
        }
        if !self.link.is_empty() {
            out.extend_from_slice(b"\x1b]");
            out.extend_from_slice(&self.link);
            out.extend_from_slice(b"\x1b\\");
        }
    }

    /// Appends the sequences that reset it.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        if self.is_doubtful || !self.codes.is_empty() {
            out.extend_from_slice(b"\x1b[0m");
        }
        if !self.link.is_empty() {
            out.extend_from_slice(b"\x1b]8;;\x1b\\");
        }
        self.is_doubtful = false;
    }

    /// Applies the content of an OSC 8: parameters and an address. Without an address, the link ends.
    pub(super) fn link(&mut self, payload: &[u8]) {
        self.link.clear();
        let mut fields = payload.splitn(3, |byte| *byte == b';');
        if fields.nth(2).is_some_and(|address| !address.is_empty()) {
            self.link.extend_from_slice(payload);
        }
    }

    /// Applies the parameters of an SGR.
    pub(super) fn set(&mut self, parameters: &[u8]) {
        let mut rest = Some(parameters);
        while let Some(parameters) = rest {
            let (first, behind) = split(parameters);
            let is_list = matches!(number(first), Some(38 | 48 | 58)) && !first.contains(&b':');
            let (code, behind) = match is_list {
                true => colour(parameters),
                false => (Some(first), behind),
            };
            match code {
                Some(code) => self.apply(code),
                None => self.is_doubtful = true,
            }
            rest = behind;
        }
    }

    fn apply(&mut self, code: &[u8]) {
        use Attribute::*;
        let is_off = code.strip_prefix(b"4:").is_some_and(|style| number(style) == Some(0));
        let (set, ends): (Option<Attribute>, &[Attribute]) = match number(code) {
            Some(0) => {
                self.codes.clear();
                self.is_doubtful = false;
                return;
            }
            Some(4) if is_off => (None, &[Underline]),
            Some(1) => (Some(Bold), &[]),
            Some(2) => (Some(Faint), &[]),
            Some(3 | 20) => (Some(Italic), &[]),
            Some(4 | 21) => (Some(Underline), &[]),
            Some(5 | 6) => (Some(Blink), &[]),
            Some(7) => (Some(Reverse), &[]),
            Some(8) => (Some(Hidden), &[]),
            Some(9) => (Some(Struck), &[]),
            Some(10) => (None, &[Font]),
            Some(11..=19) => (Some(Font), &[]),
            Some(22) => (None, &[Bold, Faint]),
            Some(23) => (None, &[Italic]),
            Some(24) => (None, &[Underline]),
            Some(25) => (None, &[Blink]),
            Some(26) => (Some(Spacing), &[]),
            Some(27) => (None, &[Reverse]),
            Some(28) => (None, &[Hidden]),
            Some(29) => (None, &[Struck]),
            Some(30..=38 | 90..=97) => (Some(Foreground), &[]),
            Some(39) => (None, &[Foreground]),
            Some(40..=48 | 100..=107) => (Some(Background), &[]),
            Some(49) => (None, &[Background]),
            Some(50) => (None, &[Spacing]),
            Some(51 | 52) => (Some(Frame), &[]),
            Some(53) => (Some(Overline), &[]),
            Some(54) => (None, &[Frame]),
            Some(55) => (None, &[Overline]),
            Some(58) => (Some(UnderlineColor), &[]),
            Some(59) => (None, &[UnderlineColor]),
            Some(60..=64) => (Some(Ideogram), &[]),
            Some(65) => (None, &[Ideogram]),
            Some(73 | 74) => (Some(Script), &[]),
            Some(75) => (None, &[Script]),
            Some(_) | None => {
                self.is_doubtful = true;
                return;
            }
        };
        self.codes.retain(|(kind, _)| !ends.contains(kind) && Some(*kind) != set);
        match (set, Code::of(code)) {
            (Some(kind), Some(code)) => {
                let at = self.codes.partition_point(|(before, _)| *before < kind);
                self.codes.insert(at, (kind, code));
            }
            (Some(_), None) => self.is_doubtful = true,
            (None, _) => {}
        }
    }
}

/// Returns the first parameter, and the rest, if there is more.
fn split(parameters: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b';', parameters) {
        Some(at) => (&parameters[..at], Some(&parameters[at + 1..])),
        None => (parameters, None),
    }
}

/// Returns a colour of several parameters (`38;5;N` or `38;2;R;G;B`), and the rest.
fn colour(parameters: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let form = split(parameters).1.map(|behind| number(split(behind).0));
    let parts = match form {
        Some(Some(5)) => 3,
        Some(Some(2)) => 5,
        // No terminal understands it.
        Some(_) | None => 1,
    };
    let mut ends = memchr::memchr_iter(b';', parameters).chain([parameters.len()]);
    match ends.nth(parts - 1) {
        Some(end) => ((parts > 1).then_some(&parameters[..end]), parameters.get(end + 1..)),
        None => (None, None),
    }
}

/// Returns the number at the beginning of a parameter; 0 if there is none.
fn number(parameter: &[u8]) -> Option<u16> {
    let digits = parameter.split(|byte| matches!(byte, b':' | b';')).next().unwrap_or_default();
    if digits.is_empty() {
        return Some(0);
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(sequences: &[&str]) -> String {
        let mut style = Style::default();
        sequences.iter().for_each(|parameters| style.set(parameters.as_bytes()));
        let mut out = Vec::new();
        style.open(&mut out);
        let text = String::from_utf8(out).unwrap();
        text.trim_start_matches("\x1b[").trim_end_matches('m').to_owned()
    }

    #[test]
    fn what_is_set_is_in_force_until_it_is_ended() {
        let table: [(&[&str], &str); 28] = [
            (&["1;31"], "1;31"),
            (&["31", "1"], "1;31"),
            (&["31", "32"], "32"),
            (&["91", "39"], ""),
            (&["41", "102"], "102"),
            (&["44", "49"], ""),
            (&["1;2;3;4;5;7;8;9;53", "22;23;24;25;27;28;29;55"], ""),
            (&["1;2", "22"], ""),
            (&["1;4", "24"], "1"),
            (&["31", ""], ""),
            (&["31", "0"], ""),
            (&["31", "00"], ""),
            (&["31", ";32"], "32"),
            (&["31;1;"], ""),
            (&["38;5;208"], "38;5;208"),
            (&["38;2;1;2;3;4"], "4;38;2;1;2;3"),
            (&["1;48;5;17;3"], "1;3;48;5;17"),
            (&["48:5:17"], "48:5:17"),
            (&["38:2::1:2:3;4:3"], "4:3;38:2::1:2:3"),
            (&["4:3", "4:0"], ""),
            (&["58;5;9", "59"], ""),
            (&["21", "24"], ""),
            (&["11", "10"], ""),
            (&["38;5"], ""),
            (&["31;38;2;1;2"], "31"),
            (&["38;9;1"], "1;9"),
            (&["38;5;;1"], "1;38;5;"),
            (&["77"], ""),
        ];
        for (sequences, expected) in table {
            assert_eq!(after(sequences), expected, "{sequences:?}");
        }
    }

    #[test]
    fn a_style_is_bounded_whatever_is_set() {
        let mut style = Style::default();
        for code in 0..200_u16 {
            style.set(format!("{code};38:2:{}", "9".repeat(usize::from(code))).as_bytes());
            style.link(format!("8;;{code}").as_bytes());
        }
        assert!(style.codes.len() <= 17, "{style:?}");
        assert!(style.link.len() <= 8);
    }

    #[test]
    fn what_is_not_known_is_ended_and_not_set_again() {
        let mut style = Style::default();
        let mut out = Vec::new();
        style.set(b"99999999;777");
        assert!(style.is_open());
        style.close(&mut out);
        assert_eq!(out, b"\x1b[0m");
        assert!(!style.is_open());
    }

    #[test]
    fn a_link_is_in_force_until_one_without_an_address() {
        let (mut style, mut out) = (Style::default(), Vec::new());
        style.link(b"8;id=1;http://a/;b");
        style.open(&mut out);
        style.close(&mut out);
        assert_eq!(out, b"\x1b]8;id=1;http://a/;b\x1b\\\x1b]8;;\x1b\\");
        style.link(b"8;id=1;");
        assert!(!style.is_open());
    }
}
