//! The lines of output.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Modifier, Style};
use regex::Regex;

use super::{cut, put, put_at};
use crate::tui::lines::{RowSpans, Wrapping, plain};
use crate::tui::look::{DIM, type_style};
use crate::tui::model::UiModel;
use crate::tui::seen::line_rows;
use crate::tui::sessions::type_of;

pub(super) fn draw(model: &UiModel, area: Rect, buffer: &mut Buffer) {
    let (height, rows) = model.measure();
    let lines = model.output.visible(height, &rows);
    if lines.is_empty() {
        let text = match model.output.filter() {
            Some(filter) => format!("nothing matches `{filter}`; Esc ends the filter"),
            None => "no output yet".to_owned(),
        };
        put(buffer, area, area.y, &text, DIM);
        return;
    }
    let prefix = model.prefix_width();
    let width = usize::from(area.width).saturating_sub(prefix);
    let left = area.x + u16::try_from(prefix).unwrap_or(0);
    // A view that is not full begins at its top.
    let mut y = area.y;
    for (line, above, below) in lines {
        let rows = line_rows(model, line, width);
        let seen = rows.len().saturating_sub(above + below);
        for (at, row) in rows.iter().enumerate().skip(above).take(seen) {
            if y >= area.bottom() {
                return;
            }
            if prefix > 0 {
                draw_name(model, line.owner, (area, y), (prefix, at == 0), buffer);
            }
            draw_spans(row, (area, left, y), buffer);
            let is_found = model.found == Some(line.order);
            if let Some(pattern) = &model.search {
                highlight(pattern, row, (left, y, is_found), buffer);
            }
            y += 1;
        }
        let is_cut = !model.is_wrapped && is_longer(model, &line.bytes, width);
        if is_cut && !model.is_full && width > 0 && seen > 0 {
            put_at(
                buffer,
                area,
                (area.right() - 1, y - 1),
                model.look.pick("›", ">"),
                DIM.add_modifier(Modifier::REVERSED),
            );
        }
    }
}

/// Returns whether a line goes on behind the right side of the view.
fn is_longer(model: &UiModel, bytes: &[u8], width: usize) -> bool {
    let skip = match model.wrapping() {
        Wrapping::On => return false,
        Wrapping::Off { skip } => skip,
    };
    // Bytes are never fewer than columns.
    bytes.len() > skip + width && ratatui_core::text::Span::raw(plain(bytes)).width() > skip + width
}

fn draw_name(
    model: &UiModel,
    owner: u32,
    (area, y): (Rect, u16),
    (prefix, is_first): (usize, bool),
    buffer: &mut Buffer,
) {
    let (session, name) = model.name_of(owner);
    let of = type_of(name);
    let types = model.sessions[session].types();
    let style = types.iter().position(|one| one == of).map_or(DIM, type_style);
    let width = prefix - 3;
    let name = if is_first { cut(model, name, width) } else { String::new() };
    put(buffer, area, y, &format!("{name:<width$} {}", model.look.pick("│", "|")), style);
}

fn draw_spans(row: &RowSpans, (area, left, y): (Rect, u16, u16), buffer: &mut Buffer) {
    let mut x = left;
    for (text, style) in row {
        x = put_at(buffer, area, (x, y), text, *style);
    }
}

/// Shows what matches in a row. The line that was found stands out more.
fn highlight(
    pattern: &Regex,
    row: &RowSpans,
    (left, y, is_found): (u16, u16, bool),
    buffer: &mut Buffer,
) {
    let text: String = row.iter().map(|(text, _)| text.as_str()).collect();
    let columns =
        |text: &str| u16::try_from(ratatui_core::text::Span::raw(text).width()).unwrap_or(0);
    let added = if is_found {
        Modifier::REVERSED | Modifier::BOLD
    } else {
        Modifier::UNDERLINED | Modifier::BOLD
    };
    for found in pattern.find_iter(&text).filter(|found| !found.is_empty()) {
        let at = Rect::new(left + columns(&text[..found.start()]), y, columns(found.as_str()), 1);
        buffer.set_style(at.intersection(buffer.area), Style::default().add_modifier(added));
    }
}
