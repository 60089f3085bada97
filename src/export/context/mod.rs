//! What every format is given, worked out once: the types that run and their instances, each with name,
//! command, folder, variables, port, limits and how it is stopped; and the templates to put them into.
//!
//! A format adds to it what it quotes or names in its own way.

mod carry;
mod env_files;
mod service;

use std::path::Path;

use serde_json::{Value, json};

use super::error::ExportError;
use super::formats::Format;
use super::templates::Templates;
use super::write::marker;
use super::{File, Options, Owner, Release};
use crate::app::readiness::Probe;
use crate::app::{App, InstanceId, LogLimits, Role};

pub(crate) use service::{Instance, Service, Variable, whole_seconds};

/// An application on its way into the files of a format.
pub(crate) struct Export<'a> {
    /// What a person has chosen.
    pub(crate) options: &'a Options,
    /// The types that stay, in the order of the Procfile.
    pub(crate) services: Vec<Service<'a>>,
    /// The one that runs before them.
    pub(crate) release: Option<Service<'a>>,
    /// The types that are not exported and can be asked from outside: somebody else runs them.
    pub(crate) outside: Vec<Service<'a>>,
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

impl<'a> Export<'a> {
    /// Works out what is exported, and loads the templates.
    pub(crate) fn of(
        format: &'a Format,
        app: &'a App,
        options: &'a Options,
    ) -> Result<Self, ExportError> {
        let mut services = Vec::new();
        let mut release = None;
        let mut outside = Vec::new();
        for (position, process_type) in (0_u16..).zip(&app.types) {
            let policy = &process_type.policy;
            let exported =
                || Service::of((app, &options.app), position, process_type, format.addresses);
            match (policy.role, options.release) {
                (Role::Service | Role::Once, _) if process_type.count == 0 => {
                    if policy.ready_probes().any(Probe::works_from_outside) {
                        outside.push(Service::outside(app, position, process_type)?);
                    }
                }
                (Role::Service | Role::Once, _) => services.push(exported()?),
                (Role::Release, Release::First) if process_type.count > 0 => {
                    release = Some(exported()?);
                }
                (Role::Release, Release::First | Release::LeftOut) => {}
            }
        }
        Ok(Self {
            options,
            services,
            release,
            outside,
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
