//! What of a process type's files is watched, and what a change of them leads to.

use std::time::Duration;

use super::signal::Signal;

/// How long nothing must change until a burst of changes is over, where nobody has said it.
pub const DEBOUNCE: Duration = Duration::from_millis(100);

/// The files of a process type that are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWatch {
    /// Globs as in a .gitignore, from the type's folder; none: every file that is not ignored.
    pub globs: Vec<String>,
    /// The silence after which a burst of changes is over.
    pub debounce: Duration,
    /// What a change leads to.
    pub action: WatchAction,
    /// Look for changes at this interval, where the system does not tell of them.
    pub poll: Option<Duration>,
    /// Where each glob was said: `pm.toml:3:10`.
    pub places: Vec<String>,
}

/// What a change of files leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchAction {
    /// Every instance is restarted.
    Restart,
    /// Every instance is replaced by one that is ready, one after the other.
    Rolling,
    /// Every instance gets this signal.
    Signal(Signal),
}

impl WatchAction {
    /// Reads `restart` or `signal:HUP`.
    ///
    /// # Errors
    /// What is neither; the message says what could stand there.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "restart" => Ok(Self::Restart),
            Some(("signal", name)) => match Signal::parse(name) {
                Some(signal) => Ok(Self::Signal(signal)),
                None => Err(format!("`{name}` is not a signal")),
            },
            None if text == "rolling" => Ok(Self::Rolling),
            _ => Err(format!("`{text}` is not `restart`, `rolling` or `signal:NAME`")),
        }
    }
}

/// As it is written.
impl std::fmt::Display for WatchAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Restart => f.write_str("restart"),
            Self::Rolling => f.write_str("rolling"),
            Self::Signal(signal) => {
                write!(f, "signal:{}", signal.to_string().trim_start_matches("SIG"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_read_and_written_in_the_same_way() {
        for text in ["restart", "rolling", "signal:HUP", "signal:USR2"] {
            assert_eq!(
                WatchAction::parse(text).map(|action| action.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in ["", "reload", "signal", "signal:", "signal:NOPE"] {
            assert!(WatchAction::parse(text).is_err(), "{text:?}");
        }
    }
}
