//! Sends a request and waits until it is done. After a second it says which instances it waits for.

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

/// Silence before the first word on whom is waited for, and between two words.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks whether a session that has ended has removed its files, in milliseconds.
const GONE_MS: u8 = 5;
/// So often is looked: 1 s in all.
const GONE_LOOKS: usize = 200;

/// Returns when it is done. `names` are whom it concerns; empty: all.
pub(super) fn until_done(
    SessionInfo { endpoint: session, report }: &SessionInfo,
    request: Request,
    names: &[String],
    wait: &WaitArgs,
    sources: &Sources,
) -> Result<(), Error> {
    let fail = |source| Error::Session { session: session.pid, source };
    let is_quit = matches!(request, Request::Quit { .. });
    let is_rollout = matches!(request, Request::Roll(_));
    let waits_for_end = matches!(request, Request::Quit { wait: true });
    let mut connection = Connection::open(&session.socket, request).map_err(fail)?;
    let mut line = LiveLine::new(sources.may_draw());
    let mut waited = Duration::ZERO;
    let mut waiting = Vec::new();
    loop {
        let left = wait.wait.map_or(PATIENCE, |limit| limit.saturating_sub(waited)).min(PATIENCE);
        match connection.receive(Some(left)).map_err(fail)? {
            Received::Response(Response::Done) if waits_for_end => {
                until_gone(session);
                return Ok(());
            }
            Received::Response(Response::Done) => return Ok(()),
            Received::Response(Response::Failed { failures }) => {
                if is_rollout {
                    drop(line);
                    until::show_last_lines(connection, report.clone(), sources);
                }
                let one = |failed: InstanceFailure| format!("`{}`: {}", failed.name, failed.why);
                return Err(Error::NotTrue { failures: failures.into_iter().map(one).collect() });
            }
            Received::Response(Response::Refused { reason, .. })
                if reason.contains("unknown variant `roll`") =>
            {
                return Err(Error::Refused {
                    reason: format!(
                        "the session of pid {} is of an older pm, which cannot replace instances",
                        session.pid
                    ),
                    hint: Some("end it with `pm quit` and start it again".to_owned()),
                });
            }
            Received::Response(Response::Refused { reason, hint }) => {
                return Err(find::refusal((reason, hint), report, names));
            }
            // The end of the session is what was asked for.
            Received::Closed if is_quit => {
                until_gone(session);
                return Ok(());
            }
            Received::Response(
                Response::Status(_)
                | Response::Output { .. }
                | Response::Lost { .. }
                | Response::Attached,
            )
            | Received::Closed => {
                return Err(fail(std::io::Error::other("it ended before it answered")));
            }
            Received::Response(Response::Warning { text }) => {
                diagnostics::warning_of_session(&text);
                continue;
            }
            Received::Timeout => {}
        }
        waited += left;
        if let Ok(report) = find::report(session) {
            waiting = in_motion(&report, names);
        }
        if wait.wait.is_some_and(|limit| waited >= limit) {
            let seconds = wait.wait.unwrap_or_default().as_secs_f64();
            return Err(Error::TimedOut { seconds, waiting });
        }
        if !waiting.is_empty() {
            line.show(&format!("waiting for {}", waiting.join(", ")));
        }
    }
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
