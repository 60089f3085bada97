//! `pm start --daemon`

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::StartArgs;
use super::client::find::{self, SessionInfo};
use super::client::until::{self, WaitOutcome};
use super::json::change::SessionChange;
use super::sources::Sources;
use super::{diagnostics, leading_options, session_logs};
use crate::control::client;
use crate::control::proto::Request;
use crate::control::socket_paths::{self, Endpoint};
use crate::control::start_lock::StartLock;
use crate::error::Error;
use crate::os::clock;
use crate::os::daemon::{self, Launch, Launched};
use crate::session::requests::SessionOwner;
use crate::state::ports::PortsLock;

/// By these the lines of a log are known that say why a session ended.
const VERDICTS: [&str; 2] = ["!! ended by ", "\"event\":\"verdict\""];
/// How many lines of the log are shown if nothing else is known.
const LAST_LINES: usize = 10;

/// What is held until the session can be asked.
pub(crate) struct HeldForLaunch {
    /// No other start of this root looks meanwhile which sessions run.
    pub(crate) start_lock: Option<StartLock>,
    /// No other start chooses ports meanwhile.
    pub(crate) ports_lock: Option<PortsLock>,
    /// The process that the session is to live as long as: no other one has its id meanwhile without being noticed.
    pub(crate) owner: Option<SessionOwner>,
}

/// Starts the session in the background, and returns when it can be asked. The files were read without an
/// error by then.
pub(crate) fn start(
    args: &StartArgs,
    (root, folder): (&Path, PathBuf),
    held: HeldForLaunch,
    sources: &Sources,
) -> Result<SessionChange, Error> {
    if let Err(source) = socket_paths::make(&folder) {
        return Err(Error::NoControl { folder, source });
    }
    let path = session_logs::own_log(args, root, sources);
    let fail = |source| Error::Log { path: path.clone(), source };
    let mut options = File::options();
    let open = options.read(true).append(true).create(true).mode(0o600).open(&path);
    let mut log = open.map_err(fail)?;
    daemon::look_for_room(&log).map_err(fail)?;
    let before = log.seek(SeekFrom::End(0)).map_err(fail)?;
    let mut arguments = leading_options::behind(std::env::args_os().collect());
    // Behind the word `start`.
    let behind_start = arguments.len().min(2);
    arguments.insert(behind_start, "--daemonised".into());
    for name in &args.elsewhere {
        arguments.insert(behind_start, format!("--elsewhere={name}").into());
    }
    if let Some(base) = args.base {
        arguments.insert(behind_start, format!("--chosen-base={base}").into());
    }
    let launch = |source| Error::Startup { what: "start a session in the background", source };
    let ours = log.try_clone().map_err(fail)?;
    let launched = daemon::launch(&arguments, &sources.cwd, ours).map_err(launch)?;
    // It is found from now on.
    drop((held.start_lock, held.ports_lock));
    let mut log = SessionLog { path, file: log, before };
    match launched {
        Launched::Runs(session) => {
            let pid = session.pid();
            let text = format!(
                "session {pid} runs in the background; its log is {}\n",
                log.path.display()
            );
            let endpoint = endpoint(pid, &folder, root);
            if let Some(SessionOwner { pid: owner, .. }) =
                held.owner.filter(|owner| owner.end.has_come())
            {
                quit(endpoint.as_ref());
                let source = io::ErrorKind::NotFound.into();
                return Err(Error::NoOwner { pid: owner, source });
            }
            if let Some(limit) = args.wait {
                until_started(session, endpoint.as_ref(), limit, &mut log, sources)?;
            }
            // One that has ended by now has no socket, and nobody can ask it.
            let gone = || Endpoint { pid: pid.cast_signed(), socket: PathBuf::new() };
            Ok(SessionChange::launched(endpoint.unwrap_or_else(gone), root, log.path, text))
        }
        Launched::Ended => {
            diagnostics::output(format!("{}\n", log.said().trim_end()).as_bytes());
            Err(Error::NotLaunched { path: log.path })
        }
    }
}

/// Returns where a session can be asked; nothing where it has ended.
fn endpoint(pid: u32, folder: &Path, root: &Path) -> Option<Endpoint> {
    let sessions = socket_paths::sessions(folder, root).unwrap_or_default();
    sessions.into_iter().find(|found| u32::try_from(found.pid) == Ok(pid))
}

/// The log of a session, from its start on.
#[derive(Debug)]
struct SessionLog {
    path: PathBuf,
    file: File,
    before: u64,
}

impl SessionLog {
    /// Returns what the session has written, as far as it can be read.
    fn said(&mut self) -> String {
        let mut said = Vec::new();
        let read = self.file.seek(SeekFrom::Start(self.before));
        let _ = read.and_then(|_| self.file.read_to_end(&mut said));
        String::from_utf8_lossy(&said).into_owned()
    }
}

/// Ends a session. One that has ended by now needs no word.
fn quit(endpoint: Option<&Endpoint>) {
    let quit = Request::Quit { wait: false };
    let _ = endpoint.map(|endpoint| client::request(&endpoint.socket, quit));
}

/// Waits until all of a session is ready, up or done. Where it never will be, or not in time, the session is ended, and
/// its verdict shown.
fn until_started(
    session: Launch,
    endpoint: Option<&Endpoint>,
    limit: Option<Duration>,
    log: &mut SessionLog,
    sources: &Sources,
) -> Result<(), Error> {
    let deadline = limit.and_then(|limit| clock::instant().checked_add(limit));
    // It may have ended already, or ends before it answers: its exit code and its log say how.
    let outcome = endpoint.and_then(|endpoint| {
        let report = find::report(endpoint).ok()?;
        let info = SessionInfo { endpoint: endpoint.clone(), report };
        until::until(&info, &[], deadline, sources).ok()
    });
    if let Some(WaitOutcome::Reached) = outcome {
        return Ok(());
    }
    quit(endpoint);
    let fail = |source| Error::Startup { what: "wait for the session in the background", source };
    let code = session.wait().map_err(fail)?;
    if code == 0 && outcome.is_none() {
        return Ok(());
    }
    let said = log.said();
    let lines: Vec<_> = said.lines().collect();
    let verdict = lines.iter().rposition(|line| VERDICTS.iter().any(|mark| line.contains(mark)));
    let shown = match (verdict, &outcome) {
        // The reason comes with the last lines of output.
        (Some(at), Some(_)) => at,
        (None, Some(_)) => lines.len(),
        (_, None) => lines.len().saturating_sub(LAST_LINES),
    };
    lines[shown..].iter().for_each(|line| diagnostics::output(format!("{line}\n").as_bytes()));
    let (reason, code) = match outcome {
        Some(WaitOutcome::TimedOut(late)) => (late, 124),
        Some(WaitOutcome::Never(failures, _)) if code != 0 => (failures.join("; "), code),
        Some(WaitOutcome::Never(failures, failed)) => (failures.join("; "), failed),
        Some(WaitOutcome::Reached) | None => (format!("it ended with code {code}"), code),
    };
    // Exit codes are one byte: what does not fit is no success.
    let code = u8::try_from(code).unwrap_or(1);
    Err(Error::NotStarted { reason, log: log.path.clone(), code })
}
