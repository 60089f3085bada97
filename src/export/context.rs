//! What every format is given, worked out once: the types that run and their instances, each with name,
//! command, folder, variables, port, limits and how it is stopped; and the templates to put them into.
//!
//! A format adds to it what it quotes or names in its own way. The caller's environment stays out: an export
//! holds what the env files and `--set` say, and what pm itself decides.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::error::ExportError;
use super::formats::Format;
use super::quote::Quoted;
use super::templates::Templates;
use super::write::marker;
use super::{File, Options, Owner, Release, Values};
use crate::app::shell::{ShellCommand, shell_command, uses_variable};
use crate::app::{
    App, Environment, InstanceId, LogLimits, Policy, ProcessType, Restart, Role, Signal, Source,
};

/// An application on its way into the files of a format.
pub(crate) struct Export<'a> {
    /// What a person has chosen.
    pub(crate) options: &'a Options,
    /// The types that stay, in the order of the Procfile.
    pub(crate) services: Vec<Service<'a>>,
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
    /// The application itself.
    pub(crate) app: &'a App,
    format: &'a Format,
    templates: Templates<'a>,
}

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

impl<'a> Export<'a> {
    /// Works out what is exported, and loads the templates.
    pub(crate) fn of(
        format: &'a Format,
        app: &'a App,
        options: &'a Options,
    ) -> Result<Self, ExportError> {
        let mut services = Vec::new();
        let mut release = None;
        for (position, process_type) in (0_u16..).zip(&app.types) {
            if process_type.count == 0 {
                continue;
            }
            match (process_type.policy.role, options.release) {
                (Role::Service | Role::Once, _) => {
                    services.push(service(app, position, process_type)?);
                }
                (Role::Release, Release::First) => {
                    release = Some(service(app, position, process_type)?);
                }
                (Role::Release, Release::LeftOut) => {}
            }
        }
        Ok(Self {
            options,
            services,
            release,
            root: path_text(&app.root)?,
            log: path_text(&options.log)?,
            run: path_text(&options.run)?,
            location: path_text(&options.location)?,
            app,
            format,
            templates: Templates::new(format, options)?,
        })
    }

    /// Returns how long the logs may get, where that is limited.
    pub(crate) fn log_limits(&self) -> Option<LogLimits> {
        self.options.log_limits.filter(|limits| limits.size > 0)
    }

    /// Returns the instances of a type.
    pub(crate) fn instances_of<'s>(
        &'s self,
        service: &'s Service<'s>,
    ) -> impl Iterator<Item = Instance<'s>> {
        (1..).zip(&service.ports).map(move |(number, port)| {
            let short_name = format!("{}-{number}", service.name);
            let unit = format!("{}-{short_name}", self.options.app);
            let process_type = service.position;
            Instance {
                service,
                name: self.app.name_of(InstanceId { process_type, number }),
                port: port.to_string(),
                log: format!("{}/{short_name}.log", self.log),
                pid_file: format!("{}/{unit}.pid", self.run),
                short_name,
                unit,
            }
        })
    }

    /// Returns every instance but that of the release.
    pub(crate) fn instances(&self) -> impl Iterator<Item = Instance<'_>> {
        self.services.iter().flat_map(|service| self.instances_of(service))
    }

    /// Returns the variables that stand in the file of the service itself.
    pub(crate) fn inline<'s>(&self, service: &'s Service<'_>) -> &'s [Variable] {
        match self.options.values {
            Values::Inline => &service.variables,
            Values::EnvFile => &[],
        }
    }

    /// Returns whether the file of any service but the release holds values.
    pub(crate) fn has_inline(&self) -> bool {
        self.services.iter().any(|service| !self.inline(service).is_empty())
    }

    /// Returns the path of the file that holds the variables, where it is not that of the service itself.
    pub(crate) fn env_file(&self, service: &Service<'_>) -> Option<String> {
        let is_needed = self.options.values == Values::EnvFile && !service.variables.is_empty();
        is_needed.then(|| format!("{}/{}", self.location, self.env_file_name(service)))
    }

    /// Returns `shop.env`, or `shop-web.env` where the types have different variables.
    pub(crate) fn env_file_name(&self, service: &Service<'_>) -> String {
        let app = &self.options.app;
        let is_same = |other: &Service<'_>| other.variables == service.variables;
        if !self.services.is_empty() && self.services.iter().all(is_same) {
            format!("{app}.env")
        } else {
            format!("{app}-{}.env", service.name)
        }
    }

    /// Returns every env file that the export needs, with `body` for the lines of one service.
    pub(crate) fn env_files(
        &self,
        owner: Owner,
        body: impl Fn(&Service<'_>) -> Result<String, ExportError>,
    ) -> Result<Vec<File>, ExportError> {
        let mut files: Vec<File> = Vec::new();
        for service in self.services.iter().chain(&self.release) {
            let path = self.env_file_name(service);
            let is_there = files.iter().any(|file| file.path == *path);
            if self.env_file(service).is_none() || is_there {
                continue;
            }
            let marker = marker::text(self.format.name, &self.options.app, &path, &[]);
            let contents = format!("# {marker}\n{}", body(service)?);
            files.push(File { path: path.into(), contents, mode: 0o600, owner });
        }
        Ok(files)
    }

    /// Renders a template to a file that everybody may read. The context is what `own` holds, and the
    /// application's.
    pub(crate) fn render(
        &self,
        template: &str,
        path: impl Into<String>,
        own: Value,
    ) -> Result<File, ExportError> {
        self.render_beside(template, path, &[], own)
    }

    /// As [`Self::render`], for a file whose marker answers for files beside it.
    pub(crate) fn render_beside(
        &self,
        template: &str,
        path: impl Into<String>,
        beside: &[&str],
        own: Value,
    ) -> Result<File, ExportError> {
        let path = path.into();
        let limits = self.log_limits();
        let mut context = json!({
            "app": self.options.app,
            "log_limits": limits.map(|limits| {
                json!({ "size": limits.size, "keep": limits.keep, "files": limits.keep.saturating_add(1) })
            }),
            "user": self.options.user,
            "marker": marker::text(self.format.name, &self.options.app, &path, beside),
            "raw": { "root": self.root, "log": self.log, "run": self.run, "location": self.location },
        });
        merge(&mut context, own);
        let contents = self.templates.render(template, &context)?;
        Ok(File { path: path.into(), contents, mode: 0o644, owner: Owner::Exporter })
    }

    /// Names what was refused, and by which format.
    pub(crate) fn carry(&self, name: &str, quoted: Quoted) -> Result<String, ExportError> {
        quoted.map_err(|refusal| ExportError::Value {
            format: self.format.name,
            name: name.to_owned(),
            reason: refusal.0,
        })
    }

    /// As [`Self::carry`], for a variable.
    pub(crate) fn carry_variable(
        &self,
        variable: &Variable,
        quoted: Quoted,
    ) -> Result<String, ExportError> {
        self.carry(&format!("the variable `{}`", variable.name), quoted)
    }

    /// As [`Self::carry`], for a command.
    pub(crate) fn carry_command(
        &self,
        service: &Service<'_>,
        quoted: Quoted,
    ) -> Result<String, ExportError> {
        self.carry(&format!("the command of {}", service.name), quoted)
    }

    /// Refuses a variable whose name the format cannot write, unless `is_possible`.
    pub(crate) fn check_name(
        &self,
        variable: &Variable,
        is_possible: bool,
    ) -> Result<(), ExportError> {
        if is_possible {
            return Ok(());
        }
        let name = variable.name.clone();
        Err(ExportError::VariableName { format: self.format.name, name })
    }

    /// Refuses what the format has no place for.
    pub(crate) fn unsupported(&self, what: &'static str) -> ExportError {
        ExportError::Unsupported { format: self.format.name, what }
    }

    /// Returns what `map` makes of each type's name, the release first; fails where two become one.
    pub(crate) fn distinct(
        &self,
        map: impl Fn(&str) -> String,
    ) -> Result<Vec<(&Service<'a>, String)>, ExportError> {
        let all = || self.release.iter().chain(&self.services);
        let names = super::names::distinct(self.format.name, all().map(|one| one.name), map)?;
        Ok(all().zip(names).collect())
    }
}

fn service<'a>(
    app: &'a App,
    position: u16,
    process_type: &'a ProcessType,
) -> Result<Service<'a>, ExportError> {
    let mut environment = app.environment.clone();
    environment.extend(&process_type.environment);
    let port = |number| {
        let id = InstanceId { process_type: position, number };
        app.port_of(id).ok_or_else(|| ExportError::PortRange { instance: app.name_of(id) })
    };
    let folder = process_type.directory.as_deref().unwrap_or(&app.root);
    Ok(Service {
        name: &process_type.name,
        command: shell_command(&process_type.command),
        ports: (1..=process_type.count).map(port).collect::<Result<_, _>>()?,
        folder: path_text(folder)?,
        variables: variables(&environment)?,
        policy: &process_type.policy,
        listens: process_type.name == "web" || uses_variable(&process_type.command, "PORT"),
        position,
    })
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
            // As pm itself says it.
            "restart": match self.policy.restart {
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

/// Adds what `own` holds to `all`; an object in both is merged.
fn merge(all: &mut Value, own: Value) {
    match (all, own) {
        (Value::Object(all), Value::Object(own)) => {
            for (name, value) in own {
                merge(all.entry(name).or_insert(Value::Null), value);
            }
        }
        (all, own) => *all = own,
    }
}

pub(crate) fn whole_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}
