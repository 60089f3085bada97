//! nomad: one job with a group for each process type (the HCL 2 job specification), and a batch job for what runs once
//! and nothing waits for.
//!
//! Nomad replaces `${NAME}` in `env` and `args` at run time, and nothing escapes that. So the values and
//! the command itself travel in a `template` with `env = true`, whose result it takes as it is.

mod checks;
mod order;
mod tasks;

use serde_json::{Value, json};

use super::{Addresses, Asks, Can, Feature, Format, Logs, Others, Runs, Starts, container};
use crate::export::context::{Export, Service};
use crate::export::names::{self, dns_label};
use crate::export::quote::markup;
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Image, Owner};

pub(crate) const FORMAT: Format = Format {
    name: "nomad",
    when: "a Nomad cluster: docker with `--image`, else raw_exec in the root",
    install: "`nomad job run DIR/APP.nomad.hcl`, and the other jobs if there are any",
    templates: &[("app.nomad.hcl.j2", include_str!("../../templates/nomad/app.nomad.hcl.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "APP.nomad.hcl", "APP-TYPE.nomad.hcl"],
    runs: Runs::Containers {
        without_image: "raw_exec runs the commands in the root, on each client",
    },
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Consumer,
    leaves_out: &[
        Feature::Release,
        Feature::Restart,
        Feature::Niceness,
        Feature::CpuTime,
        Feature::CpuNumbers,
    ],
    asks: Can {
        readiness: true,
        others: Asks::Port,
        starts: Starts::Port,
        ends: true,
        liveness: Asks::Probes,
        ..Can::CONTAINER
    },
    addresses: Addresses { others: Others::Chosen, ..Addresses::BALANCED },
    checkers: &[Checker {
        program: "nomad",
        arguments: &["job", "validate"],
        files: Select::Each(&[".nomad.hcl"]),
        variables: &[],
        probe: &[],
    }],
    render,
};

pub(crate) use checks::needs_consul;

const MIB: u64 = 1024 * 1024;
/// The disk that a group has by default, in MiB. Nomad refuses a job whose logs need all of it.
const DISK: u64 = 300;

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    // Read by the command line tool that submits the job, not by the clients.
    let mut files = export.env_files(Owner::Exporter, |service| {
        let (lines, _) = tasks::value_lines(export, service)?;
        Ok(lines.iter().map(|line| format!("{line}\n")).collect())
    })?;
    let app = &export.options.app;
    let found = export.services.iter().filter(|service| is_found(service));
    names::distinct(FORMAT.name, found.map(|service| service.name), |name| {
        service_name(app, name)
    })?;
    let (once, services): (Vec<_>, Vec<_>) =
        export.services.iter().partition(|service| service.is_once());
    if !services.is_empty() || once.is_empty() {
        files.push(job(export, app, "service", &services)?);
    }
    // The others run before those that depend on them.
    for service in once.into_iter().filter(|service| !order::is_waited_for(export, service)) {
        files.push(job(export, &format!("{app}-{}", service.name), "batch", &[service])?);
    }
    Ok(files)
}

fn job(
    export: &Export<'_>,
    name: &str,
    kind: &str,
    services: &[&Service<'_>],
) -> Result<File, ExportError> {
    let groups = services.iter().map(|service| group(export, service));
    let limits = export.log_limits();
    let log_mib = limits.map(|limits| limits.size.div_ceil(MIB).max(1));
    let logs_mib =
        limits.zip(log_mib).map(|(limits, mib)| mib.saturating_mul(limits.keep.saturating_add(1)));
    let own = json!({
        "job": name,
        "log_mib": log_mib,
        "disk_mib": logs_mib.filter(|mib| *mib >= DISK).map(|mib| mib.saturating_add(DISK)),
        "kind": kind,
        "image": is_container(export).then(|| markup::hcl(&container::image(export))),
        "groups": groups.collect::<Result<Vec<_>, _>>()?,
    });
    let file = export.render("app.nomad.hcl.j2", format!("{name}.nomad.hcl"), own)?;
    Ok(file.private_if(export.has_inline()))
}

fn is_container(export: &Export<'_>) -> bool {
    matches!(export.options.image, Image::Named(_))
}

/// Returns the name by which other groups find a type: Nomad allows what a DNS label may hold (`ValidateName`).
fn service_name(app: &str, name: &str) -> String {
    dns_label(&format!("{app}-{name}"))
}

/// Returns whether a type has a service of Nomad, which others find.
fn is_found(service: &Service<'_>) -> bool {
    service.has_open_port() && !service.is_once()
}

fn group(export: &Export<'_>, service: &Service<'_>) -> Result<Value, ExportError> {
    let tasks = tasks::of(export, service)?;
    let has_service = is_found(service);
    Ok(service.context(json!({
        "name": service.name,
        "count": service.ports.len(),
        "ports": checks::ports(service, is_container(export)),
        // Nomad chooses it, unless the command names another port than PORT.
        "has_chosen_port": has_service && service.open_port() == service.port(),
        "service": has_service.then(|| service_name(&export.options.app, service.name)),
        "provider": if checks::has_script(service) { "consul" } else { "nomad" },
        "checks": checks::of(service),
        "check": service.check(),
        "ready_seconds": service.ready_seconds(),
        "tasks": tasks,
    })))
}
