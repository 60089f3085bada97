//! What a key does.

use super::event::{UiEffect, UiEnd};
use super::keys::{KeyPress, UiAction};
use super::model::{Focus, KeyMode, UiModel};
use super::prompt;
use super::requests;
use super::rows::Chosen;
use super::scroll;
use super::seen;
use super::update::{connect, resize_pane};
use super::view::help_rows;

/// Takes a key.
pub(super) fn key(model: &mut UiModel, key: KeyPress, effects: &mut Vec<UiEffect>) {
    model.message = None;
    if key == KeyPress::Ctrl('z') {
        effects.push(UiEffect::Suspend);
        return;
    }
    match std::mem::replace(&mut model.mode, KeyMode::Actions) {
        KeyMode::Help { first } => help(model, key, first),
        KeyMode::Prompt { is_filter, text } => prompt::key(model, key, (is_filter, text)),
        KeyMode::Whom(action) => requests::whom(model, action, key, effects),
        KeyMode::Actions => match (key, model.keys.action(key)) {
            (KeyPress::Char(digit @ '1'..='9'), _) => requests::only(model, digit),
            (KeyPress::Esc, _) => escape(model, effects),
            (KeyPress::WheelUp(column), _) => wheel(model, column, true),
            (KeyPress::WheelDown(column), _) => wheel(model, column, false),
            (KeyPress::Click(column, row), _) => click(model, column, row),
            (_, Some(action)) => act(model, action, effects),
            (_, None) => {}
        },
    }
}

fn act(model: &mut UiModel, action: UiAction, effects: &mut Vec<UiEffect>) {
    match action {
        UiAction::Quit => effects.push(UiEffect::Leave(UiEnd::Left)),
        UiAction::Help => model.mode = KeyMode::Help { first: 0 },
        UiAction::Down
        | UiAction::Up
        | UiAction::First
        | UiAction::Last
        | UiAction::PageDown
        | UiAction::PageUp
        | UiAction::Left
        | UiAction::Right => go(model, action),
        UiAction::Focus => {
            model.focus = if model.focus == Focus::List { Focus::Output } else { Focus::List };
        }
        UiAction::Type => type_into(model, model.chosen.clone(), effects),
        UiAction::Full => {
            model.is_full = !model.is_full;
            model.focus = if model.is_full { Focus::Output } else { Focus::List };
            resize_pane(model, effects);
        }
        UiAction::Wrap => {
            model.is_wrapped = !model.is_wrapped;
            model.skip = 0;
        }
        UiAction::Search | UiAction::Filter => {
            let is_filter = action == UiAction::Filter;
            model.mode = KeyMode::Prompt { is_filter, text: String::new() };
        }
        UiAction::Next => prompt::find(model, true),
        UiAction::Previous => prompt::find(model, false),
        UiAction::Copy => {
            let text = seen::visible_text(model);
            model.message = Some(format!("{} lines copied", text.lines().count()));
            effects.push(UiEffect::Copy(text));
        }
        UiAction::Open => effects.push(UiEffect::Open(seen::whole_text(model))),
        UiAction::Stream => requests::stream(model, effects),
        UiAction::Mouse => {
            model.has_mouse = !model.has_mouse;
            let text = if model.has_mouse {
                "the mouse chooses and scrolls"
            } else {
                "the mouse is the terminal's"
            };
            model.message = Some(text.to_owned());
            effects.push(UiEffect::Mouse(model.has_mouse));
        }
        UiAction::Restart
        | UiAction::Stop
        | UiAction::More
        | UiAction::Fewer
        | UiAction::Attach
        | UiAction::Mute => model.mode = KeyMode::Whom(action),
        UiAction::Mark => requests::mark(model),
    }
}

/// Scrolls the help, where it is longer than the screen. Any other key ends it.
fn help(model: &mut UiModel, key: KeyPress, first: usize) {
    let (page, last) = help_rows(model);
    let first = match (key, model.keys.action(key)) {
        _ if last == 0 => return,
        (KeyPress::WheelUp(_), _) | (_, Some(UiAction::Up)) => first.saturating_sub(1),
        (KeyPress::WheelDown(_), _) | (_, Some(UiAction::Down)) => first + 1,
        (_, Some(UiAction::PageUp)) => first.saturating_sub(page),
        (_, Some(UiAction::PageDown)) => first + page,
        (_, Some(UiAction::First)) => 0,
        (_, Some(UiAction::Last)) => last,
        _ => return,
    };
    model.mode = KeyMode::Help { first: first.min(last) };
}

fn go(model: &mut UiModel, action: UiAction) {
    let page =
        usize::from(model.areas().unwrap_or_default().output.height).saturating_sub(1).max(1);
    let is_list = model.focus == Focus::List && !model.is_full;
    let last = model.rows.len().saturating_sub(1);
    let at = model.rows.iter().position(|row| *row == model.chosen).unwrap_or(0);
    match action {
        UiAction::Down if is_list => choose_row(model, (at + 1).min(last)),
        UiAction::Up if is_list => choose_row(model, at.saturating_sub(1)),
        UiAction::First if is_list => choose_row(model, 0),
        UiAction::Down => scroll::down(model, 1),
        UiAction::Up => scroll::up(model, 1),
        UiAction::First => scroll::top(model),
        // Of the list, too: what is seen then is what comes.
        UiAction::Last if is_list && model.output.new_lines().is_none() => choose_row(model, last),
        UiAction::Last => scroll::follow(model),
        UiAction::PageDown => scroll::down(model, page),
        UiAction::PageUp => scroll::up(model, page),
        UiAction::Left => model.skip = model.skip.saturating_sub(8),
        UiAction::Right if !model.is_wrapped => model.skip += 8,
        _ => {} // The other actions are not about places.
    }
}

fn choose_row(model: &mut UiModel, at: usize) {
    if let Some(row) = model.rows.get(at).cloned().filter(|row| *row != model.chosen) {
        model.choose(row);
    }
}

/// Ends what was begun last: a filter, a search, the full width.
fn escape(model: &mut UiModel, effects: &mut Vec<UiEffect>) {
    if model.output.filter().is_some() {
        model.output.set_filter(None);
        model.show_again();
    } else if model.search.take().is_some() {
        model.found = None;
    } else if model.is_full {
        act(model, UiAction::Full, effects);
    }
}

fn wheel(model: &mut UiModel, column: u16, is_up: bool) {
    const ROWS: usize = 3;
    let list = model.areas().unwrap_or_default().list;
    // Without the mouse nobody says where it is.
    if column < list.width {
        go(model, if is_up { UiAction::Up } else { UiAction::Down });
    } else if is_up {
        scroll::up(model, ROWS);
    } else {
        scroll::down(model, ROWS);
    }
}

fn click(model: &mut UiModel, column: u16, row: u16) {
    let list = model.areas().unwrap_or_default().list;
    if list.contains((column, row).into()) {
        let at = seen::first_row(model, usize::from(list.height)) + usize::from(row - list.y);
        model.focus = Focus::List;
        choose_row(model, at);
    } else if !model.is_full {
        model.focus = Focus::Output;
    }
}

/// Lets keys go to the program of an instance.
pub(super) fn type_into(model: &mut UiModel, whom: Chosen, effects: &mut Vec<UiEffect>) {
    let Chosen::Instance(session, name) = &whom else {
        model.message = Some("choose one instance to type into".to_owned());
        return;
    };
    if !model.sessions[*session].has_terminal(super::sessions::type_of(name)) {
        model.message =
            Some(format!("{name} has no terminal; with `pm start --pty always` it has one"));
        return;
    }
    if model.areas().is_none() {
        return;
    }
    if whom != model.chosen {
        model.choose(whom.clone());
    }
    if model.pane.is_none() {
        connect(model, (*session, name.clone()), effects);
    }
    if let Some(pane) = &mut model.pane {
        pane.is_typing = true;
    }
}
