//! nomad: one job with a group for each process type (the HCL 2 job specification).
//!
//! Nomad replaces `${NAME}` in `env` and `args` at run time, and nothing escapes that. So the values and
//! the command itself travel in a `template` with `env = true`, whose result it takes as it is.

use serde_json::{Value, json};

use super::{Asks, Can, Feature, Format, Logs, Runs, container};
use crate::app::readiness::Probe;
use crate::app::shell::is_name;
use crate::export::context::{Export, Service};
use crate::export::quote::{markup, sh};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Image, Owner};

pub(crate) const FORMAT: Format = Format {
    name: "nomad",
    when: "a Nomad cluster: docker with `--image`, else raw_exec in the root",
    install: "`nomad job run DIR/APP.nomad.hcl`",
    templates: &[("app.nomad.hcl.j2", include_str!("../templates/nomad/app.nomad.hcl.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "APP.nomad.hcl"],
    runs: Runs::Containers {
        without_image: "raw_exec runs the commands in the root, on each client",
    },
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Consumer,
    leaves_out: &[Feature::Release, Feature::Restart],
    asks: Can {
        once: false,
        readiness: true,
        others: Asks::Nothing,
        liveness: Asks::Probes,
        ..Can::SCRIPT
    },
    checkers: &[Checker {
        program: "nomad",
        arguments: &["job", "validate"],
        files: Select::Suffixes(&[".nomad.hcl"]),
        variables: &[],
        probe: &[],
    }],
    render,
};

const MIB: u64 = 1024 * 1024;
/// The disk that a group has by default, in MiB. Nomad refuses a job whose logs need all of it.
const DISK: u64 = 300;

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    // Read by the command line tool that submits the job, not by the clients.
    let mut files = export.env_files(Owner::Exporter, |service| {
        let (lines, _) = value_lines(export, service)?;
        Ok(lines.iter().map(|line| format!("{line}\n")).collect())
    })?;
    let groups = export.services.iter().map(|service| group(export, service));
    let limits = export.log_limits();
    let log_mib = limits.map(|limits| limits.size.div_ceil(MIB).max(1));
    let logs_mib =
        limits.zip(log_mib).map(|(limits, mib)| mib.saturating_mul(limits.keep.saturating_add(1)));
    let own = json!({
        "log_mib": log_mib,
        "disk_mib": logs_mib.filter(|mib| *mib >= DISK).map(|mib| mib.saturating_add(DISK)),
        "image": is_container(export).then(|| markup::hcl(&container::image(export))),
        "groups": groups.collect::<Result<Vec<_>, _>>()?,
    });
    let path = format!("{}.nomad.hcl", export.options.app);
    let file = export.render("app.nomad.hcl.j2", path, own)?;
    files.push(file.private_if(export.has_inline()));
    Ok(files)
}

fn is_container(export: &Export<'_>) -> bool {
    matches!(export.options.image, Image::Named(_))
}

/// Returns the lines of an environment template, and as shell text what such lines cannot carry.
fn value_lines(
    export: &Export<'_>,
    service: &Service<'_>,
) -> Result<(Vec<String>, String), ExportError> {
    let mut lines = Vec::new();
    let mut shell = String::new();
    for variable in &service.variables {
        export.check_name(variable, is_name(&variable.name))?;
        match markup::nomad_env(&variable.value) {
            Ok(value) => lines.push(format!("{}={value}", variable.name)),
            // Its octal escapes leave no control character.
            Err(_) => {
                shell.push_str(&format!("{}; ", sh::export_line(&variable.name, &variable.value)));
            }
        }
    }
    Ok((lines, shell))
}

/// Returns the checks of what Nomad itself can ask: its port.
fn checks(service: &Service<'_>) -> Vec<Value> {
    let live = service.policy.live.as_ref().map(|live| &live.probe);
    let ready = service.policy.ready_probes().filter(|probe| Some(*probe) != live);
    let all = ready.map(|probe| (probe, false)).chain(live.map(|probe| (probe, true)));
    all.filter(|(probe, _)| can_check(probe))
        .map(|(probe, restarts)| match probe {
            Probe::Http(http) => {
                json!({ "kind": "http", "path": markup::hcl(&http.path), "restarts": restarts })
            }
            _ => json!({ "kind": "tcp", "restarts": restarts }),
        })
        .collect()
}

/// Returns whether Nomad can ask it: of its own PORT, which is all that it knows.
pub(crate) fn can_check(probe: &Probe) -> bool {
    match probe {
        Probe::Port(port) => port.is_none(),
        Probe::Http(http) => http.authority.is_none() && http.codes.is_empty(),
        Probe::Log(_) | Probe::Command(_) | Probe::Notify | Probe::Delay(_) => false,
    }
}

fn group(export: &Export<'_>, service: &Service<'_>) -> Result<Value, ExportError> {
    let (mut lines, shell) = value_lines(export, service)?;
    let command = if is_container(export) {
        container::command(export, service)
    } else {
        let folder = sh::word(&service.folder);
        format!("cd {folder} || exit 1; {}", service.for_one_process())
    };
    let command = markup::nomad_env(&format!("{shell}{command}"));
    let command = export.carry_command(service, command)?;
    let values_file = export.env_file(service).filter(|_| !lines.is_empty());
    if values_file.is_some() {
        lines.clear();
    }
    lines.push(format!("PM_COMMAND={command}"));
    Ok(service.context(json!({
        "name": service.name,
        "count": service.ports.len(),
        "lines": lines,
        "values_file": values_file.map(|path| markup::hcl(&path)),
        "checks": checks(service),
        "check": service.check(),
        "ready_seconds": service.ready_seconds(),
        "memory_mib": service.policy.memory_bytes().map(|bytes| bytes.div_ceil(MIB)),
    })))
}
