//! What an event does to the model, and what is to be done then. Pure.

use std::time::Duration;

use super::act;
use super::event::{UiEffect, UiEvent};
use super::model::UiModel;
use super::pane::Pane;
use super::rows::Chosen;
use super::sessions::type_of;

/// Takes an event. `now`: since the ui began.
pub(super) fn update(model: &mut UiModel, event: UiEvent, now: Duration) -> Vec<UiEffect> {
    let mut is_changed = true;
    let mut effects = Vec::new();
    match event {
        UiEvent::Key(key) => act::key(model, key, &mut effects),
        UiEvent::Resized(columns, rows) => {
            model.size = (columns, rows);
            resize_pane(model, &mut effects);
        }
        UiEvent::Reported(session, report) => {
            model.sessions[session].take(*report, now);
            model.arrange();
        }
        UiEvent::Output(session, name, bytes) => {
            is_changed = model.output(session, &name, &bytes);
        }
        UiEvent::Lost(lines) => {
            model.message =
                Some(format!("{lines} lines were lost: they came faster than they were read"));
        }
        UiEvent::Ended(session) => {
            let over = &mut model.sessions[session];
            over.is_over = true;
            model.message = Some(format!("the session {} has ended", over.pid));
        }
        UiEvent::Answered(text) => model.message = Some(text),
        UiEvent::TypingOver => {
            if let Some(pane) = &mut model.pane {
                pane.is_typing = false;
            }
        }
        UiEvent::Attached => {}
        UiEvent::Screen(bytes) => {
            if let Some(pane) = &mut model.pane {
                pane.show(&bytes);
            }
        }
        UiEvent::Detached(reason) => {
            if let Some(pane) = model.pane.take() {
                let text = reason.unwrap_or_else(|| format!("the run of {} has ended", pane.name));
                model.message = Some(text);
                model.has_no_pane = Some(Chosen::Instance(pane.session, pane.name));
            }
        }
        UiEvent::MessageOver => model.message = None,
    }
    fit_pane(model, &mut effects);
    model.is_changed |= is_changed;
    effects
}

/// Connects a terminal that a program has for itself, and lets go of one that is not seen any more.
fn fit_pane(model: &mut UiModel, effects: &mut Vec<UiEffect>) {
    if let Some(pane) = &model.pane {
        let is_chosen = model.chosen == Chosen::Instance(pane.session, pane.name.clone());
        let is_seen = pane.is_typing || model.is_alternate(pane.session, &pane.name);
        if !is_chosen || !is_seen {
            model.pane = None;
            effects.push(UiEffect::Detach);
        }
    }
    let Chosen::Instance(session, name) = model.chosen.clone() else { return };
    let is_wanted = model.pane.is_none()
        && model.has_no_pane.as_ref() != Some(&model.chosen)
        && model.areas().is_some()
        && model.is_alternate(session, &name)
        && model.sessions[session].has_terminal(type_of(&name));
    if is_wanted {
        connect(model, (session, name), effects);
    }
}

/// Connects the terminal of an instance.
pub(super) fn connect(
    model: &mut UiModel,
    (session, name): (usize, String),
    effects: &mut Vec<UiEffect>,
) {
    let (rows, columns) = model.pane_size();
    let mut pane = Pane::new(session, name.clone(), (rows, columns));
    pane.is_alternate = model.is_alternate(session, &name);
    if pane.is_alternate {
        pane.show(b"\x1b[?1049h");
        // A program draws its screen again when that has another size: it is told the right one next.
        effects.push(UiEffect::Attach(session, name, rows.saturating_sub(1).max(1), columns));
        effects.push(UiEffect::Resize(rows, columns));
    } else {
        effects.push(UiEffect::Attach(session, name, rows, columns));
    }
    model.pane = Some(pane);
}

/// Gives a pane the size that it has on the screen.
pub(super) fn resize_pane(model: &mut UiModel, effects: &mut Vec<UiEffect>) {
    let size = model.pane_size();
    if let Some(pane) = &mut model.pane {
        pane.resize(size);
        effects.push(UiEffect::Resize(size.0, size.1));
    }
}
