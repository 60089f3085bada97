//! Every failure that a user can see: what, where, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::app::formation::FormationError;
use crate::app::ports;
use crate::config::ConfigError;
use crate::export::ExportError;
use crate::resources::budget::BudgetError;
use crate::resources::command::CommandError;
use crate::resources::per_type::PerTypeError;

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
    #[error("cannot read the Procfile `{}`: there is none{}", path.display(), beside(instead))]
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
    /// The formation or the arguments ask for something impossible.
    #[error(transparent)]
    Formation(#[from] FormationError),
    /// The application cannot be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// pm.toml or .foreman cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// pm.toml or .foreman could not be read.
    #[error("cannot read `{}`", path.display())]
    ConfigRead {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An option such as `--memory web=512M` cannot be used.
    #[error("cannot use `{option}`")]
    PerType {
        /// `--memory`
        option: &'static str,
        /// Why.
        source: PerTypeError,
    },
    /// A memory budget cannot be divided among workers.
    #[error("cannot divide the memory budget of `{name}`")]
    Budget {
        /// The process type.
        name: String,
        /// Why.
        source: BudgetError,
    },
    /// `--gc size` for a command in which V8's flags have no certain place.
    #[error("cannot put V8's flags into the command of `{name}`")]
    V8Flags {
        /// The process type.
        name: String,
        /// Why.
        source: CommandError,
    },
    /// `--set` without `=`.
    #[error("`{text}` is not KEY=VALUE")]
    NotAnAssignment {
        /// What was typed.
        text: String,
    },
    /// PORT is set to something that is no port.
    #[error("PORT `{value}` {origin} is not a port number")]
    PortValue {
        /// The value.
        value: String,
        /// Where it was set.
        origin: String,
    },
    /// `-p` or PM_PORT is something that is no port.
    #[error("`{value}` of {option} is not a port number")]
    PortOption {
        /// The value.
        value: String,
        /// Where it was given, as a message names it.
        option: &'static str,
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
    #[error("{instances} instances need {needed} open files, and this process may have {limit}")]
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
    /// `--timestamp-format` is not one.
    #[error("`{format}` is not a form of time: {reason}")]
    TimestampFormat {
        /// What was typed.
        format: String,
        /// Why.
        reason: String,
    },
    /// No session of this folder runs.
    #[error("no session runs in `{}`", root.display())]
    NoSession {
        /// The application's folder.
        root: PathBuf,
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
    #[error("nothing is started: {}, and no session knows {}", stopped(down), quoted(unknown))]
    PartlyKnown {
        /// Each name that does not run, and the process id of the session that knows it.
        down: Vec<(String, i32)>,
        /// The names that no session knows.
        unknown: Vec<String>,
    },
    /// A session in the background that nobody could control is not started.
    #[error("a session in the background could not be controlled: cannot make a socket in `{}`", folder.display())]
    NoControl {
        /// The runtime folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The session refused, and said why.
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
    #[error("not done within {}s{}", seconds, waiting_for(waiting))]
    TimedOut {
        /// The time.
        seconds: f64,
        /// Who was waited for.
        waiting: Vec<String>,
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
    /// Writing the answer of a subcommand failed.
    #[error("cannot write to standard output")]
    Output {
        /// Why.
        source: io::Error,
    },
}

/// What there is where a Procfile is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alternative {
    /// A Procfile of another name, as it would be typed.
    Procfile(PathBuf),
    /// A package.json that `npm start` cannot run.
    Package {
        /// The package.json, as it would be typed.
        path: PathBuf,
        /// The script of it that starts the application, by its name.
        script: Option<String>,
    },
}

fn beside(instead: &Alternative) -> String {
    match instead {
        Alternative::Procfile(path) => format!(", but there is `{}`", path.display()),
        Alternative::Package { path, .. } => {
            format!(", and `{}` has no script `start`", path.display())
        }
    }
}

/// Returns a path as it is typed in a shell.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./+,:@%".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Returns which names run in which session.
fn already(running: &[(String, i32)]) -> String {
    let mut sessions: Vec<(i32, Vec<&str>)> = Vec::new();
    for (name, session) in running {
        match sessions.iter_mut().find(|(known, _)| known == session) {
            Some((_, names)) => names.push(name),
            None => sessions.push((*session, vec![name])),
        }
    }
    let one = |(session, names): &(i32, Vec<&str>)| {
        let run = if names.len() == 1 { "runs" } else { "run" };
        format!("{} already {run} in the session of pid {session}", names.join(", "))
    };
    sessions.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn stopped(down: &[(String, i32)]) -> String {
    let one = |(name, session): &(String, i32)| {
        format!("`{name}` does not run in the session of pid {session}")
    };
    down.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn waiting_for(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!(": waiting for {}", names.join(", ")),
    }
}

impl Error {
    /// Returns the exit code: 1 for errors in files and arguments that clap cannot judge; 126 and 127
    /// as POSIX says for a command that cannot be executed or found. Most usage errors (2) are clap's.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::PortOption { .. } => 2,
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

    /// Returns what to do about it, as a sentence without a full stop.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::ProcfileRead { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "make a Procfile with lines such as `web: node server.js`, or name one with `-f`".into()
            }
            Self::ProcfileMissing { instead: Alternative::Procfile(path), .. } => {
                format!("name it with `-f {}`", word(path))
            }
            Self::ProcfileMissing { instead: Alternative::Package { script, .. }, .. } => {
                let script = script.as_deref().unwrap_or("NAME");
                format!("make a Procfile with a line such as `web: npm run {script}`, or name one with `-f`")
            }
            Self::ProcfileEmpty { .. } => "write one process type a line: `web: node server.js`".into(),
            Self::EnvFileRead { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "a file named with `-e` must be there; only the default `.env` is optional".into()
            }
            Self::Root { .. } => "name the application's folder with `-d`, or its Procfile with `-f`".into(),
            Self::Formation(FormationError::Unknown { nearest: Some(nearest), .. }) => {
                format!("did you mean `{nearest}`?")
            }
            Self::Formation(FormationError::Unknown { known, .. }) => {
                format!("the Procfile has: {}", known.join(", "))
            }
            Self::Formation(FormationError::Count { name, .. }) => {
                format!("write a whole number from 0 to 65535, or `auto`: `{name}=2`")
            }
            Self::Formation(FormationError::NoName { .. }) => "write `web=2`".into(),
            Self::Export(error) => return error.hint(),
            Self::Formation(FormationError::OnlyRelease) => {
                "run it with `pm start --release`, or by its name".into()
            }
            Self::Formation(FormationError::Nothing) => "ask for at least one instance: `web=1`".into(),
            Self::Config(error) => return error.hint.clone(),
            Self::ConfigRead { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "a pm.toml named with `--config` must be there; only the root's is optional".into()
            }
            Self::PerType { source: PerTypeError::Unknown { nearest: Some(nearest), .. }, .. } => {
                format!("did you mean `{nearest}`?")
            }
            Self::PerType { option, .. } => format!("write `{option} web=VALUE,all=VALUE`; `pm start --help` says which values"),
            Self::Budget { source: BudgetError::WebMemory(size), .. } => size.hint().into(),
            Self::V8Flags { source, .. } => source.hint().into(),
            Self::NotAnAssignment { .. } => "write `--set KEY=VALUE`".into(),
            Self::PortValue { .. } => {
                format!("{}; PORT is the base of all ports", ports::HINT)
            }
            Self::PortOption { .. } => format!("{}: `-p 3000`", ports::HINT),
            Self::PortRange { .. } => "choose a lower base with `-p`".into(),
            Self::OpenFiles { .. } => "raise the limit with `ulimit -n`, or ask for fewer instances".into(),
            Self::CommandNotFound { .. } => {
                "name a process type of the Procfile, or a program on PATH; shell text goes with `-c`".into()
            }
            Self::NoSession { .. } => "start one with `pm start`, or name its folder with `-d`".into(),
            Self::AlreadyRuns { running } => {
                let name = running.first().map_or("NAME", |(name, _)| name.as_str());
                format!(
                    "`pm restart {name}` starts it anew; `pm start --another` starts a second session all the same"
                )
            }
            Self::PartlyKnown { down, unknown } => {
                let known: Vec<_> = down.iter().map(|(name, _)| name.as_str()).collect();
                format!(
                    "start those that are known in their session with `pm start {}`, and then `pm start {}`",
                    known.join(" "),
                    unknown.join(" ")
                )
            }
            Self::NoControl { .. } => {
                "make the folder yours alone (`chmod 700`), or name another in XDG_RUNTIME_DIR".into()
            }
            Self::WhichSession { .. } => "choose one with `--session PID`".into(),
            Self::Refused { hint, .. } => return hint.clone(),
            Self::NotASignal { .. } => "write a name such as `USR1` or a number".into(),
            Self::CommandNotExecutable { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                "make it executable with `chmod +x`".into()
            }
            _ => return None,
        };
        Some(hint)
    }
}
