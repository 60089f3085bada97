//! The trace of a session (`PM_TRACE`), for debugging pm: one line per event and action of the supervisor, with the
//! time since the start. An action is written before it is carried out.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::app::{App, Moment};
use crate::supervisor::{Action, Event, trace};

/// A trace that is written.
#[derive(Debug)]
pub(super) struct Trace {
    file: File,
    /// Its name, for a message.
    pub(super) path: PathBuf,
}

impl Trace {
    /// Opens the file for appending. A pipe without a reader is an error, and does not block the session.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600);
        let file = file.custom_flags(nix::libc::O_NONBLOCK).open(path)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Writes an event.
    pub(super) fn event(&mut self, now: Moment, event: &Event, app: &App) -> io::Result<()> {
        let line = line(now, "event ", &trace::event(event, app));
        self.file.write_all(line.as_bytes())
    }

    /// Writes actions.
    pub(super) fn actions(&mut self, now: Moment, actions: &[Action], app: &App) -> io::Result<()> {
        let line = |action| line(now, "action", &trace::action(action, app));
        self.file.write_all(actions.iter().map(line).collect::<String>().as_bytes())
    }
}

/// Returns a line: seconds with their microseconds, the kind, the text.
fn line(now: Moment, kind: &str, text: &str) -> String {
    let text = text.replace('\n', " ");
    format!("{:4}.{:06} {kind} {text}\n", now.0.as_secs(), now.0.subsec_micros())
}
