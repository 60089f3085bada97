//! The picture of the model. Pure: the same model gives the same picture.

mod foot;
mod help;
mod list;
mod output;
mod pane;
mod title;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;
use ratatui_core::terminal::Frame;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(super) use self::help::rows as help_rows;
use super::areas::LEAST;
use super::look::DIM;
use super::model::{KeyMode, UiModel};

/// Draws the model.
pub(super) fn view(model: &UiModel, frame: &mut Frame<'_>) {
    let Some(areas) = model.areas() else {
        too_small(model, frame.area(), frame.buffer_mut());
        return model.look.restrict(frame.buffer_mut());
    };
    let buffer = frame.buffer_mut();
    if !model.is_full {
        title::head(model, areas.head, buffer);
        list::draw(model, areas.list, buffer);
        for y in areas.rule.y..areas.rule.bottom() {
            put(buffer, areas.rule, y, model.look.pick("│", "|"), DIM);
        }
        title::draw(model, areas.title, buffer);
    }
    let mut cursor = None;
    match &model.pane {
        Some(shown) => cursor = pane::draw(shown, areas.output, buffer),
        None => output::draw(model, areas.output, buffer),
    }
    cursor = foot::draw(model, areas.foot, buffer).or(cursor);
    if let KeyMode::Help { first } = model.mode {
        help::draw(model, first, buffer);
        cursor = None;
    }
    model.look.restrict(buffer);
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

fn too_small(model: &UiModel, area: Rect, buffer: &mut Buffer) {
    let (columns, rows) = model.size;
    let text = [
        "The terminal is too small:".to_owned(),
        format!("it has {columns}x{rows}, and"),
        format!("pm ui needs {}x{}.", LEAST.0, LEAST.1),
        "q leaves".to_owned(),
    ];
    for (y, line) in (area.y..area.bottom()).zip(text) {
        put(buffer, area, y, &line, Style::default());
    }
}

/// Writes a text into a row of an area, from its left side on, as far as it fits. Returns the column behind it.
fn put(buffer: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) -> u16 {
    put_at(buffer, area, (area.x, y), text, style)
}

/// Writes a text from some column on, as far as it fits into the area. Returns the column behind it.
fn put_at(buffer: &mut Buffer, area: Rect, (x, y): (u16, u16), text: &str, style: Style) -> u16 {
    let area = area.intersection(buffer.area);
    if y < area.y || y >= area.bottom() || x < area.x || x >= area.right() {
        return x;
    }
    buffer.set_stringn(x, y, text, usize::from(area.right() - x), style).0
}

/// Returns a text that is cut to so many columns, with a sign where it was.
fn cut(model: &UiModel, text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| {
        let cells = c.width().unwrap_or(0);
        let fits = cells <= left;
        left -= if fits { cells } else { 0 };
        fits
    };
    let sign = if width > 0 { model.look.pick("…", "~") } else { "" };
    text.chars().take_while(fits).chain(sign.chars()).collect()
}

/// Returns how many columns a text takes.
fn columns(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// Returns bytes as a person reads them, in four columns: `12M`, `1.2G`.
fn size(bytes: u64) -> String {
    match bytes.div_ceil(1 << 20) {
        mega @ 0..1000 => format!("{mega}M"),
        mega @ 1000..10_000 => format!("{}.{}G", mega / 1024, mega % 1024 * 10 / 1024),
        mega => format!("{}G", mega / 1024),
    }
}

#[cfg(test)]
mod tests;
