//! Regular expressions that are typed: to search, and to filter.

use regex::{Regex, RegexBuilder};

use super::keys::KeyPress;
use super::model::{KeyMode, UiModel};

/// Takes a key while an expression is typed.
pub(super) fn key(model: &mut UiModel, key: KeyPress, (is_filter, mut text): (bool, String)) {
    match key {
        KeyPress::Enter => return apply(model, is_filter, &text),
        KeyPress::Esc | KeyPress::Ctrl('c') => return,
        KeyPress::Backspace if text.is_empty() => return,
        KeyPress::Backspace => drop(text.pop()),
        KeyPress::Ctrl('u') => text.clear(),
        KeyPress::Char(c) => text.push(c),
        _ => {} // Others have no meaning here.
    }
    model.mode = KeyMode::Prompt { is_filter, text };
}

fn apply(model: &mut UiModel, is_filter: bool, text: &str) {
    let pattern = match text {
        "" => None,
        text => match compile(text) {
            Ok(pattern) => Some(pattern),
            Err(reason) => {
                model.message = Some(format!("`{text}` is not a regular expression: {reason}"));
                return;
            }
        },
    };
    if is_filter {
        model.output.set_filter(pattern);
        model.show_again();
    } else {
        // Enter alone searches for the same again.
        model.search = pattern.or(model.search.take());
        model.found = None;
        find(model, false);
    }
}

/// Reads an expression: without a capital letter, capitals or not are the same, as in ripgrep with `--smart-case`.
fn compile(text: &str) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(text);
    builder.case_insensitive(!text.chars().any(char::is_uppercase));
    let last = |error: regex::Error| {
        error
            .to_string()
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned()
    };
    builder.build().map_err(last)
}

/// Goes to the next line that matches, or to the one before.
pub(super) fn find(model: &mut UiModel, is_forward: bool) {
    model.forget_dropped();
    let Some(pattern) = &model.search else {
        model.message = Some("nothing was searched for".to_owned());
        return;
    };
    let (height, rows) = model.measure();
    match model.output.find(pattern, model.found, is_forward) {
        None => model.message = Some(format!("nothing matches `{pattern}`")),
        Some(order) => {
            let is_around = model.found.is_some_and(|before| (order > before) != is_forward);
            if is_around {
                model.message = Some("the search wrapped around".to_owned());
            }
            model.found = Some(order);
            model.output.reveal(order, height, &rows);
        }
    }
}
