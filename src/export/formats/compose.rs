//! compose: one file with a service for each process type (the Compose Specification). Proven with
//! docker compose 2.26.

use serde_json::{Value, json};

use super::script;
use crate::app::shell::ShellCommand;
use crate::app::{App, Restart, Role, Signal};
use crate::error::Error;
use crate::export::names::distinct;
use crate::export::quote::{markup, sh};
use crate::export::services::{Service, Services, carry_variable};
use crate::export::template::{Templates, context, raw};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, Feature, File, Format, Image, Options, Owner, Runs, Values};

pub(crate) const FORMAT: Format = Format {
    name: "compose",
    when: "docker on one machine, from an image or the root's Dockerfile",
    install: "`docker compose -f DIR/compose.yaml up -d`",
    templates: &[("compose.yaml.j2", include_str!("../templates/compose/compose.yaml.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "compose.yaml"],
    runs: Runs::Containers { without_image: "`APP:latest` is assumed" },
    has_user_scope: false,
    has_sandbox: false,
    leaves_out: &[Feature::Restart],
    checkers: &[
        Checker {
            program: "docker-compose",
            arguments: &["config", "-q", "-f"],
            files: Select::Suffixes(&["compose.yaml"]),
            variables: &[],
            probe: &[],
        },
        Checker {
            program: "docker",
            arguments: &["compose", "config", "-q", "-f"],
            files: Select::Suffixes(&["compose.yaml"]),
            variables: &[],
            probe: &["compose", "version"],
        },
    ],
    render,
};

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    let mut files = script::env_files(&FORMAT, options, &services, Owner::Exporter, env_file)?;
    let mut mode = 0o644;
    let mut all = Vec::new();
    let types: Vec<&Service<'_>> = services.release.iter().chain(&services.running).collect();
    let map = |name: &str| service_name(options, name);
    let names = distinct(FORMAT.name, types.iter().map(|service| service.name), map)?;
    for (service, name) in types.into_iter().zip(&names) {
        mode = script::mode(options, service, 0o600, mode);
        all.push(service_context(options, &services, service, name)?);
    }
    let build = options.image == Image::Build;
    let own = json!({
        // Quoted like every name here: `on` and `123` are not strings in YAML.
        "project": markup::json(&project(&options.app)),
        "image": markup::json(&image(options)),
        "build": build.then(|| markup::dollar_json(&services.root)),
        "release": services.release.as_ref().and(names.first()).map(|name| markup::json(name)),
        "services": Value::from(all),
    });
    let contents =
        templates.render("compose.yaml.j2", "compose.yaml", &context(options, &services, own))?;
    files.push(File { path: "compose.yaml".into(), contents, mode, owner: Owner::Exporter });
    Ok(files)
}

/// Returns the project's name: lower case, and a letter or digit first.
fn project(app: &str) -> String {
    let name = app.to_lowercase().replace('.', "-");
    let name = name.trim_start_matches(['-', '_']);
    if name.is_empty() { "app".into() } else { name.to_owned() }
}

/// Returns the name of a type's service; a key that begins with `x-` would be an extension of the file.
fn service_name(options: &Options, name: &str) -> String {
    if name.starts_with("x-") { format!("{}-{name}", options.app) } else { name.to_owned() }
}

/// Returns the image that containers run.
pub(crate) fn image(options: &Options) -> String {
    match &options.image {
        Image::Named(name) => name.clone(),
        Image::Build | Image::Assumed => format!("{}:latest", options.app.to_lowercase()),
    }
}

/// Returns the command of a container, whose folder is the image's: a type with a folder of its own
/// changes into it. `$` is not yet doubled.
pub(crate) fn container_command(services: &Services<'_>, service: &Service<'_>) -> String {
    let command = service.command.for_one_process(service.policy.stop_signal);
    if service.folder == services.root {
        return command;
    }
    let below = service.folder.strip_prefix(&services.root).and_then(|rest| rest.strip_prefix('/'));
    let folder = sh::word(below.unwrap_or(&service.folder));
    match service.command {
        ShellCommand::Exec(_) => format!("cd {folder} && {command}"),
        ShellCommand::Compound(_) => format!("cd {folder} || exit 1; {command}"),
    }
}

fn service_context(
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
    name: &str,
) -> Result<Value, ExportError> {
    let mut environment = Vec::new();
    let mut set = |name: &str, value: &str| {
        environment
            .push(json!({ "name": markup::json(name), "value": markup::dollar_json(value) }));
    };
    let mut env_file = None;
    match options.values {
        Values::Inline => {
            service.variables.iter().for_each(|variable| set(&variable.name, &variable.value));
        }
        Values::EnvFile if service.variables.is_empty() => {}
        Values::EnvFile => {
            env_file =
                Some(markup::dollar_json(&script::env_file_name(options, services, service)));
        }
    }
    set("PORT", service.port());
    let signal = service.policy.stop_signal;
    Ok(json!({
        "name": markup::json(name),
        "is_release": service.policy.role == Role::Release,
        "command": markup::dollar_json(&container_command(services, service)),
        "environment": environment,
        "env_file": env_file,
        "restart": match service.policy.restart {
            Restart::Never => "\"no\"",
            // docker's own `on-failure` does not survive a restart of the machine.
            Restart::OnFailure | Restart::Always => "unless-stopped",
        },
        "stop_signal": (signal != Signal::TERM).then(|| signal.to_string()),
        "stop_seconds": service.stop_seconds(),
        "listens": service.listens,
        "port": service.port(),
        "replicas": service.instances.len(),
        "memory_bytes": service.policy.memory_bytes(),
        "raw": raw(service),
    }))
}

/// compose reads single quotes literally, and ends them at the next one; in double quotes it takes these
/// escapes and `$$` for `$` (compose-go, package dotenv).
fn env_file(service: &Service<'_>) -> Result<String, ExportError> {
    let mut body = String::new();
    for variable in &service.variables {
        if !crate::app::shell::is_name(&variable.name) {
            return Err(ExportError::VariableName {
                format: FORMAT.name,
                name: variable.name.clone(),
            });
        }
        let value = carry_variable(&FORMAT, variable, markup::compose_env_file(&variable.value))?;
        body.push_str(&format!("{}={value}\n", variable.name));
    }
    Ok(body)
}
