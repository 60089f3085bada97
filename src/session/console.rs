//! pm's end of a run's terminal: its size, and what attached clients type on it.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::viewers::Viewers;
use crate::control::server::ClientId;
use crate::os::pty::{SessionLeader, WindowSize};
use crate::os::spawn;

/// Input that may wait for a program that does not read; a terminal itself holds 4 KiB of lines and
/// at most 64 KiB more (Linux, tty_buffer.c).
const PENDING_LIMIT: usize = 1 << 20;
const STACK: usize = 64 << 10;

/// One terminal, for the session and for every client that is attached to it.
#[derive(Debug)]
pub(crate) struct Console {
    end: OwnedFd,
    viewers: Mutex<Viewers>,
    pending: Mutex<PendingInput>,
}

/// Input that the terminal has not taken yet.
#[derive(Debug, Default)]
struct PendingInput {
    bytes: VecDeque<u8>,
    /// A thread is writing it.
    has_writer: bool,
}

/// The terminal of a run.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) console: Arc<Console>,
    /// The run's end (see [`spawn::SpawnedTerminal`]).
    pub(crate) held: Option<OwnedFd>,
    _session: SessionLeader,
}

impl From<spawn::SpawnedTerminal> for Terminal {
    fn from(spawn::SpawnedTerminal { end, held, session }: spawn::SpawnedTerminal) -> Self {
        Self { console: Arc::new(Console::new(end)), held: Some(held), _session: session }
    }
}

impl Console {
    /// Makes it of pm's end of a terminal, which does not block.
    pub(crate) fn new(end: OwnedFd) -> Self {
        Self { end, viewers: Mutex::default(), pending: Mutex::default() }
    }

    /// Gives the terminal the size of pm's own, unless a client is attached.
    pub(crate) fn resize(&self) {
        if locked(&self.viewers).size().is_none() {
            WindowSize::of_stdout().give(&self.end);
        }
    }

    /// Sets the size of a client that attaches or was resized.
    pub(crate) fn set_viewer_size(&self, client: ClientId, size: WindowSize) {
        let mut viewers = locked(&self.viewers);
        viewers.enter(client, size);
        // Must be under the lock, so that the latest size wins.
        viewers.size().unwrap_or(size).give(&self.end);
    }

    /// Forgets a client that has left. Returns whether it was the last attached one.
    pub(crate) fn leave(&self, client: ClientId) -> bool {
        let mut viewers = locked(&self.viewers);
        if !viewers.leave(client) {
            return false;
        }
        let size = viewers.size();
        size.unwrap_or_else(WindowSize::of_stdout).give(&self.end);
        size.is_none()
    }

    /// Appends typed input to what waits already; never blocks. Input for a run that has ended is dropped.
    pub(super) fn write(&self, keys: &[u8]) {
        let mut pending = locked(&self.pending);
        pending.bytes.extend(keys);
        self.write_pending(&mut pending);
    }

    /// Drops the input that waits: no process has the terminal open, and none will. On Linux, a write does not fail
    /// then.
    pub(super) fn discard(&self) {
        locked(&self.pending).bytes = VecDeque::new();
    }

    /// Writes as much as the terminal takes.
    pub(super) fn flush(&self) {
        self.write_pending(&mut locked(&self.pending));
    }

    /// Returns how many bytes of input wait.
    pub(super) fn pending(&self) -> usize {
        locked(&self.pending).bytes.len()
    }

    /// Returns whether the limit of waiting input is reached.
    pub(super) fn is_full(&self) -> bool {
        self.pending() >= PENDING_LIMIT
    }

    /// Writes the input that waits after its client has left: on a thread, which ends when all is written or the
    /// terminal is closed.
    pub(super) fn flush_in_background(self: &Arc<Self>) {
        let mut pending = locked(&self.pending);
        if pending.bytes.is_empty() || pending.has_writer {
            return;
        }
        let console = Arc::clone(self);
        let thread = std::thread::Builder::new().name("keys".into()).stack_size(STACK);
        // Without a thread, it is written when the next client types.
        pending.has_writer = thread.spawn(move || console.write_the_rest()).is_ok();
    }

    fn write_the_rest(&self) {
        loop {
            let mut fds = [PollFd::new(self.end.as_fd(), PollFlags::POLLOUT)];
            let polled = poll(&mut fds, PollTimeout::NONE);
            let is_over = has_hung_up(&fds[0]) || !matches!(polled, Ok(_) | Err(Errno::EINTR));
            let mut pending = locked(&self.pending);
            match is_over {
                true => pending.bytes = VecDeque::new(),
                false => self.write_pending(&mut pending),
            }
            if pending.bytes.is_empty() {
                pending.has_writer = false;
                return;
            }
        }
    }

    fn write_pending(&self, pending: &mut PendingInput) {
        while !pending.bytes.is_empty() {
            match nix::unistd::write(&self.end, pending.bytes.as_slices().0) {
                Ok(count) => drop(pending.bytes.drain(..count)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                // As above, on other systems.
                Err(_) => pending.bytes.clear(),
            }
        }
        // Free the memory of a long paste.
        pending.bytes.shrink_to(4 << 10);
    }
}

impl AsFd for Console {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

/// Returns whether a poll has found that no process has the terminal open.
pub(super) fn has_hung_up(terminal: &PollFd<'_>) -> bool {
    terminal.revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

/// A thread that panicked has left the state consistent.
fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
