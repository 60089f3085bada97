//! Measures the memory and CPU time of each instance's process tree. The caller decides when.

use super::cgroup::Cgroup;
pub use super::system::sampler::Sampler;
use crate::app::Size;

/// An instance to measure.
#[derive(Clone, Copy, Debug)]
pub struct Root<'a> {
    /// The pid of its shell, which is also its process group.
    pub leader: i32,
    /// The budget; above it, memory is measured more exactly. Leave it out after a warning, when the exact figure is
    /// not needed.
    pub limit: Option<Size>,
    /// Children of this process that have left its process group, and belong to it.
    pub helpers: &'a [i32],
    /// Its cgroup, where it has one.
    pub group: Option<&'a Cgroup>,
}

/// How a figure was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Resident pages (RSS): shared pages are counted more than once.
    Rss,
    /// Proportional set size (PSS): shared pages are divided.
    Pss,
    /// The memory charged to its cgroup.
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
