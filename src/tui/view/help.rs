//! The keys, over everything else.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::{put, put_at};
use crate::tui::keys::UiAction;
use crate::tui::look::{BOLD, DIM};
use crate::tui::model::UiModel;

/// Columns of the keys, and of what they do.
const KEYS: u16 = 12;
const TEXT: u16 = 27;

/// Rows above and below them.
const FRAME: u16 = 3;

/// Returns how many rows of keys are seen, and the last row that may be the first of them: 0 where all have a place.
pub(in crate::tui) fn rows(model: &UiModel) -> (usize, usize) {
    let (columns, rows) = model.size;
    let height = usize::from(rows.saturating_sub(FRAME)).max(1);
    (height, per_column(model, columns).saturating_sub(height))
}

/// Returns how many keys stand in each column, where they are spread over a screen of this width.
fn per_column(model: &UiModel, width: u16) -> usize {
    let columns = usize::from(width / (KEYS + TEXT + 1)).max(1);
    model.keys.help().len().div_ceil(columns)
}

pub(super) fn draw(model: &UiModel, first: usize, buffer: &mut Buffer) {
    let keys = model.keys.help();
    let area = buffer.area;
    for y in area.y..area.bottom() {
        put(buffer, area, y, &" ".repeat(usize::from(area.width)), Style::default());
    }
    buffer.set_style(area, Style::reset());
    put(buffer, area, area.y, " keys", BOLD);
    let (height, last) = rows(model);
    let first = first.min(last);
    let per_column = per_column(model, area.width).max(height);
    for (at, (keys, text)) in keys.iter().enumerate() {
        let Some(row) = (at % per_column).checked_sub(first).filter(|row| *row < height) else {
            continue;
        };
        let column = u16::try_from(at / per_column).unwrap_or(0) * (KEYS + TEXT + 1);
        // What was drawn above, and one empty row.
        let y = area.y + 2 + u16::try_from(row).unwrap_or(0);
        let place = Rect { x: area.x + column, ..area }.intersection(area);
        put_at(buffer, place, (place.x + 1, y), &that_fit(keys), BOLD);
        put_at(buffer, place, (place.x + KEYS + 1, y), text, Style::default());
    }
    let back = match last {
        0 => " 1-9 one type, again: all   any key goes back".to_owned(),
        _ => {
            let key =
                |action| model.keys.key_of(action).map_or(String::new(), |key| key.to_string());
            let (down, up) = (key(UiAction::Down), key(UiAction::Up));
            format!(" {} of {}   {down} {up} scroll   any other key goes back", first + 1, last + 1)
        }
    };
    put(buffer, area, area.bottom() - 1, &back, DIM);
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
