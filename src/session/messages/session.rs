//! Messages about the session: why and how it stops, what it waits for, and its verdict.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::{VERDICT, exit_facts, say, short};
use crate::app::{App, Exit, InstanceId};
use crate::output::{About, Notice};
use crate::supervisor::{Message, SessionEnd, Waiting, Why};

/// Returns a message about the session. `orphans` names the processes that left their groups; `probe` returns the probe
/// that an instance still has to pass to be ready.
pub(crate) fn message(
    app: &App,
    message: &Message,
    orphans: impl Fn() -> Vec<String>,
    probe: impl Fn(InstanceId) -> Option<String>,
) -> Notice {
    let (event, text, facts) = words(app, message, orphans, probe);
    let said = say(About::Session, event, text, facts);
    match message {
        Message::KillingOrphans | Message::RootRemoved { .. } | Message::NotReplaced { .. } => {
            said.failed()
        }
        _ => said, // Nothing has failed.
    }
}

/// Returns the name of a message in JSON, its text, and its facts.
fn words(
    app: &App,
    message: &Message,
    orphans: impl Fn() -> Vec<String>,
    probe: impl Fn(InstanceId) -> Option<String>,
) -> (&'static str, String, Value) {
    match message {
        Message::Stopping(why) => {
            let reason = reason(app, *why);
            ("stopping", format!("{reason}, {}", stop_order(app)), json!({ "reason": reason }))
        }
        Message::Waiting { on, left } => {
            let names = names(app, on);
            waiting(&names, &format!("{} to stop", names.join(", ")), *left)
        }
        Message::WaitingForOrphans { left } => {
            let names = orphans();
            let who = format!("processes outside their group to stop: {}", names.join(", "));
            waiting(&names, &who, *left)
        }
        Message::SlowStart { waiting, unready, time } => {
            let who = slow_start(app, waiting, unready, probe);
            let facts = json!({ "for": time.as_secs_f64() });
            ("slow_start", format!("{who}, {} s", time.as_secs()), facts)
        }
        Message::NotReplaced { left, failed } => {
            let (names, failed) = (names(app, left), app.name_of(*failed));
            let text = format!("not replaced: {}, since the new {failed} failed", names.join(", "));
            ("not_replaced", text, json!({ "processes": names, "failed": failed }))
        }
        Message::KillingAll => {
            ("killing", "second request: killing all processes".to_owned(), json!({}))
        }
        Message::KillingOrphans => {
            let names = orphans();
            let text = format!(
                "killing processes outside their group that did not stop: {}",
                names.join(", ")
            );
            ("killing", text, json!({ "processes": names }))
        }
        Message::RootRemoved { left } => {
            let (root, end) = (app.root.display(), short(*left));
            let text = format!(
                "`{root}` was removed; the session ends in {end} unless it is created again"
            );
            ("root_removed", text, json!({ "left": left.as_secs_f64() }))
        }
        Message::RootRestored => {
            let text = format!("`{}` is back; the session continues", app.root.display());
            ("root_restored", text, json!({}))
        }
    }
}

/// Says for whom the stop waits: `who` names them in its words.
fn waiting(names: &[String], who: &str, left: Duration) -> (&'static str, String, Value) {
    let text = format!("waiting for {who}; killing in {}", short(left));
    ("waiting", text, json!({ "on": names, "left": left.as_secs_f64() }))
}

fn reason(app: &App, why: Why) -> String {
    match why {
        Why::Asked(signal) => format!("{signal} received"),
        Why::Quit => "`pm quit` received".to_owned(),
        Why::Ended(id) => format!("{} has ended", app.name_of(id)),
        Why::OutputLost => "the output cannot be written".to_owned(),
        Why::OwnerEnded { pid } => format!("process {pid} (`--with`) has ended"),
        Why::RootRemoved => format!("`{}` was removed", app.root.display()),
    }
}

/// Says who waits for whom, and who is not ready.
fn slow_start(
    app: &App,
    waiting: &[Waiting],
    unready: &[InstanceId],
    probe: impl Fn(InstanceId) -> Option<String>,
) -> String {
    let probe = |id: &InstanceId| match probe(*id) {
        Some(probe) => format!("{} ({probe})", app.name_of(*id)),
        None => app.name_of(*id),
    };
    let of_one = |Waiting { first, count, on }: &Waiting| match count {
        0 | 1 => format!("{} waits for {}", app.name_of(*first), probe(on)),
        _ => format!("{count} of {} wait for {}", app.type_of(*first).name, probe(on)),
    };
    let unready = unready.iter().map(|id| format!("{} is not ready", probe(id)));
    waiting.iter().map(of_one).chain(unready).collect::<Vec<_>>().join("; ")
}

/// Returns what the stop does, in foreman's words if they are true.
fn stop_order(app: &App) -> String {
    let mut signals: Vec<_> =
        app.types.iter().filter(|t| t.count > 0).map(|t| t.policy.stop_signal).collect();
    signals.dedup();
    match signals[..] {
        [signal] => format!("sending {signal} to all processes"),
        _ => "stopping all processes".to_owned(),
    }
}

/// Returns why and how a session ended; nothing if all went as requested. `why_it_runs` returns why a process of an
/// instance could not be killed; `orphans` are processes that left their group and could not be killed.
pub(crate) fn verdict(
    app: &App,
    verdict: &SessionEnd,
    mut why_it_runs: impl FnMut(InstanceId) -> Option<&'static str>,
    orphans: &[(String, &'static str)],
) -> Vec<Notice> {
    let mut lines = Vec::new();
    if let Some(culprit) = verdict.culprit {
        let name = app.name_of(culprit.instance);
        let (exit, uptime) = (culprit.exit, short(culprit.uptime));
        let restarts = match culprit.restarts {
            0 => String::new(),
            1 => ", 1 restart".to_owned(),
            n => format!(", {n} restarts"),
        };
        let text = match exit {
            Exit::NotStarted => format!("ended by {name}: it {exit}"),
            Exit::Code(_) | Exit::Signal(_) | Exit::OutOfMemory | Exit::Lost => {
                format!("ended by {name}: {exit} after {uptime}{restarts}")
            }
        };
        let mut facts = exit_facts(exit);
        facts["process"] = name.into();
        facts["uptime"] = culprit.uptime.as_secs_f64().into();
        facts["restarts"] = culprit.restarts.into();
        lines.push(say(About::Session, VERDICT, text, facts).failed());
    }
    let (mut killed, mut left) = (Vec::new(), Vec::new());
    let were_killed = verdict.killed.iter().chain(&verdict.lost);
    for id in were_killed.copied().collect::<BTreeSet<_>>() {
        match why_it_runs(id) {
            None => killed.push(app.name_of(id)),
            Some(why) => left.push((app.name_of(id), why)),
        }
    }
    if !killed.is_empty() {
        let text = format!("killed: {}", killed.join(", "));
        lines.push(say(About::Session, "killed", text, json!({ "processes": killed })).failed());
    }
    left.extend_from_slice(orphans);
    for (name, why) in left {
        let text = format!("left running: {name}: {why}");
        lines.push(say(About::Session, "left", text, json!({ "processes": [name] })).failed());
    }
    lines
}

/// Names the most memory that one instance of each process type with a budget has used; nothing where none has one.
pub(in crate::session) fn peaks(of_types: &[(String, u64)]) -> Option<Notice> {
    if of_types.is_empty() {
        return None;
    }
    let one = |(name, bytes): &(String, u64)| format!("{name} {}M", bytes.div_ceil(1 << 20));
    let text: Vec<_> = of_types.iter().map(one).collect();
    let facts: serde_json::Map<_, _> =
        of_types.iter().map(|(name, bytes)| (name.clone(), (*bytes).into())).collect();
    let text = format!("peak memory: {}", text.join(", "));
    Some(say(About::Session, "peaks", text, json!({ "peaks": facts })))
}

fn names(app: &App, ids: &[InstanceId]) -> Vec<String> {
    ids.iter().map(|id| app.name_of(*id)).collect()
}
