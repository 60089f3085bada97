//! The head of the screen, and the row above the output: what is chosen, and what is known of it.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use super::{columns, cut, put, put_at, size};
use crate::control::proto::{InstanceState, InstanceStatus};
use crate::tui::look::{BOLD, DIM};
use crate::tui::model::{Focus, UiModel};
use crate::tui::rows::Chosen;
use crate::tui::sessions::{ShownSession, is_running, memory};

/// Names the session, and says how it is.
pub(super) fn head(model: &UiModel, area: Rect, buffer: &mut Buffer) {
    let label = match &model.sessions[..] {
        [one] => one.label.clone(),
        several => format!("{} sessions", several.len()),
    };
    let mut at = put(buffer, area, area.y, &format!(" {label}"), BOLD);
    // Those of a session that has ended are what they were last.
    let living = || model.sessions.iter().filter(|session| !session.is_over);
    let instances = || living().flat_map(ShownSession::instances);
    let count = |is: fn(InstanceState) -> bool| instances().filter(|it| is(it.state)).count();
    let (runs, failed) = (count(is_running), count(|state| state == InstanceState::Failed));
    let text = match instances().count() {
        0 => String::new(),
        count => format!("{runs} of {count} run"),
    };
    at = put_at(buffer, area, (at + 2, area.y), &text, DIM);
    if failed > 0 {
        let (sign, word, style) = model.look.state(InstanceState::Failed);
        put_at(buffer, area, (at + 2, area.y), &format!("{sign} {failed} {word}"), style);
    }
    let right = match &model.sessions[..] {
        [one] if one.is_over => format!("session {} has ended ", one.pid),
        [one] => format!("session {} ", one.pid),
        _ => String::new(),
    };
    put_at(buffer, area, (area.right().saturating_sub(columns(&right)), area.y), &right, DIM);
}

/// Says what the output is of.
pub(super) fn draw(model: &UiModel, area: Rect, buffer: &mut Buffer) {
    let style = if model.focus == Focus::Output { super::super::look::REVERSED } else { BOLD };
    let (name, facts) = match &model.chosen {
        Chosen::All => ("all".to_owned(), Vec::new()),
        Chosen::Session(at) => (model.sessions[*at].label.clone(), Vec::new()),
        Chosen::Type(_, of) => (of.clone(), Vec::new()),
        Chosen::Instance(at, name) => {
            let instance = model.sessions[*at].instance(name);
            (name.clone(), instance.map(facts).unwrap_or_default())
        }
    };
    let at = put(buffer, area, area.y, &format!(" {name} "), style);
    let marks = marks(model, usize::from(area.right().saturating_sub(at + 1)));
    let right = area.right().saturating_sub(columns(&marks));
    let mut room = usize::from(right.saturating_sub(at + 1));
    // Half of a fact tells nothing.
    let fits = facts.into_iter().take_while(|fact| {
        let needed = fact.chars().count() + 2;
        let fits = needed <= room;
        room -= if fits { needed } else { 0 };
        fits
    });
    put_at(buffer, area, (at + 1, area.y), &fits.collect::<Vec<_>>().join("  "), DIM);
    put_at(buffer, area, (right, area.y), &marks, BOLD);
}

/// What is different from output that is simply followed: `&err  [+120]`. The filter is cut to what the others leave of
/// this many columns.
pub(super) fn marks(model: &UiModel, room: usize) -> String {
    let mut marks = Vec::new();
    if model.is_wrapped {
        marks.push("wrap".to_owned());
    }
    if model.skip > 0 {
        marks.push(format!("<{}", model.skip));
    }
    match model.output.new_lines() {
        None => {}
        Some(0) => marks.push("scrolled".to_owned()),
        Some(count) => marks.push(format!("[+{count}]")),
    }
    if let Some(filter) = model.output.filter() {
        let others: usize = marks.iter().map(|mark| mark.len() + 2).sum();
        marks.insert(0, cut(model, &format!("&{filter}"), room.saturating_sub(others)));
    }
    marks.join("  ")
}

/// What is known of an instance, what matters most first.
fn facts(instance: &InstanceStatus) -> Vec<String> {
    let mut facts = Vec::new();
    let runs = is_running(instance.state);
    if let Some(end) = instance.end.as_ref().filter(|_| !runs) {
        facts.push(end.clone());
    }
    if let Some(seconds) = instance.restart_in {
        facts.push(format!("restarts in {seconds:.0} s"));
    }
    if !instance.waits_for.is_empty() {
        facts.push(format!("waits for {}", instance.waits_for.join(", ")));
    }
    if let Some(probe) = instance.probe.as_ref().filter(|_| instance.ready != Some(true)) {
        facts.push(format!("not ready: {probe}"));
    }
    if runs {
        facts.extend(instance.pid.map(|pid| format!("pid {pid}")));
        facts.extend(instance.port.map(|port| format!("port {port}")));
        facts.extend(instance.uptime.map(|uptime| format!("up {}", duration(uptime))));
        facts.extend(memory(instance).map(size));
    }
    if instance.restarts > 0 {
        facts.push(format!("{} restarts", instance.restarts));
    }
    facts.extend(instance.status.clone());
    facts
}

fn duration(seconds: f64) -> String {
    // A time that is shown in seconds.
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}
