//! compose: one file with a service for each process type (the Compose Specification). Proven with
//! docker compose 2.26.

pub(in crate::export) mod watch;

use serde_json::{Value, json};

use super::{Addresses, Can, Feature, Format, Logs, Others, Runs, Starts, container};
use crate::app::shell::is_name;
use crate::app::{Milestone, ProcessType, Restart};
use crate::export::context::{Export, Service};
use crate::export::quote::markup;
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Image, Owner};

pub(crate) const FORMAT: Format = Format {
    name: "compose",
    when: "Docker on one machine, from an image or the root's Dockerfile",
    install: "`docker compose -f DIR/compose.yaml up -d`",
    templates: &[("compose.yaml.j2", include_str!("../templates/compose/compose.yaml.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "compose.yaml"],
    runs: Runs::Containers { without_image: "`APP:latest` is assumed" },
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Consumer,
    leaves_out: &[Feature::Restart, Feature::Niceness],
    asks: Can {
        readiness: true,
        starts: Starts::Told,
        ends: true,
        restarts_with: true,
        ..Can::CONTAINER
    },
    addresses: Addresses { others: Others::Hosts(host), ..Addresses::BALANCED },
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

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    let app = &export.options.app;
    let mut files = export.env_files(Owner::Exporter, |service| env_file(export, service))?;
    let types = export.distinct(|name| service_name(app, name))?;
    let release = types.first().filter(|_| export.release.is_some());
    let own = json!({
        // Quoted like every name here: `on` and `123` are not strings in YAML.
        "project": markup::json(&project(app)),
        "image": markup::json(&container::image(export)),
        "build": matches!(export.options.image, Image::Build { .. }).then(|| markup::dollar_json(&export.root)),
        "release": release.map(|(_, name)| markup::json(name)),
        "services": types.iter().map(|(one, name)| context(export, one, name, &types)).collect::<Vec<_>>(),
    });
    let holds_values = types.iter().any(|(service, _)| !export.inline(service).is_empty());
    files.push(export.render("compose.yaml.j2", "compose.yaml", own)?.private_if(holds_values));
    Ok(files)
}

/// Returns the project's name: lower case, and a letter or digit first.
fn project(app: &str) -> String {
    let name = app.to_lowercase().replace('.', "-");
    let name = name.trim_start_matches(['-', '_']);
    if name.is_empty() { "app".into() } else { name.to_owned() }
}

/// Returns the name of a type's service; a key that begins with `x-` would be an extension of the file.
fn service_name(app: &str, name: &str) -> String {
    if name.starts_with("x-") { format!("{app}-{name}") } else { name.to_owned() }
}

/// Returns the name by which other containers find a type.
fn host(app: &str, other: &ProcessType) -> Option<String> {
    (other.count > 0).then(|| service_name(app, &other.name))
}

/// Returns what a service depends on, the types of one name as one.
fn needs(
    export: &Export<'_>,
    service: &Service<'_>,
    types: &[(&Service<'_>, String)],
) -> Vec<Value> {
    let needs = export.needs_of(service);
    let mut out = Vec::new();
    for (one, name) in types {
        let milestones =
            needs.iter().filter(|need| need.service.name == one.name).map(|need| need.milestone);
        let Some(milestone) = milestones.max() else { continue };
        let condition = match milestone {
            Milestone::Done => "service_completed_successfully",
            Milestone::Ready if container::ready(export, one).is_some() => "service_healthy",
            Milestone::Ready | Milestone::Started => "service_started",
        };
        let restart = service.follows_restarts();
        out.push(json!({ "name": markup::json(name), "condition": condition, "restart": restart }));
    }
    out
}

fn context(
    export: &Export<'_>,
    service: &Service<'_>,
    name: &str,
    types: &[(&Service<'_>, String)],
) -> Value {
    let port = service.port().to_string();
    let inline = export.inline(service).iter().map(|v| (v.name.as_str(), v.value.as_str()));
    let environment: Vec<Value> = inline
        .chain([("PORT", &*port)])
        .map(|(name, value)| json!({ "name": markup::json(name), "value": markup::dollar_json(value) }))
        .collect();
    let env_file = export.env_file(service).map(|_| export.env_file_name(service));
    // There is one check, and others wait for it.
    let health = container::ready(export, service).or_else(|| container::live(export, service));
    service.context(json!({
        "name": markup::json(name),
        "command": markup::dollar_json(&container::waiting_command(export, service)),
        "environment": environment,
        "needs": needs(export, service, types),
        "healthcheck": health.map(|check| markup::dollar_json(&check)),
        "check": service.check(),
        "ready_seconds": service.ready_seconds(),
        "watch": watch::rules(export, service),
        "env_file": env_file.map(|name| markup::dollar_json(&name)),
        "restart": match service.restart() {
            Restart::Never => "\"no\"",
            // What has ended well stays so.
            Restart::OnFailure | Restart::Always if service.is_once() => "on-failure",
            // docker's own `on-failure` does not survive a restart of the machine.
            Restart::OnFailure | Restart::Always => "unless-stopped",
        },
    }))
}

/// compose reads single quotes literally, and ends them at the next one; in double quotes it takes these
/// escapes and `$$` for `$` (compose-go, package dotenv).
fn env_file(export: &Export<'_>, service: &Service<'_>) -> Result<String, ExportError> {
    let mut body = String::new();
    for variable in &service.variables {
        export.check_name(variable, is_name(&variable.name))?;
        let value = export.carry_variable(variable, markup::compose_env_file(&variable.value))?;
        body.push_str(&format!("{}={value}\n", variable.name));
    }
    Ok(body)
}
