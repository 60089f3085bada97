//! The end of a process that is no child. POSIX tells of none: whether its id is still taken is asked now and then.

use std::io;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// A process whose end is waited for.
#[derive(Debug)]
pub(crate) struct ProcessEnd(Pid);

impl ProcessEnd {
    /// Takes the process that has this id.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn of(pid: i32) -> io::Result<Self> {
        // 0 and below are groups.
        if pid <= 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let end = Self(Pid::from_raw(pid));
        if end.has_come() { Err(Errno::ESRCH.into()) } else { Ok(end) }
    }

    /// Returns what is readable once the process has ended: nothing is.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Returns whether it has ended and is reaped. Another process may have its id by now.
    pub(crate) fn has_come(&self) -> bool {
        kill(self.0, None) == Err(Errno::ESRCH)
    }
}
