//! What every process of an instance uses, for who looks at it. [`super::sampler`] measures for memory budgets; this
//! tells single processes apart, so that the CPU time of those that end is not lost.

use std::time::Duration;

use super::cgroup::Cgroup;
pub(crate) use super::system::usage::UsageReader;

/// An instance to look at.
#[derive(Clone, Debug)]
pub(crate) struct UsageRoot {
    /// The pid of its leader, which is also its process group.
    pub(crate) leader: i32,
    /// Children of this process that have left its process group, and belong to it.
    #[cfg_attr(
        any(not(target_os = "linux"), pm_portable),
        expect(dead_code, reason = "only Linux tells what has left a group")
    )]
    pub(crate) helpers: Vec<i32>,
    /// Its cgroup, where it has one.
    #[cfg_attr(
        any(not(target_os = "linux"), pm_portable),
        expect(dead_code, reason = "only Linux has cgroups")
    )]
    pub(crate) group: Option<Cgroup>,
}

/// How closely to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LookDepth {
    /// Divide shared pages fairly (PSS), which costs fifty times as much as RSS.
    pub(crate) pss: bool,
    /// Count open files.
    pub(crate) details: bool,
}

/// The CPU time of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessUsage {
    /// Its process id.
    pub(crate) pid: i32,
    /// That of its parent.
    pub(crate) parent: i32,
    /// When it was started, in a unit of the system: it tells two processes with one id apart.
    pub(crate) started: u64,
    /// The time that it has used itself.
    pub(crate) own: Duration,
    /// The time of those that it has waited for.
    pub(crate) waited: Duration,
}

/// What the processes of an instance use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TreeUsage {
    /// Each of them, also those that have ended and are not waited for yet.
    pub(crate) processes: Vec<ProcessUsage>,
    /// How many of them live.
    pub(crate) living: u32,
    /// Their threads; `None` where the system does not tell.
    pub(crate) threads: Option<u32>,
    /// Their open files, where that was asked for and may be known.
    pub(crate) open_files: Option<u32>,
    /// Resident memory in bytes: shared pages count for each process.
    pub(crate) rss: u64,
    /// The same with shared pages divided, where that was asked for.
    pub(crate) pss: Option<u64>,
    /// The memory charged to the cgroup.
    pub(crate) cgroup: Option<u64>,
    /// The most that was ever charged to the cgroup.
    pub(crate) peak: Option<u64>,
}

impl TreeUsage {
    /// Returns the CPU time of its processes and of those that they have waited for.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.processes.iter().map(|process| process.own + process.waited).sum()
    }
}
