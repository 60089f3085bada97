//! pm's own terminal, left as it was found. What an instance prints is shown without modes, but one that has no
//! terminal of its own (`--pty never`) has pm's under the name /dev/tty.

use std::io;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

use crate::app::{App, Stdio};
use crate::output::RESET_MODES;

/// Gives the terminal back what it had, when this is dropped: at every end of pm but SIGKILL.
pub(crate) struct OwnTerminal {
    before: Termios,
}

impl OwnTerminal {
    /// Remembers the terminal that pm writes to. `None` where it is none, or no instance can reach it.
    pub(crate) fn of(app: &App) -> Option<Self> {
        let is_reached = app.types.iter().any(|known| known.stdio == Stdio::Pipes);
        let before = tcgetattr(io::stdout()).ok().filter(|_| is_reached)?;
        Some(Self { before })
    }
}

impl Drop for OwnTerminal {
    fn drop(&mut self) {
        let stdout = io::stdout();
        // In the background it is another's, and to change it would stop pm.
        if tcgetpgrp(&stdout) != Ok(getpgrp()) {
            return;
        }
        if tcgetattr(&stdout).is_ok_and(|now| now != self.before) {
            // A terminal that is gone has no mode; so below. To drain it would wait for its reader.
            let _ = tcsetattr(&stdout, SetArg::TCSANOW, &self.before);
        }
        // One that was stopped (Ctrl-S) takes nothing, and is not waited for.
        let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
        if poll(&mut fds, PollTimeout::ZERO) == Ok(1) {
            let _ = nix::unistd::write(&stdout, RESET_MODES);
        }
    }
}
