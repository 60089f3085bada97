//! The wait with epoll, whose cost does not grow with the number of pipes.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Key, READY};

/// What epoll gives back for the two descriptors that are no pipe of a child.
const KNOCK: u64 = u64::MAX;
const STDOUT: u64 = u64::MAX - 1;

/// Ends a wait from another thread.
#[derive(Clone, Debug)]
pub(in crate::output) struct Knocker(Arc<EventFd>);

impl Knocker {
    /// Ends the wait, or the next one.
    pub(in crate::output) fn knock(&self) {
        // The counter is full after 2^64 - 1 knocks; the other is awake then anyway.
        let _ = self.0.write(1);
    }
}

/// What one wait has found.
pub(in crate::output) struct Ready {
    events: [EpollEvent; READY],
    count: usize,
}

impl Ready {
    /// Makes room for it.
    pub(in crate::output) fn new() -> Self {
        Self { events: [EpollEvent::empty(); READY], count: 0 }
    }

    /// Returns what is ready.
    pub(in crate::output) fn keys(&self) -> impl Iterator<Item = Key> {
        self.events[..self.count].iter().filter_map(|event| match event.data() {
            KNOCK => Some(Key::Knock),
            // A pipe without a reader is an error, a socket without one a hang-up; both are always reported.
            STDOUT => event
                .events()
                .intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP)
                .then_some(Key::Stdout),
            key => Some(Key::Source(key)),
        })
    }
}

/// The descriptors that are waited for.
pub(in crate::output) struct Waiter {
    epoll: Epoll,
    knocks: Arc<EventFd>,
}

impl Waiter {
    /// Makes one that waits for knocks, and for the loss of the reader of `stdout`.
    pub(in crate::output) fn new(stdout: impl AsFd) -> nix::Result<(Self, Knocker)> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let knocks = Arc::new(EventFd::from_flags(flags)?);
        epoll.add(&*knocks, EpollEvent::new(EpollFlags::EPOLLIN, KNOCK))?;
        // Reports a reader that goes away while nothing is written. Files have no such thing (EPERM).
        let _ = epoll.add(stdout, EpollEvent::new(EpollFlags::empty(), STDOUT));
        let knocker = Knocker(Arc::clone(&knocks));
        Ok((Self { epoll, knocks }, knocker))
    }

    /// Waits for a source from now on, until its descriptor is closed.
    pub(in crate::output) fn add(&self, key: u64, source: impl AsFd) -> nix::Result<()> {
        self.epoll.add(source, EpollEvent::new(EpollFlags::EPOLLIN, key))
    }

    /// Waits for the loss of stdout's reader no more: it is reported without end otherwise.
    pub(in crate::output) fn forget_stdout(&mut self, stdout: impl AsFd) {
        // It was registered, or there would be no event of it.
        let _ = self.epoll.delete(stdout);
    }

    /// Waits, at most for `limit`. The kernel has the list of `_sources` already.
    pub(in crate::output) fn wait<'fd>(
        &self,
        ready: &mut Ready,
        limit: Option<Duration>,
        _stdout: impl AsFd,
        _sources: impl Iterator<Item = (u64, BorrowedFd<'fd>)>,
    ) -> nix::Result<()> {
        let timeout = limit.map_or(EpollTimeout::NONE, |limit| {
            EpollTimeout::try_from(limit).unwrap_or(EpollTimeout::ZERO)
        });
        ready.count = self.epoll.wait(&mut ready.events, timeout)?;
        Ok(())
    }

    /// Takes the knocks so far.
    pub(in crate::output) fn open_door(&self) {
        // An error is a knock that was taken already.
        let _ = self.knocks.read();
    }
}

/// Returns how many bytes a pipe can hold; 0 where it is none.
pub(in crate::output) fn pipe_holds(pipe: impl AsFd) -> usize {
    let size = fcntl(pipe, FcntlArg::F_GETPIPE_SZ).unwrap_or_default();
    usize::try_from(size).unwrap_or_default()
}
