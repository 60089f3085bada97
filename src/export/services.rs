//! What every format needs to know of the application, worked out once: which types run, their
//! instances with names and ports, their commands, folders and variables.
//!
//! The caller's environment stays out: an export holds what the env files and `--set` say, and what pm
//! itself decides.

use std::path::Path;
use std::time::Duration;

use super::error::ExportError;
use super::quote::Quoted;
use super::{Format, Options, Release};
use crate::app::shell::{ShellCommand, shell_command};
use crate::app::{App, Environment, InstanceId, Policy, ProcessType, Restart, Role, Source};
use crate::error::Error;

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
    /// Its instances; one at least.
    pub(crate) instances: Vec<Instance>,
    /// How it lives and dies.
    pub(crate) policy: &'a Policy,
    /// Other programs connect to it: it is called `web`, or its command names PORT.
    pub(crate) listens: bool,
}

/// A variable and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// From 1.
    pub(crate) number: u16,
    /// `web.1`
    pub(crate) name: String,
    /// `shop-web-1`: the name of its unit, job or program.
    pub(crate) unit: String,
    /// Its PORT.
    pub(crate) port: String,
}

/// The types that run, in the order of the Procfile, and the `release` type where it is asked for.
#[derive(Debug)]
pub(crate) struct Services<'a> {
    /// Those that stay.
    pub(crate) running: Vec<Service<'a>>,
    /// The one that runs before them.
    pub(crate) release: Option<Service<'a>>,
    /// The application's folder.
    pub(crate) root: String,
    /// The folder of its logs.
    pub(crate) log: String,
    /// The folder of its pid files.
    pub(crate) run: String,
    /// The folder of the export.
    pub(crate) location: String,
}

impl<'a> Services<'a> {
    /// Works out what is exported.
    pub(crate) fn of(app: &'a App, options: &Options) -> Result<Self, Error> {
        let mut running = Vec::new();
        let mut release = None;
        for (position, process_type) in (0_u16..).zip(&app.types) {
            if process_type.count == 0 {
                continue;
            }
            match (process_type.policy.role, options.release) {
                (Role::Service, _) => running.push(service(app, options, position, process_type)?),
                (Role::Release, Release::First) => {
                    release = Some(service(app, options, position, process_type)?);
                }
                (Role::Release, Release::LeftOut) => {}
            }
        }
        Ok(Self {
            running,
            release,
            root: path_text(&app.root)?,
            log: path_text(&options.log)?,
            run: path_text(&options.run)?,
            location: path_text(&options.location)?,
        })
    }
}

fn service<'a>(
    app: &'a App,
    options: &Options,
    position: u16,
    process_type: &'a ProcessType,
) -> Result<Service<'a>, Error> {
    let mut environment = app.environment.clone();
    environment.extend(&process_type.environment);
    let mut instances = Vec::new();
    for number in 1..=process_type.count {
        let id = InstanceId { process_type: position, number };
        let name = app.name_of(id);
        let Some(port) = app.port_of(id) else {
            return Err(Error::PortRange { instance: name, port: u32::from(u16::MAX) + 1 });
        };
        let unit = format!("{}-{}-{number}", options.app, process_type.name);
        instances.push(Instance { number, name, unit, port: port.to_string() });
    }
    let folder = process_type.directory.as_deref().unwrap_or(&app.root);
    Ok(Service {
        name: &process_type.name,
        command: shell_command(&process_type.command),
        folder: path_text(folder)?,
        variables: variables(&environment)?,
        instances,
        policy: &process_type.policy,
        listens: process_type.name == "web" || names_port(&process_type.command),
    })
}

/// Returns what belongs into an export: not what pm's caller happened to have, nor what differs
/// between instances.
fn variables(environment: &Environment) -> Result<Vec<Variable>, Error> {
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

fn names_port(command: &str) -> bool {
    command.contains("$PORT") || command.contains("${PORT")
}

fn path_text(path: &Path) -> Result<String, ExportError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| not_text(&format!("the path {}", path.display())))
}

fn not_text(name: &str) -> ExportError {
    ExportError::Value {
        format: "an export",
        name: name.to_owned(),
        reason: "bytes that are not UTF-8",
    }
}

impl Service<'_> {
    /// Returns the seconds between the stop signal and SIGKILL, at least one: several consumers read 0
    /// as "wait for ever".
    pub(crate) fn stop_seconds(&self) -> u64 {
        whole_seconds(self.policy.grace)
    }

    /// Returns the restart policy as pm itself names it, for the templates that decide by it.
    pub(crate) fn restart_word(&self) -> &'static str {
        match self.policy.restart {
            Restart::Never => "never",
            Restart::OnFailure => "on-failure",
            Restart::Always => "always",
        }
    }

    /// Returns the first instance's PORT, which all get where instances are one object.
    pub(crate) fn port(&self) -> &str {
        self.instances.first().map_or("", |instance| &instance.port)
    }
}

fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

/// Names what was refused, and by which format.
pub(crate) fn carry(format: &Format, name: &str, quoted: Quoted) -> Result<String, ExportError> {
    quoted.map_err(|refusal| ExportError::Value {
        format: format.name,
        name: name.to_owned(),
        reason: refusal.0,
    })
}

/// As [`carry`], for a variable.
pub(crate) fn carry_variable(
    format: &Format,
    variable: &Variable,
    quoted: Quoted,
) -> Result<String, ExportError> {
    carry(format, &format!("the variable `{}`", variable.name), quoted)
}
