//! `pm quit --all` and `pm quit --gone`: ends many sessions at the same time.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;

use super::{STACK, UserSession, all};
use crate::cli::client::args::WaitArgs;
use crate::cli::client::find;
use crate::cli::client::wait::until_gone;
use crate::cli::diagnostics::LiveLine;
use crate::cli::json::CommandAnswer;
use crate::cli::json::change::{EndedObject, SessionId};
use crate::cli::sources::Sources;
use crate::control::client::{Connection, Received};
use crate::control::proto::{Request, Response};
use crate::control::socket_paths::Endpoint;
use crate::error::Error;
use crate::os::clock;

/// Silence before the first word on whom is waited for, and between two words.
const PATIENCE: Duration = Duration::from_secs(1);

/// SessionsToEnd sessions are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionsToEnd {
    /// Every one.
    All,
    /// Those whose root was removed.
    Gone,
}

/// Ends them, and returns when they have ended. That there is none is a success.
pub(crate) fn quit(
    which: SessionsToEnd,
    wait: &WaitArgs,
    sources: &Sources,
) -> Result<EndedSessions, Error> {
    let is_meant = |session: &UserSession| which == SessionsToEnd::All || session.is_gone();
    let meant: Vec<_> = all(&find::folder(sources))?.into_iter().filter(is_meant).collect();
    let (answering, silent): (Vec<_>, Vec<_>) =
        meant.into_iter().partition(|session| session.answer.is_ok());
    let mut failures: Vec<String> = silent.iter().map(why_not).collect();
    let (sender, ended) = crossbeam_channel::unbounded();
    for (at, session) in answering.iter().enumerate() {
        let (endpoint, sender, waits) = (session.endpoint.clone(), sender.clone(), !wait.no_wait);
        // Nobody may be left to take it.
        let end = move || drop(sender.send((at, end(&endpoint, waits))));
        let thread = thread::Builder::new().name("quit".into()).stack_size(STACK);
        if let Err(source) = thread.spawn(end) {
            return Err(Error::Startup { what: "start a thread", source });
        }
    }
    drop(sender);
    let deadline = wait.wait.and_then(|limit| clock::instant().checked_add(limit));
    let mut left: Vec<usize> = (0..answering.len()).collect();
    let mut line = LiveLine::new(sources.may_draw());
    loop {
        match ended.recv_deadline(next_look(deadline)) {
            Ok((at, result)) => {
                left.retain(|other| *other != at);
                match result {
                    Ok(()) => {}
                    Err(error) => failures.push(format!("{}: {error}", name(&answering[at]))),
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let waiting: Vec<_> = left.iter().map(|at| name(&answering[*at])).collect();
                if deadline.is_some_and(|deadline| clock::instant() >= deadline) {
                    drop(line);
                    let seconds = wait.wait.unwrap_or_default().as_secs_f64();
                    return Err(Error::TimedOut { seconds, waiting });
                }
                line.show(&format!("waiting for {}", waiting.join(", ")));
            }
        }
    }
    drop(line);
    match failures.is_empty() {
        true => Ok(EndedSessions { sessions: answering, ended: !wait.no_wait }),
        false => Err(Error::NotTrue { failures }),
    }
}

/// The sessions that were ended.
#[derive(Debug)]
pub(crate) struct EndedSessions {
    sessions: Vec<UserSession>,
    ended: bool,
}

impl CommandAnswer for EndedSessions {
    type Object = EndedObject;

    fn text(&self) -> Vec<u8> {
        let word = if self.ended { "ended" } else { "ending" };
        let one = |session: &UserSession| format!("{word}: {}\n", name(session));
        self.sessions.iter().map(one).collect::<String>().into_bytes()
    }

    fn object(self) -> EndedObject {
        let one = |UserSession { endpoint, root, .. }: UserSession| SessionId {
            pid: endpoint.pid,
            root: root.unwrap_or_default().to_string_lossy().into_owned(),
        };
        EndedObject { sessions: self.sessions.into_iter().map(one).collect(), ended: self.ended }
    }
}

fn next_look(deadline: Option<Instant>) -> Instant {
    let soon = clock::instant() + PATIENCE;
    deadline.map_or(soon, |deadline| deadline.min(soon))
}

/// Returns a session as a person knows it: its root and its id.
fn name(session: &UserSession) -> String {
    let root = session.root.clone().unwrap_or_else(|| PathBuf::from("?"));
    format!("{} (pid {})", root.display(), session.endpoint.pid)
}

/// Says why one cannot be ended that does not answer.
fn why_not(session: &UserSession) -> String {
    let pid = session.endpoint.pid;
    let why = session.answer.as_ref().err().map_or("does not answer", |silence| silence.word());
    format!("{}: {why}; `kill -CONT {pid}` resumes it, `kill -KILL {pid}` ends it", name(session))
}

/// Asks one to end, and waits until it has.
fn end(endpoint: &Endpoint, waits: bool) -> io::Result<()> {
    let request = Request::Quit { wait: waits };
    let mut connection = match Connection::open(&endpoint.socket, request) {
        // It has ended by itself.
        Err(error)
            if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
        {
            return Ok(());
        }
        connection => connection?,
    };
    loop {
        match connection.receive(None)? {
            Received::Response(Response::Done) if !waits => return Ok(()),
            Received::Response(Response::Done) | Received::Closed => {
                until_gone(endpoint);
                return Ok(());
            }
            Received::Response(Response::Refused { reason, .. }) => {
                return Err(io::Error::other(reason));
            }
            Received::Response(_) | Received::Timeout => {}
        }
    }
}
