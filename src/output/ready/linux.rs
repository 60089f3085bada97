//! The wait with epoll, whose cost does not grow with the number of pipes.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Key, READY};

/// epoll's data for the two descriptors that are no pipe of a child.
const WAKEUP: u64 = u64::MAX;
const STDOUT: u64 = u64::MAX - 1;

/// Ends a wait from another thread.
#[derive(Clone, Debug)]
pub(in crate::output) struct Waker(Arc<EventFd>);

impl Waker {
    /// Ends the current wait, or the next one.
    pub(in crate::output) fn wake(&self) {
        // The counter overflows after 2^64 - 1 wake-ups; the other thread is awake then anyway.
        let _ = self.0.write(1);
    }

    /// Returns whether no wake-up was pending, and consumes those that were.
    #[cfg(test)]
    pub(in crate::output) fn is_taken(&self) -> bool {
        self.0.read() == Err(nix::errno::Errno::EAGAIN)
    }
}

/// The result of one wait.
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
            WAKEUP => Some(Key::Wakeup),
            // A pipe without a reader is reported as an error, and a socket as a hang-up, even if not asked for.
            STDOUT => event
                .events()
                .intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP)
                .then_some(Key::Stdout),
            key => Some(Key::Source(key)),
        })
    }
}

/// The descriptors that are waited for.
pub(in crate::output) struct Poller {
    epoll: Epoll,
    wakeups: Arc<EventFd>,
}

impl Poller {
    /// Makes one that waits for wake-ups, and for the loss of the reader of `stdout`.
    pub(in crate::output) fn new(stdout: impl AsFd) -> nix::Result<(Self, Waker)> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wakeups = Arc::new(EventFd::from_flags(flags)?);
        epoll.add(&*wakeups, EpollEvent::new(EpollFlags::EPOLLIN, WAKEUP))?;
        // Reports when the reader goes away while nothing is written. Files cannot be watched (EPERM).
        let _ = epoll.add(stdout, EpollEvent::new(EpollFlags::empty(), STDOUT));
        let waker = Waker(Arc::clone(&wakeups));
        Ok((Self { epoll, wakeups }, waker))
    }

    /// Waits for a source from now on, until its descriptor is closed.
    pub(in crate::output) fn add(&self, key: u64, source: impl AsFd) -> nix::Result<()> {
        self.epoll.add(source, EpollEvent::new(EpollFlags::EPOLLIN, key))
    }

    /// Stops watching for the loss of stdout's reader, which would be reported at every wait.
    pub(in crate::output) fn forget_stdout(&mut self, stdout: impl AsFd) {
        // It is registered, or there would be no event.
        let _ = self.epoll.delete(stdout);
    }

    /// Waits for `limit` at most. The kernel knows the `_sources` already.
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

    /// Consumes the wake-ups so far.
    pub(in crate::output) fn take_wakeups(&self) {
        // An error means that there was no wake-up.
        let _ = self.wakeups.read();
    }
}

/// Returns how many bytes a pipe can hold; 0 where it is none.
pub(in crate::output) fn pipe_holds(pipe: impl AsFd) -> usize {
    let size = fcntl(pipe, FcntlArg::F_GETPIPE_SZ).unwrap_or_default();
    usize::try_from(size).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::FdFlag;

    #[test]
    fn no_child_inherits_what_is_waited_with() {
        let (poller, _knocker) = Poller::new(std::io::stdout()).unwrap();
        for flags in [
            fcntl(&*poller.wakeups, FcntlArg::F_GETFD).unwrap(),
            fcntl(&poller.epoll.0, FcntlArg::F_GETFD).unwrap(),
        ] {
            assert_eq!(flags, FdFlag::FD_CLOEXEC.bits());
        }
    }
}
