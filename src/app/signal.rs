//! A signal by number, and its name as people write it.

use std::fmt;

/// A signal number of this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(pub i32);

impl Signal {
    /// The terminal went away.
    pub const HUP: Self = Self(nix::libc::SIGHUP);
    /// Ctrl-C.
    pub const INT: Self = Self(nix::libc::SIGINT);
    /// The end that cannot be refused.
    pub const KILL: Self = Self(nix::libc::SIGKILL);
    /// Ctrl-\\.
    pub const QUIT: Self = Self(nix::libc::SIGQUIT);
    /// The polite request to end.
    pub const TERM: Self = Self(nix::libc::SIGTERM);
    /// Free for the application's use.
    pub const USR1: Self = Self(nix::libc::SIGUSR1);
    /// Free for the application's use.
    pub const USR2: Self = Self(nix::libc::SIGUSR2);
    /// Ctrl-Z.
    pub const TSTP: Self = Self(nix::libc::SIGTSTP);
    /// Go on after a stop.
    pub const CONT: Self = Self(nix::libc::SIGCONT);

    /// Reads `TERM`, `SIGTERM`, `term` or `15`. `None` where the system has no such signal.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<i32>() {
            return nix::sys::signal::Signal::try_from(number).is_ok().then_some(Self(number));
        }
        let upper = text.to_ascii_uppercase();
        let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
        name.parse::<nix::sys::signal::Signal>().ok().map(|signal| Self(signal as i32))
    }
}

impl fmt::Display for Signal {
    /// Writes `SIGTERM`, or `SIG35` for a real-time signal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match nix::sys::signal::Signal::try_from(self.0) {
            Ok(signal) => f.write_str(signal.as_str()),
            Err(_) => write!(f, "SIG{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_every_usual_spelling() {
        for text in ["TERM", "SIGTERM", "term", "sigterm", "15"] {
            assert_eq!(Signal::parse(text), Some(Signal::TERM), "{text}");
        }
        for text in ["", "NOPE", "0", "-1", "4096"] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_real_time_signal_prints_its_number() {
        assert_eq!(Signal(35).to_string(), "SIG35");
        assert_eq!(Signal::KILL.to_string(), "SIGKILL");
    }
}
