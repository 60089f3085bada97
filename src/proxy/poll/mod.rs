//! Waits until a socket is readable or writable, or another thread has something to say: with epoll(7) on Linux,
//! elsewhere with poll(2), which gets all sockets at each wait. Readiness is told again until something is done about
//! it, so nothing is lost by reading or writing only once.

#[cfg(all(target_os = "linux", not(pm_portable)))]
mod linux;
#[cfg(all(target_os = "linux", not(pm_portable)))]
use linux as system;

#[cfg(not(all(target_os = "linux", not(pm_portable))))]
mod portable;
#[cfg(not(all(target_os = "linux", not(pm_portable))))]
use portable as system;

pub(super) use system::{SocketPoller, Wakeups};

/// How many sockets one wait tells of.
pub(super) const TOLD_AT_ONCE: usize = 256;

/// What of a socket is waited for. Errors and the end of both directions are always told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interest {
    pub(super) read: bool,
    pub(super) write: bool,
}

/// What a socket is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SocketReady {
    /// The token that it was added with.
    pub(super) token: u64,
    pub(super) read: bool,
    pub(super) write: bool,
    /// Both directions are over, or it is broken.
    pub(super) is_over: bool,
}

/// The token of the wake-ups of other threads.
pub(super) const WOKEN: u64 = u64::MAX;
