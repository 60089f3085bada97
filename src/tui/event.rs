//! What comes to the ui, and what it has done.

use std::path::PathBuf;

use super::keys::KeyPress;
use super::older::{InstanceOutput, OlderQuery};
use crate::control::proto::{Report, Request};

/// What has happened.
#[derive(Debug)]
pub(super) enum UiEvent {
    /// A key.
    Key(KeyPress),
    /// The terminal has so many columns and rows.
    Resized(u16, u16),
    /// A session says what its instances do.
    Reported(usize, Box<Report>),
    /// Output of an instance of a session.
    Output(usize, InstanceOutput),
    /// What a session has kept in files.
    Older(usize, Vec<InstanceOutput>),
    /// So many lines were lost.
    Lost(u64),
    /// A session has ended.
    Ended(usize),
    /// What was asked for is done, or is not.
    Answered(String),
    /// Ctrl-] was typed: keys are for the ui again.
    TypingOver,
    /// The terminal of the instance is connected.
    Attached,
    /// What the terminal shows.
    Screen(Vec<u8>),
    /// The terminal is gone, for a reason where there is one.
    Detached(Option<String>),
    /// A message has been there for long enough.
    MessageOver,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum UiEffect {
    /// Leave the ui.
    Leave(UiEnd),
    /// Ask a session for something; the text says what, for the answer.
    Ask(usize, Request, String),
    /// Connect the terminal of an instance, with so many rows and columns.
    Attach(usize, String, u16, u16),
    /// Let go of it.
    Detach,
    /// Give it another size: rows and columns.
    Resize(u16, u16),
    /// Give the terminal a text to copy.
    Copy(String),
    /// Show a text in a pager.
    Open(String),
    /// Read what a session has kept in files.
    Older(usize, OlderQuery),
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Stop, as Ctrl-Z does.
    Suspend,
}

/// Why the ui has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UiEnd {
    /// The person left.
    Left,
    /// The person wants the plain stream of a session, of these instances or types; none: all.
    Stream {
        /// The process id of the session.
        session: i32,
        /// Its root; `None` where nobody says.
        root: Option<PathBuf>,
        /// Instances or types.
        names: Vec<String>,
    },
    /// A signal with this number.
    Signal(i32),
}
