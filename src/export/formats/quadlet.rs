//! quadlet: a container unit for each instance, from which podman's generator makes services
//! (podman-systemd.unit(5)). Proven with podman 5.4 under systemd 257.

use serde_json::{Value, json};

use super::compose::container_command;
use super::script::{self, env_file_name, env_files};
use super::systemd::restart;
use crate::app::{App, Signal};
use crate::error::Error;
use crate::export::quote::systemd;
use crate::export::services::{Instance, Service, Services, carry, carry_variable};
use crate::export::template::{Templates, context, raw};
use crate::export::verify::{Checker, Select};
use crate::export::{
    ExportError, Feature, File, Format, Image, Options, Owner, Runs, Scope, Values,
};

pub(crate) const FORMAT: Format = Format {
    name: "quadlet",
    when: "podman 4.4 or later under systemd: containers as services, without a daemon",
    install: "copy APP*.container to /etc/containers/systemd and APP.target to /etc/systemd/system (`--user-units`: \
              ~/.config/containers/systemd, ~/.config/systemd/user), then `systemctl daemon-reload && \
              systemctl enable --now APP.target`",
    templates: &[
        ("app.target.j2", include_str!("../templates/quadlet/app.target.j2")),
        ("instance.container.j2", include_str!("../templates/quadlet/instance.container.j2")),
    ],
    paths: &["APP.env", "APP-TYPE.env", "APP.target", "APP-TYPE-N.container"],
    runs: Runs::Containers { without_image: "`localhost/APP:latest` is assumed" },
    has_user_scope: true,
    has_sandbox: false,
    leaves_out: &[Feature::Release],
    checkers: &[Checker {
        program: "/usr/libexec/podman/quadlet",
        arguments: &["-dryrun"],
        files: Select::Folder,
        variables: &["QUADLET_UNIT_DIRS"],
        probe: &[],
    }],
    render,
};

/// What systemd waits beyond podman's own time to stop a container.
const STOP_MARGIN_SECONDS: u64 = 5;

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    let mut files = env_files(&FORMAT, options, &services, Owner::Exporter, env_file)?;
    let units = services.running.iter().flat_map(|service| &service.instances);
    let members: Vec<String> = units.map(|instance| format!("{}.service", instance.unit)).collect();
    let wanted_by =
        if options.scope == Scope::System { "multi-user.target" } else { "default.target" };
    let own = json!({ "wants": members.join(" "), "wanted_by": wanted_by });
    let path = format!("{}.target", options.app);
    let contents = templates.render("app.target.j2", &path, &context(options, &services, own))?;
    files.push(File { path: path.into(), contents, mode: 0o644, owner: Owner::Exporter });
    for service in &services.running {
        for instance in &service.instances {
            let own = instance_context(options, &services, service, instance)?;
            let path = format!("{}.container", instance.unit);
            let contents = templates.render(
                "instance.container.j2",
                &path,
                &context(options, &services, own),
            )?;
            let mode = script::mode(options, service, 0o600, 0o644);
            files.push(File { path: path.into(), contents, mode, owner: Owner::Exporter });
        }
    }
    Ok(files)
}

/// podman takes the rest of each line as it is.
fn env_file(service: &Service<'_>) -> Result<String, ExportError> {
    let mut body = String::new();
    for variable in &service.variables {
        let line = format!("{}={}", variable.name, variable.value);
        let reason = "a newline, which podman's env files have no way to write";
        if line.contains(['\n', '\r']) {
            let name = format!("the variable `{}`", variable.name);
            return Err(ExportError::Value { format: FORMAT.name, name, reason });
        }
        body.push_str(&line);
        body.push('\n');
    }
    Ok(body)
}

fn instance_context(
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
    instance: &Instance,
) -> Result<Value, ExportError> {
    let mut environment = Vec::new();
    let mut environment_file = None;
    match options.values {
        Values::Inline => {
            for variable in &service.variables {
                let word = systemd::exec_word(&format!("{}={}", variable.name, variable.value));
                environment.push(carry_variable(&FORMAT, variable, word)?);
            }
        }
        Values::EnvFile if service.variables.is_empty() => {}
        Values::EnvFile => {
            let path =
                format!("{}/{}", services.location, env_file_name(options, services, service));
            environment_file =
                Some(carry(&FORMAT, "the folder of the export", systemd::path(&path))?);
        }
    }
    environment.push(carry(
        &FORMAT,
        "PORT",
        systemd::exec_word(&format!("PORT={}", instance.port)),
    )?);
    let command = systemd::exec_word(&container_command(services, service));
    let signal = service.policy.stop_signal;
    // podman looks an unqualified name up in registries that the machine's own configuration chooses.
    let image = match &options.image {
        Image::Named(name) => name.clone(),
        Image::Build | Image::Assumed => format!("localhost/{}:latest", options.app.to_lowercase()),
    };
    Ok(json!({
        "name": instance.name,
        "unit": instance.unit,
        "image": image,
        "command": carry(&FORMAT, &format!("the command of {}", service.name), command)?,
        "environment": environment,
        "environment_file": environment_file,
        "listens": service.listens,
        "port": instance.port,
        "stop_seconds": service.stop_seconds(),
        "service_stop_seconds": service.stop_seconds() + STOP_MARGIN_SECONDS,
        "stop_signal": (signal != Signal::TERM).then(|| signal.to_string()),
        "memory_bytes": service.policy.memory_bytes(),
        "restart": restart(service.policy.restart),
        "raw": raw(service),
    }))
}
