//! The terminal of an instance in the view.

use std::num::NonZeroU16;

use vt100::Parser;

/// A terminal that is connected.
pub(super) struct Pane {
    /// The session and the instance.
    pub(super) session: usize,
    pub(super) name: String,
    /// The leader of the run, where it was known when the terminal was connected.
    pub(super) pid: Option<i32>,
    /// Keys go to the program.
    pub(super) is_typing: bool,
    /// The program has the whole screen.
    pub(super) is_alternate: bool,
    parser: Parser,
}

impl std::fmt::Debug for Pane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pane").field("name", &self.name).finish_non_exhaustive()
    }
}

fn at_least_one(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap_or(NonZeroU16::MIN)
}

impl Pane {
    /// Makes one of so many rows and columns.
    pub(super) fn new(session: usize, name: String, (rows, columns): (u16, u16)) -> Self {
        let parser = Parser::new(at_least_one(rows), at_least_one(columns), 0);
        Self { session, name, pid: None, is_typing: false, is_alternate: false, parser }
    }

    /// Takes what the program writes.
    pub(super) fn show(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
    }

    /// Gives it another size. What it shows is cut or not; the program draws it again.
    pub(super) fn resize(&mut self, (rows, columns): (u16, u16)) {
        self.parser.screen_mut().set_size(at_least_one(rows), at_least_one(columns));
    }

    /// Returns what the program has made of its screen.
    pub(super) fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Returns keys as the program wants them: with DECCKM arrows are sent in another form (xterm's ctlseqs, PC-style
    /// function keys).
    pub(super) fn keys(&self, typed: Vec<u8>) -> Vec<u8> {
        if !self.screen().application_cursor() {
            return typed;
        }
        let mut keys = typed;
        for at in 0..keys.len().saturating_sub(2) {
            if let [0x1b, b'[', b'A'..=b'D' | b'H' | b'F'] = keys[at..at + 3] {
                keys[at + 1] = b'O';
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_are_sent_as_the_program_has_asked_for() {
        let mut pane = Pane::new(0, "web.1".into(), (5, 20));
        assert_eq!(pane.keys(b"a\x1b[A".to_vec()), b"a\x1b[A");
        pane.show(b"\x1b[?1h");
        assert_eq!(pane.keys(b"a\x1b[A\x1b[5~".to_vec()), b"a\x1bOA\x1b[5~");
    }

    #[test]
    fn no_size_and_no_bytes_are_too_odd() {
        proptest::proptest!(|(bytes: Vec<u8>, rows in 0..40_u16, columns in 0..40_u16)| {
            let mut pane = Pane::new(0, "web.1".into(), (rows, columns));
            pane.show(&bytes);
            pane.resize((columns, rows));
            pane.show(&bytes);
        });
    }

    #[test]
    fn after_many_resizes_the_screen_is_what_is_drawn_afresh() {
        let draw = |pane: &mut Pane, rows: u16, columns: u16| {
            pane.resize((rows, columns));
            let row = |row: u16| format!("\x1b[{};1H{}", row + 1, "~".repeat(usize::from(columns)));
            pane.show(
                format!("\x1b[H\x1b[2J{}", (0..rows).map(row).collect::<String>()).as_bytes(),
            );
        };
        let mut pane = Pane::new(0, "web.1".into(), (24, 80));
        pane.show(b"\x1b[?1049h");
        for size in 0..200_u16 {
            draw(&mut pane, size * 7 % 50, size * 13 % 200);
        }
        draw(&mut pane, 30, 90);
        let mut fresh = Pane::new(0, "web.1".into(), (30, 90));
        fresh.show(b"\x1b[?1049h");
        draw(&mut fresh, 30, 90);
        assert_eq!(pane.screen().contents(), fresh.screen().contents());
    }
}
