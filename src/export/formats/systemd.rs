//! systemd: a target for the application, one for each process type, a service for each instance
//! (systemd.unit(5), systemd.service(5), systemd.exec(5)). Proven on systemd 252 and 257.

use serde_json::{Value, json};

use super::{Addresses, Asks, Can, Format, Logs, Runs, SocketFor, Starts};
use crate::app::readiness::Probe;
use crate::app::shell::{ShellCommand, is_name};
use crate::app::{Reach, Restart};
use crate::export::context::{Export, Instance, Service, whole_seconds};
use crate::export::needs::{Otherwise, Whom};
use crate::export::quote::{sh, systemd};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Hardening, Owner, Scope};

pub(crate) const FORMAT: Format = Format {
    name: "systemd",
    when: "most Linux servers: starts at boot, restarts, logs to the journal",
    install: "copy the files to /etc/systemd/system (`--user-units`: ~/.config/systemd/user), then \
              `systemctl daemon-reload && systemctl enable --now APP.target`",
    templates: &[
        ("app.target.j2", include_str!("../templates/systemd/app.target.j2")),
        ("type.target.j2", include_str!("../templates/systemd/type.target.j2")),
        ("service.j2", include_str!("../templates/systemd/service.j2")),
        ("type.socket.j2", include_str!("../templates/systemd/type.socket.j2")),
    ],
    paths: &[
        "APP.env",
        "APP-TYPE.env",
        "APP.target",
        "APP-TYPE.target",
        "APP-TYPE.socket",
        "APP-TYPE.service",
        "APP-TYPE-N.service",
    ],
    runs: Runs::Programs,
    has_user_scope: true,
    has_sandbox: true,
    logs: Logs::Other { setting: "SystemMaxUse and MaxRetentionSec of journald.conf" },
    leaves_out: &[],
    asks: Can {
        readiness: true,
        notify: true,
        delay: true,
        others: Asks::Notify,
        starts: Starts::WithReadiness,
        ends_unready: true,
        ends: true,
        liveness: Asks::Notify,
        restarts_with: true,
        ..Can::SCRIPT
    },
    addresses: Addresses { socket: SocketFor::All, ..Addresses::APART },
    checkers: &[Checker {
        program: "systemd-analyze",
        arguments: &["verify", "--man=no"],
        files: Select::Suffixes(&[".service", ".target", ".socket"]),
        variables: &[],
        probe: &[],
    }],
    render,
};

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    let app = &export.options.app;
    let mut files = export.env_files(Owner::Exporter, |service| env_file(export, service))?;
    let release = export.release.as_ref().map(|release| format!("{app}-{}.service", release.name));
    let target_of = |service: &Service<'_>| format!("{app}-{}.target", service.name);
    files.push(app_target(export, export.services.iter().map(target_of))?);
    for service in &export.services {
        let target = target_of(service);
        let members: Vec<String> = export.instances_of(service).map(unit_of).collect();
        let own = service.context(json!({ "wants": members.join(" ") }));
        files.push(export.render("type.target.j2", target.as_str(), own)?);
        files.extend(socket(export, service, &target)?);
        for instance in export.instances_of(service) {
            let mut own = context(export, &instance, &target)?;
            own["release"] = release.clone().into();
            files.push(unit(export, service, unit_of(instance), own)?);
        }
    }
    if let (Some(service), Some(path)) = (&export.release, release)
        && let Some(instance) = export.instances_of(service).next()
    {
        let mut own = context(export, &instance, &format!("{app}.target"))?;
        own["oneshot"] = Value::Bool(true);
        own["restart"] = restart(Restart::Never).into();
        files.push(unit(export, service, path, own)?);
    }
    Ok(files)
}

/// Returns the name of the unit of a type's socket, where it has one.
pub(super) fn socket_unit(export: &Export<'_>, service: &Service<'_>) -> Option<String> {
    service.socket.map(|_| format!("{}-{}.socket", export.options.app, service.name))
}

/// Returns the unit that listens for all instances of a type (systemd.socket(5)). It has to name one service, and each
/// service names it in turn, by `Sockets=`.
pub(super) fn socket(
    export: &Export<'_>,
    service: &Service<'_>,
    target: &str,
) -> Result<Option<File>, ExportError> {
    let (Some(socket), Some(unit)) = (service.socket, socket_unit(export, service)) else {
        return Ok(None);
    };
    let Some(first) = export.instances_of(service).next() else { return Ok(None) };
    let own = service.context(json!({
        "target": target,
        "service": unit_of(first),
        "address": socket.address(),
    }));
    export.render("type.socket.j2", unit, own).map(Some)
}

/// Returns the target of the whole application, which quadlet has too.
pub(super) fn app_target(
    export: &Export<'_>,
    members: impl Iterator<Item = String>,
) -> Result<File, ExportError> {
    let wanted_by = match export.options.scope {
        Scope::System => "multi-user.target",
        Scope::User => "default.target",
    };
    let members: Vec<String> = members.collect();
    let own = json!({ "wants": members.join(" "), "wanted_by": wanted_by });
    export.render("app.target.j2", format!("{}.target", export.options.app), own)
}

/// Returns the name of an instance's service.
pub(super) fn unit_of(instance: Instance<'_>) -> String {
    format!("{}.service", instance.unit)
}

fn unit(
    export: &Export<'_>,
    service: &Service<'_>,
    path: String,
    own: Value,
) -> Result<File, ExportError> {
    let file = export.render("service.j2", path, own)?;
    Ok(file.private_if(!export.inline(service).is_empty()))
}

fn env_file(export: &Export<'_>, service: &Service<'_>) -> Result<String, ExportError> {
    let mut body = String::new();
    for variable in &service.variables {
        // systemd ignores assignments to other names with a warning (`env_name_is_valid`).
        export.check_name(variable, is_name(&variable.name))?;
        let value = export.carry_variable(variable, systemd::env_file_value(&variable.value))?;
        body.push_str(&format!("{}={value}\n", variable.name));
    }
    Ok(body)
}

fn context(
    export: &Export<'_>,
    instance: &Instance<'_>,
    target: &str,
) -> Result<Value, ExportError> {
    let service = instance.service;
    let environment = environment(export, instance)?;
    let environment_file = export
        .env_file(service)
        .map(|path| export.carry("the folder of the export", systemd::glob_path(&path)));
    let (command, restart) = command(export, service);
    let policy = service.policy;
    let needs = needs(export, service);
    let notify = service.policy.ready_probes().any(|probe| *probe == Probe::Notify);
    let live = policy.live.as_ref().filter(|live| live.probe == Probe::Notify);
    let line = |line: String| {
        export.carry(&format!("what is asked for {}", service.name), systemd::exec_word(&line))
    };
    // What runs once has started when it has ended.
    let ready = instance.becomes_ready(Otherwise::Fail).filter(|_| !service.is_once()).map(line);
    let waits = export.wait_line(service, Whom::Outside).filter(|_| !service.is_tried_again());
    let waits = waits.map(line);
    let has_ready = (notify || ready.is_some()) && !service.is_once();
    let mut start_seconds = export.outside_seconds(service);
    if has_ready {
        start_seconds += service.ready_seconds() + service.delay_seconds().unwrap_or_default();
    }
    Ok(instance.context(json!({
        "target": target,
        "release": null,
        "oneshot": service.is_once(),
        "socket": socket_unit(export, service),
        "needs": needs,
        "follows_restarts": service.follows_restarts(),
        "notify": notify,
        // After the time that the probes have, which say why they ended. What runs once has no limit.
        "start_seconds": (start_seconds > 0 && !service.is_once()).then_some(start_seconds + 5),
        "ready": ready.transpose()?,
        "waits": waits.transpose()?,
        "listens_to_all": notify || live.is_some(),
        "watchdog_seconds": live.map(|live| whole_seconds(live.interval)),
        "system": export.options.scope == Scope::System,
        "harden": export.options.hardening == Hardening::Sandbox,
        "environment": environment,
        "environment_file": environment_file.transpose()?,
        "folder": export.carry("the folder", systemd::path(&service.folder))?,
        "command": export.carry_command(service, systemd::exec_word(command.for_group()))?,
        "kill_mode": match (&command, policy.stop_signal_to) {
            (ShellCommand::Exec(_), Reach::Program) => "mixed",
            (ShellCommand::Exec(_), Reach::Group) | (ShellCommand::Compound(_), _) => "control-group",
        },
        "stop_signal": policy.stop_signal.to_string(),
        "restart": self::restart(restart),
        "cpu_percent": service.cpu_thousandths().map(percent),
        // The kernel slows a service down from here on, before the limit ends it.
        "memory_high_bytes": policy.memory_bytes().map(|bytes| bytes / 10 * 9),
    })))
}

/// Returns the command of a unit, and which of its ends are followed by a restart. A shell tries again what runs once:
/// before systemd 254 (`RestartMode=direct`) the first failure ends for good what requires the unit.
fn command(export: &Export<'_>, service: &Service<'_>) -> (ShellCommand, Restart) {
    if !service.is_tried_again() {
        return (service.command.clone(), service.restart());
    }
    let command = export.behind_waits(service, Whom::Outside, service.command.for_group());
    (ShellCommand::Compound(sh::until_done(&command)), Restart::Never)
}

/// Returns what a unit sets with `Environment=`, each as a word.
fn environment(export: &Export<'_>, instance: &Instance<'_>) -> Result<Vec<String>, ExportError> {
    let service = instance.service;
    let mut environment = Vec::new();
    for variable in export.inline(service) {
        export.check_name(variable, is_name(&variable.name))?;
        let assignment = systemd::word(&format!("{}={}", variable.name, variable.value));
        environment.push(export.carry_variable(variable, assignment)?);
    }
    // A file would win over `Environment=`, so PORT and PS are never in one.
    let number = service.socket.map(|_| ("PM_LISTEN_FD", "3"));
    let own = [("PORT", &*instance.port), ("PS", &*instance.name)].into_iter().chain(number);
    for (name, value) in own {
        environment.push(export.carry(name, systemd::word(&format!("{name}={value}")))?);
    }
    Ok(environment)
}

/// Returns what a unit depends on, as `Wants=` or `Requires=`.
pub(super) fn needs(export: &Export<'_>, service: &Service<'_>) -> Vec<Value> {
    let needs = export.needs_of(service).into_iter().map(|need| {
        let keyword = if need.is_done() { "Requires" } else { "Wants" };
        let units: Vec<String> = need.instances.into_iter().map(unit_of).collect();
        json!({ "keyword": keyword, "units": units.join(" ") })
    });
    needs.collect()
}

/// Returns thousandths as percent.
fn percent(thousandths: u32) -> String {
    match thousandths % 10 {
        0 => (thousandths / 10).to_string(),
        tenths => format!("{}.{tenths}", thousandths / 10),
    }
}

/// Returns a policy as `Restart=` says it (systemd.service(5)).
pub(super) fn restart(restart: Restart) -> &'static str {
    match restart {
        Restart::Never => "no",
        Restart::OnFailure => "on-failure",
        Restart::Always => "always",
    }
}
