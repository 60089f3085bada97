//! The wait with epoll, whose cost does not grow with the number of descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::os::poller::{FdReady, Interest, WOKEN};

/// Ends a wait from another thread.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<EventFd>);

impl Waker {
    /// Ends the current wait, or the next one.
    pub(crate) fn wake(&self) {
        // The counter overflows after 2^64 - 1 wake-ups; the other thread is awake then anyway.
        let _ = self.0.write(1);
    }

    /// Returns whether no wake-up was pending, and consumes those that were.
    #[cfg(test)]
    pub(crate) fn is_taken(&self) -> bool {
        self.0.read() == Err(nix::errno::Errno::EAGAIN)
    }
}

/// The descriptors that are waited for.
pub(crate) struct Poller {
    epoll: Epoll,
    wakeups: Arc<EventFd>,
    events: Box<[EpollEvent]>,
}

impl Poller {
    /// Makes one that waits for wake-ups only. One wait tells of `most` descriptors; the others have their turn at the
    /// next one.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub(crate) fn new(most: usize) -> io::Result<(Self, Waker)> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wakeups = Arc::new(EventFd::from_flags(flags)?);
        epoll.add(&*wakeups, EpollEvent::new(EpollFlags::EPOLLIN, WOKEN))?;
        let events = vec![EpollEvent::empty(); most].into_boxed_slice();
        let waker = Waker(Arc::clone(&wakeups));
        Ok((Self { epoll, wakeups, events }, waker))
    }

    /// Waits for a descriptor from now on, until it is removed or closed.
    ///
    /// # Errors
    /// It cannot be waited for, as files cannot; or the kernel has no memory for it.
    pub(crate) fn add(&self, token: u64, fd: impl AsFd, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.add(fd, EpollEvent::new(flags(interest), token))?)
    }

    /// Changes what of a descriptor is waited for.
    ///
    /// # Errors
    /// It was not added.
    pub(crate) fn change(&self, token: u64, fd: impl AsFd, interest: Interest) -> io::Result<()> {
        Ok(self.epoll.modify(fd, &mut EpollEvent::new(flags(interest), token))?)
    }

    /// Waits for a descriptor no more, not even for its end.
    pub(crate) fn remove(&self, fd: impl AsFd) {
        // It was added, or it is not there as is wanted.
        let _ = self.epoll.delete(fd);
    }

    /// Waits for `limit` at most, rounded up to milliseconds: a deadline that is waited for has passed then. Adds what is
    /// ready to `told`. The kernel knows the `_descriptors` already.
    ///
    /// # Errors
    /// Never by a signal; else as epoll_wait(2).
    pub(crate) fn wait<'fd>(
        &mut self,
        limit: Option<Duration>,
        _descriptors: impl Iterator<Item = (u64, BorrowedFd<'fd>, Interest)>,
        told: &mut Vec<FdReady>,
    ) -> io::Result<()> {
        let timeout = limit.map_or(EpollTimeout::NONE, |limit| {
            EpollTimeout::try_from(limit + Duration::from_micros(999)).unwrap_or(EpollTimeout::MAX)
        });
        let count = match self.epoll.wait(&mut self.events, timeout) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        told.extend(self.events[..count].iter().map(|event| {
            let is = |flags| event.events().intersects(flags);
            FdReady {
                token: event.data(),
                read: is(EpollFlags::EPOLLIN),
                write: is(EpollFlags::EPOLLOUT),
                is_over: is(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP),
            }
        }));
        Ok(())
    }

    /// Consumes the wake-ups so far.
    pub(crate) fn take_wakeups(&self) {
        // An error means that there was no wake-up.
        let _ = self.wakeups.read();
    }
}

fn flags(interest: Interest) -> EpollFlags {
    let mut flags = EpollFlags::empty();
    flags.set(EpollFlags::EPOLLIN, interest.read);
    flags.set(EpollFlags::EPOLLOUT, interest.write);
    flags
}

#[cfg(test)]
mod tests {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    use super::*;

    #[test]
    fn no_child_inherits_what_is_waited_with() {
        let (poller, _waker) = Poller::new(1).unwrap();
        for flags in [
            fcntl(&*poller.wakeups, FcntlArg::F_GETFD).unwrap(),
            fcntl(&poller.epoll.0, FcntlArg::F_GETFD).unwrap(),
        ] {
            assert_eq!(flags, FdFlag::FD_CLOEXEC.bits());
        }
    }
}
