//! What the formats that run containers share: compose, kubernetes, nomad and quadlet.

use crate::app::readiness::Probe;
use crate::app::shell::ShellCommand;
use crate::export::Image;
use crate::export::context::{Export, Service};
use crate::export::needs::Whom;

/// Returns the image that containers run.
pub(super) fn image(export: &Export<'_>) -> String {
    match &export.options.image {
        Image::Named(name) => name.clone(),
        Image::Build { .. } | Image::Assumed => {
            format!("{}:latest", export.options.app.to_lowercase())
        }
    }
}

/// Returns shell text that asks once whether a type is ready, where that can be asked in its container.
pub(super) fn ready(export: &Export<'_>, service: &Service<'_>) -> Option<String> {
    let probes: Vec<Probe> = service.policy.ready_probes().cloned().collect();
    check_of(export, service, &probes)
}

/// Returns shell text that asks once whether a type still works, where that can be asked in its container.
pub(super) fn live(export: &Export<'_>, service: &Service<'_>) -> Option<String> {
    let live = service.policy.live.as_ref()?;
    check_of(export, service, std::slice::from_ref(&live.probe))
}

/// Returns a check of some probes that runs in a container, in the folder of its command. `$` is not yet doubled.
pub(super) fn check_of(
    export: &Export<'_>,
    service: &Service<'_>,
    probes: &[Probe],
) -> Option<String> {
    let check = export.instances_of(service).next()?.asks_once(probes)?;
    Some(match service.folder_below(&export.root) {
        None => check,
        Some(folder) => format!("cd {folder} || exit 1; {check}"),
    })
}

/// Returns the command of a container behind what waits for what somebody else runs. `$` is not yet doubled.
pub(super) fn waiting_command(export: &Export<'_>, service: &Service<'_>) -> String {
    export.behind_waits(service, Whom::OutsideOfContainer, &command(export, service))
}

/// Returns the command of a container, whose folder is the image's: a type with a folder of its own
/// changes into it. `$` is not yet doubled.
pub(super) fn command(export: &Export<'_>, service: &Service<'_>) -> String {
    let command = service.for_one_process();
    let Some(folder) = service.folder_below(&export.root) else { return command };
    match service.command {
        ShellCommand::Exec(_) => format!("cd {folder} && {command}"),
        ShellCommand::Compound(_) => format!("cd {folder} || exit 1; {command}"),
    }
}
