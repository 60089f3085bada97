//! The sockets that the instances of a type share (`share-port`): they are opened before anything starts, and stay open
//! over restarts. And the look at whether an instance has taken its socket.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::time::Duration;

use nix::unistd::Pid;
use serde_json::json;

use super::messages;
use crate::app::lint::Holder;
use crate::app::readiness::Probe;
use crate::app::{App, InstanceId, Moment, RunId};
use crate::os::listeners::InstancePorts;
use crate::os::port_owner::holder_of;
use crate::os::shared_socket::{NUMBER, Placeholder, SharedSocket};
use crate::output::{About, Notice};

/// How long after its start a run must have its socket, where no `ready` tells when to look: a shell or a wrapper still
/// stands in its place before.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// A socket that could not be opened.
#[derive(Debug)]
pub(super) struct CannotListen {
    name: String,
    host: String,
    port: u16,
    source: io::Error,
    holder: Option<Box<Holder>>,
}

impl CannotListen {
    fn new(name: &str, host: &str, port: u16, source: io::Error) -> Self {
        let is_taken = source.kind() == io::ErrorKind::AddrInUse;
        let holder = is_taken.then(|| holder_of(port)).flatten().map(Box::new);
        Self { name: name.to_owned(), host: host.to_owned(), port, source, holder }
    }

    /// Returns what was tried and why it failed, for a person.
    pub(super) fn reason(&self) -> String {
        let Self { name, host, port, source, holder } = self;
        let why = match holder {
            None => source.to_string(),
            Some(holder) => {
                let who = holder.as_instance().unwrap_or_else(|| holder.to_string());
                format!("{who} has the port")
            }
        };
        format!("cannot listen on {host}, port {port}, for `{name}`: {why}")
    }

    /// Returns what to do about it.
    pub(super) fn hint(&self) -> String {
        match (self.source.kind(), &self.holder) {
            (_, Some(_)) => "stop it, or choose another base with `-p`",
            (io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied, None) => {
                "choose another base with `-p`"
            }
            _ => "`share-port` is `true`, or an address of this machine", // It is not the port.
        }
        .to_owned()
    }
}

/// An open socket, and where it listens.
#[derive(Debug)]
struct OpenSocket {
    host: String,
    port: u16,
    socket: SharedSocket,
}

/// The shared sockets of a session, by the position of the type.
#[derive(Debug, Default)]
pub(super) struct SharedSockets {
    open: BTreeMap<u16, OpenSocket>,
    placeholder: Placeholder,
    /// Runs that are to be looked at, and when.
    looks: Vec<(Moment, RunId)>,
}

impl SharedSockets {
    /// Opens the sockets of all types that run.
    pub(super) fn open(app: &App) -> Result<Self, CannotListen> {
        let mut all = Self::default();
        for (own, process_type) in app.types.iter().zip(0_u16..) {
            if own.count > 0 {
                all.of(app, InstanceId { process_type, number: 1 })?;
            }
        }
        Ok(all)
    }

    /// Returns how many descriptors the sockets of an application take.
    pub(super) fn descriptors(app: &App) -> usize {
        match app.types.iter().filter(|own| own.share_port.is_some()).count() {
            0 => 0,
            sockets => sockets + 1,
        }
    }

    /// Returns the socket of an instance, where its type shares one; it is opened where it is not open yet.
    pub(super) fn of(
        &mut self,
        app: &App,
        id: InstanceId,
    ) -> Result<Option<&SharedSocket>, CannotListen> {
        let own = app.type_of(id);
        let (Some(host), Some(port)) = (&own.share_port, app.port_of(id)) else { return Ok(None) };
        let process_type = id.process_type;
        if !self.open.contains_key(&process_type) {
            let open = self.placeholder.hold().and_then(|()| SharedSocket::listen(host, port));
            let socket = open.map_err(|source| CannotListen::new(&own.name, host, port, source))?;
            let host = host.clone();
            self.open.insert(process_type, OpenSocket { host, port, socket });
        }
        Ok(self.open.get(&process_type).map(|open| &open.socket))
    }

    /// Returns what a program reads of its socket, but LISTEN_PID (sd_listen_fds(3)).
    pub(super) fn variables(app: &App, id: InstanceId) -> Vec<(&'static str, OsString)> {
        let own = app.type_of(id);
        let Some(_) = own.share_port else { return Vec::new() };
        vec![
            ("LISTEN_FDS", "1".into()),
            ("LISTEN_FDNAMES", own.name.clone().into()),
            ("PM_LISTEN_FD", NUMBER.to_string().into()),
        ]
    }

    /// Closes the sockets that an application that was read again does not have any more.
    pub(super) fn close_others(&mut self, app: &App) {
        self.open.retain(|process_type, open| {
            let id = InstanceId { process_type: *process_type, number: 1 };
            let own = app.types.get(usize::from(*process_type));
            own.is_some_and(|own| own.share_port.as_ref() == Some(&open.host))
                && app.port_of(id) == Some(open.port)
        });
    }

    /// Notes that a run has started: where nothing tells when it is ready, it is looked at later. Without its socket, it
    /// never has `ready = "port"`.
    pub(super) fn started(&mut self, app: &App, run: RunId, now: Moment) {
        let own = app.type_of(run.instance);
        let asks_port = || own.policy.ready_probes().any(|probe| *probe == Probe::Port(None));
        if own.share_port.is_some() && (own.policy.ready.is_none() || asks_port()) {
            self.looks.push((now + LOOK_AFTER, run));
        }
    }

    /// Notes that a run is ready, and is to be looked at.
    pub(super) fn ready(&mut self, app: &App, run: RunId, now: Moment) {
        if app.type_of(run.instance).share_port.is_some() {
            self.forget(run);
            self.looks.push((now, run));
        }
    }

    /// Forgets a run that has ended.
    pub(super) fn forget(&mut self, run: RunId) {
        self.looks.retain(|(_, of)| *of != run);
    }

    /// Returns when a run is to be looked at.
    pub(super) fn due(&self) -> Option<Moment> {
        self.looks.iter().map(|(at, _)| *at).min()
    }

    /// Returns the runs that are to be looked at.
    pub(super) fn take_due(&mut self, now: Moment) -> Vec<RunId> {
        let due = self.looks.extract_if(.., |(at, _)| *at <= now);
        due.map(|(_, run)| run).collect()
    }

    /// Looks at a run with this leader. Returns what there is to say: that nothing of it holds the socket.
    pub(super) fn look(&self, app: &App, run: RunId, leader: Pid) -> Option<Notice> {
        let open = self.open.get(&run.instance.process_type)?;
        let ports = InstancePorts::look(Pid::this());
        let is_held = ports.holds(leader, open.socket.inode())?;
        (!is_held).then(|| not_taken(app, run.instance))
    }
}

/// Says that an instance does not have the socket that it was given.
fn not_taken(app: &App, id: InstanceId) -> Notice {
    let name = app.name_of(id);
    let text =
        format!("{name} does not listen on the socket it was given; write fd://3, or use --proxy");
    messages::say(About::Session, "socket-not-taken", text, json!({ "process": name })).failed()
}
