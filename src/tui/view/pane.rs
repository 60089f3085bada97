//! The terminal of an instance, cell by cell.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Position, Rect};
use ratatui_core::style::{Color, Modifier};

use crate::tui::pane::Pane;

/// Draws it. Returns where its cursor is seen.
pub(super) fn draw(pane: &Pane, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    let screen = pane.screen();
    let area = area.intersection(buffer.area);
    for (row, y) in (area.y..area.bottom()).enumerate() {
        for (column, x) in (area.x..area.right()).enumerate() {
            // Both are places on a screen.
            let (Ok(row), Ok(column)) = (u16::try_from(row), u16::try_from(column)) else {
                continue;
            };
            let Some(cell) = screen.cell(row, column) else { continue };
            if cell.is_wide_continuation() {
                continue;
            }
            let to = &mut buffer[(x, y)];
            // A wide character has no place in the last column.
            if cell.has_contents() && !(cell.is_wide() && x + 1 >= area.right()) {
                to.set_symbol(cell.contents());
            }
            (to.fg, to.bg) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
            for (is_on, modifier) in [
                (cell.bold(), Modifier::BOLD),
                (cell.dim(), Modifier::DIM),
                (cell.italic(), Modifier::ITALIC),
                (cell.underline(), Modifier::UNDERLINED),
                (cell.inverse(), Modifier::REVERSED),
            ] {
                to.modifier.set(modifier, is_on);
            }
        }
    }
    let (row, column) = screen.cursor_position();
    let cursor = Position::new(area.x + column, area.y + row);
    (pane.is_typing && !screen.hide_cursor() && area.contains(cursor)).then_some(cursor)
}

fn colour(of: vt100::Color) -> Color {
    match of {
        vt100::Color::Default => Color::Reset,
        vt100::Color::Idx(index) => Color::Indexed(index),
        vt100::Color::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
    }
}
