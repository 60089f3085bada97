//! `pm wait`: waits until instances are ready, done, started or stopped.

use std::time::{Duration, Instant};

use clap::ArgMatches;
use nix::poll::{PollTimeout, poll};

use super::args::{UntilArgs, WaitName};
use super::find::{self, SessionInfo};
use super::start;
use crate::app::{formation, select};
use crate::cli::args::StartArgs;
use crate::cli::diagnostics::{self, LiveLine};
use crate::cli::json::change::SessionChange;
use crate::cli::logs::text::LogView;
use crate::cli::sources::Sources;
use crate::control::client::{Connection, RESPONSE_TIMEOUT, Received};
use crate::control::proto::{
    InstanceFailure, InstanceState, InstanceStatus, Report, Request, Response, WaitGoal, WaitTarget,
};
use crate::error::Error;
use crate::os::clock;

/// How long a session is waited for that does not run yet.
const SESSION_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks whether it does, in milliseconds: the first and the longest.
const POLL_MS: (u16, u16) = (10, 160);
/// Silence before the first word on whom is waited for, and between two words.
const PATIENCE: Duration = Duration::from_secs(1);

/// What came of a wait.
#[derive(Debug)]
pub(in crate::cli) enum WaitOutcome {
    /// All have reached their state.
    Reached,
    /// It never will be: why, and the exit code of the first that failed.
    Never(Vec<String>, i32),
    /// It is not so yet: who.
    TimedOut(String),
}

impl WaitOutcome {
    /// Returns why it is not so, where it is not.
    pub(super) fn result(self) -> Result<(), Error> {
        match self {
            Self::Reached => Ok(()),
            Self::Never(failures, _) => Err(Error::NotTrue { failures }),
            Self::TimedOut(late) => {
                let hint =
                    "`pm ps` shows what each waits for, `pm logs` what it has written".to_owned();
                Err(Error::NotInTime { late, hint })
            }
        }
    }
}

/// `pm wait`
pub(crate) fn wait(args: &UntilArgs, sources: &Sources) -> Result<SessionChange, Error> {
    let deadline = clock::instant().checked_add(args.timeout);
    let session = session(args, sources, deadline)?;
    until(&session, &args.names, deadline, sources)?.result()?;
    let names: Vec<_> = args.names.iter().map(|target| target.name.clone()).collect();
    Ok(SessionChange::of(&session, &names))
}

/// `pm start --wait` that has started something in a session which ran already: waits for that alone.
pub(in crate::cli) fn after_start(
    args: &StartArgs,
    matches: &ArgMatches,
    sources: &Sources,
) -> Result<(), Error> {
    let Some(limit) = args.wait else { return Ok(()) };
    let target = start::target(matches);
    let mut names = Vec::new();
    for text in &args.types {
        match formation::parse(text) {
            Ok(parts) => names.extend(parts.into_iter().map(|part| part.name)),
            // An instance or a pattern.
            Err(_) => names.push(text.clone()),
        }
    }
    let session = find::one(&target, sources, &names, find::has_instances)?;
    let names: Vec<_> = names.into_iter().map(|name| WaitName { name, goal: None }).collect();
    let deadline = limit.and_then(|limit| clock::instant().checked_add(limit));
    until(&session, &names, deadline, sources)?.result()
}

/// Returns the session; waits for one that does not run yet.
fn session(
    args: &UntilArgs,
    sources: &Sources,
    deadline: Option<Instant>,
) -> Result<SessionInfo, Error> {
    let names: Vec<_> = args.names.iter().map(|target| target.name.clone()).collect();
    let began = clock::instant();
    let mut pause = POLL_MS.0;
    loop {
        let error = match find::one(&args.target, sources, &names, find::has_instances) {
            Err(error @ (Error::NoSession { .. } | Error::RuntimeFolder { .. })) => error,
            found => return found,
        };
        if is_over(deadline) {
            let hint = error.hint().unwrap_or_default();
            return Err(Error::NotInTime { late: error.to_string(), hint });
        }
        if clock::instant().saturating_duration_since(began) >= SESSION_LIMIT {
            return Err(error);
        }
        // An interrupted wait is a short one.
        let _ = poll(&mut [], PollTimeout::from(pause));
        pause = (2 * pause).min(POLL_MS.1);
    }
}

fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| clock::instant() >= deadline)
}

/// Waits for instances of a session; without a name for all of them, until each is ready, up or done. Returns as soon as
/// one no longer can be, and shows its last lines.
pub(in crate::cli) fn until(
    session: &SessionInfo,
    names: &[WaitName],
    deadline: Option<Instant>,
    sources: &Sources,
) -> Result<WaitOutcome, Error> {
    let fail = |source| Error::Session { session: session.endpoint.pid, source };
    let target =
        |WaitName { name, goal }: &WaitName| WaitTarget { name: name.clone(), goal: *goal };
    let request = Request::Wait { targets: names.iter().map(target).collect() };
    let mut connection = Connection::open(&session.endpoint.socket, request).map_err(fail)?;
    let mut line = LiveLine::new(sources.may_draw());
    loop {
        let left = deadline.map(|at| at.saturating_duration_since(clock::instant()));
        match connection.receive(Some(left.unwrap_or(PATIENCE).min(PATIENCE))).map_err(fail)? {
            Received::Response(Response::Done) => return Ok(WaitOutcome::Reached),
            Received::Response(Response::Failed { failures }) => {
                drop(line);
                show_last_lines(connection, session.report.clone(), sources);
                let code = failures.first().and_then(|failure| failure.code).unwrap_or(1);
                let one =
                    |InstanceFailure { name, why, .. }: InstanceFailure| format!("{name} {why}");
                return Ok(WaitOutcome::Never(failures.into_iter().map(one).collect(), code));
            }
            Received::Response(Response::Refused { reason, .. })
                if reason.contains("unknown variant `wait`") =>
            {
                return Err(Error::Refused {
                    reason: format!(
                        "the session of pid {} is of an older pm, which cannot be waited for",
                        session.endpoint.pid
                    ),
                    hint: Some("end it with `pm quit` and start it again".to_owned()),
                });
            }
            Received::Response(Response::Refused { reason, hint }) => {
                let names: Vec<_> = names.iter().map(|target| target.name.clone()).collect();
                return Err(find::refusal((reason, hint), &session.report, &names));
            }
            Received::Response(
                Response::Status(_)
                | Response::Warning { .. }
                | Response::Output { .. }
                | Response::Lost { .. }
                | Response::Attached,
            )
            | Received::Closed => {
                return Err(fail(std::io::Error::other("it ended before it answered")));
            }
            Received::Timeout => {}
        }
        let report = find::report(&session.endpoint).unwrap_or_else(|_| session.report.clone());
        if is_over(deadline) {
            drop(line);
            return Ok(WaitOutcome::TimedOut(late(&report, names)));
        }
        line.show(&format!("waiting: {}", late(&report, names)));
    }
}

/// Shows what follows the answer that something never will be: the last lines of who is to blame.
pub(super) fn show_last_lines(mut connection: Connection, report: Report, sources: &Sources) {
    let mut log = LogView::beside_errors(sources, &report);
    // Without them, the cause is all that is known.
    while let Ok(Received::Response(response)) = connection.receive(Some(RESPONSE_TIMEOUT)) {
        let Response::Output { name, at, length } = response else { continue };
        let Ok(bytes) = connection.read_bytes(length) else { break };
        let mut out = Vec::new();
        log.output(&name, at, &bytes, &mut out);
        diagnostics::output(&out);
    }
    let mut out = Vec::new();
    log.end(&mut out);
    diagnostics::output(&out);
}

/// Says who is not so yet, and what each still waits for: `not ready: db.1 (log:never)`.
fn late(report: &Report, names: &[WaitName]) -> String {
    let all = [WaitName { name: "*".to_owned(), goal: None }];
    let names = if names.is_empty() { &all[..] } else { names };
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for WaitName { name, goal } in names {
        let word = goal.map_or("ready", WaitGoal::word);
        let meant = report.instances.iter().filter(|it| select::fits(name, &it.name));
        for instance in meant.filter(|instance| is_late(instance, *goal)) {
            let described = describe(instance);
            match groups.iter_mut().find(|(known, _)| *known == word) {
                Some((_, late)) if late.contains(&described) => {}
                Some((_, late)) => late.push(described),
                None => groups.push((word, vec![described])),
            }
        }
    }
    if groups.is_empty() {
        // It runs, and is there to end by itself.
        let names: Vec<_> = names.iter().map(|target| target.name.as_str()).collect();
        return format!("not done: {}", names.join(", "));
    }
    let one = |(word, late): &(&str, Vec<String>)| format!("not {word}: {}", late.join(", "));
    groups.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn is_late(instance: &InstanceStatus, goal: Option<WaitGoal>) -> bool {
    use InstanceState::{Blocked, Done, Failed, Ready, Stopped, Up};
    let state = instance.state;
    match goal {
        None => !matches!(state, Ready | Up | Done),
        Some(WaitGoal::Ready) => state != Ready,
        Some(WaitGoal::Done) => state != Done,
        Some(WaitGoal::Started) => {
            let runs = state == InstanceState::Starting && instance.uptime.is_some();
            !runs && !matches!(state, Ready | Up | Done)
        }
        Some(WaitGoal::Stopped) => !matches!(state, Stopped | Done | Failed | Blocked),
    }
}

fn describe(instance: &InstanceStatus) -> String {
    let name = &instance.name;
    match (&instance.probe, instance.waits_for.first()) {
        (Some(probe), _) => format!("{name} ({probe})"),
        (None, Some(on)) => format!("{name} (waits for {on})"),
        (None, None) => format!("{name} ({})", instance.state.word()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(instances: &[(&str, &str, serde_json::Value)]) -> Report {
        let one = |(name, state, more): &(&str, &str, serde_json::Value)| {
            let mut instance = serde_json::json!({ "name": name, "state": state, "restarts": 0 });
            for (key, value) in more.as_object().into_iter().flatten() {
                instance[key] = value.clone();
            }
            instance
        };
        let instances: Vec<_> = instances.iter().map(one).collect();
        serde_json::from_value(serde_json::json!({
            "session": 1, "root": "/srv/app", "types": [], "instances": instances,
        }))
        .unwrap()
    }

    #[test]
    fn who_is_late_is_named_with_what_it_waits_for() {
        let none = serde_json::json!({});
        let report = report(&[
            ("db.1", "starting", serde_json::json!({ "probe": "log:never", "uptime": 2.0 })),
            ("web.1", "waiting", serde_json::json!({ "waits_for": ["db.1"] })),
            ("job.1", "up", none.clone()),
            ("old.1", "done", none.clone()),
            ("api.1", "ready", none),
        ]);
        let late = |names: &[&str]| {
            let names: Vec<WaitName> = names.iter().map(|name| name.parse().unwrap()).collect();
            late(&report, &names)
        };
        for (names, expected) in [
            (&[][..], "not ready: db.1 (log:never), web.1 (waits for db.1)"),
            (&["db", "db.1"], "not ready: db.1 (log:never)"),
            (&["db:started", "web:started"], "not started: web.1 (waits for db.1)"),
            (&["web", "job:done"], "not ready: web.1 (waits for db.1); not done: job.1 (up)"),
            (&["a*:stopped", "old:stopped"], "not stopped: api.1 (ready)"),
            (&["job"], "not done: job"),
        ] {
            assert_eq!(late(names), expected, "{names:?}");
        }
    }
}
