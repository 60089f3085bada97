//! The user's terminal, which gets what an instance writes, or a table.
//!
//! It may take nothing for a while: Ctrl-S, a connection that hangs, a window that is busy. A write to it never
//! blocks, so that the key that detaches and signals always end pm. What it does not take waits here.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{FlushArg, tcflush};

use crate::control::incoming::{Incoming, Item};
use crate::control::proto::Response;
use crate::os::terminal::{RESET_MODES, stdout_without_blocking};
use crate::output::Modes;

/// Once this many bytes wait, the session is not read any more.
const FULL: usize = 64 << 10;
/// A pipe that is ready takes as much at once.
const AT_ONCE: usize = libc::PIPE_BUF;

/// What was made of the screen, and what is still to be shown.
pub(super) struct Screen {
    out: OwnedFd,
    modes: Modes,
    waiting: VecDeque<u8>,
}

impl Screen {
    /// Shows on the standard output.
    pub(super) fn of_stdout() -> io::Result<Self> {
        let out = stdout_without_blocking()?;
        Ok(Self::on(out))
    }

    fn on(out: OwnedFd) -> Self {
        Self { out, modes: Modes::default(), waiting: VecDeque::new() }
    }

    /// Returns the descriptor to wait for where something waits.
    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        (!self.waiting.is_empty()).then(|| self.out.as_fd())
    }

    /// Returns whether it is to get no more at present.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= FULL
    }

    /// Shows what has come. What was lost on the way to a terminal that is too slow is told in its place.
    pub(super) fn show_all(&mut self, incoming: &mut Incoming) -> io::Result<()> {
        while let Some(part) = incoming.next()? {
            match part {
                Item::Bytes(bytes) => self.waiting.extend(bytes),
                Item::Response(Response::Lost { lines }) => {
                    let text = format!("\r\n{lines} lines lost: this terminal is too slow\r\n");
                    self.waiting.extend(text.as_bytes());
                }
                Item::Response(_) => {}
            }
        }
        self.write()
    }

    /// Shows bytes of pm's own, unless the terminal is busy anyway.
    pub(super) fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.is_full() {
            self.waiting.extend(bytes);
        }
        self.write()
    }

    /// Leaves the terminal as a shell expects it. One that does not take the rest in time loses it. Returns
    /// false where it takes nothing at all.
    pub(super) fn restore(&mut self, limit: Duration) -> bool {
        let reset = match self.settle(limit) {
            true => self.modes.restore(),
            false => RESET_MODES.to_vec(),
        };
        self.waiting.extend(reset);
        self.waiting.extend(b"\r\n");
        self.drain(limit)
    }

    /// Leaves the terminal to a shell while `stop` stops pm, and sets its modes again. One that takes nothing is not waited
    /// for without a limit.
    pub(super) fn pause(&mut self, limit: Duration, stop: impl FnOnce()) -> io::Result<()> {
        let again = self.modes.again();
        self.restore(limit);
        stop();
        self.waiting.extend(again);
        self.write()
    }

    /// Waits until all is shown. What the terminal does not take in time is lost; returns false then.
    pub(super) fn settle(&mut self, limit: Duration) -> bool {
        let is_shown = self.drain(limit);
        if !is_shown {
            self.waiting.clear();
            // What it has not shown yet makes room. It fails where this is no terminal.
            let _ = tcflush(&self.out, FlushArg::TCOFLUSH);
        }
        is_shown
    }

    /// Waits until all is shown, at most for this time. Returns whether it is; nothing is left to do for a
    /// terminal that is gone.
    fn drain(&mut self, limit: Duration) -> bool {
        let until = now() + limit;
        while self.write().is_ok()
            && let Some(out) = self.waits_for()
        {
            let left = until.saturating_duration_since(now());
            let patience = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            if left.is_zero()
                || poll(&mut [PollFd::new(out, PollFlags::POLLOUT)], patience) == Ok(0)
            {
                return false;
            }
        }
        true
    }

    /// Writes what the terminal takes.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while let Some(out) = self.waits_for() {
            if poll(&mut [PollFd::new(out, PollFlags::POLLOUT)], PollTimeout::ZERO) == Ok(0) {
                break;
            }
            let next = self.waiting.as_slices().0;
            let next = &next[..next.len().min(AT_ONCE)];
            match nix::unistd::write(out, next) {
                Ok(count) => {
                    self.modes.note(&next[..count]);
                    self.waiting.drain(..count);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a farewell has a limit in real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;

    #[test]
    fn what_is_written_in_doubt_takes_back_what_most_programs_set() {
        let mut modes = Modes::default();
        modes.note(
            b"\x1b[?1049h\x1b[?1047h\x1b[?47h\x1b[?25;7l\x1b[?1;5;1000;1006;2004h\x1b[2;9r\x1b[4h",
        );
        modes.note(RESET_MODES);
        assert_eq!(modes.restore(), Modes::default().restore());
    }

    #[test]
    fn what_a_screen_does_not_take_waits_and_the_modes_that_it_got_are_restored() {
        let (reader, writer) = io::pipe().unwrap();
        let mut screen = Screen::on(writer.into());
        screen.show(b"\x1b[?1049h").unwrap();
        while !screen.is_full() {
            screen.show(&[b'x'; 1000]).unwrap();
        }
        // It does not get there: the other screen is still on.
        screen.waiting.extend(b"\x1b[?1049l");
        screen.write().unwrap();
        assert!(screen.waits_for().is_some());
        assert!(!screen.restore(Duration::ZERO), "it takes nothing");
        assert!(screen.waiting.iter().eq(RESET_MODES.iter().chain(b"\r\n")));
        let mut reader = File::from(OwnedFd::from(reader));
        let mut taken = vec![0; 16 << 10];
        reader.read_exact(&mut taken).unwrap();
        screen.write().unwrap();
        assert!(screen.waits_for().is_none());
        drop(screen);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert!(taken.starts_with(b"\x1b[?1049hxx") && rest.ends_with(b"\x1b[0m\r\n"));
    }
}
