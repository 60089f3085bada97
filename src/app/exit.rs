//! How a process of the application ended.

use super::Signal;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited by itself.
    Code(i32),
    /// A signal ended it.
    Signal(Signal),
    /// The kernel killed it for want of memory.
    OutOfMemory,
    /// Its command could not be started at all.
    NotStarted,
    /// SIGKILL was sent, and it still did not end.
    Lost,
}

impl Exit {
    /// Returns whether it did what it was meant to do.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// Returns the exit code as a shell reports it: 128 + n for signal n.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal.0,
            Self::OutOfMemory => 128 + Signal::KILL.0,
            Self::NotStarted | Self::Lost => 1,
        }
    }
}
