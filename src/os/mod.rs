//! The imperative shell: signals, processes, timers. It does what the supervisor decides and tells
//! it what happened; it is the only part that knows process ids and reads the clock.
//!
//! What only Linux has is in `linux`, and for each module there is one of the same name and functions in
//! `portable`, for macOS and the BSDs (docs/portability.md says what is lost there). One of the two is
//! compiled: `--cfg pm_portable` takes the second on Linux too, where its tests can run.

pub mod cgroup;
pub(crate) mod children;
pub(crate) mod clock;
pub(crate) mod daemon;
mod descriptors;
pub(crate) mod disposition;
mod forked;
mod helpers;
pub(crate) mod job_control;
pub(crate) mod limits;
pub(crate) mod listeners;
pub(crate) mod malloc;
pub(crate) mod notify_socket;
pub(crate) mod pid_table;
pub(crate) mod port_owner;
pub(crate) mod processes;
mod program;
pub(crate) mod pty;
pub(crate) mod restrict;
pub mod sampler;
pub(crate) mod signals;
pub(crate) mod spawn;
pub(crate) mod wait;
pub(crate) mod watchdog;
pub(crate) mod zone;

#[cfg(all(target_os = "linux", not(pm_portable)))]
mod linux;
#[cfg(all(target_os = "linux", not(pm_portable)))]
use linux as system;

#[cfg(not(all(target_os = "linux", not(pm_portable))))]
mod portable;
#[cfg(not(all(target_os = "linux", not(pm_portable))))]
use portable as system;

pub use system::machine;
pub(crate) use system::{origin, subtree};

/// Serves as the watchdog of a session where this process was started as one, and returns then. `name` is what it
/// was started as. To be asked before anything else.
pub fn has_served_as_watchdog(name: Option<&std::ffi::OsStr>) -> bool {
    watchdog::serve(name)
}
pub(crate) use system::{inherited, orphans};
