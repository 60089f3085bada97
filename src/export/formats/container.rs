//! What the formats that run containers share: compose, kubernetes, nomad and quadlet.

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

/// Returns the command of a container, whose folder is the image's: a type with a folder of its own
/// changes into it. `$` is not yet doubled.
pub(super) fn command(export: &Export<'_>, service: &Service<'_>) -> String {
    let command = service.for_one_process();
    if service.folder == export.root {
        return command;
    }
    let below = service.folder.strip_prefix(&export.root).and_then(|rest| rest.strip_prefix('/'));
    let folder = sh::word(below.unwrap_or(&service.folder));
    match service.command {
        ShellCommand::Exec(_) => format!("cd {folder} && {command}"),
        ShellCommand::Compound(_) => format!("cd {folder} || exit 1; {command}"),
    }
}
