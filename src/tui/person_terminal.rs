//! The person's terminal: raw, on its alternate screen, and as it was before at every end.
//!
//! It may take nothing for a while (Ctrl-S, a connection that hangs): a write never blocks, so that signals always end the
//! ui, and no new picture is made before it has the last one.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{FlushArg, SetArg, Termios, cfmakeraw, tcflush, tcgetattr, tcsetattr};
use rustix::termios::tcgetwinsize;

/// The alternate screen, no cursor, and arrows for the wheel (mode 1007).
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?1007h\x1b[0m\x1b[2J";
/// The other way round, with what may have been set in between.
const LEAVE: &str = "\x1b[?1000l\x1b[?1006l\x1b[?1007l\x1b[0m\x1b[?1049l\x1b[?25h";
/// How long an end waits for a terminal that takes nothing, in milliseconds.
const PATIENCE: u16 = 500;

/// The terminal, for as long as this lives.
pub(super) struct PersonTerminal {
    input: OwnedFd,
    out: OwnedFd,
    waiting: VecDeque<u8>,
    before: Termios,
    /// It is raw, and on the alternate screen.
    is_entered: Arc<AtomicBool>,
}

impl PersonTerminal {
    /// Takes the terminal over; `input` is what is typed on it, and `out` writes to it.
    pub(super) fn enter(input: OwnedFd, out: OwnedFd) -> io::Result<Self> {
        let before = tcgetattr(&input)?;
        let is_entered = Arc::new(AtomicBool::new(false));
        let mut terminal = Self { input, out, waiting: VecDeque::new(), before, is_entered };
        terminal.restore_on_panic()?;
        terminal.resume()?;
        Ok(terminal)
    }

    /// A panic of this thread is told on a screen that stays.
    fn restore_on_panic(&self) -> io::Result<()> {
        let (before, is_entered) = (Mutex::new(self.before.clone()), Arc::clone(&self.is_entered));
        let (input, out) = (self.input.try_clone()?, self.out.try_clone()?);
        let (tell, thread) = (panic::take_hook(), thread::current().id());
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == thread && is_entered.swap(false, Ordering::SeqCst) {
                let before = before.lock().unwrap_or_else(PoisonError::into_inner);
                // The panic is what is to be told, whatever the terminal does.
                let _ = nix::unistd::write(&out, LEAVE.as_bytes());
                let _ = tcsetattr(&input, SetArg::TCSANOW, &before);
            }
            tell(info);
        }));
        Ok(())
    }

    /// Takes it over again, after [`Self::suspend`].
    pub(super) fn resume(&mut self) -> io::Result<()> {
        let mut raw = self.before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&self.input, SetArg::TCSANOW, &raw)?;
        self.is_entered.store(true, Ordering::SeqCst);
        self.show(ENTER.as_bytes())
    }

    /// Leaves the terminal as it was before.
    pub(super) fn suspend(&mut self) {
        if !self.is_entered.swap(false, Ordering::SeqCst) {
            return;
        }
        if !self.drain() {
            // What it has not shown yet makes room.
            let _ = tcflush(&self.out, FlushArg::TCOFLUSH);
        }
        self.waiting.clear();
        self.waiting.extend(LEAVE.as_bytes());
        self.drain();
        // A terminal that is gone has no mode.
        let _ = tcsetattr(&self.input, SetArg::TCSANOW, &self.before);
    }

    /// Waits until it has taken everything, or for [`PATIENCE`]. Returns whether it has.
    fn drain(&mut self) -> bool {
        while self.write().is_ok() && !self.waiting.is_empty() {
            let mut fds = [PollFd::new(self.out.as_fd(), PollFlags::POLLOUT)];
            if poll(&mut fds, PollTimeout::from(PATIENCE)) == Ok(0) {
                return false;
            }
        }
        true
    }

    /// Shows bytes, now or when it takes them.
    pub(super) fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend(bytes);
        self.write()
    }

    /// Writes what it takes.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match nix::unistd::write(&self.out, self.waiting.as_slices().0) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Returns the descriptor to wait for where something waits.
    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        (!self.waiting.is_empty()).then(|| self.out.as_fd())
    }

    /// Returns its columns and rows; 80 and 24 where it does not know, as a serial line or a container may not.
    pub(super) fn size(&self) -> (u16, u16) {
        let size = tcgetwinsize(&self.out).ok().map(|size| (size.ws_col, size.ws_row));
        size.filter(|(columns, rows)| *columns > 0 && *rows > 0).unwrap_or((80, 24))
    }
}

impl Drop for PersonTerminal {
    fn drop(&mut self) {
        self.suspend();
        if !thread::panicking() {
            drop(panic::take_hook());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::openpty;
    use nix::sys::termios::LocalFlags;

    #[test]
    fn a_panic_leaves_the_terminal_as_it_was() {
        let pty = openpty(None, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let (input, out) = (pty.slave.try_clone().unwrap(), pty.slave.try_clone().unwrap());
        let ui = thread::spawn(move || {
            let terminal = PersonTerminal::enter(input, out).unwrap();
            let now = tcgetattr(&terminal.input).unwrap();
            assert!(!now.local_flags.contains(LocalFlags::ECHO));
            panic!("what a bug does");
        });
        let told = ui.join().unwrap_err();
        assert_eq!(told.downcast_ref(), Some(&"what a bug does"));
        assert!(tcgetattr(&pty.slave).unwrap() == before);
        let mut seen = [0; 4096];
        let count = nix::unistd::read(&pty.master, &mut seen).unwrap();
        let seen = String::from_utf8_lossy(&seen[..count]);
        assert!(seen.starts_with(ENTER) && seen.ends_with(LEAVE), "{seen:?}");
        assert_eq!(seen.matches(LEAVE).count(), 1);
    }
}
