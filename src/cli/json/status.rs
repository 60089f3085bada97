//! What `pm ps --json` prints: the session, its process types, and each instance.

use std::collections::BTreeMap;
use std::path::Path;

use nix::unistd::Pid;
use schemars::JsonSchema;
use serde::Serialize;

use super::time;
use crate::app::siblings;
use crate::cli::checkout;
use crate::control::proto::{
    FileWatchStatus, InstanceState, InstanceStatus, LastExit, ProxyStatus, ReplacementStatus,
    Report,
};
use crate::os::listeners::InstancePorts;

/// A session and what its instances do.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Status")]
pub(crate) struct StatusObject {
    session: SessionObject,
    /// The same as `session.root`.
    root: String,
    /// The Procfile, absolute and without symbolic links. Empty: an older pm does not say.
    procfile: String,
    /// The session is about to end.
    ending: bool,
    /// Every process type, also those that do not run.
    types: Vec<String>,
    /// Those of them whose instances have a terminal.
    terminals: Vec<String>,
    /// Those that ran, and were scaled to 0.
    scaled_to_zero: Vec<String>,
    /// By process type, the one address of all its instances, where it has one (`--proxy`).
    proxy: BTreeMap<String, ProxyObject>,
    instances: Vec<InstanceObject>,
}

/// The one address of all instances of a process type.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Proxy")]
pub(crate) struct ProxyObject {
    /// Its address on this machine.
    url: String,
    /// The port where pm listens.
    port: u16,
    /// How many of the instances are ready, or up.
    ready: usize,
    /// How many instances there are.
    instances: usize,
    /// Requests without an answer, those that wait for an instance, too.
    in_flight: u64,
}

/// A session.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(crate) struct SessionObject {
    /// The application's root, without symbolic links.
    root: String,
    /// The branch that is checked out there, or the short hash of a commit; null where it is no work tree of git.
    branch: Option<String>,
    /// Its process id.
    pid: i32,
    /// Its base port.
    base: Option<u16>,
    /// The address of each process type: of its proxy, else of its first instance.
    urls: BTreeMap<String, String>,
    /// When it began: RFC 3339, in UTC.
    started: Option<String>,
    /// Who started it: `terminal`, `daemon`, or the name of the program that did.
    by: Option<String>,
}

/// An instance.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Instance")]
pub(crate) struct InstanceObject {
    /// `web.2`
    name: String,
    state: InstanceState,
    /// Whether it is ready; null where it has no `ready`, which could tell.
    ready: Option<bool>,
    /// The instances that it waits for.
    waits_for: Vec<String>,
    /// What must still come true until it is ready.
    probe: Option<String>,
    /// What that has last answered.
    last_answer: Option<String>,
    /// What the program says of itself (`STATUS=` of sd_notify(3)).
    status: Option<String>,
    /// Which of its files are watched; null where none are.
    watching: Option<FileWatchStatus>,
    /// Its process, which is also its process group.
    pid: Option<i32>,
    /// Its PORT.
    port: Option<u16>,
    /// The TCP ports that it really listens on, in order; null where the system does not tell.
    ports: Option<Vec<u16>>,
    /// Seconds since it is up.
    uptime: Option<f64>,
    /// Milliseconds since it is up.
    uptime_ms: Option<u64>,
    /// How often it was started again after its end.
    restarts: u32,
    /// Seconds until it starts again.
    restart_in: Option<f64>,
    /// How it ended, for a person, where it has ended for good.
    end: Option<String>,
    /// Its second run, while it is replaced; null where it has one run.
    replacement: Option<ReplacementStatus>,
    /// How its last run that is over has ended; null where none is.
    last_exit: Option<LastExitObject>,
    /// Memory of its processes in bytes.
    rss: Option<u64>,
    /// CPU time of its processes in seconds.
    cpu: Option<f64>,
    /// The most memory in bytes that it was seen to use; null where nobody could tell, as of the next two.
    peak: Option<u64>,
    /// The threads of its processes.
    threads: Option<u32>,
    /// The open files of its processes.
    open_files: Option<u32>,
    /// The same as `ports`.
    listens: Option<Vec<u16>>,
    /// Requests that the proxy of its type has given to it, over all its runs; null without a proxy.
    requests: Option<u64>,
    /// Those of them that are not answered.
    in_flight: Option<u64>,
    /// Those of them that it has answered with 500 to 599, or not at all.
    errors_5xx: Option<u64>,
}

/// How a run has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LastExit")]
pub(crate) struct LastExitObject {
    /// Its exit code; null where a signal has ended it, or it never began.
    code: Option<i32>,
    /// The signal that has ended it: `SIGKILL`.
    signal: Option<String>,
    /// When: RFC 3339, in UTC.
    at: Option<String>,
    /// Why, for a person.
    cause: String,
    /// Its last lines of output, at most ten.
    tail: Vec<String>,
}

impl StatusObject {
    /// Returns what a session has reported, with what else can be seen of it from here.
    pub(crate) fn of(report: Report) -> Self {
        let of_proxy = report.proxies.iter().map(|it| (it.name.clone(), siblings::url(it.port)));
        let mut urls: BTreeMap<_, _> = of_proxy.collect();
        for instance in &report.instances {
            let process_type = instance.process_type();
            if let Some(port) = &instance.port {
                // The first has the lowest port.
                urls.entry(process_type.to_owned()).or_insert_with(|| siblings::url(*port));
            }
        }
        let session = SessionObject {
            root: report.root.clone(),
            branch: checkout::branch(Path::new(&report.root)),
            pid: report.session,
            base: report.base,
            urls,
            started: report.started.and_then(time),
            by: report.by.filter(|by| !by.is_empty()),
        };
        Self {
            session,
            root: report.root,
            procfile: report.procfile,
            ending: report.ending,
            types: report.types,
            terminals: report.terminals,
            scaled_to_zero: report.scaled_to_zero,
            proxy: report.proxies.into_iter().map(ProxyObject::named).collect(),
            instances: InstanceObject::all(report.instances, report.session),
        }
    }
}

/// All sessions of the user.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sessions")]
pub(crate) struct SessionsObject {
    pub(crate) sessions: Vec<StatusObject>,
}

impl StatusObject {
    /// Returns what is known of a session that does not answer.
    pub(crate) fn of_silent(pid: i32, root: Option<&Path>) -> Self {
        let root = root.map(|root| root.to_string_lossy().into_owned()).unwrap_or_default();
        let session = SessionObject {
            root: root.clone(),
            branch: checkout::branch(Path::new(&root)),
            pid,
            base: None,
            urls: BTreeMap::new(),
            started: None,
            by: None,
        };
        let (procfile, ending) = (String::new(), false);
        let [types, terminals, scaled_to_zero] = [const { Vec::new() }; 3];
        let (proxy, instances) = (BTreeMap::new(), Vec::new());
        Self { session, root, procfile, ending, types, terminals, scaled_to_zero, proxy, instances }
    }
}

impl ProxyObject {
    fn named(status: ProxyStatus) -> (String, Self) {
        let ProxyStatus { name, port, ready, instances, in_flight, traffic: _ } = status;
        (name, Self { url: siblings::url(port), port, ready, instances, in_flight })
    }
}

impl InstanceObject {
    /// Returns the instances of the session with this process id.
    pub(crate) fn all(instances: Vec<InstanceStatus>, session: i32) -> Vec<Self> {
        let listening = InstancePorts::look(Pid::from_raw(session));
        let one = |instance: InstanceStatus| {
            let ports = match instance.pid {
                Some(pid) => listening.of(Pid::from_raw(pid)),
                None => Some(Vec::new()),
            };
            Self::of(instance, ports)
        };
        instances.into_iter().map(one).collect()
    }

    fn of(status: InstanceStatus, ports: Option<Vec<u16>>) -> Self {
        let figures = status.figures.unwrap_or_default();
        let seconds =
            status.uptime.and_then(|uptime| std::time::Duration::try_from_secs_f64(uptime).ok());
        Self {
            name: status.name,
            state: status.state,
            ready: status.ready,
            waits_for: status.waits_for,
            probe: status.probe,
            last_answer: status.last_answer,
            status: status.status,
            watching: status.watching,
            pid: status.pid,
            port: status.port,
            listens: ports.clone(),
            ports,
            uptime: status.uptime,
            uptime_ms: seconds.and_then(|uptime| u64::try_from(uptime.as_millis()).ok()),
            restarts: status.restarts,
            restart_in: status.restart_in,
            end: status.end,
            replacement: status.replacement,
            last_exit: status.last_exit.map(|LastExit { code, signal, at, cause, tail }| {
                LastExitObject { code, signal, at: time(at), cause, tail }
            }),
            rss: status.rss,
            cpu: status.cpu,
            peak: figures.peak,
            threads: figures.threads,
            open_files: figures.open_files,
            requests: status.requests,
            in_flight: status.in_flight,
            errors_5xx: status.errors_5xx,
        }
    }
}
