//! Not every system's posix_spawn(3) has what pm asks of it; std knows which one has.

use std::ffi::CStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::unistd::Pid;

/// Returns that no command can be started in this way.
pub(in crate::os) fn can_start_in(_folder: &Path) -> bool {
    false
}

/// Starts nothing.
///
/// # Errors
/// Always.
pub(in crate::os) fn start<E: AsRef<CStr>>(
    _script: &str,
    _environment: &[E],
    _stdin: BorrowedFd<'_>,
    _writer: BorrowedFd<'_>,
) -> io::Result<Pid> {
    Err(io::ErrorKind::Unsupported.into())
}
