//! Which CPUs a process may use.

use std::io;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// A set of CPUs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpus(CpuSet);

impl Cpus {
    /// Makes the set of the CPUs from one number to another.
    ///
    /// # Errors
    /// A number that this system cannot name.
    pub(crate) fn of(first: u16, last: u16) -> io::Result<Self> {
        let mut cpus = CpuSet::new();
        for number in first..=last {
            cpus.set(number.into()).map_err(|_| {
                io::Error::other(format!("there is no CPU {number} on any system (`--cpus`)"))
            })?;
        }
        Ok(Self(cpus))
    }

    /// Limits the calling process to these CPUs. Async-signal-safe.
    pub(crate) fn hold(&self) -> io::Result<()> {
        // Pid 0 is the caller.
        Ok(sched_setaffinity(Pid::from_raw(0), &self.0)?)
    }
}
