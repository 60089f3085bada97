//! A process type that is exported and its instances, and what every template is given of them.
//!
//! The caller's environment stays out: an export holds what the env files and `--set` say, and what pm itself decides.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{merge, not_text, path_text};
use crate::app::shell::{ShellCommand, keeps_pid, shell_command, uses_variable};
use crate::app::{
    App, CpuLimit, Environment, InstanceId, Limits, Nice, Policy, ProcessType, Reach, Restart,
    Role, Signal, Source, Update, ports, siblings,
};
use crate::export::ExportError;
use crate::export::formats::{Addresses, SocketFor};

/// A process type that is exported.
#[derive(Debug)]
pub(crate) struct Service<'a> {
    /// `web`
    pub(crate) name: &'a str,
    /// The command as a shell runs it best.
    pub(crate) command: ShellCommand,
    /// The folder that it runs in.
    pub(crate) folder: String,
    /// Every variable but PORT and PS, by name.
    pub(crate) variables: Vec<Variable>,
    /// The PORT of each instance; one at least.
    pub(crate) ports: Vec<u16>,
    /// How it lives and dies.
    pub(crate) policy: &'a Policy,
    /// What the kernel holds each of its processes to.
    pub(crate) limits: Limits,
    /// Other programs connect to it: it is called `web`, or its command names PORT.
    pub(crate) listens: bool,
    /// Where it stands in the Procfile.
    pub(crate) position: u16,
    /// The listening socket that its instances get, where its format passes one.
    pub(crate) socket: Option<ServiceSocket<'a>>,
}

/// Where a shared socket listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServiceSocket<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
}

/// A variable and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// One instance.
#[derive(Debug)]
pub(crate) struct Instance<'a> {
    /// Its type.
    pub(crate) service: &'a Service<'a>,
    /// `web.1`
    pub(crate) name: String,
    /// `web-1`
    pub(crate) short_name: String,
    /// `shop-web-1`: the name of its unit, job or program.
    pub(crate) unit: String,
    /// Its PORT.
    pub(crate) port: String,
    /// The file of its output.
    pub(crate) log: String,
    /// The file of its process id.
    pub(crate) pid_file: String,
}

impl ServiceSocket<'_> {
    /// Returns `127.0.0.1:5000`, or `[::1]:5000`.
    pub(crate) fn address(self) -> String {
        match self.host {
            host if host.contains(':') => format!("[{host}]:{}", self.port),
            "localhost" => format!("127.0.0.1:{}", self.port),
            host => format!("{host}:{}", self.port),
        }
    }
}

impl<'a> Service<'a> {
    /// Works out what is exported of a type, by what a format says of its addresses. `name` is the application's.
    pub(super) fn of(
        (app, name): (&'a App, &str),
        position: u16,
        process_type: &'a ProcessType,
        addresses: Addresses,
    ) -> Result<Self, ExportError> {
        let ports = ports_of(app, position, process_type, addresses)?;
        let host = process_type.share_port.as_deref();
        let host = host.filter(|_| addresses.socket != SocketFor::Nobody);
        let socket =
            host.zip(ports.first()).map(|(host, port)| ServiceSocket { host, port: *port });
        let mut environment = app.environment.clone();
        environment.extend(&process_type.environment);
        let host = |other: &ProcessType| addresses.others.host(name, other);
        siblings::resolve_references_at(app, &process_type.environment, &mut environment, host);
        Ok(Self {
            command: match shell_command(&process_type.command) {
                // LISTEN_PID is the shell's, whose place the program takes: nothing may stand between them.
                ShellCommand::Compound(text) if socket.is_some() && keeps_pid(&text) => {
                    ShellCommand::Exec(text)
                }
                command => command,
            },
            ports,
            socket,
            variables: variables(&environment)?,
            ..Self::outside(app, position, process_type)?
        })
    }

    /// Works out what is asked of a type that is not exported: of its first instance, with the values of who asks.
    pub(super) fn outside(
        app: &'a App,
        position: u16,
        process_type: &'a ProcessType,
    ) -> Result<Self, ExportError> {
        let folder = process_type.folder(&app.root);
        let first = app.port_of(InstanceId { process_type: position, number: 1 });
        Ok(Self {
            name: &process_type.name,
            command: shell_command(&process_type.command),
            ports: vec![first.unwrap_or_default()],
            folder: path_text(folder)?,
            variables: Vec::new(),
            policy: &process_type.policy,
            limits: process_type.limits,
            listens: process_type.name == "web" || uses_variable(&process_type.command, "PORT"),
            position,
            socket: None,
        })
    }
}

/// Returns the PORT of each instance.
fn ports_of(
    app: &App,
    position: u16,
    process_type: &ProcessType,
    addresses: Addresses,
) -> Result<Vec<u16>, ExportError> {
    let is_shared = process_type.share_port.is_some();
    let port = |number| {
        let id = InstanceId { process_type: position, number };
        // Each container has the whole range of ports, and what is before them leads to the one address.
        if addresses.are_balanced && process_type.front.is_some() {
            return app
                .address_of(position)
                .ok_or_else(|| ExportError::PortRange { instance: app.name_of(id) });
        }
        let port = match addresses.socket {
            // Each has its own again.
            SocketFor::Nobody if is_shared => ports::port(app.base_port, id),
            SocketFor::All | SocketFor::One | SocketFor::Nobody => app.port_of(id),
        };
        port.ok_or_else(|| ExportError::PortRange { instance: app.name_of(id) })
    };
    let count = match addresses.socket {
        SocketFor::One if is_shared => process_type.count.min(1),
        SocketFor::All | SocketFor::One | SocketFor::Nobody => process_type.count,
    };
    (1..=count).map(port).collect()
}

/// Returns what belongs into an export: not what pm's caller happened to have, nor what differs
/// between instances.
fn variables(environment: &Environment) -> Result<Vec<Variable>, ExportError> {
    const OF_THE_INSTANCE: [&str; 4] = ["PORT", "PS", "FOREMAN_WORKER_NAME", "HONCHO_PROCESS_NAME"];
    let mut out = Vec::new();
    for (name, value) in environment.iter() {
        if value.source == Source::Caller || OF_THE_INSTANCE.iter().any(|known| name == known) {
            continue;
        }
        let text = |text: &std::ffi::OsStr| {
            text.to_str()
                .map(str::to_owned)
                .ok_or_else(|| not_text(&format!("the variable {}", name.to_string_lossy())))
        };
        out.push(Variable { name: text(name)?, value: text(&value.text)? });
    }
    Ok(out)
}

impl Service<'_> {
    /// Returns the command for a consumer that signals one process. A shell passes the signal on where all are to get
    /// it; but a shared socket is for the one process that is signalled.
    pub(crate) fn for_one_process(&self) -> String {
        let signal = self.policy.stop_signal;
        match &self.command {
            ShellCommand::Exec(text)
                if self.policy.stop_signal_to == Reach::Group && self.socket.is_none() =>
            {
                ShellCommand::Compound(text.clone()).for_one_process(signal)
            }
            command => command.for_one_process(signal),
        }
    }

    /// Returns the seconds between the stop signal and SIGKILL, at least one: several consumers read 0
    /// as "wait for ever".
    pub(crate) fn stop_seconds(&self) -> u64 {
        whole_seconds(self.policy.grace)
    }

    /// Returns the first instance's PORT, which all get where instances are one object.
    pub(crate) fn port(&self) -> u16 {
        self.ports.first().copied().unwrap_or_default()
    }

    /// Returns how much CPU time it may use, in thousandths of a CPU.
    pub(crate) fn cpu_thousandths(&self) -> Option<u32> {
        match self.limits.cpus? {
            CpuLimit::Time { thousandths } => Some(thousandths),
            CpuLimit::Numbers { .. } => None,
        }
    }

    /// Returns the only CPUs that it may use, as `0-3`.
    pub(crate) fn cpu_numbers(&self) -> Option<String> {
        match self.limits.cpus? {
            CpuLimit::Time { .. } => None,
            numbers @ CpuLimit::Numbers { .. } => Some(numbers.to_string()),
        }
    }

    /// Returns what every template of a type is given, with the format's `own` in addition or in place of it.
    pub(crate) fn context(&self, own: Value) -> Value {
        let signal = self.policy.stop_signal;
        let variables = self.variables.iter().map(|v| (v.name.clone(), Value::from(&*v.value)));
        let mut all = json!({
            "type": self.name,
            "port": self.port().to_string(),
            "replicas": self.ports.len(),
            "listens": self.listens,
            "is_release": self.policy.role == Role::Release,
            "once": self.is_once(),
            "is_rolling": self.policy.update == Update::Rolling && self.policy.role == Role::Service,
            // As pm itself says it.
            "restart": match self.restart() {
                Restart::Never => "never",
                Restart::OnFailure => "on-failure",
                Restart::Always => "always",
            },
            // Nothing where it is what every consumer sends anyway.
            "stop_signal": (signal != Signal::TERM).then(|| signal.to_string()),
            "stop_seconds": self.stop_seconds(),
            "memory_bytes": self.policy.memory_bytes(),
            "open_files": self.limits.open_files,
            "nice": self.limits.nice.map(Nice::get),
            "cpu_thousandths": self.cpu_thousandths(),
            // `0.5`, and `0-3`.
            "cpus": self.limits.cpus.filter(|_| self.cpu_thousandths().is_some()).map(|it| it.to_string()),
            "cpu_numbers": self.cpu_numbers(),
            "raw": {
                "type": self.name,
                "command": self.command.for_group(),
                "folder": self.folder,
                "env": variables.collect::<Map<_, _>>(),
            },
        });
        merge(&mut all, own);
        all
    }
}

impl Instance<'_> {
    /// Returns what every template of an instance is given, with the format's `own` in addition or in place of it.
    pub(crate) fn context(&self, own: Value) -> Value {
        let mut all = self.service.context(json!({
            "name": self.name,
            "unit": self.unit,
            "port": self.port,
        }));
        merge(&mut all, own);
        all
    }
}

pub(crate) fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}
