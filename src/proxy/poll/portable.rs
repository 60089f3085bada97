//! The wait with poll(2), whose cost grows with the number of sockets.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Interest, SocketReady, TOLD_AT_ONCE, WOKEN};

/// Ends a wait from another thread.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Wakeups(Arc<PipeWriter>);

impl Wakeups {
    /// Ends the current wait, or the next one.
    pub(in crate::proxy) fn wake(&self) {
        // If the pipe is full, a wake-up is pending.
        let _ = nix::unistd::write(&*self.0, &[1]);
    }
}

/// The sockets that are waited for; each by a descriptor of its own, which `remove` closes.
pub(in crate::proxy) struct SocketPoller {
    wakeups: PipeReader,
    sockets: BTreeMap<u64, (OwnedFd, Interest)>,
}

impl SocketPoller {
    /// Makes one that waits for wake-ups only.
    pub(in crate::proxy) fn new() -> io::Result<(Self, Wakeups)> {
        let (wakeups, writer) = io::pipe()?;
        fcntl(&wakeups, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok((Self { wakeups, sockets: BTreeMap::new() }, Wakeups(Arc::new(writer))))
    }

    /// Waits for a socket from now on, until it is removed.
    pub(in crate::proxy) fn add(
        &mut self,
        token: u64,
        socket: impl AsFd,
        interest: Interest,
    ) -> io::Result<()> {
        let copy = socket.as_fd().try_clone_to_owned()?;
        self.sockets.insert(token, (copy, interest));
        Ok(())
    }

    /// Changes what of a socket is waited for.
    pub(in crate::proxy) fn change(
        &mut self,
        token: u64,
        _socket: impl AsFd,
        interest: Interest,
    ) -> io::Result<()> {
        if let Some((_, known)) = self.sockets.get_mut(&token) {
            *known = interest;
        }
        Ok(())
    }

    /// Waits for a socket no more, not even for its end.
    pub(in crate::proxy) fn remove(&mut self, token: u64, _socket: impl AsFd) {
        self.sockets.remove(&token);
    }

    /// Forgets a socket that is closed.
    pub(in crate::proxy) fn forget(&mut self, token: u64) {
        self.sockets.remove(&token);
    }

    /// Waits for `limit` at most, and adds to `told` what is ready.
    pub(in crate::proxy) fn wait(
        &mut self,
        limit: Option<Duration>,
        told: &mut Vec<SocketReady>,
    ) -> io::Result<()> {
        let timeout = limit.map_or(PollTimeout::NONE, |limit| {
            PollTimeout::try_from(limit + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
        });
        let flags = |interest: Interest| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, interest.read);
            flags.set(PollFlags::POLLOUT, interest.write);
            flags
        };
        let wakeups: (u64, BorrowedFd<'_>, PollFlags) =
            (WOKEN, self.wakeups.as_fd(), PollFlags::POLLIN);
        let sockets = self
            .sockets
            .iter()
            .map(|(token, (fd, interest))| (*token, fd.as_fd(), flags(*interest)));
        let all: Vec<_> = std::iter::once(wakeups).chain(sockets).collect();
        let mut fds: Vec<PollFd<'_>> =
            all.iter().map(|(_, fd, flags)| PollFd::new(*fd, *flags)).collect();
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let ready = all.iter().zip(&fds).filter_map(|((token, _, _), fd)| {
            let events = fd.revents().filter(|events| !events.is_empty())?;
            Some(SocketReady {
                token: *token,
                read: events.contains(PollFlags::POLLIN),
                write: events.contains(PollFlags::POLLOUT),
                is_over: events
                    .intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL),
            })
        });
        told.extend(ready.take(TOLD_AT_ONCE));
        Ok(())
    }

    /// Consumes the wake-ups so far.
    pub(in crate::proxy) fn take_wakeups(&mut self) {
        let mut taken = [0; 64];
        while (&self.wakeups).read(&mut taken).is_ok_and(|count| count == taken.len()) {}
    }
}
