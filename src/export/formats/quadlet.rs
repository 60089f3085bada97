//! quadlet: a container unit for each instance, from which podman's generator makes services
//! (podman-systemd.unit(5)). Proven with podman 5.4 under systemd 257.

use serde_json::{Value, json};

use super::{
    Addresses, Asks, Can, Feature, Format, Logs, Others, Runs, SocketFor, Starts, container,
    systemd as units,
};
use crate::app::Restart;
use crate::app::readiness::Probe;
use crate::app::shell::ShellCommand;
use crate::export::context::{Export, Instance, Service};
use crate::export::quote::{Refusal, sh, systemd};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Image, Owner};

pub(crate) const FORMAT: Format = Format {
    name: "quadlet",
    when: "podman 4.4 or later under systemd: containers as services, without a daemon",
    install: "copy APP*.container to /etc/containers/systemd and APP.target and sockets to /etc/systemd/system (`--user-units`: \
              ~/.config/containers/systemd, ~/.config/systemd/user), then `systemctl daemon-reload && \
              systemctl enable --now APP.target`",
    templates: &[
        ("app.target.j2", include_str!("../templates/systemd/app.target.j2")),
        ("type.socket.j2", include_str!("../templates/systemd/type.socket.j2")),
        ("instance.container.j2", include_str!("../templates/quadlet/instance.container.j2")),
    ],
    paths: &["APP.env", "APP-TYPE.env", "APP.target", "APP-TYPE.socket", "APP-TYPE-N.container"],
    runs: Runs::Containers { without_image: "`localhost/APP:latest` is assumed" },
    has_user_scope: true,
    has_sandbox: false,
    logs: Logs::Other { setting: "SystemMaxUse and MaxRetentionSec of journald.conf" },
    leaves_out: &[Feature::Release, Feature::Niceness],
    asks: Can {
        readiness: true,
        notify: true,
        has_one_sign: true,
        others: Asks::Notify,
        starts: Starts::WithReadiness,
        ends_unready: true,
        ends: true,
        liveness: Asks::Probes,
        restarts_with: true,
        ..Can::CONTAINER
    },
    addresses: Addresses { socket: SocketFor::All, others: Others::Apart, ..Addresses::APART },
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

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    let mut files = export.env_files(Owner::Exporter, |service| env_file(export, service))?;
    files.push(units::app_target(export, export.instances().map(units::unit_of))?);
    for service in &export.services {
        let target = format!("{}.target", export.options.app);
        files.extend(units::socket(export, service, &target)?);
    }
    for instance in export.instances() {
        let own = context(export, &instance)?;
        let path = format!("{}.container", instance.unit);
        let file = export.render("instance.container.j2", path, own)?;
        files.push(file.private_if(!export.inline(instance.service).is_empty()));
    }
    Ok(files)
}

/// podman takes the rest of each line as it is.
fn env_file(export: &Export<'_>, service: &Service<'_>) -> Result<String, ExportError> {
    let mut body = String::new();
    for variable in &service.variables {
        let line = format!("{}={}", variable.name, variable.value);
        let refusal = Refusal("a newline, which podman's env files cannot hold");
        let line = if line.contains(['\n', '\r']) { Err(refusal) } else { Ok(line) };
        body.push_str(&export.carry_variable(variable, line)?);
        body.push('\n');
    }
    Ok(body)
}

/// Returns the command of a container, and which of its ends are followed by a restart: as in a unit of systemd.
fn command(export: &Export<'_>, service: &Service<'_>) -> (String, Restart) {
    let command = container::waiting_command(export, service);
    if !service.is_tried_again() {
        return (command, service.restart());
    }
    let all = ShellCommand::Compound(sh::until_done(&command));
    (all.for_one_process(service.policy.stop_signal), Restart::Never)
}

/// Returns what a container gets inline: `NAME=VALUE`, as words of a unit.
fn environment(export: &Export<'_>, instance: &Instance<'_>) -> Result<Vec<String>, ExportError> {
    let mut environment = Vec::new();
    for variable in export.inline(instance.service) {
        let word = systemd::exec_word(&format!("{}={}", variable.name, variable.value));
        environment.push(export.carry_variable(variable, word)?);
    }
    for (name, value) in [("PORT", &instance.port), ("PS", &instance.name)] {
        let word = systemd::exec_word(&format!("{name}={value}"));
        environment.push(export.carry(name, word)?);
    }
    if instance.service.socket.is_some() {
        environment.push(systemd::exec_word("PM_LISTEN_FD=3").unwrap_or_default());
    }
    Ok(environment)
}

fn context(export: &Export<'_>, instance: &Instance<'_>) -> Result<Value, ExportError> {
    let service = instance.service;
    let environment_file = export
        .env_file(service)
        // The generator splits the line into words, and writes each into an `ExecStart=`.
        .map(|path| export.carry("the folder of the export", systemd::exec_word(&path)));
    // The generator takes the rest of the line as one word.
    let line = |check: String| {
        let line = if check.contains('\n') { Err(Refusal("a newline")) } else { Ok(check) };
        let line = export.carry(&format!("a probe of {}", service.name), line)?;
        Ok::<_, ExportError>(line.replace('%', "%%").replace('$', "$$"))
    };
    // What runs once has started when it has ended.
    let ready = container::ready(export, service).filter(|_| !service.is_once());
    let ready = ready.map(line).transpose()?;
    let live = container::live(export, service).map(line).transpose()?;
    let has_notify = service.policy.ready_probes().any(|probe| *probe == Probe::Notify);
    let notify = match &ready {
        _ if service.is_once() => None,
        _ if has_notify => Some("true"),
        ready => ready.as_ref().map(|_| "healthy"),
    };
    let outside = export.outside_seconds(service);
    let (command, restart) = command(export, service);
    let command = systemd::exec_word(&command);
    // podman looks an unqualified name up in registries that the machine's own configuration chooses.
    let image = match &export.options.image {
        Image::Named(name) => name.clone(),
        Image::Build { .. } | Image::Assumed => format!("localhost/{}", container::image(export)),
    };
    Ok(instance.context(json!({
        "image": image,
        "command": export.carry_command(service, command)?,
        "environment": environment(export, instance)?,
        "environment_file": environment_file.transpose()?,
        "service_stop_seconds": service.stop_seconds() + STOP_MARGIN_SECONDS,
        "once": service.is_once(),
        "socket": units::socket_unit(export, service),
        "needs": units::needs(export, service),
        "follows_restarts": service.follows_restarts(),
        "is_live": live.is_some(),
        "health": live.as_ref().or(ready.as_ref()),
        "ready": ready,
        "check": service.check(),
        "notify": notify,
        "start_seconds": notify.map(|_| outside + service.ready_seconds() + 5),
        "restart": units::restart(restart),
    })))
}
