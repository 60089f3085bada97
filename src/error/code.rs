//! What programs tell errors apart by: a code of a closed list, and the place in a file.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::Error;

// The doc comments are the list in the manual and in the schema; docs/json.md has it too.
/// What kind of error it is; a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// The command line is wrong, or what it asks for needs a terminal.
    Usage,
    /// A line of the Procfile cannot be used.
    ProcfileLine,
    /// The Procfile cannot be read.
    ProcfileRead,
    /// The Procfile has no process types.
    NoProcesses,
    /// A line of an env file cannot be used.
    EnvFileLine,
    /// An env file cannot be read.
    EnvFileRead,
    /// A place in pm.toml or .foreman cannot be used.
    ConfigLine,
    /// pm.toml or .foreman cannot be read.
    ConfigRead,
    /// The root cannot be used.
    Root,
    /// An instance would get a port over 65535.
    PortRange,
    /// Somebody has a port that is needed, and it is not to be shared.
    PortTaken,
    /// pm cannot choose ports: all are given to other roots, or the list of them cannot be used.
    NoPorts,
    /// More open files are needed than the limit allows.
    OpenFiles,
    /// The system refused something that pm needs to begin.
    Startup,
    /// The command that was to be run was not found.
    CommandNotFound,
    /// The command that was to be run cannot be executed.
    CommandNotExecutable,
    /// No session runs in the root.
    NoSession,
    /// Several sessions run in the root, and nothing says which is meant.
    WhichSession,
    /// No process type or instance has this name.
    UnknownName,
    /// What is to be started runs already.
    AlreadyRuns,
    /// A part of what is to be started is known to a session, and a part is not.
    PartlyKnown,
    /// The runtime folder cannot be used.
    RuntimeFolder,
    /// The state folder cannot be used.
    StateFolder,
    /// No such run is kept.
    NoRun,
    /// The session does not answer.
    SessionUnreachable,
    /// The session in the background did not start, or did not become ready.
    NotStarted,
    /// It did not come true: an instance failed, or ended instead.
    Failed,
    /// It had not come true when the time was over.
    Timeout,
    /// The log cannot be written.
    Log,
    /// The answer, or a file that was asked for, cannot be written.
    Output,
    /// It cannot be done for another reason: the message says which.
    Refused,
}

impl Error {
    /// Returns the code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Usage { .. } | Self::NotASignal { .. } => ErrorCode::Usage,
            Self::ProcfileLine { .. } => ErrorCode::ProcfileLine,
            Self::ProcfileRead { .. } | Self::ProcfileMissing { .. } => ErrorCode::ProcfileRead,
            Self::ProcfileEmpty { .. } => ErrorCode::NoProcesses,
            Self::EnvFileLine { .. } => ErrorCode::EnvFileLine,
            Self::EnvFileRead { .. } => ErrorCode::EnvFileRead,
            Self::ConfigLine { .. } => ErrorCode::ConfigLine,
            Self::ConfigRead { .. } => ErrorCode::ConfigRead,
            Self::Root { .. } => ErrorCode::Root,
            Self::PortRange { .. } => ErrorCode::PortRange,
            Self::PortTaken { .. } => ErrorCode::PortTaken,
            Self::NoBase { .. } | Self::PortsFile { .. } => ErrorCode::NoPorts,
            Self::OpenFiles { .. } => ErrorCode::OpenFiles,
            Self::Startup { .. } => ErrorCode::Startup,
            Self::CommandNotFound { .. } => ErrorCode::CommandNotFound,
            Self::CommandNotExecutable { .. } => ErrorCode::CommandNotExecutable,
            Self::NoSession { .. } | Self::NothingKept { .. } => ErrorCode::NoSession,
            Self::WhichSession { .. } => ErrorCode::WhichSession,
            Self::UnknownName { .. } => ErrorCode::UnknownName,
            Self::AlreadyRuns { .. } => ErrorCode::AlreadyRuns,
            Self::PartlyKnown { .. } => ErrorCode::PartlyKnown,
            Self::RuntimeFolder { .. } | Self::NoControl { .. } => ErrorCode::RuntimeFolder,
            Self::NoStateFolder | Self::StateFolder { .. } | Self::RunRead { .. } => {
                ErrorCode::StateFolder
            }
            Self::NoRun { .. } => ErrorCode::NoRun,
            Self::Session { .. } => ErrorCode::SessionUnreachable,
            Self::NotLaunched { .. } | Self::NotStarted { .. } => ErrorCode::NotStarted,
            Self::NotTrue { .. } => ErrorCode::Failed,
            Self::TimedOut { .. } | Self::NotInTime { .. } => ErrorCode::Timeout,
            Self::Log { .. } => ErrorCode::Log,
            Self::Output { .. } | Self::ManualWrite { .. } | Self::MetricsWrite { .. } => {
                ErrorCode::Output
            }
            // `CheckFailed` is said by what `pm check` has found.
            Self::Refused { .. } | Self::NoOwner { .. } | Self::CheckFailed => ErrorCode::Refused,
        }
    }

    /// Returns the place in a file that is wrong, as `FILE:LINE:COLUMN`; the file alone where it is wrong as a whole.
    pub fn place(&self) -> Option<String> {
        let at = |path: &Path, line: usize, column: usize| {
            Some(format!("{}:{line}:{column}", path.display()))
        };
        match self {
            Self::ProcfileLine { path, line, .. } | Self::EnvFileLine { path, line, .. } => {
                at(path, *line, 1)
            }
            Self::ConfigLine { path, line, column, .. } => at(path, *line, *column),
            Self::ProcfileRead { path, .. }
            | Self::ProcfileMissing { path, .. }
            | Self::ProcfileEmpty { path }
            | Self::EnvFileRead { path, .. }
            | Self::ConfigRead { path, .. }
            | Self::Root { path, .. } => Some(path.display().to_string()),
            _ => None, // No other is about a file of the application.
        }
    }
}
