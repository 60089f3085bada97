//! Moving through the output.

use super::model::UiModel;

pub(super) fn up(model: &mut UiModel, by: usize) {
    model.forget_dropped();
    let (height, rows) = model.measure();
    model.output.up(by, height, &rows);
}

pub(super) fn down(model: &mut UiModel, by: usize) {
    let (_, rows) = model.measure();
    if model.output.down(by, &rows) {
        follow(model);
    }
}

pub(super) fn top(model: &mut UiModel) {
    model.forget_dropped();
    let (height, rows) = model.measure();
    model.output.top(height, &rows);
}

/// Shows the end, and what comes.
pub(super) fn follow(model: &mut UiModel) {
    if model.output.is_cut() || !model.older.is_empty() {
        model.forget_older();
        model.show_again();
    }
    model.output.follow();
}
