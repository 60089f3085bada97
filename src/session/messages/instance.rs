//! Messages about an instance: what its runs came to, what it waits for, and what is done about it.

use serde_json::{Value, json};

use super::{exit_facts, failed, say, seconds, short};
use crate::app::lint::Holder;
use crate::app::{App, Budget, Exit, InstanceId, MemoryAction, Signal, Size};
use crate::output::{About, ENDED, Notice};
use crate::supervisor::{Next, Note};

/// Returns a message about an instance, which is shown under its name, as in foreman. `why_it_runs` is the reason why a
/// process of it could not be killed; `cause` is why it is not ready.
pub(crate) fn note(
    app: &App,
    id: InstanceId,
    note: &Note,
    why_it_runs: Option<&'static str>,
    cause: Option<&str>,
) -> Notice {
    let about = About::Instance(id);
    match note {
        Note::Started { pid } => {
            say(about, "started", format!("started with pid {pid}"), json!({ "pid": pid }))
        }
        Note::CannotStart { error, stays_failed } => {
            let text = match stays_failed {
                true => format!("{error}; {}", not_before(app, id)),
                false => error.clone(),
            };
            say(about, "cannot-start", text, json!({ "error": error })).failed()
        }
        Note::OverBudget { used, budget } => {
            let facts = json!({ "used": used, "budget": budget.size.bytes() });
            say(about, "over-budget", over_budget(*used, *budget), facts).failed()
        }
        Note::Waiting { on } => {
            let on = app.name_of(*on);
            say(about, "waiting", format!("waits for {on}"), json!({ "on": on })).event()
        }
        Note::Blocked { by, exit } => {
            let by = app.name_of(*by);
            let text = format!("not started: {by} {}", failed(*exit));
            say(about, "blocked", text, json!({ "by": by })).failed()
        }
        Note::Ready { after } => {
            let text = format!("ready after {}", short(*after));
            say(about, "ready", text, json!({ "after": after.as_secs_f64() }))
        }
        Note::NotReady { timeout } => {
            let cause = cause.unwrap_or_default();
            let text = format!("not ready in {}: {cause}", seconds(*timeout));
            let facts = json!({ "timeout": timeout.as_secs_f64(), "cause": cause });
            say(about, "not_ready", text, facts).failed()
        }
        Note::NotAlive { why } => {
            let text = format!("not alive: {why}");
            say(about, "not_alive", text, json!({ "cause": why })).failed()
        }
        Note::Follows { on } => {
            let on = app.name_of(*on);
            let text = format!("restarting it, since {on} was started again");
            say(about, "follows", text, json!({ "on": on }))
        }
        Note::FilesChanged { file, others, signal } => {
            let facts = json!({ "file": file, "others": others });
            say(about, "files_changed", files_changed(file, *others, *signal), facts)
        }
        Note::WatchSuspended { file } => {
            let text = watch_suspended(file, &app.type_of(id).name);
            say(about, "watch_suspended", text, json!({ "file": file })).failed()
        }
        Note::Killed { grace } => {
            let text = format!("did not stop within {}, killing it", short(*grace));
            say(about, "killed", text, json!({ "after": grace.as_secs_f64() })).failed()
        }
        Note::Ended { exit, next, is_crash, stays_failed } => {
            let last = stays_failed.then(|| not_before(app, id));
            let (text, facts) = ended(*exit, why_it_runs, next, last);
            let ended = say(about, ENDED, text, facts);
            if *is_crash { ended.failed() } else { ended }
        }
    }
}

fn over_budget(used: u64, budget: Budget) -> String {
    let size = budget.size;
    let follows = match budget.action {
        MemoryAction::Restart => "; stopping it",
        MemoryAction::Kill => "; killing it",
        MemoryAction::Warn => "",
    };
    let used = Size::from_bytes(used).unwrap_or(size);
    format!("uses {used}, over its budget of {size}{follows}")
}

fn files_changed(file: &str, others: usize, signal: Option<Signal>) -> String {
    let what = match signal {
        Some(signal) => format!("sending {signal}"),
        None => "restarting".to_owned(),
    };
    let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    format!("{what}: {file} changed{more}")
}

fn watch_suspended(file: &str, name: &str) -> String {
    format!(
        "watching is suspended: {file} changes at each start; leave it out by the glob `!{file}` and `pm reload`, or \
         resume by `pm restart {name}`"
    )
}

/// Says who has the port of an instance that has crashed, as far as that can be seen.
pub(crate) fn port_held(id: InstanceId, port: u16, holder: Option<&Holder>) -> Notice {
    let text = match holder {
        Some(holder) => format!("its port {port} is held by {holder}"),
        None => format!("its port {port} is held by another process"),
    };
    let pid = holder.map(|holder| holder.pid);
    let program = holder.map(|holder| holder.program.as_str());
    let facts = json!({ "port": port, "pid": pid, "program": program });
    say(About::Instance(id), "port_held", text, facts).failed()
}

/// Returns how a run has ended and what follows. `last` says how to start it again if pm will not.
fn ended(
    exit: Exit,
    why_it_runs: Option<&str>,
    next: &Next,
    last: Option<String>,
) -> (String, Value) {
    let (mut facts, code) = (exit_facts(exit), exit.code());
    let exit = match why_it_runs {
        Some(why) => format!("could not be killed: {why}"),
        None => exit.to_string(),
    };
    if let (Next::Nothing, None) = (next, &last) {
        return (exit, facts);
    }
    let last = last.as_deref().unwrap_or("not started again");
    let text = match next {
        Next::Nothing | Next::GaveUp { crashes: 0 | 1 } => format!("{exit}; {last}"),
        Next::GaveUp { crashes } => format!("{exit}; crashed {crashes} times in a row, {last}"),
        Next::CannotRun => format!("{} (exit {code}); {last}", why_it_cannot_run(code)),
        Next::Again => format!("{exit}; restarting, as requested"),
        Next::AtOnce => format!("{exit}; restarting"),
        Next::Replaced => format!("{exit}; replaced"),
        Next::NotReplaced => format!("{exit}; the instance that it was to replace keeps running"),
        // After clean exits there is no limit.
        Next::Restart { crash: 0, restart, delay, .. } => {
            format!("{exit}; restart {restart} in {}", short(*delay))
        }
        Next::Restart { crash, limit, delay, .. } => {
            format!("{exit}; restart {crash} of {limit} in {}", short(*delay))
        }
    };
    match next {
        Next::Nothing | Next::Again | Next::AtOnce | Next::Replaced | Next::NotReplaced => {}
        Next::CannotRun => facts["reason"] = why_it_cannot_run(code).into(),
        Next::GaveUp { crashes } => facts["gave_up_after"] = (*crashes).into(),
        Next::Restart { crash, delay, .. } => {
            facts["restart_in"] = delay.as_secs_f64().into();
            if *crash > 0 {
                facts["crash"] = (*crash).into();
            }
        }
    }
    (text, facts)
}

/// Returns whether it tells of a crash whose output can still be asked for: the session goes on, or keeps it.
pub(crate) fn is_explained_by_logs(note: &Note, is_kept: bool) -> bool {
    match note {
        Note::Ended { is_crash: true, stays_failed, next, .. } => {
            is_kept || *stays_failed || matches!(next, Next::Restart { .. } | Next::Again)
        }
        _ => false,
    }
}

/// Says how to see what an instance wrote last.
pub(crate) fn with_logs(text: String, name: &str) -> String {
    format!("{text}; see `pm logs {name} -n 50`")
}

fn not_before(app: &App, id: InstanceId) -> String {
    format!("not started again until `pm restart {}`", app.name_of(id))
}

/// The shell's own error message, shown before, names the command.
fn why_it_cannot_run(code: i32) -> &'static str {
    match code {
        126 => "command cannot be executed",
        _ => "command not found",
    }
}
