//! What instances use and have done, for who asks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How closely to look at what instances use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FiguresQuery {
    /// Memory with shared pages divided (PSS), which takes fifty times as long.
    pub pss: bool,
    /// Open files.
    pub details: bool,
    /// What was used in the last five minutes, of instances with a memory budget.
    pub past: bool,
}

/// What an instance uses and has done. What is nothing cannot be told, or was not asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceUsage {
    /// CPU time of all its runs in seconds. It never falls.
    pub cpu_total: f64,
    /// Resident memory of its processes in bytes: shared pages count for each of them.
    pub rss: Option<u64>,
    /// The same with shared pages divided.
    pub pss: Option<u64>,
    /// The memory charged to its cgroup.
    pub cgroup: Option<u64>,
    /// Its memory budget in bytes.
    pub budget: Option<u64>,
    /// The most memory that it has used, as far as was seen.
    pub peak: Option<u64>,
    /// How many processes it has.
    pub processes: u32,
    /// Their threads.
    pub threads: Option<u32>,
    /// Their open files.
    pub open_files: Option<u32>,
    /// How often it was started.
    pub starts: u64,
    /// How often it was started again.
    pub restarts: RestartCounts,
    /// Bytes of output of all its runs.
    pub output_bytes: u64,
    /// Lines of output of all its runs.
    pub output_lines: u64,
    /// What it used before, the oldest first.
    pub past: Vec<PastFigure>,
}

impl InstanceUsage {
    /// Returns the fairest figure for its memory that there is: of the cgroup, else PSS, else RSS.
    pub fn memory(&self) -> Option<u64> {
        self.cgroup.or(self.pss).or(self.rss)
    }
}

/// How often an instance was started again, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RestartCounts {
    /// It had ended by itself.
    pub crash: u64,
    /// It was over its memory budget, or the kernel had no more memory for it.
    pub memory: u64,
    /// It was not ready in time.
    pub not_ready: u64,
    /// It was no longer alive.
    pub not_alive: u64,
    /// Its files had changed.
    pub watch: u64,
    /// Somebody asked for it, or what it depends on was started again.
    pub asked: u64,
}

/// What an instance used at an earlier time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastFigure {
    /// How many seconds ago.
    pub ago: f64,
    /// Memory in bytes.
    pub memory: u64,
    /// Per cent of one CPU since the figure before.
    pub cpu: Option<f64>,
}
