//! All sessions of the user. They are asked at the same time: one that hangs costs the others nothing.

pub(crate) mod quit;
pub(crate) mod table;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;
use nix::unistd::Pid;

use crate::control::client;
use crate::control::proto::{Report, Request, Response};
use crate::control::socket_paths::{self, Endpoint, FoundSession};
use crate::error::Error;
use crate::os::{clock, processes};

/// How long a session may take to answer. One that does not is shown without what it would say.
const LIMIT: Duration = Duration::from_secs(1);
const STACK: usize = 256 << 10;

/// A session of the user.
#[derive(Debug)]
pub(crate) struct UserSession {
    pub(crate) endpoint: Endpoint,
    /// Its root; `None` where nobody says.
    pub(crate) root: Option<PathBuf>,
    pub(crate) answer: Result<Report, Silence>,
}

/// Why a session does not say what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It is stopped, by Ctrl-Z or SIGSTOP.
    Suspended,
    /// It has not answered in time, or not as it should.
    Hangs,
}

impl Silence {
    /// Returns the word for a table.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Hangs => "does not answer",
        }
    }
}

impl UserSession {
    /// Returns whether its root was removed.
    pub(crate) fn is_gone(&self) -> bool {
        let is_missing = |root: &PathBuf| {
            let metadata = fs::metadata(root);
            let kind = metadata.err().map(|error| error.kind());
            matches!(kind, Some(ErrorKind::NotFound | ErrorKind::NotADirectory))
        };
        self.root.as_ref().is_some_and(is_missing)
    }
}

/// Refuses an option that means one session beside one that means many. Its variable is for other commands.
///
/// # Errors
/// `-d`, `--procfile` or `--session` was typed.
pub(crate) fn refuse_target(matches: &ArgMatches) -> Result<(), Error> {
    let is_typed = |name: &&&str| matches.value_source(name) == Some(ValueSource::CommandLine);
    match ["root", "procfile", "session"].iter().find(is_typed) {
        None => Ok(()),
        Some(name) => Err(Error::Usage {
            reason: format!("`--{name}` chooses one session, but the command is for many"),
            hint: format!("leave out `--{name}`, or the option for many sessions"),
        }),
    }
}

/// Returns every session of the user, by root. One that has just ended is none.
///
/// # Errors
/// The runtime folder cannot be trusted.
pub(crate) fn all(folder: &Path) -> Result<Vec<UserSession>, Error> {
    let look = || {
        let fail = |source| Error::RuntimeFolder { folder: folder.to_owned(), source };
        socket_paths::all_sessions(folder).map_err(fail)
    };
    let found = look()?;
    let answers = ask(&found);
    // Who does not answer may have ended meanwhile.
    let is_any_silent = answers.iter().any(Result::is_err);
    let left = if is_any_silent { look()? } else { Vec::new() };
    let lives = |found: &FoundSession| left.iter().any(|left| left.endpoint == found.endpoint);
    let sessions = found.into_iter().zip(answers);
    let sessions = sessions.filter(|(found, answer)| answer.is_ok() || lives(found));
    let one =
        |(FoundSession { endpoint, root }, answer): (FoundSession, Result<Report, Silence>)| {
            let said = answer.as_ref().ok().map(|report| PathBuf::from(&report.root));
            UserSession { endpoint, root: root.or(said), answer }
        };
    let mut sessions: Vec<_> = sessions.map(one).collect();
    sessions.sort_by(|a, b| a.root.cmp(&b.root));
    Ok(sessions)
}

/// Asks each what it does, and waits for none longer than [`LIMIT`].
fn ask(found: &[FoundSession]) -> Vec<Result<Report, Silence>> {
    let mut answers = vec![Err(Silence::Hangs); found.len()];
    let (sender, come) = crossbeam_channel::unbounded();
    for (at, FoundSession { endpoint, .. }) in found.iter().enumerate() {
        if processes::is_suspended(Pid::from_raw(endpoint.pid)) {
            answers[at] = Err(Silence::Suspended);
            continue;
        }
        let (socket, sender) = (endpoint.socket.clone(), sender.clone());
        // Nobody may be left to take it.
        let ask = move || drop(sender.send((at, report(&socket))));
        let thread = thread::Builder::new().name("ask".into()).stack_size(STACK);
        // Without a thread it is silent.
        drop(thread.spawn(ask));
    }
    drop(sender);
    let deadline = clock::instant() + LIMIT;
    while let Ok((at, report)) = come.recv_deadline(deadline) {
        answers[at] = report.map_err(|_| Silence::Hangs);
    }
    answers
}

fn report(socket: &Path) -> io::Result<Report> {
    let ask = || client::request(socket, Request::Status);
    let response = match ask() {
        // It has its lock, and had not begun to listen.
        Err(error)
            if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
        {
            ask()
        }
        response => response,
    };
    match response? {
        Response::Status(report) => Ok(*report),
        _ => Err(io::Error::other("it sent an unexpected response")), // It refuses, as a full one does.
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;
    use std::sync::{Arc, Barrier};

    use crate::control::proto;
    use crate::control::socket_paths::SocketPaths;

    use super::*;

    /// Answers one request on a socket with an empty report, when as many others have been asked as the barrier wants.
    fn serve(paths: &SocketPaths, root: &Path, barrier: &Arc<Barrier>) {
        let listener = UnixListener::bind(paths.socket()).unwrap();
        let report: Report = serde_json::from_value(serde_json::json!({
            "session": 1, "root": root, "types": [], "instances": [],
        }))
        .unwrap();
        let barrier = Arc::clone(barrier);
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            barrier.wait();
            stream.write_all(&proto::line(Response::Status(Box::new(report)))).unwrap();
        });
    }

    #[test]
    fn fifty_are_asked_at_the_same_time_beside_those_that_were_killed_and_those_that_hang() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("pm");
        let real = fs::canonicalize(scratch.path()).unwrap();
        // No process has these ids.
        let mut pids = i32::MAX - 100..;
        let mut take =
            |root: &Path| SocketPaths::take(&folder, root, pids.next().unwrap()).unwrap();
        let barrier = Arc::new(Barrier::new(50));
        let mut held = Vec::new();
        for at in 0..50 {
            let root = real.join(format!("root-{at:02}"));
            if at >= 5 {
                fs::create_dir(&root).unwrap();
            }
            let paths = take(&root);
            serve(&paths, &root, &barrier);
            held.push(paths);
        }
        let hangs = take(&real);
        let _listener = UnixListener::bind(hangs.socket()).unwrap();
        // What SIGKILL leaves: a lock that nobody holds, and a socket without a listener.
        for at in 0..10 {
            let name = format!("0123456789abcdef-{at:08}-{}", i32::MAX);
            fs::write(folder.join(format!("{name}.lock")), "/srv/killed").unwrap();
            drop(UnixListener::bind(folder.join(format!("{name}.sock"))).unwrap());
        }
        let all = all(&folder).unwrap();
        let count = |is: fn(&UserSession) -> bool| all.iter().filter(|one| is(one)).count();
        assert_eq!((all.len(), count(|one| one.answer.is_ok())), (51, 50));
        assert_eq!(count(UserSession::is_gone), 5);
        let silent: Vec<_> = all.iter().filter(|one| one.answer.is_err()).collect();
        assert_eq!(silent[0].root.as_deref(), Some(&*real));
        assert!(all.iter().skip(1).is_sorted_by_key(|one| &one.root));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2 * 51, "what is stale is swept");
    }
}
