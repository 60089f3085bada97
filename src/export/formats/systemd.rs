//! systemd: a target for the application, one for each process type, a service for each instance
//! (systemd.unit(5), systemd.service(5), systemd.exec(5)). Proven on systemd 252 and 257.

use serde_json::{Value, json};

use super::script::{env_file_name, env_files};
use crate::app::shell::ShellCommand;
use crate::app::{App, Reach, Restart};
use crate::error::Error;
use crate::export::quote::systemd;
use crate::export::services::{Instance, Service, Services, carry, carry_variable};
use crate::export::template::{Templates, context, raw};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Format, Hardening, Options, Owner, Runs, Scope, Values};

pub(crate) const FORMAT: Format = Format {
    name: "systemd",
    when: "most Linux servers: starts at boot, restarts, logs to the journal",
    install: "copy the files to /etc/systemd/system (`--user-units`: ~/.config/systemd/user), then \
              `systemctl daemon-reload && systemctl enable --now APP.target`",
    templates: &[
        ("app.target.j2", include_str!("../templates/systemd/app.target.j2")),
        ("type.target.j2", include_str!("../templates/systemd/type.target.j2")),
        ("service.j2", include_str!("../templates/systemd/service.j2")),
    ],
    paths: &[
        "APP.env",
        "APP-TYPE.env",
        "APP.target",
        "APP-TYPE.target",
        "APP-TYPE.service",
        "APP-TYPE-N.service",
    ],
    runs: Runs::Programs,
    has_user_scope: true,
    has_sandbox: true,
    leaves_out: &[],
    checkers: &[Checker {
        program: "systemd-analyze",
        arguments: &["verify", "--man=no"],
        files: Select::Suffixes(&[".service", ".target"]),
        variables: &[],
        probe: &[],
    }],
    render,
};

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    let name = &options.app;
    let unit = |path: String, contents: String, mode: u32| File {
        path: path.into(),
        contents,
        mode,
        owner: Owner::Exporter,
    };
    let mut files = env_files(&FORMAT, options, &services, Owner::Exporter, env_file)?;
    let release =
        services.release.as_ref().map(|release| format!("{name}-{}.service", release.name));

    let members: Vec<String> =
        services.running.iter().map(|service| format!("{name}-{}.target", service.name)).collect();
    let install = match options.scope {
        Scope::System => "multi-user.target",
        Scope::User => "default.target",
    };
    let own = json!({ "wants": members.join(" "), "wanted_by": install });
    let path = format!("{name}.target");
    let text = templates.render("app.target.j2", &path, &context(options, &services, own))?;
    files.push(unit(path, text, 0o644));

    for service in &services.running {
        let target = format!("{name}-{}.target", service.name);
        let members: Vec<String> =
            service.instances.iter().map(|instance| format!("{}.service", instance.unit)).collect();
        let own = json!({ "type": service.name, "wants": members.join(" ") });
        let text =
            templates.render("type.target.j2", &target, &context(options, &services, own))?;
        files.push(unit(target.clone(), text, 0o644));
        for instance in &service.instances {
            let own = service_context(
                options,
                &services,
                service,
                instance,
                (&target, release.as_deref()),
            )?;
            let path = format!("{}.service", instance.unit);
            let text = templates.render("service.j2", &path, &context(options, &services, own))?;
            files.push(unit(path, text, mode(options, service)));
        }
    }
    if let (Some(service), Some(path)) = (&services.release, release)
        && let Some(instance) = service.instances.first()
    {
        let target = format!("{name}.target");
        let mut own = service_context(options, &services, service, instance, (&target, None))?;
        own["oneshot"] = Value::Bool(true);
        let text = templates.render("service.j2", &path, &context(options, &services, own))?;
        files.push(unit(path, text, mode(options, service)));
    }
    Ok(files)
}

fn mode(options: &Options, service: &Service<'_>) -> u32 {
    super::script::mode(options, service, 0o600, 0o644)
}

fn env_file(service: &Service<'_>) -> Result<String, ExportError> {
    let mut body = String::new();
    for variable in &service.variables {
        check_name(&variable.name)?;
        let value = carry_variable(&FORMAT, variable, systemd::env_file_value(&variable.value))?;
        body.push_str(&format!("{}={value}\n", variable.name));
    }
    Ok(body)
}

/// systemd passes over assignments to other names with a warning (`env_name_is_valid`).
fn check_name(name: &str) -> Result<(), ExportError> {
    if crate::app::shell::is_name(name) {
        return Ok(());
    }
    Err(ExportError::VariableName { format: FORMAT.name, name: name.to_owned() })
}

fn service_context(
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
    instance: &Instance,
    (target, release): (&str, Option<&str>),
) -> Result<Value, ExportError> {
    let mut environment = Vec::new();
    let mut environment_file = None;
    match options.values {
        Values::Inline => {
            for variable in &service.variables {
                check_name(&variable.name)?;
                let assignment = format!("{}={}", variable.name, variable.value);
                environment.push(carry_variable(&FORMAT, variable, systemd::word(&assignment))?);
            }
        }
        Values::EnvFile if service.variables.is_empty() => {}
        Values::EnvFile => {
            let path =
                format!("{}/{}", services.location, env_file_name(options, services, service));
            environment_file =
                Some(carry(&FORMAT, "the folder of the export", systemd::glob_path(&path))?);
        }
    }
    // A file would win over `Environment=`, so PORT and PS are never in one.
    for (name, value) in [("PORT", &instance.port), ("PS", &instance.name)] {
        environment.push(carry(&FORMAT, name, systemd::word(&format!("{name}={value}")))?);
    }
    let command = systemd::exec_word(service.command.for_group());
    let kill_mode = match (&service.command, service.policy.stop_signal_to) {
        (ShellCommand::Exec(_), Reach::Program) => "mixed",
        (ShellCommand::Exec(_), Reach::Group) | (ShellCommand::Compound(_), _) => "control-group",
    };
    let restart = restart(service.policy.restart);
    Ok(json!({
        "type": service.name,
        "name": instance.name,
        "unit": instance.unit,
        "target": target,
        "release": release,
        "oneshot": false,
        "system": options.scope == Scope::System,
        "harden": options.hardening == Hardening::Sandbox,
        "environment": environment,
        "environment_file": environment_file,
        "folder": carry(&FORMAT, "the folder", systemd::path(&service.folder))?,
        "command": carry(&FORMAT, &format!("the command of {}", service.name), command)?,
        "kill_mode": kill_mode,
        "stop_signal": service.policy.stop_signal.to_string(),
        "stop_seconds": service.stop_seconds(),
        "restart": restart,
        "memory_bytes": service.policy.memory_bytes(),
        // The kernel slows a service down from here on, before the limit ends it.
        "memory_high_bytes": service.policy.memory_bytes().map(|bytes| bytes / 10 * 9),
        "raw": raw(service),
    }))
}

/// Returns a policy as `Restart=` says it (systemd.service(5)).
pub(super) fn restart(restart: Restart) -> &'static str {
    match restart {
        Restart::Never => "no",
        Restart::OnFailure => "on-failure",
        Restart::Always => "always",
    }
}
