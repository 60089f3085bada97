//! Logs that are files: one of all output (`--daemon`), and one of each process type (`--log-dir`).

mod rotation;
mod types;

use std::path::PathBuf;

use crate::app::LogLimits;
pub(super) use rotation::Rotation;
pub(super) use types::{TypeLogs, TypeOutput};

/// A log that stdout and stderr of this process are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLog {
    /// The file.
    pub path: PathBuf,
    /// How long it may get.
    pub limits: LogLimits,
}

/// Where the logs of process types go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeLogFolder {
    /// The folder.
    pub path: PathBuf,
    /// How long each may get.
    pub limits: LogLimits,
}

impl OwnLog {
    /// Its name in the root, where nobody chooses another.
    pub(crate) const NAME: &str = "pm.log";
}

impl TypeLogFolder {
    /// Returns the log of a process type.
    pub(crate) fn log_of(&self, process_type: &str) -> PathBuf {
        self.path.join(format!("{process_type}.log"))
    }
}
