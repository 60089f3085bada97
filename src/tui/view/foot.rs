//! The last row: a prompt, a message, or the keys that matter most.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Position, Rect};
use ratatui_core::style::Style;

use super::{columns, put, put_at, title};
use crate::tui::keys::UiAction;
use crate::tui::look::{BOLD, DIM};
use crate::tui::model::{Focus, KeyMode, UiModel};
use crate::tui::rows::Chosen;

/// Draws it. Returns where something is typed.
pub(super) fn draw(model: &UiModel, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if let KeyMode::Prompt { is_filter, text } = &model.mode {
        let sign = if *is_filter { "&" } else { "/" };
        let end = put(buffer, area, area.y, &format!("{sign}{text}"), Style::default());
        return Some(Position::new(end.min(area.right().saturating_sub(1)), area.y));
    }
    if let KeyMode::Whom(action) = &model.mode {
        whom(model, *action, area, buffer);
        return None;
    }
    if let Some(message) = &model.message {
        put(buffer, area, area.y, &format!(" {message}"), BOLD);
        return None;
    }
    if let Some(pane) = model.pane.as_ref().filter(|pane| pane.is_typing) {
        let at = put(buffer, area, area.y, &format!(" typing into {}  ", pane.name), BOLD);
        hint(buffer, area, at, "Ctrl-]", "ends it");
        return None;
    }
    hints(model, area, buffer);
    if model.is_full {
        // The keys that matter most stand to the left.
        let marks = title::marks(model, usize::from(area.width / 2));
        let at = area.right().saturating_sub(columns(&marks).saturating_add(1));
        put_at(buffer, area, (at, area.y), &marks, BOLD);
    }
    None
}

fn whom(model: &UiModel, action: UiAction, area: Rect, buffer: &mut Buffer) {
    let verb = match action {
        UiAction::Restart => "restart",
        UiAction::Stop => "stop or start",
        UiAction::More => "one more of",
        UiAction::Fewer => "one fewer of",
        UiAction::Attach => "type into",
        UiAction::Mute => "hide or show",
        _ => "", // The others ask for nobody.
    };
    let name = match &model.chosen {
        Chosen::All | Chosen::Session(_) => "all",
        Chosen::Type(_, name) | Chosen::Instance(_, name) => name,
    };
    let mut at = put(buffer, area, area.y, &format!(" {verb}:  "), BOLD);
    at = hint(buffer, area, at, "Enter", name);
    let session = model.chosen.session().unwrap_or(0);
    let types = model.sessions.get(session).map_or(&[][..], |session| session.types());
    for (digit, of) in types.iter().take(9).enumerate() {
        at = hint(buffer, area, at, &(digit + 1).to_string(), of);
    }
    hint(buffer, area, at, "Esc", "nobody");
}

fn hints(model: &UiModel, area: Rect, buffer: &mut Buffer) {
    use UiAction::{Filter, Focus as Other, Full, Help, Last, Quit, Restart, Search, Type};
    let other = if model.focus == Focus::List { "output" } else { "list" };
    let mut all = vec![(Quit, "quit"), (Help, "keys")];
    if model.output.new_lines().is_some() {
        all.push((Last, "end"));
    }
    all.extend([(Search, "search"), (Filter, "filter")]);
    match model.is_full {
        true => all.push((Full, "frame")),
        false => all.extend([(Other, other), (Type, "type"), (Restart, "restart"), (Full, "full")]),
    }
    let mut at = area.x + 1;
    for (action, what) in all {
        if let Some(key) = model.keys.key_of(action) {
            at = hint(buffer, area, at, &key.to_string(), what);
        }
    }
}

/// Writes a key and what it does. Returns the column for the next.
fn hint(buffer: &mut Buffer, area: Rect, at: u16, key: &str, what: &str) -> u16 {
    let width = u16::try_from(key.chars().count() + what.chars().count() + 1).unwrap_or(u16::MAX);
    // Half of one tells nothing.
    if at.saturating_add(width) > area.right() {
        return area.right();
    }
    let end = put_at(buffer, area, (at, area.y), key, BOLD);
    put_at(buffer, area, (end + 1, area.y), what, DIM) + 2
}
