//! Messages to the pump and from it.

use std::io;
use std::os::fd::OwnedFd;

use crossbeam_channel::Sender;

use super::counts::OutputCount;
use super::line_filter::LineFilter;
use super::log::{OwnLog, TypeLogFolder};
use super::render::OutputSource;
use super::status_line::StatusFacts;
use super::subscription::{Bell, Subscriber, TailQuery, TerminalViewer};
use crate::app::readiness::LogPattern;
use crate::app::text::printable;
use crate::app::{InstanceId, RunId};
use crate::state::runs::Keeper;

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// pm itself.
    Session,
    /// pm, about an instance.
    Instance(InstanceId),
}

/// The event that a run has ended.
pub const ENDED: &str = "ended";

/// How a line of pm's own is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As news.
    Info,
    /// As a failure.
    Failure,
    /// As a fact for programs: it stands in `--json` alone.
    Event,
}

impl Level {
    /// Returns such a line: with a mark, by which it differs from those of programs, and what it quotes
    /// (a file, a name of a process) without control characters.
    pub fn line(self, text: &str) -> String {
        let mark = match self {
            Self::Info | Self::Event => "-- ",
            Self::Failure => "!! ",
        };
        format!("{mark}{}", printable(text))
    }
}

/// A line of pm's own.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Under whose name it stands.
    pub about: About,
    /// How it is to be taken.
    pub level: Level,
    /// The name of the event, for programs.
    pub event: &'static str,
    /// What is said, for people.
    pub text: String,
    /// What happened, for programs.
    pub facts: serde_json::Map<String, serde_json::Value>,
}

impl Notice {
    /// Returns the same as a failure.
    pub fn failed(self) -> Self {
        Self { level: Level::Failure, ..self }
    }

    /// Returns the same for programs alone.
    pub fn event(self) -> Self {
        Self { level: Level::Event, ..self }
    }

    /// Returns the line, as it stands in a log.
    pub fn line(&self) -> String {
        self.level.line(&self.text)
    }
}

/// What the pump is told.
#[derive(Debug)]
pub enum PumpCommand {
    /// stdout is this log: rename it when it gets long.
    RotateLog(OwnLog),
    /// Copy the lines of each process type to a log of its own.
    CopyToLogs(TypeLogFolder),
    /// There is another instance.
    AddSource(OutputSource),
    /// Count what the runs of an instance write that are opened next.
    Count(InstanceId, OutputCount),
    /// Keep a copy of the output, for when the session is over.
    Keep(Box<Keeper>),
    /// Tell when lines of a run that is opened next have matched all of these patterns.
    Expect(RunId, Vec<LogPattern>),
    /// Show what comes out of this pipe until it ends.
    Open(RunId, OwnedFd),
    /// Show a line of pm's own.
    Show(Notice),
    /// The run is over: show what its pipe still holds, and read it no more.
    CloseRun(RunId),
    /// Send what is kept of the output, and what comes, to someone else.
    Subscribe(Subscriber),
    /// Send the last lines of one instance, once.
    Tail(TailQuery),
    /// Tell someone when there is more.
    RingAtNews(Bell),
    /// Send what comes on the terminal of a run to someone, as it comes.
    View(RunId, TerminalViewer),
    /// Send this one no more.
    Unsubscribe(u64),
    /// The instance has left: what is kept of its output is not asked for again.
    Forget(InstanceId),
    /// Change what a person sees, where stdout is a terminal.
    AtTerminal(ScreenCommand),
    /// Answer when everything before this has been written. It is the end: subscribers get no more.
    Flush(Sender<()>),
}

/// What the pump is told of the terminal that it writes to.
#[derive(Debug)]
pub enum ScreenCommand {
    /// This is what the line below the output says from now on.
    ShowStatus(Box<StatusFacts>),
    /// Erase that line, and answer; it is shown again with the next [`Self::ShowStatus`].
    HideStatus(Sender<()>),
    /// Show these lines of programs alone.
    Filter(LineFilter),
    /// Tell when the unfinished line of a run with a terminal was shown.
    ReportPrompts,
    /// Show these lines once, as they are.
    Insert(Vec<String>),
    /// Show a ruler with the time.
    Ruler,
    /// Show the last lines of all instances of a process type.
    LastLines {
        /// Its position.
        process_type: u16,
        /// How many.
        count: usize,
    },
    /// Show the terminal of a run as it is, and nothing else, after this line; answer when the line is shown.
    Attach(RunId, String, Sender<()>),
    /// Show lines again: first what has come meanwhile, after this line.
    Detach(String),
}

/// What the pump tells.
#[derive(Debug, PartialEq, Eq)]
pub enum PumpEvent {
    /// Everything that the run wrote has been rendered, and nobody can write more.
    Closed(RunId),
    /// Lines of the run have matched all patterns that were expected.
    Matched(RunId),
    /// The run has been silent behind an unfinished line, or while its program edits lines itself: it may wait for input.
    Prompted(RunId),
    /// stdout cannot be written: its reader is gone, or its disk is full.
    OutputLost(io::ErrorKind, String),
}
