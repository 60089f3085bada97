//! The keys, over everything else.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::{put, put_at};
use crate::tui::look::{BOLD, DIM};
use crate::tui::model::UiModel;

/// Columns of the keys, and of what they do.
const KEYS: u16 = 12;
const TEXT: u16 = 27;

pub(super) fn draw(model: &UiModel, buffer: &mut Buffer) {
    let rows = model.keys.help();
    let area = buffer.area;
    for y in area.y..area.bottom() {
        put(buffer, area, y, &" ".repeat(usize::from(area.width)), Style::default());
    }
    buffer.set_style(area, Style::reset());
    put(buffer, area, area.y, " keys", BOLD);
    let height = usize::from(area.height.saturating_sub(3)).max(1);
    let width = KEYS + TEXT + 1;
    for (at, (keys, text)) in rows.iter().enumerate() {
        let column = u16::try_from(at / height).unwrap_or(0) * width;
        // What was drawn above, and one empty row.
        let y = area.y + 2 + u16::try_from(at % height).unwrap_or(0);
        let place = Rect { x: area.x + column, ..area }.intersection(area);
        put_at(buffer, place, (place.x + 1, y), &that_fit(keys), BOLD);
        put_at(buffer, place, (place.x + KEYS + 1, y), text, Style::default());
    }
    put(buffer, area, area.bottom() - 1, " 1-9 one type, again: all   any key goes back", DIM);
}

/// Returns the first of an action's keys: as many as fit.
fn that_fit(keys: &str) -> String {
    let mut text = String::new();
    for key in keys.split(' ') {
        if text.len() + key.len() + 1 < usize::from(KEYS) || text.is_empty() {
            text = format!("{text}{}{key}", if text.is_empty() { "" } else { " " });
        }
    }
    text
}
