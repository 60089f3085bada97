//! Pictures as bytes for a terminal.

use std::convert::Infallible;
use std::fmt::Write;

use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier};

/// Collects what a picture changes, for one write.
#[derive(Debug, Default)]
pub(super) struct AnsiBackend {
    /// The size of the terminal.
    pub(super) size: Size,
    out: String,
    cursor: Position,
    /// Whether the cursor is seen, where that was said.
    is_shown: Option<bool>,
}

impl AnsiBackend {
    /// Makes it for a terminal of a size.
    pub(super) fn of(size: Size) -> Self {
        Self { size, ..Self::default() }
    }

    /// Takes note that others have written: nothing is known of the cursor.
    pub(super) fn forget_cursor(&mut self) {
        self.is_shown = None;
    }

    /// Returns what is to be written, if anything.
    pub(super) fn take(&mut self) -> Option<String> {
        (!self.out.is_empty()).then(|| std::mem::take(&mut self.out))
    }

    fn write(&mut self, args: std::fmt::Arguments<'_>) {
        // A string takes everything.
        let _ = self.out.write_fmt(args);
    }

    fn style(&mut self, cell: &Cell) {
        const MODIFIERS: [(Modifier, u8); 6] = [
            (Modifier::BOLD, 1),
            (Modifier::DIM, 2),
            (Modifier::ITALIC, 3),
            (Modifier::UNDERLINED, 4),
            (Modifier::REVERSED, 7),
            (Modifier::CROSSED_OUT, 9),
        ];
        self.out.push_str("\x1b[0");
        for (modifier, number) in MODIFIERS {
            if cell.modifier.contains(modifier) {
                self.write(format_args!(";{number}"));
            }
        }
        self.colour(cell.fg, 30);
        self.colour(cell.bg, 40);
        self.out.push('m');
    }

    /// Writes the numbers of a colour: `first` is that of the first of eight.
    fn colour(&mut self, colour: Color, first: u8) {
        let index = match colour {
            Color::Reset => return,
            Color::Rgb(red, green, blue) => {
                return self.write(format_args!(";{};2;{red};{green};{blue}", first + 8));
            }
            Color::Indexed(index) => index,
            Color::Black => 0,
            Color::Red => 1,
            Color::Green => 2,
            Color::Yellow => 3,
            Color::Blue => 4,
            Color::Magenta => 5,
            Color::Cyan => 6,
            Color::Gray => 7,
            Color::DarkGray => 8,
            Color::LightRed => 9,
            Color::LightGreen => 10,
            Color::LightYellow => 11,
            Color::LightBlue => 12,
            Color::LightMagenta => 13,
            Color::LightCyan => 14,
            Color::White => 15,
        };
        match index {
            0..8 => self.write(format_args!(";{}", first + index)),
            8..16 => self.write(format_args!(";{}", first + 52 + index)),
            _ => self.write(format_args!(";{};5;{index}", first + 8)),
        }
    }
}

impl Backend for AnsiBackend {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut behind = None;
        let mut styled: Option<&Cell> = None;
        for (x, y, cell) in content {
            if behind != Some((x, y)) {
                self.write(format_args!("\x1b[{};{}H", y + 1, x + 1));
            }
            let is_styled = |last: &Cell| {
                (last.fg, last.bg, last.modifier) == (cell.fg, cell.bg, cell.modifier)
            };
            if !styled.is_some_and(is_styled) {
                self.style(cell);
                styled = Some(cell);
            }
            self.out.push_str(cell.symbol());
            // Nobody knows for certain how wide others are.
            let is_narrow = cell.symbol().len() == 1;
            behind = is_narrow.then_some((x + 1, y));
        }
        if styled.is_some() {
            self.out.push_str("\x1b[0m");
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        if self.is_shown.replace(false) != Some(false) {
            self.out.push_str("\x1b[?25l");
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        if self.is_shown.replace(true) != Some(true) {
            self.out.push_str("\x1b[?25h");
        }
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(self.cursor)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        let before = std::mem::replace(&mut self.cursor, position.into());
        let Position { x, y } = self.cursor;
        // What was drawn has moved it.
        if self.out.is_empty() && self.cursor == before {
            return Ok(());
        }
        self.write(format_args!("\x1b[{};{}H", y + 1, x + 1));
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.out.push_str("\x1b[0m\x1b[2J");
        Ok(())
    }

    fn clear_region(&mut self, _: ClearType) -> Result<(), Infallible> {
        // The whole screen is the only region here.
        self.clear()
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui_core::style::Style;
    use ratatui_core::terminal::Terminal;

    #[test]
    fn a_terminal_shows_what_was_drawn_and_only_changes_are_written() {
        let backend = AnsiBackend::of(Size::new(20, 3));
        let mut terminal = Terminal::new(backend).unwrap();
        let draw = |terminal: &mut Terminal<AnsiBackend>, text: &str| {
            terminal
                .draw(|frame| {
                    let buffer = frame.buffer_mut();
                    buffer.set_string(1, 1, text, Style::default().fg(Color::Indexed(9)));
                    buffer.set_string(0, 2, "é中!", Style::default().bg(Color::Blue));
                })
                .unwrap();
            terminal.backend_mut().take().unwrap_or_default()
        };
        let mut screen = crate::tui::pane::Pane::new(0, String::new(), (3, 20));
        screen.show(draw(&mut terminal, "hello").as_bytes());
        assert_eq!(screen.screen().contents(), "\n hello\né中!");
        let cell = |row, column| screen.screen().cell(row, column).unwrap();
        assert_eq!(cell(1, 1).fgcolor(), vt100::Color::Idx(9));
        assert_eq!(cell(2, 0).bgcolor(), vt100::Color::Idx(4));
        let change = draw(&mut terminal, "hallo");
        assert!(
            change.contains('a') && !change.contains('h') && !change.contains("ll"),
            "{change:?}"
        );
        assert_eq!(draw(&mut terminal, "hallo"), "");
    }
}
