//! The wait with poll(2), whose cost grows with the number of descriptors.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::os::poller::{FdReady, Interest, READABLE, WOKEN};

/// Ends a wait from another thread.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<PipeWriter>);

impl Waker {
    /// Ends the current wait, or the next one.
    pub(crate) fn wake(&self) {
        // If the pipe is full, a wake-up is pending.
        let _ = nix::unistd::write(&*self.0, &[1]);
    }
}

/// What is always waited for; each wait gets the rest.
pub(crate) struct Poller {
    wakeups: PipeReader,
}

impl Poller {
    /// Makes one that waits for wake-ups only. Each wait tells of all descriptors that are ready.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub(crate) fn new(_most: usize) -> io::Result<(Self, Waker)> {
        let (wakeups, writer) = io::pipe()?;
        fcntl(&wakeups, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((Self { wakeups }, Waker(Arc::new(writer))))
    }

    /// Does nothing: each wait gets every descriptor.
    ///
    /// # Errors
    /// None.
    pub(crate) fn add(&self, _token: u64, _fd: impl AsFd, _interest: Interest) -> io::Result<()> {
        Ok(())
    }

    /// Does nothing: each wait gets every descriptor.
    ///
    /// # Errors
    /// None.
    pub(crate) fn change(&self, _token: u64, _fd: impl AsFd, _of: Interest) -> io::Result<()> {
        Ok(())
    }

    /// Does nothing: each wait gets every descriptor.
    pub(crate) fn remove(&self, _fd: impl AsFd) {}

    /// Waits for one of the `descriptors`, for `limit` at most, rounded up to milliseconds: a deadline that is waited for
    /// has passed then. Adds what is ready to `told`.
    ///
    /// # Errors
    /// Never by a signal; else as poll(2).
    pub(crate) fn wait<'fd>(
        &mut self,
        limit: Option<Duration>,
        descriptors: impl Iterator<Item = (u64, BorrowedFd<'fd>, Interest)>,
        told: &mut Vec<FdReady>,
    ) -> io::Result<()> {
        let timeout = limit.map_or(PollTimeout::NONE, |limit| {
            PollTimeout::try_from(limit + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
        });
        let mut tokens = vec![WOKEN];
        let mut fds = vec![PollFd::new(self.wakeups.as_fd(), flags(READABLE))];
        for (token, fd, interest) in descriptors {
            tokens.push(token);
            fds.push(PollFd::new(fd, flags(interest)));
        }
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let broken = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        let ready = tokens.iter().zip(&fds).filter_map(|(token, fd)| {
            let events = fd.revents().filter(|events| !events.is_empty())?;
            Some(FdReady {
                token: *token,
                read: events.contains(PollFlags::POLLIN),
                write: events.contains(PollFlags::POLLOUT),
                is_over: events.intersects(broken),
            })
        });
        told.extend(ready);
        Ok(())
    }

    /// Consumes the wake-ups so far.
    pub(crate) fn take_wakeups(&self) {
        let mut taken = [0; 64];
        while nix::unistd::read(&self.wakeups, &mut taken).is_ok_and(|count| count == taken.len()) {
        }
    }
}

fn flags(interest: Interest) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::POLLIN, interest.read);
    flags.set(PollFlags::POLLOUT, interest.write);
    flags
}
