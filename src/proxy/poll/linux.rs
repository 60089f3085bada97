//! The wait with epoll, whose cost does not grow with the number of sockets.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Interest, SocketReady, TOLD_AT_ONCE, WOKEN};

/// Ends a wait from another thread.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Wakeups(Arc<EventFd>);

impl Wakeups {
    /// Ends the current wait, or the next one.
    pub(in crate::proxy) fn wake(&self) {
        // The counter overflows after 2^64 - 1 wake-ups; the other thread is awake then anyway.
        let _ = self.0.write(1);
    }
}

/// The sockets that are waited for.
pub(in crate::proxy) struct SocketPoller {
    epoll: Epoll,
    wakeups: Arc<EventFd>,
    events: Box<[EpollEvent; TOLD_AT_ONCE]>,
}

impl SocketPoller {
    /// Makes one that waits for wake-ups only.
    pub(in crate::proxy) fn new() -> io::Result<(Self, Wakeups)> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wakeups = Arc::new(EventFd::from_flags(flags)?);
        epoll.add(&*wakeups, EpollEvent::new(EpollFlags::EPOLLIN, WOKEN))?;
        let events = Box::new([EpollEvent::empty(); TOLD_AT_ONCE]);
        Ok((Self { epoll, wakeups: Arc::clone(&wakeups), events }, Wakeups(wakeups)))
    }

    /// Waits for a socket from now on, until it is removed or closed.
    pub(in crate::proxy) fn add(
        &mut self,
        token: u64,
        socket: impl AsFd,
        interest: Interest,
    ) -> io::Result<()> {
        Ok(self.epoll.add(socket, EpollEvent::new(flags(interest), token))?)
    }

    /// Changes what of a socket is waited for.
    pub(in crate::proxy) fn change(
        &mut self,
        token: u64,
        socket: impl AsFd,
        interest: Interest,
    ) -> io::Result<()> {
        Ok(self.epoll.modify(socket, &mut EpollEvent::new(flags(interest), token))?)
    }

    /// Waits for a socket no more, not even for its end.
    pub(in crate::proxy) fn remove(&mut self, _token: u64, socket: impl AsFd) {
        // It was added, or it is not there as is wanted.
        let _ = self.epoll.delete(socket);
    }

    /// Forgets a socket that is closed, as the kernel has done.
    pub(in crate::proxy) fn forget(&mut self, _token: u64) {}

    /// Waits for `limit` at most, and adds to `told` what is ready.
    pub(in crate::proxy) fn wait(
        &mut self,
        limit: Option<Duration>,
        told: &mut Vec<SocketReady>,
    ) -> io::Result<()> {
        let timeout = limit.map_or(EpollTimeout::NONE, |limit| {
            // Rounded up: a deadline that is awaited has passed then, and is not waited for again and again.
            let limit = limit + Duration::from_micros(999);
            EpollTimeout::try_from(limit).unwrap_or(EpollTimeout::MAX)
        });
        let count = match self.epoll.wait(&mut self.events[..], timeout) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        told.extend(self.events[..count].iter().map(|event| {
            let is = |flags| event.events().intersects(flags);
            SocketReady {
                token: event.data(),
                read: is(EpollFlags::EPOLLIN),
                write: is(EpollFlags::EPOLLOUT),
                is_over: is(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP),
            }
        }));
        Ok(())
    }

    /// Consumes the wake-ups so far.
    pub(in crate::proxy) fn take_wakeups(&mut self) {
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
