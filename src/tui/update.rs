//! What an event does to the model, and what is to be done then. Pure.

use super::act;
use super::event::{UiEffect, UiEvent};
use super::model::UiModel;
use super::older;
use super::pane::Pane;
use super::rows::Chosen;
use super::sessions::type_of;

/// Takes an event.
pub(super) fn update(model: &mut UiModel, event: UiEvent) -> Vec<UiEffect> {
    let mut is_changed = true;
    let mut effects = Vec::new();
    match event {
        UiEvent::Key(key) => act::key(model, key, &mut effects),
        UiEvent::Resized(columns, rows) => {
            model.size = (columns, rows);
            resize_pane(model, &mut effects);
        }
        UiEvent::Reported(session, report) => {
            model.sessions[session].take(*report);
            model.arrange();
        }
        UiEvent::Output(session, output) => is_changed = model.output(session, &output),
        UiEvent::Older(session, output) => older::take(model, session, &output),
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
                // The next run is asked again.
                model.has_no_pane = Some((Chosen::Instance(pane.session, pane.name), pane.pid));
            }
        }
        UiEvent::MessageOver => model.message = None,
    }
    fit_pane(model, &mut effects);
    older::ask(model, &mut effects);
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
    let run = (model.chosen.clone(), model.sessions[session].pid_of(&name));
    let is_wanted = model.pane.is_none()
        && model.has_no_pane.as_ref() != Some(&run)
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
    pane.pid = model.sessions[session].pid_of(&name);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::proto::{InstanceState, InstanceStatus, Report, Request, Targets};
    use crate::tui::event::UiEnd;
    use crate::tui::keys::{KeyMap, KeyPress};
    use crate::tui::look::UiLook;
    use crate::tui::older::InstanceOutput;
    use crate::tui::sessions::ShownSession;

    /// Returns a model of two instances, of which `vim.1` has a terminal.
    fn two() -> UiModel {
        let look = UiLook { unicode: true, color: true };
        let sessions = vec![ShownSession::new("app".into(), 1)];
        let mut model = UiModel::new(sessions, KeyMap::default(), look);
        let mut report: Report = serde_json::from_value(serde_json::json!({
            "session": 1, "root": "/srv/app", "types": ["vim", "web"], "terminals": ["vim"], "instances": [],
        }))
        .unwrap();
        report.instances =
            ["vim.1", "web.1"].map(|it| InstanceStatus::of(it, InstanceState::Up)).into();
        tell(&mut model, UiEvent::Resized(80, 24));
        tell(&mut model, UiEvent::Reported(0, Box::new(report)));
        model
    }

    fn tell(model: &mut UiModel, event: UiEvent) -> Vec<UiEffect> {
        update(model, event)
    }

    fn key(model: &mut UiModel, key: char) -> Vec<UiEffect> {
        tell(model, UiEvent::Key(KeyPress::Char(key)))
    }

    fn output(model: &mut UiModel, bytes: &[u8]) -> Vec<UiEffect> {
        let (name, bytes) = ("vim.1".to_owned(), bytes.to_vec());
        tell(model, UiEvent::Output(0, InstanceOutput { name, at: 0, bytes }))
    }

    #[test]
    fn a_program_that_takes_the_whole_screen_is_connected_while_it_is_chosen() {
        let mut model = two();
        assert_eq!(output(&mut model, b"\x1b[?1049h"), []);
        let attach = |model: &UiModel| {
            let (rows, columns) = model.pane_size();
            // Another size, and then the right one: it draws its screen again.
            [
                UiEffect::Attach(0, "vim.1".into(), rows - 1, columns),
                UiEffect::Resize(rows, columns),
            ]
        };
        assert_eq!(key(&mut model, 'j'), attach(&model));
        assert_eq!(key(&mut model, 'j'), [UiEffect::Detach]);
        assert_eq!(key(&mut model, 'k'), attach(&model));
        assert_eq!(output(&mut model, b"\x1b[?1049l"), [UiEffect::Detach]);
        assert!(model.pane.is_none());
    }

    #[test]
    fn one_that_is_refused_is_not_asked_again_until_it_is_chosen_again() {
        let mut model = two();
        output(&mut model, b"\x1b[?1049h");
        key(&mut model, 'j');
        assert_eq!(tell(&mut model, UiEvent::Detached(Some("no".into()))), []);
        assert_eq!(output(&mut model, b"x"), []);
        key(&mut model, 'j');
        assert_eq!(key(&mut model, 'k').len(), 2);
    }

    #[test]
    fn a_program_that_takes_the_whole_screen_again_after_its_restart_is_connected_again() {
        let mut model = two();
        let run = |model: &mut UiModel, pid| {
            let mut report = model.sessions[0].report.clone().unwrap();
            report.instances[0].pid = pid;
            tell(model, UiEvent::Reported(0, Box::new(report)))
        };
        run(&mut model, Some(7));
        output(&mut model, b"\x1b[?1049h");
        assert_eq!(key(&mut model, 'j').len(), 2);
        // The terminal is closed before the end of the run is told, and a report comes in between.
        assert_eq!(tell(&mut model, UiEvent::Detached(None)), []);
        assert_eq!(run(&mut model, Some(7)), []);
        assert_eq!(output(&mut model, b""), []);
        assert_eq!(run(&mut model, Some(8)), []);
        assert_eq!(output(&mut model, b"\x1b[?1049h").len(), 2);
        assert_eq!(model.pane.as_ref().and_then(|pane| pane.pid), Some(8));
    }

    #[test]
    fn one_types_into_what_has_a_terminal_alone() {
        let mut model = two();
        assert_eq!(key(&mut model, 'i'), []);
        assert_eq!(model.message.take().as_deref(), Some("choose one instance to type into"));
        key(&mut model, '2');
        assert_eq!(key(&mut model, 'i'), []);
        assert!(model.message.take().is_some_and(|it| it.starts_with("web.1 has no terminal")));
        key(&mut model, '1');
        let (rows, columns) = model.pane_size();
        assert_eq!(key(&mut model, 'i'), [UiEffect::Attach(0, "vim.1".into(), rows, columns)]);
        assert_eq!(tell(&mut model, UiEvent::TypingOver), [UiEffect::Detach]);
    }

    #[test]
    fn the_plain_stream_is_that_of_the_root_also_if_the_session_has_not_answered() {
        let stream = |model: &mut UiModel| match &key(model, 'S')[..] {
            [UiEffect::Leave(UiEnd::Stream { session: 1, root, .. })] => root.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(stream(&mut two()), Some("/srv/app".into()));
        let look = UiLook { unicode: true, color: true };
        let silent = |root: Option<&str>| {
            let mut session = ShownSession::new("app".into(), 1);
            session.root = root.map(Into::into);
            UiModel::new(vec![session], KeyMap::default(), look)
        };
        assert_eq!(stream(&mut silent(Some("/srv/app"))), Some("/srv/app".into()));
        assert_eq!(stream(&mut silent(None)), None);
    }

    #[test]
    fn an_action_asks_for_whom_and_any_other_key_is_for_nobody() {
        let mut model = two();
        assert_eq!(key(&mut model, 'r'), []);
        let targets = Targets { names: vec!["web.1".into()], wait: true, timeout_ms: None };
        let text = "restarted web.1".to_owned();
        assert_eq!(key(&mut model, '2'), [UiEffect::Ask(0, Request::Restart(targets), text)]);
        key(&mut model, 's');
        assert_eq!(key(&mut model, 'x'), []);
        assert_eq!(key(&mut model, '+'), []);
        let scale = Request::ScaleBy { name: "vim".into(), more: 1, wait: true };
        assert_eq!(key(&mut model, '1'), [UiEffect::Ask(0, scale, "added one vim".into())]);
    }
}
