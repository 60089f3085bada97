//! The end of a process that is no child, as the kernel tells it: by a pidfd, which a later process of the same id
//! does not get (pidfd_open(2)).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A process whose end is waited for.
#[derive(Debug)]
pub(crate) struct ProcessEnd(OwnedFd);

impl ProcessEnd {
    /// Takes the process that has this id.
    ///
    /// # Errors
    /// There is none, it is a thread, or this kernel has no pidfd (before Linux 5.3).
    pub(crate) fn of(pid: i32) -> io::Result<Self> {
        // 0 and below are groups.
        let pid = (pid > 0).then(|| Pid::from_raw(pid)).flatten();
        let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self(pidfd_open(pid, PidfdFlags::empty())?))
    }

    /// Returns what is readable once the process has ended.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }

    /// Returns whether it has ended; it need not be reaped.
    pub(crate) fn has_come(&self) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO) == Ok(1)
    }
}
