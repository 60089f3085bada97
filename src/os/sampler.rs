//! How much memory and CPU time each instance's process tree uses. Samples when asked; keeps no time,
//! decides nothing.

use super::cgroup::Cgroup;
pub use super::system::sampler::Sampler;
use crate::app::Size;

/// An instance to measure.
#[derive(Clone, Copy, Debug)]
pub struct Root<'a> {
    /// The pid of its shell, which is also its process group.
    pub leader: i32,
    /// The budget, above which it is measured more exactly. One that stays over it and is only warned about
    /// need not be: leave the budget out after the warning.
    pub limit: Option<Size>,
    /// Children of this process that have left its process group, and belong to it.
    pub helpers: &'a [i32],
    /// Its cgroup, where it has one.
    pub group: Option<&'a Cgroup>,
}

/// How a figure was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Resident pages, those that are shared counted more than once.
    Rss,
    /// Resident pages, those that are shared divided.
    Pss,
    /// What the kernel has charged to its cgroup.
    Cgroup,
}

/// What an instance uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Memory in bytes.
    pub bytes: u64,
    /// How it was found.
    pub measure: Measure,
}
