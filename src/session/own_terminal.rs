//! Restores pm's own terminal at the end. pm shows no escape sequences that change it, but an instance without a
//! terminal of its own (`--pty never`) can open pm's as /dev/tty.

use std::io;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::app::{App, Stdio};
use crate::output::RESET_MODES;

/// Restores the terminal when it is dropped: at every end of pm except SIGKILL.
pub(crate) struct OwnTerminal {
    before: Termios,
}

impl OwnTerminal {
    /// Remembers the state of the terminal that pm writes to. `None` if pm writes to none, or if no instance can open
    /// it.
    pub(crate) fn of(app: &App) -> Option<Self> {
        let is_reached = app.types.iter().any(|known| known.stdio == Stdio::Pipes);
        let before = tcgetattr(io::stdout()).ok().filter(|_| is_reached)?;
        Some(Self { before })
    }
}

impl Drop for OwnTerminal {
    fn drop(&mut self) {
        let stdout = io::stdout();
        // In the background the terminal belongs to another process, and changing it would stop pm.
        if tcgetpgrp(&stdout) != Ok(getpgrp()) {
            return;
        }
        if tcgetattr(&stdout).is_ok_and(|now| now != self.before) {
            // This and the calls below fail if the terminal is gone. Draining it would wait for its reader.
            let _ = tcsetattr(&stdout, SetArg::TCSANOW, &self.before);
        }
        // A terminal that was stopped (Ctrl-S) takes nothing, and pm does not wait for it.
        let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut fds, PollTimeout::ZERO) == Ok(1) {
            let _ = nix::unistd::write(&stdout, RESET_MODES);
        }
    }
}
