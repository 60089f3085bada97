//! The environment, the current folder and the standard streams of pm's process: read once, then passed on.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use crate::app::{Environment, Source};
use crate::error::Error;
use crate::state;

/// What pm tells each instance of its session: the root, the process id, and the name.
pub(super) const ROOT: &str = "PM_ROOT";
pub(super) const SESSION: &str = "PM_SESSION";
const NAME: &str = "PM_NAME";

/// The caller's environment, folder and terminals.
#[derive(Clone, Debug, Default)]
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
        for (key, value) in self.env.iter().filter(|(key, _)| !is_of_service_manager(key)) {
            environment.set(key, value, Source::Caller);
        }
        environment
    }

    /// Returns whether pm runs inside of an instance of another session: PM_ROOT and PM_SESSION are then what that
    /// session tells of itself, and no options.
    pub(super) fn is_of_instance(&self) -> bool {
        [ROOT, SESSION, NAME].iter().all(|key| self.var(key).is_some())
    }

    /// Returns whether stdout may be cleared: only for a person, who is at stdin too.
    pub fn may_clear(&self) -> bool {
        self.stdout_is_terminal && io::stdin().is_terminal()
    }

    /// Returns whether the terminal cannot move its cursor, or nobody says what it can.
    pub(super) fn has_dumb_terminal(&self) -> bool {
        self.var("TERM").is_none_or(|term| term == "dumb")
    }

    /// Returns whether the terminal shows more than ASCII, by the locale (locale(7)).
    pub(super) fn has_unicode(&self) -> bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|key| self.var(key));
        let locale = locale.map(|it| it.to_string_lossy().to_ascii_lowercase());
        locale.is_some_and(|it| it.contains("utf-8") || it.contains("utf8"))
    }

    /// Returns whether a line on stderr may be written over.
    pub fn may_draw(&self) -> bool {
        self.stderr_is_terminal && self.may_clear()
    }

    /// Returns a variable that is set and not empty: NO_COLOR counts so (no-color.org).
    pub fn var(&self, key: &str) -> Option<&OsStr> {
        let found = self.env.iter().find(|(name, value)| name == key && !value.is_empty());
        found.map(|(_, value)| value.as_os_str())
    }

    /// Returns where pm keeps what outlives a session. The folder may not be there yet: [`state::folder::make`] makes it.
    ///
    /// # Errors
    /// Neither `XDG_STATE_HOME` nor `HOME` is an absolute path.
    pub fn state_folder(&self) -> Result<PathBuf, Error> {
        let path = |key| self.var(key).map(Path::new);
        state::folder::folder(path("XDG_STATE_HOME"), path("HOME")).ok_or(Error::NoStateFolder)
    }
}

/// Returns whether a variable is what a service manager has told pm itself: sd_notify(3), sd_watchdog_enabled(3),
/// sd_listen_fds(3). A process that found it would answer in pm's place.
fn is_of_service_manager(key: &OsStr) -> bool {
    const OWN: [&str; 6] = [
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
        "WATCHDOG_PID",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
    ];
    OWN.iter().any(|own| key == *own)
}
