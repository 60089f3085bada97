//! `pm logs -f`: what comes, read from where it is kept. The session only says that there is more.

use std::io;
use std::time::Duration;

use super::show::Show;
use crate::cli::client::find::SessionInfo;
use crate::control::client::{Connection, Received};
use crate::control::proto::{LogQuery, Request, Response};
use crate::error::Error;
use crate::os::clock;
use crate::state::runs::Reader;

/// Silence after which an unfinished line is shown: a prompt.
const SILENCE: Duration = Duration::from_millis(100);

/// Asks the session to tell when there is more.
///
/// # Errors
/// It does not answer, or has no room for one more.
pub(super) fn begin(session: &SessionInfo, names: &[String]) -> Result<Connection, Error> {
    let fail = |source| Error::Session { session: session.endpoint.pid, source };
    let (names, lines, follow, bell) = (names.to_vec(), 0, true, true);
    let request = Request::Logs(LogQuery { names, lines, follow, bell });
    let mut connection = Connection::open(&session.endpoint.socket, request).map_err(fail)?;
    // From its first word on, nothing goes unnoticed.
    match connection.receive(None).map_err(fail)? {
        Received::Response(Response::Refused { reason, hint }) => {
            Err(Error::Refused { reason, hint })
        }
        Received::Response(response) => {
            skip(&mut connection, &response).map_err(fail)?;
            Ok(connection)
        }
        // It has ended meanwhile: what it wrote is there.
        Received::Closed | Received::Timeout => Ok(connection),
    }
}

/// Shows what comes until the session ends or nobody reads on. `has_prompts`: lines that have no end yet are shown
/// after a while.
///
/// # Errors
/// What is kept cannot be read, or nothing can be written.
pub(super) fn follow(
    mut connection: Connection,
    reader: &mut Reader,
    show: &mut Show,
    has_prompts: bool,
    fail: impl Fn(io::Error) -> Error,
) -> Result<(), Error> {
    let mut may_wait = true;
    loop {
        if !show.out().flush()? {
            return Ok(());
        }
        let limit = (has_prompts && may_wait).then_some(SILENCE);
        // A connection that breaks is a session that is gone.
        let received = connection.receive(limit).unwrap_or(Received::Closed);
        match received {
            Received::Response(response) => {
                if skip(&mut connection, &response).is_err() {
                    return rest(reader, show, fail);
                }
                reader.refresh(clock::unix_milliseconds()).map_err(&fail)?;
                if !show.written(reader).map_err(&fail)? {
                    return Ok(());
                }
                may_wait = true;
            }
            Received::Timeout => {
                may_wait = false;
                if !show.unfinished(reader) {
                    return Ok(());
                }
            }
            Received::Closed => return rest(reader, show, fail),
        }
    }
}

/// Shows what was written last.
fn rest(
    reader: &mut Reader,
    show: &mut Show,
    fail: impl Fn(io::Error) -> Error,
) -> Result<(), Error> {
    reader.refresh(i64::MAX).map_err(&fail)?;
    if show.written(reader).map_err(&fail)? {
        show.unfinished(reader);
    }
    Ok(())
}

/// Passes over the bytes behind a response: a session of an older pm sends its output.
fn skip(connection: &mut Connection, response: &Response) -> io::Result<()> {
    match response {
        Response::Output { length, .. } => connection.read_bytes(*length).map(drop),
        _ => Ok(()),
    }
}
