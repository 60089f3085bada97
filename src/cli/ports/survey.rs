//! Who has which ports, before anything is started: who listens there, and the sessions of other roots, whose
//! instances may not listen yet.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::lint::{Holder, HoldingInstance, PortState};
use crate::cli::check;
use crate::control::client::{Connection, Received};
use crate::control::proto::{ProxyStatus, Report, Request, Response};
use crate::control::socket_paths;
use crate::os::listeners::Listeners;
use crate::os::port_owner;
use crate::root_hash;

/// How long a session has to say what it runs. One that is suspended (Ctrl-Z) does not: of its ports, those where it
/// listens are seen anyway.
const PATIENCE: Duration = Duration::from_millis(300);

/// The ports of this machine that somebody has.
#[derive(Debug)]
pub(super) struct PortSurvey {
    listeners: Listeners,
    /// Ports that sessions of other roots have given to their instances.
    assigned: Vec<(u16, Holder)>,
    /// The hash of the root whose ports are in question.
    root: u64,
}

impl PortSurvey {
    /// Asks the system and the sessions of other roots.
    pub(super) fn take(root: &Path, runtime: &Path) -> Self {
        let assigned = of_other_sessions(root, runtime);
        Self { listeners: Listeners::read(), assigned, root: root_hash::number(root) }
    }

    /// Returns whether somebody listens on a port, on whatever address, or a session of another root has given it to
    /// an instance.
    pub(super) fn is_taken(&self, port: u16) -> bool {
        self.is_assigned(port) || self.is_listening(port)
    }

    fn is_assigned(&self, port: u16) -> bool {
        self.assigned.iter().any(|(assigned, _)| *assigned == port)
    }

    fn is_listening(&self, port: u16) -> bool {
        match Listeners::CAN_TELL {
            true => self.listeners.has(port),
            // To listen there for a moment says whether somebody does.
            false => matches!(check::probe::port(port), PortState::Taken(_)),
        }
    }

    /// Returns who has these ports, as far as that can be seen: who listens, and else whose port it is.
    pub(super) fn holders(&self, ports: &[u16]) -> Vec<(u16, Holder)> {
        let listening: Vec<u16> =
            ports.iter().copied().filter(|port| self.is_listening(*port)).collect();
        let found = match listening.is_empty() {
            true => Vec::new(),
            false => self.listeners.holders(&listening),
        };
        let found = found.into_iter().map(|(port, holder)| (port, port_owner::identified(holder)));
        let assigned = self.assigned.iter().filter(|(port, _)| ports.contains(port)).cloned();
        found.chain(assigned).collect()
    }

    /// Returns the first of these ports that a session of another root has, and which instance.
    pub(super) fn of_another_session(&self, ports: &[u16]) -> Option<(u16, Holder)> {
        let taken: Vec<u16> = ports.iter().copied().filter(|port| self.is_taken(*port)).collect();
        if taken.is_empty() {
            return None;
        }
        let is_of_another = |holder: &Holder| {
            let instance = holder.instance.as_ref();
            instance.is_some_and(|instance| root_hash::number(&instance.root) != self.root)
        };
        let holders = self.holders(&taken);
        let held = holders.into_iter().filter(|(_, holder)| is_of_another(holder));
        held.min_by_key(|(port, _)| *port)
    }
}

/// Returns the ports that sessions of other roots have given to their instances, and whose each is.
pub(super) fn of_other_sessions(root: &Path, runtime: &Path) -> Vec<(u16, Holder)> {
    let root = root_hash::number(root);
    let is_other = |report: &Report| root_hash::number(Path::new(&report.root)) != root;
    reports(runtime).into_iter().filter(is_other).flat_map(assigned).collect()
}

/// Returns what every session of the user runs. All are asked before the first answers.
fn reports(runtime: &Path) -> Vec<Report> {
    let sessions = socket_paths::all_sessions(runtime).unwrap_or_default();
    let asked: Vec<_> = sessions
        .iter()
        .filter_map(|session| Connection::open(&session.endpoint.socket, Request::Status).ok())
        .collect();
    asked.into_iter().filter_map(answer).collect()
}

/// Returns what the session of a root runs, where one does.
pub(super) fn of_root(root: &Path, runtime: &Path) -> Option<Report> {
    let sessions = socket_paths::sessions(runtime, root).unwrap_or_default();
    let mut asked = sessions
        .iter()
        .filter_map(|session| Connection::open(&session.socket, Request::Status).ok());
    asked.find_map(answer)
}

fn answer(mut connection: Connection) -> Option<Report> {
    match connection.receive(Some(PATIENCE)) {
        Ok(Received::Response(Response::Status(report))) => Some(*report),
        // It is suspended, or has just ended.
        Ok(_) | Err(_) => None,
    }
}

/// Returns the ports of a session's instances, also of those that do not run, and of its proxies.
fn assigned(report: Report) -> Vec<(u16, Holder)> {
    let root = PathBuf::from(report.root);
    let session = report.session;
    let of_instance = |instance: crate::control::proto::InstanceStatus| {
        let holder = Holder {
            pid: instance.pid.unwrap_or(session).unsigned_abs(),
            program: String::new(),
            instance: Some(HoldingInstance { name: instance.name, root: root.clone() }),
        };
        Some((instance.port?, holder))
    };
    let of_proxy = |proxy: ProxyStatus| {
        let instance = HoldingInstance { name: proxy.name, root: root.clone() };
        let (pid, program) = (session.unsigned_abs(), String::new());
        (proxy.port, Holder { pid, program, instance: Some(instance) })
    };
    let instances = report.instances.into_iter().filter_map(of_instance);
    instances.chain(report.proxies.into_iter().map(of_proxy)).collect()
}
