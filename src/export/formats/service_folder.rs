//! A service folder for each instance: `run`, a logger and, where not every end is followed by a restart,
//! `finish`. What runit and s6 share.

use serde_json::Value;

use crate::app::shell::short_name;
use crate::app::{Milestone, Restart};
use crate::export::context::{Export, Instance, Service};
use crate::export::needs::{Need, Whom};
use crate::export::quote::sh;
use crate::export::{ExportError, File, Owner};

use super::script;

/// What its supervisor does in its own way.
pub(super) struct FolderRules {
    /// Files that a folder has in addition.
    pub(super) extras: fn(&Export<'_>, &Instance<'_>) -> Vec<Extra>,
    /// Adds to what the templates get.
    pub(super) context: fn(&Export<'_>, &Instance<'_>, &mut Value),
    /// Returns the line of shell that waits until the service of a folder beside, which it is given, has reached a
    /// milestone. It runs before the user is changed: it asks the supervisor, whose sockets belong to root.
    pub(super) wait: fn(&Need<'_>, &str) -> Option<String>,
    /// What follows the name of a folder in the path of its logger.
    pub(super) logger: &'static str,
    /// Files beside the logger into which no comment fits.
    pub(super) beside_logger: fn(&Instance<'_>) -> Vec<Extra>,
}

/// A file that one of them has in addition.
pub(super) enum Extra {
    /// A script of this name, from a template.
    Script(&'static str, &'static str),
    /// A file of this name and content, into which no comment fits: the marker of `run` names it.
    Bare(String, String),
}

/// Renders the folders of all instances.
pub(super) fn render(export: &Export<'_>, rules: &FolderRules) -> Result<Vec<File>, ExportError> {
    let mut files = script::env_files(export, Owner::Exporter)?;
    for instance in export.instances() {
        files.extend(folder(export, &instance, rules)?);
    }
    Ok(files)
}

/// Renders the folder of one instance.
pub(super) fn folder(
    export: &Export<'_>,
    instance: &Instance<'_>,
    rules: &FolderRules,
) -> Result<Vec<File>, ExportError> {
    let service = instance.service;
    let command = export.behind_waits(service, Whom::Outside, &service.for_one_process());
    let mut own = script::context(export, instance, &command)?;
    own["log"] = sh::word(&format!("{}/{}", export.log, instance.short_name)).into();
    own["stop_signal"] = short_name(service.policy.stop_signal).into();
    let mut waits = Vec::new();
    add_waits(export, service, rules, &mut waits);
    own["checks"] = waits.into();
    own["check"] = instance.is_ready().map(|check| sh::word(&check)).into();
    (rules.context)(export, instance, &mut own);
    let extras = (rules.extras)(export, instance);
    let path = |name: &str| format!("{}/{name}", instance.unit);
    let run = export.render_beside("run.j2", path("run"), &bare_names(&extras), own.clone())?;
    let holds_values = !export.inline(service).is_empty();
    let mut files = vec![run.executable().private_if(holds_values)];
    let logger = format!("{}{}", instance.unit, rules.logger);
    let beside = (rules.beside_logger)(instance);
    let log_run =
        export.render_beside("log-run.j2", &*logger, &bare_names(&beside), own.clone())?;
    files.push(log_run.executable());
    for extra in beside {
        if let Extra::Bare(name, contents) = extra {
            files.push(bare(logger.replace("run", &name), contents));
        }
    }
    let finish =
        (service.restart() != Restart::Always).then_some(Extra::Script("finish", "finish.j2"));
    for extra in finish.into_iter().chain(extras) {
        files.push(match extra {
            Extra::Script(name, template) => {
                let file = export.render(template, path(name), own.clone())?.executable();
                file.private_if(holds_values && name.ends_with("check"))
            }
            Extra::Bare(name, contents) => bare(path(&name), contents),
        });
    }
    Ok(files)
}

/// Adds the lines that wait for what a type depends on, each once. What counts as running may still wait for its own
/// needs: it starts when they are there.
fn add_waits(
    export: &Export<'_>,
    service: &Service<'_>,
    rules: &FolderRules,
    lines: &mut Vec<String>,
) {
    for need in export.needs_of(service) {
        if need.milestone == Milestone::Started {
            add_waits(export, need.service, rules, lines);
        }
        for instance in &need.instances {
            let line = (rules.wait)(&need, &instance.unit);
            lines.extend(line.filter(|line| !lines.contains(line)));
        }
    }
}

/// Returns a file into which no comment fits.
pub(super) fn bare(path: String, contents: String) -> File {
    File { path: path.into(), contents, mode: 0o644, owner: Owner::Exporter }
}

/// Returns the names of what the marker of the file beside them answers for.
pub(super) fn bare_names(extras: &[Extra]) -> Vec<&str> {
    let names = extras.iter().map(|extra| match extra {
        Extra::Bare(name, _) => Some(name.as_str()),
        Extra::Script(..) => None,
    });
    names.flatten().collect()
}

/// Returns the line that waits for the end of a `once`, whose `finish` leaves the mark `done` in its folder when it
/// has ended well.
pub(super) fn done(unit: &str) -> String {
    script::marked(&format!("../{unit}/done"))
}
