//! What `pm top --json` prints, once a second: what each instance uses.

use schemars::JsonSchema;
use serde::Serialize;

use crate::control::proto::{InstanceState, InstanceStatus, Report, RestartCounts};

/// What the instances of a session use at a moment.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Top")]
pub(crate) struct TopObject {
    /// The application's root.
    root: String,
    /// The process id of the session.
    session: i32,
    instances: Vec<TopInstance>,
}

/// What an instance uses.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TopInstance")]
pub(crate) struct TopInstance {
    /// `web.2`
    name: String,
    state: InstanceState,
    /// Its process, which is also its process group.
    pid: Option<i32>,
    /// Per cent of one CPU since the look before; null at the first.
    cpu: Option<f64>,
    /// CPU time of all its runs in seconds. It never falls.
    cpu_seconds: f64,
    /// Memory in bytes: of its cgroup, else `pss`, else `rss`.
    memory: Option<u64>,
    /// Resident memory of its processes in bytes: shared pages count for each of them.
    rss: Option<u64>,
    /// The same with shared pages divided; null without `--pss`, but near a budget.
    pss: Option<u64>,
    /// The memory charged to its cgroup, where it has one.
    cgroup: Option<u64>,
    /// Its memory budget in bytes.
    budget: Option<u64>,
    /// The most memory that it was seen to use.
    peak: Option<u64>,
    /// How many processes it has.
    processes: u32,
    /// Their threads; null where the system does not tell.
    threads: Option<u32>,
    /// Their open files; null where the system does not tell.
    open_files: Option<u32>,
    /// How often it was started.
    starts: u64,
    /// How often it was started again after its end.
    restarts: u32,
    /// How often it was started again, by cause.
    restarts_by_cause: RestartCounts,
    /// Seconds since it is up.
    uptime: Option<f64>,
    /// Bytes of output of all its runs.
    output_bytes: u64,
    /// Lines of output of all its runs.
    output_lines: u64,
}

impl TopObject {
    /// Returns what a session has said; `cpu` returns the share of a CPU of an instance.
    pub(crate) fn of(report: &Report, cpu: impl Fn(&str) -> Option<f64>) -> Self {
        let one = |instance: &InstanceStatus| {
            let figures = instance.figures.as_deref().cloned().unwrap_or_default();
            TopInstance {
                name: instance.name.clone(),
                state: instance.state,
                pid: instance.pid,
                cpu: cpu(&instance.name).map(|percent| (percent * 10.0).round() / 10.0),
                cpu_seconds: figures.cpu_total,
                memory: figures.memory(),
                rss: figures.rss,
                pss: figures.pss,
                cgroup: figures.cgroup,
                budget: figures.budget,
                peak: figures.peak,
                processes: figures.processes,
                threads: figures.threads,
                open_files: figures.open_files,
                starts: figures.starts,
                restarts: instance.restarts,
                restarts_by_cause: figures.restarts,
                uptime: instance.uptime,
                output_bytes: figures.output_bytes,
                output_lines: figures.output_lines,
            }
        };
        let instances = report.instances.iter().map(one).collect();
        Self { root: report.root.clone(), session: report.session, instances }
    }
}
