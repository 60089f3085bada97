//! What the pump is told, and what it tells.

use std::io;
use std::os::fd::OwnedFd;

use crossbeam_channel::Sender;

use super::screen::Voice;
use super::subscription::{Follower, Watcher};
use crate::app::text::printable;
use crate::app::{InstanceId, RunId};

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// pm itself.
    System,
    /// pm, about an instance.
    Instance(InstanceId),
}

/// How a line of pm's own is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As news.
    News,
    /// As a failure.
    Failure,
}

impl Tone {
    /// Returns such a line: with a mark, by which it is told apart from those of programs, and what it quotes
    /// (a file, a name of a process) without control characters.
    pub fn line(self, text: &str) -> String {
        let mark = match self {
            Self::News => "-- ",
            Self::Failure => "!! ",
        };
        format!("{mark}{}", printable(text))
    }
}

/// A line of pm's own.
#[derive(Clone, Debug)]
pub struct Say {
    /// Under whose name it stands.
    pub speaker: Speaker,
    /// How it is to be taken.
    pub tone: Tone,
    /// The name of the event, for programs.
    pub event: &'static str,
    /// What is said, for people.
    pub text: String,
    /// What happened, for programs.
    pub facts: serde_json::Map<String, serde_json::Value>,
}

impl Say {
    /// Returns the same as a failure.
    pub fn failed(self) -> Self {
        Self { tone: Tone::Failure, ..self }
    }

    /// Returns the line, as it stands in a log.
    pub fn line(&self) -> String {
        self.tone.line(&self.text)
    }
}

/// What the pump is told.
#[derive(Debug)]
pub enum ToPump {
    /// There is another instance.
    Voice(Voice),
    /// Show what comes out of this pipe until it ends.
    Open(RunId, OwnedFd),
    /// Show a line of pm's own.
    Say(Say),
    /// The run is over: show what its pipe still holds, and read it no more.
    Drop(RunId),
    /// Send what is kept of the output, and what comes, to someone else.
    Subscribe(Follower),
    /// Send what comes on the terminal of a run to someone, as it comes.
    Watch(RunId, Watcher),
    /// Send this one no more.
    Unsubscribe(u64),
    /// The instance has left: what is kept of its output is not asked for again.
    Forget(InstanceId),
    /// Answer when everything before this has been written. It is the end: followers get no more.
    Flush(Sender<()>),
}

/// What the pump tells.
#[derive(Debug, PartialEq, Eq)]
pub enum FromPump {
    /// Everything that the run wrote has been rendered, and nobody can write more.
    Closed(RunId),
    /// stdout cannot be written: its reader is gone, or its disk is full.
    OutputLost(io::ErrorKind, String),
}
