//! A process type that is exported and its instances, and what every template is given of them.
//!
//! The caller's environment stays out: an export holds what the env files and `--set` say, and what pm itself decides.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{merge, not_text, path_text};
use crate::app::shell::{ShellCommand, shell_command, uses_variable};
use crate::app::{
    App, Environment, InstanceId, Policy, ProcessType, Restart, Role, Signal, Source, siblings,
};
use crate::export::ExportError;

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
    /// Other programs connect to it: it is called `web`, or its command names PORT.
    pub(crate) listens: bool,
    /// Where it stands in the Procfile.
    pub(crate) position: u16,
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

impl<'a> Service<'a> {
    /// Works out what is exported of a type.
    pub(super) fn of(
        app: &'a App,
        position: u16,
        process_type: &'a ProcessType,
    ) -> Result<Self, ExportError> {
        let port = |number| {
            let id = InstanceId { process_type: position, number };
            app.port_of(id).ok_or_else(|| ExportError::PortRange { instance: app.name_of(id) })
        };
        let mut environment = app.environment.clone();
        environment.extend(&process_type.environment);
        siblings::resolve_references(app, &process_type.environment, &mut environment);
        Ok(Self {
            ports: (1..=process_type.count).map(port).collect::<Result<_, _>>()?,
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
            listens: process_type.name == "web" || uses_variable(&process_type.command, "PORT"),
            position,
        })
    }
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
    /// Returns the command for a consumer that signals one process.
    pub(crate) fn for_one_process(&self) -> String {
        self.command.for_one_process(self.policy.stop_signal)
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
