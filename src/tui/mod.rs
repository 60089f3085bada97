//! `pm ui`: the whole screen. A client of sessions, over their sockets: it is opened and closed at any time, and changes
//! nothing by that.
//!
//! All that it knows is a model; `update(model, event) -> effects` changes it, and `view(model, frame)` draws it. Both are
//! pure, and know neither time nor descriptors. `run` is the loop around them. What it needs of the environment, the clock
//! and files it is given: it knows `control` alone.

mod act;
mod areas;
mod backend;
mod base64;
mod event;
mod keys;
mod lines;
mod links;
mod look;
mod model;
mod older;
mod output_view;
mod pager;
mod pane;
mod person_terminal;
mod prompt;
mod requests;
mod rows;
mod run;
mod scroll;
mod seen;
mod sessions;
mod signals;
mod update;
mod view;

use std::path::PathBuf;
use std::time::Instant;

pub use event::UiEnd;
pub use keys::{KeyMap, KeyPress, UiAction};
pub use look::UiLook;
pub use older::{InstanceOutput, OlderQuery, OlderReader, ReadOlder};
pub use run::run;

use crate::control::proto::Report;

/// A session to show.
#[derive(Clone, Debug)]
pub struct UiSession {
    /// What it is called: the name of its folder.
    pub label: String,
    /// Its process id.
    pub pid: i32,
    /// Its socket.
    pub socket: PathBuf,
    /// Its root, where that is known.
    pub root: Option<PathBuf>,
    /// What it does, where that is known already.
    pub report: Option<Report>,
}

/// Who is stopped with Ctrl-Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReach {
    /// pm alone: who has sent it the signal has sent it to whom it wanted.
    Process,
    /// Its whole process group, as a terminal does: a script that has started pm waits for it.
    Job,
}

/// What the ui is given.
#[derive(Debug)]
pub struct UiSetup {
    /// What it shows.
    pub sessions: Vec<UiSession>,
    /// What keys do.
    pub keys: KeyMap,
    /// What the terminal can show.
    pub look: UiLook,
    /// The command that shows a file, for a shell.
    pub pager: String,
    /// A folder for that file.
    pub scratch: PathBuf,
    /// What is kept in files of the output of sessions.
    pub older: OlderReader,
    /// The machine's clock.
    pub clock: fn() -> Instant,
    /// The time of day, for a person.
    pub time_of_day: fn() -> String,
    /// Stops pm, and returns when it goes on; at once where nobody could resume it.
    pub stop: fn(StopReach),
}
