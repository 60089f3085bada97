//! pm's messages: what the supervisor notes about instances and the session, as text and as facts for `--json`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::app::lint::Holder;
use crate::app::{App, Exit, InstanceId};
use crate::app::{MemoryAction, Size};
use crate::output::{About, ENDED, Level, Notice};
use crate::supervisor::{Message, Next, Note, SessionEnd, Waiting, Why};

/// The event that says why a session has ended.
pub(super) const VERDICT: &str = "verdict";

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
            let size = budget.size;
            let follows = match budget.action {
                MemoryAction::Restart => "; stopping it",
                MemoryAction::Kill => "; killing it",
                MemoryAction::Warn => "",
            };
            let used_size = Size::from_bytes(*used).unwrap_or(size);
            let text = format!("uses {used_size}, over its budget of {size}{follows}");
            let facts = json!({ "used": used, "budget": size.bytes() });
            say(about, "over-budget", text, facts).failed()
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
            let what = match signal {
                Some(signal) => format!("sending {signal}"),
                None => "restarting".to_owned(),
            };
            let more = if *others > 0 { format!(" (and {others} more)") } else { String::new() };
            let facts = json!({ "file": file, "others": others });
            say(about, "files_changed", format!("{what}: {file} changed{more}"), facts)
        }
        Note::WatchSuspended { file } => {
            let name = &app.type_of(id).name;
            let text = format!(
                "watching is suspended: {file} changes at each start; leave it out by the glob `!{file}`, or resume by \
                 `pm restart {name}`"
            );
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
        Next::NotReplaced => format!("{exit}; the one that it was to replace goes on"),
        Next::Restart { crash: 0, delay, .. } => format!("{exit}; restarting in {}", short(*delay)),
        Next::Restart { crash, limit, delay } => {
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

/// Returns a message about the session. `orphans` names the processes that left their groups; `probe` returns the probe
/// that an instance still has to pass to be ready.
pub(crate) fn message(
    app: &App,
    message: &Message,
    orphans: impl Fn() -> Vec<String>,
    probe: impl Fn(InstanceId) -> Option<String>,
) -> Notice {
    let (event, text, facts) = match message {
        Message::Stopping(why) => {
            let reason = match why {
                Why::Asked(signal) => format!("{signal} received"),
                Why::Quit => "`pm quit` received".to_owned(),
                Why::Ended(id) => format!("{} has ended", app.name_of(*id)),
                Why::OutputLost => "the output cannot be written".to_owned(),
                Why::OwnerEnded { pid } => format!("process {pid} (`--with`) has ended"),
                Why::RootRemoved => format!("`{}` was removed", app.root.display()),
            };
            ("stopping", format!("{reason}, {}", stop_order(app)), json!({ "reason": reason }))
        }
        Message::Waiting { on, left } => {
            let names = names(app, on);
            let text =
                format!("waiting for {} to stop; killing in {}", names.join(", "), short(*left));
            ("waiting", text, json!({ "on": names, "left": left.as_secs_f64() }))
        }
        Message::WaitingForOrphans { left } => {
            let names = orphans();
            let text = format!(
                "waiting for {} to stop, which left its process group; killing in {}",
                names.join(", "),
                short(*left)
            );
            ("waiting", text, json!({ "on": names, "left": left.as_secs_f64() }))
        }
        Message::SlowStart { waiting, unready, time } => {
            let probe = |id: &InstanceId| match probe(*id) {
                Some(probe) => format!("{} ({probe})", app.name_of(*id)),
                None => app.name_of(*id),
            };
            let of_one = |Waiting { first, count, on }: &Waiting| match count {
                0 | 1 => format!("{} waits for {}", app.name_of(*first), probe(on)),
                _ => format!("{count} of {} wait for {}", app.type_of(*first).name, probe(on)),
            };
            let mut parts: Vec<_> = waiting.iter().map(of_one).collect();
            parts.extend(unready.iter().map(|id| format!("{} is not ready", probe(id))));
            let text = format!("{}, {} s", parts.join("; "), time.as_secs());
            ("slow_start", text, json!({ "for": time.as_secs_f64() }))
        }
        Message::KillingAll => {
            ("killing", "second request: killing all processes".to_owned(), json!({}))
        }
        Message::KillingOrphans => {
            let names = orphans();
            let text = format!(
                "killing {}, which left its process group and did not stop",
                names.join(", ")
            );
            ("killing", text, json!({ "processes": names }))
        }
        Message::RootRemoved { left } => {
            let (root, left) = (app.root.display(), *left);
            let text = format!(
                "`{root}` was removed; the session ends in {} unless it is made again",
                short(left)
            );
            ("root_removed", text, json!({ "left": left.as_secs_f64() }))
        }
        Message::RootRestored => {
            let text = format!("`{}` is there again; the session goes on", app.root.display());
            ("root_restored", text, json!({}))
        }
    };
    let said = say(About::Session, event, text, facts);
    match message {
        Message::KillingOrphans | Message::RootRemoved { .. } => said.failed(),
        _ => said, // Nothing has failed.
    }
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
pub(super) fn peaks(of_types: &[(String, u64)]) -> Option<Notice> {
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

/// Returns how a dependency has ended, to be shown after its name.
pub(super) fn failed(exit: Exit) -> String {
    match exit {
        Exit::Code(0) => "has ended".to_owned(),
        Exit::Code(code) => format!("failed (exit {code})"),
        Exit::Signal(_) | Exit::OutOfMemory | Exit::NotStarted | Exit::Lost => {
            format!("failed ({exit})")
        }
    }
}

/// Writes a limit as it was set: `60 s`, `0.5 s`.
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn names(app: &App, ids: &[InstanceId]) -> Vec<String> {
    ids.iter().map(|id| app.name_of(*id)).collect()
}

fn exit_facts(exit: Exit) -> Value {
    match exit {
        Exit::Code(code) => json!({ "code": code }),
        Exit::Signal(signal) => json!({ "signal": signal.to_string() }),
        Exit::OutOfMemory => json!({ "signal": "SIGKILL", "out_of_memory": true }),
        Exit::NotStarted => json!({ "error": "not started" }),
        Exit::Lost => json!({ "error": "lost" }),
    }
}

pub(crate) fn say(about: About, event: &'static str, text: String, facts: Value) -> Notice {
    let facts = match facts {
        Value::Object(facts) => facts,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    Notice { about, level: Level::Info, event, text, facts }
}

/// Writes a duration as a person says it: `0.5s`, `12s`, `3m 5s`, `2h 3m`.
pub(crate) fn short(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    let seconds = tenths / 10;
    match seconds {
        0..10 if !tenths.is_multiple_of(10) => format!("{seconds}.{}s", tenths % 10),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Environment, ExitOn, ProcessType, Signal};

    #[test]
    fn durations_read_as_people_say_them() {
        let table = [
            (0, "0s"),
            (500, "0.5s"),
            (1000, "1s"),
            (9_940, "9.9s"),
            (12_300, "12s"),
            (185_000, "3m 5s"),
            (7_380_000, "2h 3m"),
        ];
        for (ms, text) in table {
            assert_eq!(short(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn an_end_says_why_how_often_and_how_long_it_waits() {
        let delay = Duration::from_millis(500);
        let table = [
            (
                Exit::Code(3),
                Next::Restart { crash: 1, limit: 5, delay },
                "exited with code 3; restart 1 of 5 in 0.5s",
            ),
            (Exit::Signal(Signal(11)), Next::Nothing, "terminated by SIGSEGV"),
            (
                Exit::Code(1),
                Next::GaveUp { crashes: 6 },
                "exited with code 1; crashed 6 times in a row, not started again",
            ),
            (Exit::Code(1), Next::GaveUp { crashes: 1 }, "exited with code 1; not started again"),
            (
                Exit::Code(0),
                Next::Restart { crash: 0, limit: 5, delay },
                "exited with code 0; restarting in 0.5s",
            ),
            (Exit::Code(127), Next::CannotRun, "command not found (exit 127); not started again"),
            (
                Exit::Code(126),
                Next::CannotRun,
                "command cannot be executed (exit 126); not started again",
            ),
        ];
        for (exit, next, text) in table {
            assert_eq!(
                said(&Note::Ended { exit, next, is_crash: true, stays_failed: false }),
                text
            );
        }
    }

    #[test]
    fn a_failure_that_the_session_goes_on_without_says_how_to_start_it_again() {
        let hint = "not started again until `pm restart web.2`";
        let ended =
            |exit, next| said(&Note::Ended { exit, next, is_crash: true, stays_failed: true });
        for (next, text) in [
            (Next::Nothing, "exited with code 3; "),
            (Next::GaveUp { crashes: 1 }, "exited with code 3; "),
            (Next::GaveUp { crashes: 6 }, "exited with code 3; crashed 6 times in a row, "),
        ] {
            assert_eq!(ended(Exit::Code(3), next), format!("{text}{hint}"));
        }
        assert_eq!(
            ended(Exit::Code(127), Next::CannotRun),
            format!("command not found (exit 127); {hint}")
        );
        let note = Note::CannotStart { error: "no folder `x`".to_owned(), stays_failed: true };
        assert_eq!(said(&note), format!("no folder `x`; {hint}"));
    }

    #[test]
    fn a_slow_start_says_who_waits_for_whom_and_for_what() {
        let id = |process_type| InstanceId { process_type, number: 1 };
        let app = App { types: [app().types, app().types].concat(), ..app() };
        let waiting = |count| Waiting { first: id(0), count, on: id(1) };
        let text = |waiting, unready, ms| {
            let time = Duration::from_millis(ms);
            let slow = Message::SlowStart { waiting, unready, time };
            message(&app, &slow, Vec::new, |_| Some("log:accepting".to_owned())).text
        };
        assert_eq!(
            text(vec![waiting(1)], vec![], 5001),
            "web.1 waits for web.1 (log:accepting), 5 s"
        );
        assert_eq!(
            text(vec![waiting(3)], vec![id(0)], 65_000),
            "3 of web wait for web.1 (log:accepting); web.1 (log:accepting) is not ready, 65 s"
        );
    }

    #[test]
    fn a_crash_is_told_apart_from_an_end_that_was_asked_for() {
        let level = |is_crash, next| {
            let exit = Exit::Signal(Signal::TERM);
            words(&Note::Ended { exit, next, is_crash, stays_failed: false }).level
        };
        assert_eq!(level(false, Next::Nothing), Level::Info);
        assert_eq!(level(false, Next::Again), Level::Info);
        assert_eq!(level(true, Next::Nothing), Level::Failure);
        assert_eq!(words(&Note::Started { pid: 5 }).line(), "-- started with pid 5");
    }

    #[test]
    fn who_could_not_be_killed_is_not_called_killed() {
        let why = "it runs as another user";
        let [web, worker] = [1, 2].map(|number| InstanceId { process_type: 0, number });
        let verdict =
            SessionEnd { killed: vec![web, worker], lost: vec![web], ..SessionEnd::default() };
        let why_of = |id| (id == web).then_some(why);
        let orphans = [("r (pid 9)".to_owned(), why)];
        let lines = super::verdict(&app(), &verdict, why_of, &orphans);
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        let expected = [
            "killed: web.2",
            "left running: web.1: it runs as another user",
            "left running: r (pid 9): it runs as another user",
        ];
        assert_eq!(texts, expected);
        let (exit, next, is_crash, stays_failed) = (Exit::Lost, Next::Nothing, false, false);
        let lost = Note::Ended { exit, next, is_crash, stays_failed };
        let said = note(&app(), web, &lost, Some(why), None);
        assert_eq!(said.text, "could not be killed: it runs as another user");
    }

    fn said(note: &Note) -> String {
        words(note).text
    }

    fn words(note: &Note) -> Notice {
        super::note(&app(), InstanceId { process_type: 0, number: 2 }, note, None, None)
    }

    fn app() -> App {
        App {
            root: "/".into(),
            types: vec![ProcessType { count: 2, ..ProcessType::of("web", "") }],
            environment: Environment::default(),
            base_port: 5000,
            exit_on: ExitOn::All,
        }
    }
}
