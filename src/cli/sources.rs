//! The environment, the current folder and the standard streams of pm's process: read once, then passed on.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use crate::app::{Environment, Source};

/// The caller's environment, folder and terminals.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The variables that pm was started with.
    pub env: Vec<(OsString, OsString)>,
    /// The current folder.
    pub cwd: PathBuf,
    /// Standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Standard error is a terminal.
    pub stderr_is_terminal: bool,
}

impl Sources {
    /// Reads them from this process.
    ///
    /// # Errors
    /// The current folder was deleted, or may not be read.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment and the current folder"
    )]
    pub fn of_this_process() -> io::Result<Self> {
        Ok(Self {
            env: std::env::vars_os().collect(),
            cwd: std::env::current_dir()?,
            stdout_is_terminal: io::stdout().is_terminal(),
            stderr_is_terminal: io::stderr().is_terminal(),
        })
    }

    /// Returns the caller's variables as the lowest layer of the application's environment.
    pub fn environment(&self) -> Environment {
        let mut environment = Environment::default();
        for (key, value) in &self.env {
            environment.set(key, value, Source::Caller);
        }
        environment
    }

    /// Returns a variable that is set and not empty: NO_COLOR counts so (no-color.org).
    pub fn var(&self, key: &str) -> Option<&OsStr> {
        let found = self.env.iter().find(|(name, value)| name == key && !value.is_empty());
        found.map(|(_, value)| value.as_os_str())
    }
}
