//! The terminal of `pm top`: single keys without echo, and signals. It is as before at every end, and while pm is stopped.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::cli::client::guard::terminal_guard;
use crate::cli::client::screen::Screen;
use crate::cli::client::signals::{ENDING, SignalPipes};
use crate::os::terminal::{OwnModes, TypingMode};
use crate::os::terminal_guard::TerminalGuard;
use crate::os::{clock, job_control};

/// Signals after which it is drawn again.
const OTHERS: [i32; 3] = [libc::SIGTSTP, libc::SIGCONT, libc::SIGWINCH];

/// How long an end waits for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// What a wait has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A key.
    Key(u8),
    /// The terminal has another size or takes more, or pm goes on after Ctrl-Z.
    Redraw,
    /// A signal that ends it.
    Signal(i32),
    /// The terminal is gone.
    Closed,
    /// Nothing.
    Timeout,
}

/// A terminal that gives single keys.
pub(super) struct KeyTerminal {
    modes: OwnModes,
    screen: Screen,
    _guard: Option<TerminalGuard>,
    signals: SignalPipes,
}

impl KeyTerminal {
    /// Takes over standard input. The screen is cleared.
    pub(super) fn open() -> io::Result<Self> {
        let (modes, guard) = (OwnModes::of_stdin()?, terminal_guard());
        let signals = SignalPipes::listen(&OTHERS)?;
        let terminal = Self { modes, screen: Screen::of_stdout()?, _guard: guard, signals };
        terminal.modes.set(TypingMode::Keys);
        Ok(terminal)
    }

    /// Shows a picture, unless the terminal has still to take the last one (Ctrl-S). It never blocks.
    pub(super) fn show(&mut self, picture: impl FnOnce() -> String) -> io::Result<()> {
        match self.screen.waits_for() {
            Some(_) => Ok(()),
            None => self.screen.show(picture().as_bytes()),
        }
    }

    /// Waits for a key or a signal until `deadline`, or until the terminal takes more.
    pub(super) fn wait(&mut self, deadline: Instant) -> io::Result<Heard> {
        let left = deadline.saturating_duration_since(clock::instant());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let stdin = io::stdin();
        let all = [stdin.as_fd()].into_iter().chain(self.signals.descriptors());
        let mut fds: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        fds.extend(self.screen.waits_for().map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        match poll(&mut fds, timeout) {
            Ok(0) => return Ok(Heard::Timeout),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_typed = fds[0].any() == Some(true);
        if self.screen.write().is_err() {
            return Ok(Heard::Closed);
        }
        if let Some(heard) = self.take_signal() {
            return Ok(heard);
        }
        if !is_typed {
            return Ok(Heard::Redraw);
        }
        let mut key = [0];
        match nix::unistd::read(&stdin, &mut key) {
            Ok(0) => Ok(Heard::Closed),
            Ok(_) => Ok(Heard::Key(key[0])),
            Err(Errno::EINTR) => Ok(Heard::Redraw),
            // It has hung up.
            Err(_) => Ok(Heard::Closed),
        }
    }

    fn take_signal(&self) -> Option<Heard> {
        let come = self.signals.take();
        if let Some(signal) = come.iter().find(|signal| ENDING.contains(signal)) {
            return Some(Heard::Signal(*signal));
        }
        if come.contains(&libc::SIGTSTP) && !come.contains(&libc::SIGCONT) {
            self.modes.set(TypingMode::AsBefore);
            job_control::stop_process();
        }
        if come.is_empty() {
            return None;
        }
        self.modes.set(TypingMode::Keys);
        Some(Heard::Redraw)
    }
}

impl Drop for KeyTerminal {
    fn drop(&mut self) {
        if !self.screen.settle(PATIENCE) {
            // What it has taken may end anywhere.
            let _ = self.screen.show(b"\r\n");
        }
        self.modes.set(TypingMode::AsBefore);
    }
}
