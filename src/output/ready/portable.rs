//! The wait with poll(2), whose cost grows with the number of pipes.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Key, READY};

/// What the largest pipe of these systems holds (FreeBSD and macOS: 64 KiB; OpenBSD and NetBSD: 16 KiB).
const LARGEST_PIPE: usize = 64 << 10;

/// Ends a wait from another thread.
#[derive(Clone, Debug)]
pub(in crate::output) struct Waker(Arc<PipeWriter>);

impl Waker {
    /// Ends the current wait, or the next one.
    pub(in crate::output) fn wake(&self) {
        // If the pipe is full, a wake-up is pending.
        let _ = nix::unistd::write(&*self.0, &[1]);
    }
}

/// The result of one wait.
pub(in crate::output) struct Ready(Vec<Key>);

impl Ready {
    /// Makes room for it.
    pub(in crate::output) fn new() -> Self {
        Self(Vec::with_capacity(READY))
    }

    /// Returns what is ready.
    pub(in crate::output) fn keys(&self) -> impl Iterator<Item = Key> {
        self.0.iter().copied()
    }
}

/// What is always waited for.
pub(in crate::output) struct Poller {
    wakeups: PipeReader,
    has_reader: bool,
}

impl Poller {
    /// Makes one that waits for wake-ups, and for the loss of the reader of `stdout`.
    pub(in crate::output) fn new(_stdout: impl AsFd) -> io::Result<(Self, Waker)> {
        let (wakeups, writer) = io::pipe()?;
        fcntl(&wakeups, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((Self { wakeups, has_reader: true }, Waker(Arc::new(writer))))
    }

    /// Does nothing: each wait gets every source.
    pub(in crate::output) fn add(&self, _key: u64, _source: impl AsFd) -> nix::Result<()> {
        Ok(())
    }

    /// Stops watching for the loss of stdout's reader, which would be reported at every wait.
    pub(in crate::output) fn forget_stdout(&mut self, _stdout: impl AsFd) {
        self.has_reader = false;
    }

    /// Waits for one of the `sources`, for `limit` at most.
    pub(in crate::output) fn wait<'fd>(
        &self,
        ready: &mut Ready,
        limit: Option<Duration>,
        stdout: impl AsFd,
        sources: impl Iterator<Item = (u64, BorrowedFd<'fd>)>,
    ) -> nix::Result<()> {
        ready.0.clear();
        let mut keys = vec![Key::Wakeup];
        let mut fds = vec![PollFd::new(self.wakeups.as_fd(), PollFlags::POLLIN)];
        if self.has_reader {
            keys.push(Key::Stdout);
            fds.push(PollFd::new(stdout.as_fd(), PollFlags::empty()));
        }
        for (key, source) in sources {
            keys.push(Key::Source(key));
            fds.push(PollFd::new(source, PollFlags::POLLIN));
        }
        let timeout = limit.map_or(PollTimeout::NONE, |limit| {
            PollTimeout::try_from(limit).unwrap_or(PollTimeout::ZERO)
        });
        poll(&mut fds, timeout)?;
        let lost = PollFlags::POLLERR | PollFlags::POLLHUP;
        let is_ready = |key: Key, fd: &PollFd<'_>| match key {
            Key::Stdout => fd.revents().is_some_and(|events| events.intersects(lost)),
            Key::Wakeup | Key::Source(_) => fd.any().unwrap_or(true),
        };
        let found = keys.into_iter().zip(&fds).filter(|(key, fd)| is_ready(*key, fd));
        ready.0.extend(found.map(|(key, _)| key));
        Ok(())
    }

    /// Consumes the wake-ups so far.
    pub(in crate::output) fn take_wakeups(&self) {
        let mut taken = [0; 64];
        while nix::unistd::read(&self.wakeups, &mut taken).is_ok_and(|count| count == taken.len()) {
        }
    }
}

/// Returns how many bytes a pipe can hold; these systems do not tell of one.
pub(in crate::output) fn pipe_holds(_pipe: impl AsFd) -> usize {
    LARGEST_PIPE
}
