//! The terminal of `pm top`: single keys without echo, and signals. It is as before at every end, and while pm is stopped.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};

use crate::os::clock;
use crate::os::terminal::{OwnModes, TypingMode};

/// Signals that end it.
const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];
/// Signals after which it is drawn again.
const OTHERS: [i32; 3] = [libc::SIGTSTP, libc::SIGCONT, libc::SIGWINCH];

/// What a wait has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A key.
    Key(u8),
    /// The terminal has another size, or pm goes on after Ctrl-Z.
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
    signals: Vec<(i32, UnixStream)>,
}

impl KeyTerminal {
    /// Takes over standard input. The screen is cleared.
    pub(super) fn open() -> io::Result<Self> {
        let pipe = |signal| -> io::Result<(i32, UnixStream)> {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal, writer)?;
            Ok((signal, reader))
        };
        let signals = ENDING.into_iter().chain(OTHERS).map(pipe).collect::<io::Result<_>>()?;
        let terminal = Self { modes: OwnModes::of_stdin()?, signals };
        terminal.modes.set(TypingMode::Keys);
        Ok(terminal)
    }

    /// Waits for a key or a signal until `deadline`.
    pub(super) fn wait(&mut self, deadline: Instant) -> io::Result<Heard> {
        let left = deadline.saturating_duration_since(clock::instant());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let stdin = io::stdin();
        let all = self.signals.iter().map(|(_, pipe)| pipe.as_fd()).chain([stdin.as_fd()]);
        let mut fds: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, timeout) {
            Ok(0) => return Ok(Heard::Timeout),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_typed = fds.last().is_some_and(|fd| fd.any() == Some(true));
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
        let has_come = |pipe: &UnixStream| {
            let mut bytes = [0; 64];
            let mut pipe = pipe;
            pipe.read(&mut bytes).is_ok_and(|count| count > 0)
        };
        let come: Vec<i32> =
            self.signals.iter().filter(|(_, pipe)| has_come(pipe)).map(|(it, _)| *it).collect();
        if let Some(signal) = come.iter().find(|signal| ENDING.contains(signal)) {
            return Some(Heard::Signal(*signal));
        }
        if come.contains(&libc::SIGTSTP) && !come.contains(&libc::SIGCONT) {
            self.modes.set(TypingMode::AsBefore);
            // It cannot fail: the signal exists.
            let _ = raise(Signal::SIGSTOP);
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
        self.modes.set(TypingMode::AsBefore);
    }
}
