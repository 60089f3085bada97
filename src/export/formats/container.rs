//! What the formats that run containers share: compose, kubernetes, nomad and quadlet.

use crate::app::readiness::Probe;
use crate::app::shell::ShellCommand;
use crate::export::Image;
use crate::export::context::{Export, Service};
use crate::export::quote::sh;

/// Returns the image that containers run.
pub(super) fn image(export: &Export<'_>) -> String {
    match &export.options.image {
        Image::Named(name) => name.clone(),
        Image::Build | Image::Assumed => format!("{}:latest", export.options.app.to_lowercase()),
    }
}

/// Returns a check that runs in a container, in the folder of its command. `$` is not yet doubled.
pub(super) fn check(export: &Export<'_>, service: &Service<'_>) -> Option<String> {
    let live = service.policy.live.iter().map(|live| live.probe.clone());
    let live: Vec<Probe> = live.filter(|probe| *probe != Probe::Notify).collect();
    let ready: Vec<Probe> = service.policy.ready_probes().cloned().collect();
    check_of(export, service, if live.is_empty() { &ready } else { &live })
}

/// As [`check`], for some probes.
pub(super) fn check_of(
    export: &Export<'_>,
    service: &Service<'_>,
    probes: &[Probe],
) -> Option<String> {
    let check = export.instances_of(service).next()?.asks_once(probes)?;
    Some(match folder(export, service) {
        None => check,
        Some(folder) => format!("cd {folder} || exit 1; {check}"),
    })
}

/// Returns the folder that a container changes into, as a word of sh.
fn folder(export: &Export<'_>, service: &Service<'_>) -> Option<String> {
    let below = service.folder.strip_prefix(&export.root).and_then(|rest| rest.strip_prefix('/'));
    (service.folder != export.root).then(|| sh::word(below.unwrap_or(&service.folder)))
}

/// Returns the command of a container, whose folder is the image's: a type with a folder of its own
/// changes into it. `$` is not yet doubled.
pub(super) fn command(export: &Export<'_>, service: &Service<'_>) -> String {
    let command = service.for_one_process();
    let Some(folder) = folder(export, service) else { return command };
    match service.command {
        ShellCommand::Exec(_) => format!("cd {folder} && {command}"),
        ShellCommand::Compound(_) => format!("cd {folder} || exit 1; {command}"),
    }
}
