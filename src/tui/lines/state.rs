//! Escape sequences in lines: colours are kept, the rest is left out.

use ratatui_core::style::{Color, Modifier, Style};
use vte::{Params, Perform};

/// Columns between tab stops.
const TAB: usize = 8;

/// What escape sequences have left on, at the end of what was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOn {
    /// The colour of what comes.
    pub(crate) style: Style,
    /// The program has the whole screen for itself.
    pub(crate) is_alternate: bool,
    /// Arrows are sent as in a form (DECCKM).
    pub(crate) has_cursor_keys: bool,
}

impl Perform for LeftOn {
    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, last: char) {
        match (intermediates, last) {
            ([], 'm') => self.style = select(self.style, params),
            (b"?", 'h' | 'l') => {
                for mode in params.iter().flatten() {
                    match mode {
                        47 | 1047 | 1049 => self.is_alternate = last == 'h',
                        1 => self.has_cursor_keys = last == 'h',
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn esc_dispatch(&mut self, intermediates: &[u8], _: bool, byte: u8) {
        // A full reset.
        if intermediates.is_empty() && byte == b'c' {
            *self = Self::default();
        }
    }
}

/// Returns a style after `CSI ... m` (ECMA-48 8.3.117, and 256 and direct colours as in xterm).
fn select(mut style: Style, params: &Params) -> Style {
    let mut numbers = params.iter();
    while let Some(group) = numbers.next() {
        let first = group.first().copied().unwrap_or(0);
        style = match first {
            0 => Style::default(),
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 if group.get(1) == Some(&0) => style.remove_modifier(Modifier::UNDERLINED),
            4 | 21 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            9 => style.add_modifier(Modifier::CROSSED_OUT),
            22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
            23 => style.remove_modifier(Modifier::ITALIC),
            24 => style.remove_modifier(Modifier::UNDERLINED),
            27 => style.remove_modifier(Modifier::REVERSED),
            29 => style.remove_modifier(Modifier::CROSSED_OUT),
            30..=37 => style.fg(indexed(first - 30)),
            90..=97 => style.fg(indexed(first - 82)),
            40..=47 => style.bg(indexed(first - 40)),
            100..=107 => style.bg(indexed(first - 92)),
            39 => Style { fg: None, ..style },
            49 => Style { bg: None, ..style },
            38 | 48 => {
                let rest =
                    if group.len() > 1 { group[1..].to_vec() } else { separate(&mut numbers) };
                match (extended(&rest), first) {
                    (Some(colour), 38) => style.fg(colour),
                    (Some(colour), _) => style.bg(colour),
                    (None, _) => style,
                }
            }
            _ => style,
        };
    }
    style
}

/// Takes the parameters behind 38 or 48 that stand behind semicolons.
fn separate<'a>(numbers: &mut impl Iterator<Item = &'a [u16]>) -> Vec<u16> {
    let mut next = || numbers.next().and_then(|group| group.first().copied());
    let kind = next().unwrap_or(0);
    let count = match kind {
        5 => 1,
        2 => 3,
        _ => 0,
    };
    std::iter::once(kind).chain(std::iter::from_fn(next).take(count)).collect()
}

fn extended(numbers: &[u16]) -> Option<Color> {
    let byte = |number: u16| u8::try_from(number).ok();
    match numbers {
        [5, index, ..] => byte(*index).map(Color::Indexed),
        [2, red, green, blue] | [2, _, red, green, blue, ..] => {
            Some(Color::Rgb(byte(*red)?, byte(*green)?, byte(*blue)?))
        }
        _ => None,
    }
}

fn indexed(index: u16) -> Color {
    Color::Indexed(u8::try_from(index).unwrap_or(0))
}

/// A piece of text in one style.
pub(crate) type StyledText = (String, Style);

/// Takes the text of a line.
struct LineReader {
    left_on: LeftOn,
    spans: Vec<StyledText>,
    /// Columns up to here, for tabs: characters, which is right for most.
    columns: usize,
    /// The cursor went back to the beginning of the line.
    is_returned: bool,
}

impl LineReader {
    fn push(&mut self, c: char) {
        // A line that is written over, as a progress bar does, is what was written last.
        if std::mem::take(&mut self.is_returned) {
            self.spans.clear();
            self.columns = 0;
        }
        self.columns += 1;
        match self.spans.last_mut() {
            Some((text, style)) if *style == self.left_on.style => text.push(c),
            Some(_) | None => self.spans.push((c.to_string(), self.left_on.style)),
        }
    }
}

impl Perform for LineReader {
    fn print(&mut self, c: char) {
        // Characters that order text from right to left, or have no width of their own to be trusted, are not for a
        // view of cells.
        if !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            && !c.is_control()
        {
            self.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => (0..TAB - self.columns % TAB).for_each(|_| self.push(' ')),
            b'\r' => self.is_returned = true,
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, last: char) {
        self.left_on.csi_dispatch(params, intermediates, ignore, last);
    }
}

/// Returns the text of a line in its styles, without what a view cannot hold.
pub(crate) fn spans(bytes: &[u8], style: Style) -> Vec<StyledText> {
    let left_on = LeftOn { style, ..LeftOn::default() };
    let mut reader = LineReader { left_on, spans: Vec::new(), columns: 0, is_returned: false };
    vte::Parser::new().advance(&mut reader, bytes);
    reader.spans
}

/// Returns the text of a line alone.
pub(crate) fn plain(bytes: &[u8]) -> String {
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        // All of it is ASCII.
        return String::from_utf8_lossy(bytes).into_owned();
    }
    spans(bytes, Style::default()).into_iter().map(|(text, _)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_all_else_is_left_out() {
        let red = Style::default().fg(Color::Indexed(1));
        let bold = red.add_modifier(Modifier::BOLD);
        let table: [(&str, Vec<StyledText>); 8] = [
            ("plain", vec![("plain".into(), Style::default())]),
            ("\x1b[31mred\x1b[0m.", vec![("red".into(), red), (".".into(), Style::default())]),
            (
                "\x1b[31;1mboth\x1b[22mred",
                vec![
                    ("both".into(), bold),
                    ("red".into(), red.remove_modifier(Modifier::BOLD | Modifier::DIM)),
                ],
            ),
            ("\x1b[38;5;9mx", vec![("x".into(), Style::default().fg(Color::Indexed(9)))]),
            (
                "\x1b[38:2::1:2:3mx\x1b[2J\x1b[5A",
                vec![("x".into(), Style::default().fg(Color::Rgb(1, 2, 3)))],
            ),
            (
                "a\x1b]8;;http://x/\x1b\\link\x1b]8;;\x07\x1bPq#0;\x1b\\b",
                vec![("alinkb".into(), Style::default())],
            ),
            ("10%\r20%\r", vec![("20%".into(), Style::default())]),
            ("a\tb\u{202e}c\u{7}", vec![("a       bc".into(), Style::default())]),
        ];
        for (line, expected) in table {
            assert_eq!(spans(line.as_bytes(), Style::default()), expected, "{line:?}");
        }
    }

    #[test]
    fn any_bytes_are_text_without_controls() {
        proptest::proptest!(|(bytes: Vec<u8>)| {
            proptest::prop_assert!(!plain(&bytes).contains(char::is_control));
        });
    }
}
