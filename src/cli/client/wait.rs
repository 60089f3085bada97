//! Sends a request and waits until it is done. After a second it says which instances it waits for.

use std::io;
use std::time::Duration;

use nix::poll::{PollTimeout, poll};

use super::args::WaitArgs;
use super::find::{self, SessionInfo};
use super::until;
use crate::app::select;
use crate::cli::diagnostics::{self, LiveLine};
use crate::cli::sources::Sources;
use crate::control::client::{Connection, Received};
use crate::control::proto::{InstanceFailure, Report, Request, Response};
use crate::control::socket_paths::Endpoint;
use crate::error::Error;

/// Time before the first message about what it waits for, and between two messages.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks whether a session that has ended has removed its files, in milliseconds.
const GONE_MS: u8 = 5;
/// How often it looks: 1 s in all.
const GONE_LOOKS: usize = 200;

/// Returns when it is done. `names` are whom it concerns; empty: all.
pub(super) fn until_done(
    info @ SessionInfo { endpoint: session, report }: &SessionInfo,
    request: Request,
    names: &[String],
    wait: &WaitArgs,
    sources: &Sources,
) -> Result<(), Error> {
    let fail = |source| Error::Session { session: session.pid, source };
    // Whether the end of the session is waited for, where it is what was asked for.
    let quit = if let Request::Quit { wait } = request { Some(wait) } else { None };
    let is_rollout = matches!(request, Request::Roll(_));
    let mut connection = Connection::open(&session.socket, request).map_err(fail)?;
    let mut line = LiveLine::new(sources.may_draw());
    let (mut waited, mut waiting) = (Duration::ZERO, Vec::new());
    loop {
        let left = wait.wait.map_or(PATIENCE, |limit| limit.saturating_sub(waited)).min(PATIENCE);
        match connection.receive(Some(left)).map_err(fail)? {
            Received::Response(Response::Done) => {
                if quit == Some(true) {
                    until_gone(session);
                }
                return Ok(());
            }
            Received::Response(Response::Failed { failures }) => {
                if is_rollout {
                    drop(line);
                    until::show_last_lines(connection, report.clone(), sources);
                }
                return Err(failed(failures));
            }
            Received::Response(Response::Refused { reason, hint }) => {
                return Err(refused((reason, hint), info, names));
            }
            Received::Closed if quit.is_some() => {
                until_gone(session);
                return Ok(());
            }
            Received::Response(
                Response::Status(_)
                | Response::Output { .. }
                | Response::Lost { .. }
                | Response::Attached,
            )
            | Received::Closed => return Err(fail(early_end())),
            Received::Response(Response::Warning { text }) => {
                diagnostics::warning_of_session(&text);
                continue;
            }
            Received::Timeout => {}
        }
        waited += left;
        waiting = find::report(session).map_or(waiting, |report| in_motion(&report, names));
        if let Some(limit) = wait.wait.filter(|limit| waited >= *limit) {
            return Err(Error::TimedOut { seconds: limit.as_secs_f64(), waiting });
        }
        if !waiting.is_empty() {
            line.show(&format!("waiting for {}", waiting.join(", ")));
        }
    }
}

fn early_end() -> io::Error {
    io::Error::other("it ended before it answered")
}

fn failed(failures: Vec<InstanceFailure>) -> Error {
    let one = |failed: InstanceFailure| format!("`{}`: {}", failed.name, failed.why);
    Error::NotTrue { failures: failures.into_iter().map(one).collect() }
}

/// Makes an error of a refusal. An older pm refuses a request that it does not know.
fn refused(
    (reason, hint): (String, Option<String>),
    SessionInfo { endpoint: session, report }: &SessionInfo,
    names: &[String],
) -> Error {
    if reason.contains("unknown variant `roll`") {
        return Error::Refused {
            reason: format!(
                "the session of pid {} is of an older pm, which cannot replace instances",
                session.pid
            ),
            hint: Some("end it with `pm quit` and start it again".to_owned()),
        };
    }
    find::refusal((reason, hint), report, names)
}

/// Waits until the files of a session are gone that has nothing left to do: nobody finds it from then on.
pub(super) fn until_gone(session: &Endpoint) {
    for _ in 0..GONE_LOOKS {
        if session.is_gone() {
            return;
        }
        // An interrupted wait is a short one.
        let _ = poll(&mut [], PollTimeout::from(GONE_MS));
    }
}

/// Returns the instances that are on their way to another state, with that which they are in.
fn in_motion(report: &Report, names: &[String]) -> Vec<String> {
    let is_concerned =
        |name: &str| names.is_empty() || names.iter().any(|pattern| select::fits(pattern, name));
    let passing = report.instances.iter().filter(|instance| instance.state.is_passing());
    passing
        .filter(|instance| is_concerned(&instance.name))
        .map(|instance| format!("{} ({})", instance.name, instance.state.word()))
        .collect()
}
