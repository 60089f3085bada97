//! Restores pm's own terminal at the end. pm shows no escape sequences that change it, but an instance without a
//! terminal of its own (`--pty never`) can open pm's as /dev/tty.

use std::io;

use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

use crate::app::{App, Stdio};
use crate::os::terminal;

/// Restores the terminal when it is dropped: at every end of pm except SIGKILL.
pub(crate) struct OwnTerminal {
    before: Termios,
    /// An instance can write to it past pm.
    is_reached: bool,
}

impl OwnTerminal {
    /// Remembers the state of the terminal that pm writes to. `None` if pm writes to none, or if neither pm changes it
    /// (`takes_keys`) nor an instance can open it.
    pub(crate) fn of(app: &App, takes_keys: bool) -> Option<Self> {
        let is_reached = app.types.iter().any(|known| known.stdio == Stdio::Pipes);
        let before = tcgetattr(io::stdout()).ok().filter(|_| is_reached || takes_keys)?;
        Some(Self { before, is_reached })
    }
}

impl Drop for OwnTerminal {
    fn drop(&mut self) {
        let stdout = io::stdout();
        // In the background the terminal belongs to another process, and changing it would stop pm.
        if !terminal::is_in_foreground(&stdout) {
            return;
        }
        if tcgetattr(&stdout).is_ok_and(|now| now != self.before) {
            // This and the calls below fail if the terminal is gone. Draining it would wait for its reader.
            let _ = tcsetattr(&stdout, SetArg::TCSANOW, &self.before);
        }
        if self.is_reached {
            terminal::reset(&stdout);
        }
    }
}
