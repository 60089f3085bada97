//! A socket for a connection, made in one call where the system has one for it.

use std::os::fd::OwnedFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// Returns a stream socket that never blocks, and that no child inherits.
///
/// # Errors
/// Those of socket(2).
#[cfg(all(target_os = "linux", not(pm_portable)))]
pub(crate) fn stream_socket(family: AddressFamily) -> nix::Result<OwnedFd> {
    socket(family, SockType::Stream, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, None)
}

/// Returns a stream socket that never blocks, and that no child inherits which is started later.
///
/// # Errors
/// Those of socket(2) and fcntl(2).
#[cfg(not(all(target_os = "linux", not(pm_portable))))]
pub(crate) fn stream_socket(family: AddressFamily) -> nix::Result<OwnedFd> {
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    let made = socket(family, SockType::Stream, SockFlag::empty(), None)?;
    fcntl(&made, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    fcntl(&made, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(made)
}
