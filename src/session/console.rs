//! pm's end of a run's terminal: the size that it has, and what attached clients type on it.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::viewers::Viewers;
use crate::control::server::ClientId;
use crate::os::pty::{Life, Size};
use crate::os::spawn;

/// As many typed bytes wait for a program that does not read; a terminal itself holds 4 KiB of lines and
/// at most 64 KiB more (Linux, tty_buffer.c).
const WAITING: usize = 1 << 20;
const STACK: usize = 64 << 10;

/// One terminal, for the session and for every client that is attached to it.
#[derive(Debug)]
pub(crate) struct Console {
    end: OwnedFd,
    viewers: Mutex<Viewers>,
    typed: Mutex<Typed>,
}

/// What was typed and the terminal has not taken.
#[derive(Debug, Default)]
struct Typed {
    waiting: VecDeque<u8>,
    /// A thread sees to it.
    has_writer: bool,
}

/// The terminal of a run.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) console: Arc<Console>,
    /// The run's end (see [`spawn::Terminal`]).
    pub(crate) held: Option<OwnedFd>,
    _session: Life,
}

impl From<spawn::Terminal> for Terminal {
    fn from(spawn::Terminal { end, held, session }: spawn::Terminal) -> Self {
        Self { console: Arc::new(Console::new(end)), held: Some(held), _session: session }
    }
}

impl Console {
    /// Takes pm's end of a terminal, which does not block.
    pub(crate) fn new(end: OwnedFd) -> Self {
        Self { end, viewers: Mutex::default(), typed: Mutex::default() }
    }

    /// Gives the terminal the size of pm's own, unless a client looks at it.
    pub(crate) fn resize(&self) {
        if locked(&self.viewers).size().is_none() {
            Size::of_stdout().give(&self.end);
        }
    }

    /// Takes a client that attaches, or has another size.
    pub(crate) fn show(&self, client: ClientId, size: Size) {
        let mut viewers = locked(&self.viewers);
        viewers.enter(client, size);
        // Under the lock, so that the last word is the last size.
        viewers.size().unwrap_or(size).give(&self.end);
    }

    /// Takes the news that a client is gone, attached here or not.
    pub(crate) fn leave(&self, client: ClientId) {
        let mut viewers = locked(&self.viewers);
        if viewers.leave(client) {
            viewers.size().unwrap_or_else(Size::of_stdout).give(&self.end);
        }
    }

    /// Types, behind what waits already; never blocks. What is typed on the terminal of a run that has ended is
    /// nobody's.
    pub(super) fn type_on(&self, keys: &[u8]) {
        let mut typed = locked(&self.typed);
        typed.waiting.extend(keys);
        self.write(&mut typed);
    }

    /// Forgets what waits: nobody has the terminal open, and nobody will. Linux does not say so to who writes.
    pub(super) fn discard(&self) {
        locked(&self.typed).waiting = VecDeque::new();
    }

    /// Lets the terminal have what it takes.
    pub(super) fn flush(&self) {
        self.write(&mut locked(&self.typed));
    }

    /// Returns how many bytes wait.
    pub(super) fn waiting(&self) -> usize {
        locked(&self.typed).waiting.len()
    }

    /// Returns whether as much waits as may.
    pub(super) fn is_full(&self) -> bool {
        self.waiting() >= WAITING
    }

    /// Sees to it that what waits is typed after its client has left: on a thread, which ends when all is
    /// typed or the terminal is closed.
    pub(super) fn finish(self: &Arc<Self>) {
        let mut typed = locked(&self.typed);
        if typed.waiting.is_empty() || typed.has_writer {
            return;
        }
        let console = Arc::clone(self);
        let thread = std::thread::Builder::new().name("keys".into()).stack_size(STACK);
        // Without a thread it is typed when the next client types.
        typed.has_writer = thread.spawn(move || console.write_the_rest()).is_ok();
    }

    fn write_the_rest(&self) {
        loop {
            let mut fds = [PollFd::new(self.end.as_fd(), PollFlags::POLLOUT)];
            let polled = poll(&mut fds, PollTimeout::NONE);
            let is_over = has_hung_up(&fds[0]) || !matches!(polled, Ok(_) | Err(Errno::EINTR));
            let mut typed = locked(&self.typed);
            match is_over {
                true => typed.waiting = VecDeque::new(),
                false => self.write(&mut typed),
            }
            if typed.waiting.is_empty() {
                typed.has_writer = false;
                return;
            }
        }
    }

    fn write(&self, typed: &mut Typed) {
        while !typed.waiting.is_empty() {
            match nix::unistd::write(&self.end, typed.waiting.as_slices().0) {
                Ok(count) => drop(typed.waiting.drain(..count)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                // As above, on other systems.
                Err(_) => typed.waiting.clear(),
            }
        }
        // What a long paste took is given back.
        typed.waiting.shrink_to(4 << 10);
    }
}

impl AsFd for Console {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

/// Returns whether a poll has found that nobody has the terminal open.
pub(super) fn has_hung_up(terminal: &PollFd<'_>) -> bool {
    terminal.revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

/// A thread that failed has left nothing half done.
fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
