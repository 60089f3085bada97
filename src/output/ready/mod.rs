//! Waits until a pipe is readable, stdout has lost its reader, or another thread wakes it: with epoll(7) on Linux,
//! elsewhere with poll(2), which gets all descriptors at each wait.

#[cfg(all(target_os = "linux", not(pm_portable)))]
mod linux;
#[cfg(all(target_os = "linux", not(pm_portable)))]
use linux as system;

#[cfg(not(all(target_os = "linux", not(pm_portable))))]
mod portable;
#[cfg(not(all(target_os = "linux", not(pm_portable))))]
use portable as system;

pub(super) use system::{Poller, Ready, Waker, pipe_holds};

/// How many ready descriptors one wait reports.
pub(super) const READY: usize = 64;

/// Which descriptor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Another thread has woken it.
    Wakeup,
    /// stdout has lost its reader.
    Stdout,
    /// A pipe or terminal is readable, or all of its writers are gone.
    Source(u64),
}
