//! Actions that are for an instance, a type, or all.

use super::act::type_into;
use super::event::{UiEffect, UiEnd};
use super::keys::{KeyPress, UiAction};
use super::model::UiModel;
use super::older::InstanceOutput;
use super::rows::Chosen;
use super::sessions::{is_running, type_of};
use crate::control::proto::{Request, Targets};

/// Returns the row of the type with this digit, in the session that is chosen.
fn of_digit(model: &UiModel, digit: char) -> Option<Chosen> {
    let session = model.chosen.session().unwrap_or(0);
    let at = digit.to_digit(10)?.checked_sub(1)? as usize;
    let of = model.sessions.get(session)?.types().get(at)?;
    let mut names = model.sessions[session].of_type(of);
    match (names.next(), names.next()) {
        (Some(one), None) => Some(Chosen::Instance(session, one.name.clone())),
        _ => Some(Chosen::Type(session, of.clone())),
    }
}

/// Chooses a type by its digit; again: all.
pub(super) fn only(model: &mut UiModel, digit: char) {
    match of_digit(model, digit) {
        None => model.message = Some(format!("there is no type {digit}")),
        Some(row) if row == model.chosen => {
            if model.rows.contains(&Chosen::All) {
                model.choose(Chosen::All);
            }
        }
        Some(row) => model.choose(row),
    }
}

/// Does it for whom this key means: a digit is a type, Enter what is chosen.
pub(super) fn whom(
    model: &mut UiModel,
    action: UiAction,
    key: KeyPress,
    effects: &mut Vec<UiEffect>,
) {
    let whom = match key {
        KeyPress::Enter => Some(model.chosen.clone()),
        KeyPress::Char(digit @ '1'..='9') => {
            let found = of_digit(model, digit);
            if found.is_none() {
                model.message = Some(format!("there is no type {digit}"));
            }
            found
        }
        _ => None,
    };
    let Some(whom) = whom else { return };
    match action {
        UiAction::Attach => {
            let first = match &whom {
                Chosen::Type(session, of) => model.sessions[*session]
                    .of_type(of)
                    .next()
                    .map(|it| Chosen::Instance(*session, it.name.clone())),
                _ => None,
            };
            type_into(model, first.unwrap_or(whom), effects);
        }
        UiAction::Mute => mute(model, &whom),
        UiAction::More | UiAction::Fewer => scale(model, &whom, action, effects),
        _ => change(model, &whom, action, effects),
    }
}

/// Returns the pattern that names it for a session.
fn pattern(whom: &Chosen) -> String {
    match whom {
        Chosen::All | Chosen::Session(_) => "*".to_owned(),
        Chosen::Type(_, name) | Chosen::Instance(_, name) => name.clone(),
    }
}

/// Returns how a person calls it.
fn called(whom: &Chosen) -> String {
    match whom {
        Chosen::All | Chosen::Session(_) => "all".to_owned(),
        Chosen::Type(_, name) | Chosen::Instance(_, name) => name.clone(),
    }
}

/// Restarts, stops or starts.
fn change(model: &mut UiModel, whom: &Chosen, action: UiAction, effects: &mut Vec<UiEffect>) {
    let sessions = match whom.session() {
        Some(session) => session..session + 1,
        None => 0..model.sessions.len(),
    };
    let name = called(whom);
    for session in sessions {
        let meant = |name: &str| whom.takes(session, name);
        let instances = model.sessions[session].instances();
        let runs = instances.iter().any(|it| meant(&it.name) && is_running(it.state));
        let is_all = matches!(whom, Chosen::All | Chosen::Session(_));
        let is_restart = action == UiAction::Restart;
        // All but `release`, as `pm restart` does.
        let names = if is_all && is_restart { Vec::new() } else { vec![pattern(whom)] };
        let targets = Targets { names, wait: true, timeout_ms: None };
        let (request, doing, done) = match (is_restart, runs) {
            (true, _) => (Request::Restart(targets), "restarting", "restarted"),
            (false, true) => (Request::Stop(targets), "stopping", "stopped"),
            (false, false) => (Request::Start(targets), "starting", "started"),
        };
        model.message = Some(format!("{doing} {name}"));
        effects.push(UiEffect::Ask(session, request, format!("{done} {name}")));
    }
}

fn scale(model: &mut UiModel, whom: &Chosen, action: UiAction, effects: &mut Vec<UiEffect>) {
    let (session, of) = match whom {
        Chosen::Type(session, of) => (*session, of.clone()),
        Chosen::Instance(session, name) => (*session, type_of(name).to_owned()),
        Chosen::All | Chosen::Session(_) => {
            model.message = Some("choose a type to scale, or type its digit".to_owned());
            return;
        }
    };
    let has_none = model.sessions[session].of_type(&of).next().is_none();
    let (more, doing, done) = match action {
        UiAction::More => (1, "adding", "added"),
        _ if has_none => {
            model.message = Some(format!("{of} has no instance"));
            return;
        }
        _ => (-1, "removing", "removed"),
    };
    model.message = Some(format!("{doing} one {of}"));
    let text = format!("{done} one {of}");
    // The session knows how many are to stay: those that leave are still in the list.
    let request = Request::ScaleBy { name: of, more, wait: true };
    effects.push(UiEffect::Ask(session, request, text));
}

fn mute(model: &mut UiModel, whom: &Chosen) {
    let key = match whom {
        Chosen::Type(session, of) => (*session, of.clone()),
        Chosen::Instance(session, name) => (*session, type_of(name).to_owned()),
        Chosen::All | Chosen::Session(_) => {
            model.muted.clear();
            model.message = Some("nothing is hidden".to_owned());
            return model.show_again();
        }
    };
    let of = key.1.clone();
    let is_hidden = model.muted.insert(key.clone());
    if !is_hidden {
        model.muted.remove(&key);
    }
    let is = if is_hidden { "is hidden among all" } else { "is shown again" };
    model.message = Some(format!("{of} {is}"));
    model.show_again();
}

/// Returns the names by which a session knows what is chosen; none: all.
pub(super) fn names(chosen: &Chosen) -> Vec<String> {
    match chosen {
        Chosen::All | Chosen::Session(_) => Vec::new(),
        Chosen::Type(_, name) | Chosen::Instance(_, name) => vec![name.clone()],
    }
}

/// Leaves for the plain stream of what is chosen.
pub(super) fn stream(model: &mut UiModel, effects: &mut Vec<UiEffect>) {
    let session = model.chosen.session().unwrap_or(0);
    let Some(shown) = model.sessions.get(session) else { return };
    let names = names(&model.chosen);
    let (session, root) = (shown.pid, shown.root());
    effects.push(UiEffect::Leave(UiEnd::Stream { session, root, names }));
}

/// Marks a place in the output with the time.
pub(super) fn mark(model: &mut UiModel) {
    let (session, name) = match &model.chosen {
        Chosen::Instance(session, name) => (*session, name.clone()),
        of => {
            let session = of.session().unwrap_or(0);
            let instances = model.sessions.get(session).map_or(&[][..], |it| it.instances());
            let first = instances.iter().find(|it| of.takes(session, &it.name));
            let Some(first) = first else { return };
            (session, first.name.clone())
        }
    };
    let bytes = format!("---------- {} ----------\n", (model.time_of_day)()).into_bytes();
    let at = model.last_at;
    model.output(session, &InstanceOutput { name, at, bytes });
}
