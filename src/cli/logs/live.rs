//! `pm logs` of a session that keeps nothing on the disk: what it has in memory, and what comes.

use super::out::Out;
use super::text::LogView;
use crate::cli::client::args::LogsArgs;
use crate::cli::client::find::SessionInfo;
use crate::control::client::{Connection, Received};
use crate::control::proto::{LogQuery, Request, Response};
use crate::error::Error;
use crate::output::{HISTORY_LINES, Level, SYSTEM};

/// Shows it until all is shown, or with `--follow` until the session ends.
///
/// # Errors
/// The session does not answer, or refuses.
pub(super) fn logs(args: &LogsArgs, session: &SessionInfo, mut view: LogView) -> Result<(), Error> {
    let fail = |source| Error::Session { session: session.endpoint.pid, source };
    let request = Request::Logs(LogQuery {
        names: args.names.clone(),
        lines: args.lines.unwrap_or(HISTORY_LINES),
        follow: args.follow,
        bell: false,
    });
    let mut connection = Connection::open(&session.endpoint.socket, request).map_err(fail)?;
    let mut out = Out::stdout();
    loop {
        match connection.receive(None).map_err(fail)? {
            Received::Response(Response::Output { name, at, length }) => {
                let bytes = connection.read_bytes(length).map_err(fail)?;
                view.output(&name, at, &bytes, &mut out.bytes);
                if length == 0 {
                    view.end_run(&name, &mut out.bytes);
                }
            }
            Received::Response(Response::Lost { lines }) => {
                let text = format!("{lines} lines lost: they came faster than they were read");
                // What was begun does not go on.
                view.end(&mut out.bytes);
                view.say_now(SYSTEM, Level::Failure, &text, &mut out.bytes);
            }
            Received::Response(Response::Refused { reason, hint }) => {
                return Err(Error::Refused { reason, hint });
            }
            Received::Response(
                Response::Done
                | Response::Failed { .. }
                | Response::Status(_)
                | Response::Attached
                | Response::Warning { .. },
            )
            | Received::Timeout => continue,
            Received::Closed => {
                view.end(&mut out.bytes);
                return out.flush().map(drop);
            }
        }
        if !out.flush()? {
            return Ok(());
        }
    }
}
