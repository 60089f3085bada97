//! What is seen, as text.

use super::lines::{Wrapping, plain, rows_of, spans};
use super::model::UiModel;

/// Returns the lines that are seen, without frame or list. A line that is wrapped is one line.
pub(super) fn visible_text(model: &UiModel) -> String {
    if let Some(pane) = &model.pane {
        return pane.screen().contents();
    }
    let (height, rows) = model.measure();
    let mut text = String::new();
    for (line, _, _) in model.output.visible(height, &rows) {
        text.push_str(&plain(&line.bytes));
        text.push('\n');
    }
    text
}

/// Returns every line that is behind the view, also those below it, with the names where they are of several instances.
pub(super) fn whole_text(model: &UiModel) -> String {
    let mut text = String::new();
    let has_names = !model.chosen.is_one();
    for line in model.output.lines() {
        if has_names {
            text.push_str(model.name_of(line.owner).1);
            text.push_str(" | ");
        }
        text.push_str(&plain(&line.bytes));
        text.push('\n');
    }
    text
}

/// Returns the first row of the list that is seen, where it has so many rows: what is chosen is about in the middle.
pub(super) fn first_row(model: &UiModel, height: usize) -> usize {
    let at = model.rows.iter().position(|row| *row == model.chosen).unwrap_or(0);
    let most = model.rows.len().saturating_sub(height);
    at.saturating_sub(height / 2).min(most)
}

/// Returns the rows of a line that are seen.
pub(super) fn line_rows(
    model: &UiModel,
    line: &super::lines::StoredLine,
    width: usize,
) -> Vec<super::lines::RowSpans> {
    let spans = spans(&line.bytes, line.style);
    match model.wrapping() {
        Wrapping::On => rows_of(&spans, width, Wrapping::On),
        off => rows_of(&spans, width, off),
    }
}
