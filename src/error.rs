//! Every failure that a user can see: what, where, and what to do about it.

mod code;
mod hint;
mod words;

use std::io;
use std::path::PathBuf;

pub use code::ErrorCode;
pub use words::Alternative;
use words::{already, beside, quoted, stopped, waiting_for};

/// A failure that ends the command. `Display` is the lowercase fragment that `main` puts behind
/// `error: `; the cause, where there is one, is `source()`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A line of the Procfile that stops everything.
    #[error("{}:{line}: {reason}", path.display())]
    ProcfileLine {
        /// The Procfile.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// The Procfile could not be read.
    #[error("cannot read the Procfile `{}`", path.display())]
    ProcfileRead {
        /// The Procfile.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no Procfile, but something else that a person may mean.
    #[error("cannot read the Procfile `{}`: file not found{}", path.display(), beside(instead))]
    ProcfileMissing {
        /// The Procfile.
        path: PathBuf,
        /// What there is.
        instead: Alternative,
    },
    /// The Procfile has no entry.
    #[error("no processes defined in `{}`", path.display())]
    ProcfileEmpty {
        /// The Procfile.
        path: PathBuf,
    },
    /// A line of an env file that stops everything.
    #[error("{}:{line}: {reason}", path.display())]
    EnvFileLine {
        /// The env file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// An env file could not be read.
    #[error("cannot read the env file `{}`", path.display())]
    EnvFileRead {
        /// The env file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The application's folder cannot be used.
    #[error("cannot use the folder `{}`", path.display())]
    Root {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A place in pm.toml or .foreman that cannot be used.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    ConfigLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// pm.toml or .foreman could not be read.
    #[error("cannot read `{}`", path.display())]
    ConfigRead {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An option has a value that it cannot have, which clap does not know.
    #[error("{reason}")]
    Usage {
        /// Which, and why.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// An instance's PORT would be over 65535.
    #[error("`{instance}` would get port {port}, over 65535")]
    PortRange {
        /// `web.3`
        instance: String,
        /// The port.
        port: u32,
    },
    /// More instances than this process may have open files.
    #[error("{instances} instances need {needed} open files, but the limit is {limit}")]
    OpenFiles {
        /// How many instances were asked for.
        instances: usize,
        /// How many descriptors they need.
        needed: u64,
        /// The hard limit.
        limit: u64,
    },
    /// A call that pm itself depends on failed at start-up.
    #[error("cannot {what}")]
    Startup {
        /// What pm was about to do: a verb phrase.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// `pm run` was given nothing that can run.
    #[error("`{command}` was not found")]
    CommandNotFound {
        /// The command.
        command: String,
    },
    /// `pm run` was given something that may not run.
    #[error("`{command}` cannot be executed")]
    CommandNotExecutable {
        /// The command.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// No session of this folder runs.
    #[error("no session runs in `{}`", root.display())]
    NoSession {
        /// The application's folder.
        root: PathBuf,
    },
    /// No session of this folder runs, and nothing is kept of one that has ended.
    #[error("no session runs in `{}`, and no earlier output is kept", root.display())]
    NothingKept {
        /// The application's folder.
        root: PathBuf,
    },
    /// There is no such run of this folder.
    #[error("no such run is kept for `{}`", root.display())]
    NoRun {
        /// The application's folder.
        root: PathBuf,
        /// The numbers of those that are.
        known: Vec<u32>,
    },
    /// What is kept of a run cannot be read.
    #[error("cannot read the kept output of run {number}")]
    RunRead {
        /// Its number.
        number: u32,
        /// Why.
        source: io::Error,
    },
    /// The sockets of sessions cannot be looked for.
    #[error("cannot look for sessions in `{}`", folder.display())]
    RuntimeFolder {
        /// The runtime folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no place for what pm keeps between sessions.
    #[error("no place for pm's state: neither XDG_STATE_HOME nor HOME is an absolute path")]
    NoStateFolder,
    /// What pm keeps between sessions cannot be read or written.
    #[error("cannot use pm's state folder `{}`", folder.display())]
    StateFolder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The list of bases that pm has chosen cannot be used.
    #[error("cannot use the list of ports `{}`", path.display())]
    PortsFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No base is left for a root.
    #[error(
        "no ports are left for `{}`: it needs {hundreds} hundreds below {limit}, and `{}` assigns them all to others",
        root.display(), path.display()
    )]
    NoBase {
        /// The root.
        root: PathBuf,
        /// How many hundreds of ports it needs.
        hundreds: u16,
        /// The first port that the system gives out by itself.
        limit: u16,
        /// The list of bases that pm has chosen.
        path: PathBuf,
    },
    /// Somebody has ports that are needed, and they are not to be shared (`--strict-ports`).
    #[error("{reason}")]
    PortTaken {
        /// Which, and who.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// More than one session of this folder runs, and nothing says which is meant.
    #[error("{} sessions run in `{}`: {}", sessions.len(), root.display(), sessions.join("; "))]
    WhichSession {
        /// The application's folder.
        root: PathBuf,
        /// Each, with what it runs.
        sessions: Vec<String>,
    },
    /// A session of this folder and Procfile runs what is to be started.
    #[error("{}; see pm ps", already(running))]
    AlreadyRuns {
        /// Each name, and the process id of the session.
        running: Vec<(String, i32)>,
    },
    /// Some of what is to be started is known to a session, and some is not.
    #[error("nothing was started: {}, and no session knows {}", stopped(down), quoted(unknown))]
    PartlyKnown {
        /// Each name that does not run, and the process id of the session that knows it.
        down: Vec<(String, i32)>,
        /// The names that no session knows.
        unknown: Vec<String>,
    },
    /// A session in the background that nobody could control is not started.
    #[error("a background session needs a socket: cannot create one in `{}`", folder.display())]
    NoControl {
        /// The runtime folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No process type or instance has the name that was given.
    #[error("{reason}")]
    UnknownName {
        /// Which name, and where there is none.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// What was asked for cannot be done, as the part that refused it says.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// For these instances it did not come true.
    #[error("{}", failures.join("; "))]
    NotTrue {
        /// Who, and why.
        failures: Vec<String>,
    },
    /// It had not come true when the time was over.
    #[error("not complete after {}s{}", seconds, waiting_for(waiting))]
    TimedOut {
        /// The time.
        seconds: f64,
        /// Who was waited for.
        waiting: Vec<String>,
    },
    /// What was waited for was not so when the time was over.
    #[error("{late}")]
    NotInTime {
        /// Who was not so.
        late: String,
        /// What to do.
        hint: String,
    },
    /// A session does not answer, or not as it should.
    #[error("cannot talk to session {session}")]
    Session {
        /// Its process id.
        session: i32,
        /// Why.
        source: io::Error,
    },
    /// The log of `pm start --daemon` cannot be written.
    #[error("cannot write the log `{}`", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The session of `pm start --daemon` ended before it began.
    #[error("the session did not start; its log is `{}`", path.display())]
    NotLaunched {
        /// The log.
        path: PathBuf,
    },
    /// The session of `pm start --daemon --wait` did not become ready, and was ended.
    #[error("{reason}; the session has ended, its log is `{}`", log.display())]
    NotStarted {
        /// Why.
        reason: String,
        /// The log.
        log: PathBuf,
        /// Its exit code.
        code: u8,
    },
    /// The process that a session is to live as long as cannot be watched, mostly since there is none.
    #[error("cannot wait for the end of process {pid}")]
    NoOwner {
        /// Its id, as it was typed.
        pid: i32,
        /// Why.
        source: io::Error,
    },
    /// `pm signal` was given no signal.
    #[error("`{text}` is not a signal")]
    NotASignal {
        /// What was typed.
        text: String,
    },
    /// `pm check` found errors, and has already shown them.
    #[error("the check found errors")]
    CheckFailed,
    /// The manual pages cannot be written to a folder.
    #[error("cannot write the manual pages to `{}`", folder.display())]
    ManualWrite {
        /// The folder as it was named.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `pm metrics --output` cannot write its file.
    #[error("cannot write the metrics to `{}`", path.display())]
    MetricsWrite {
        /// The file as it was named.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Writing the answer of a subcommand failed.
    #[error("cannot write to standard output")]
    Output {
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// Returns the exit code: 1 for errors in files and arguments that clap cannot judge; 126 and 127
    /// as POSIX says for a command that cannot be executed or found. Most usage errors (2) are clap's.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } | Self::NotASignal { .. } => 2,
            // As timeout(1).
            Self::NotInTime { .. } => 124,
            Self::NotStarted { code, .. } => *code,
            Self::CommandNotFound { .. } => 127,
            Self::CommandNotExecutable { .. } => 126,
            // As for a filter that dies of SIGPIPE.
            Self::Output { source } if source.kind() == io::ErrorKind::BrokenPipe => 141,
            _ => 1,
        }
    }

    /// Returns whether it was already said in full, so that `main` stays silent.
    pub fn is_silent(&self) -> bool {
        match self {
            Self::CheckFailed => true,
            Self::Output { source } => source.kind() == io::ErrorKind::BrokenPipe,
            _ => false,
        }
    }
}
