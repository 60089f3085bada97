//! System calls: signals, processes, timers. It is the only part that reads the clock.
//!
//! Code that only works on Linux is in `linux`. Each of its modules has a counterpart with the same name and functions
//! in `portable`, for macOS and the BSDs (docs/portability.md lists what is missing there). One of the two is compiled;
//! `--cfg pm_portable` selects the second on Linux, too, so that its tests can run there.

pub mod cgroup;
pub(crate) mod children;
pub(crate) mod clock;
pub(crate) mod daemon;
mod descriptors;
pub(crate) mod disposition;
mod forked;
pub(crate) mod given_ports;
mod helpers;
pub(crate) mod job_control;
pub(crate) mod lifetime;
pub(crate) mod limits;
pub(crate) mod listen;
pub(crate) mod listeners;
pub(crate) mod malloc;
pub(crate) mod notify_socket;
pub(crate) mod pid_table;
pub(crate) mod pipe;
pub(crate) mod poller;
pub(crate) mod port_owner;
pub(crate) mod processes;
mod program;
pub(crate) mod pty;
pub(crate) mod restrict;
pub mod sampler;
pub(crate) mod shared_socket;
pub(crate) mod signals;
pub(crate) mod spawn;
pub(crate) mod stream_socket;
pub(crate) mod terminal;
pub(crate) mod terminal_guard;
pub(crate) mod usage;
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
pub(crate) use system::{input, origin, subtree};

/// Runs the watchdog of a session if this process was started as one, and returns whether it was. `arguments` are
/// what it was started with, its name first. Must be called before anything else.
pub fn has_served_as_watchdog(arguments: impl Iterator<Item = std::ffi::OsString>) -> bool {
    watchdog::serve(arguments)
}
pub(crate) use system::{inherited, orphans};
