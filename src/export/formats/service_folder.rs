//! A service folder for each instance: `run`, `log/run` and, where not every end is followed by a restart,
//! `finish`. What runit and s6 share.

use serde_json::json;

use crate::app::Restart;
use crate::app::shell::short_name;
use crate::export::context::{Export, Instance};
use crate::export::quote::sh;
use crate::export::{ExportError, File, Owner};

use super::script;

/// A file that one of them has in addition.
pub(super) enum Extra {
    /// A script of this name, from a template.
    Script(&'static str, &'static str),
    /// A file of this name and content, into which no comment fits: the marker of `run` names it.
    Bare(&'static str, String),
}

/// Renders the folders of all instances.
pub(super) fn render(
    export: &Export<'_>,
    extras: fn(&Instance<'_>) -> Vec<Extra>,
) -> Result<Vec<File>, ExportError> {
    let mut files = script::env_files(export, Owner::Exporter)?;
    for instance in export.instances() {
        let policy = instance.service.policy;
        let mut own = script::context(export, &instance, &instance.service.for_one_process())?;
        own["log"] = sh::word(&format!("{}/{}", export.log, instance.short_name)).into();
        own["stop_signal"] = short_name(policy.stop_signal).into();
        let checks = export.needs_of(instance.service).into_iter().filter(|need| !need.is_done());
        own["checks"] = checks
            .flat_map(|need| {
                let seconds = need.service.ready_seconds();
                need.instances
                    .into_iter()
                    .map(move |one| json!({ "name": one.unit, "seconds": seconds }))
            })
            .collect();
        own["check"] = instance.is_ready().map(|check| sh::word(&check)).into();
        let extras = extras(&instance);
        let bare: Vec<&str> = extras.iter().filter_map(Extra::bare_name).collect();
        let path = |name: &str| format!("{}/{name}", instance.unit);
        let run = export.render_beside("run.j2", path("run"), &bare, own.clone())?;
        let holds_values = !export.inline(instance.service).is_empty();
        files.push(run.executable().private_if(holds_values));
        let finish = (policy.restart != Restart::Always).then_some(("finish", "finish.j2"));
        let own_files = [("log/run", "log-run.j2")].into_iter().chain(finish);
        for extra in own_files.map(|(name, template)| Extra::Script(name, template)).chain(extras) {
            files.push(match extra {
                Extra::Script(name, template) => {
                    let file = export.render(template, path(name), own.clone())?.executable();
                    file.private_if(holds_values && name == "check")
                }
                Extra::Bare(name, contents) => {
                    File { path: path(name).into(), contents, mode: 0o644, owner: Owner::Exporter }
                }
            });
        }
    }
    Ok(files)
}

impl Extra {
    fn bare_name(&self) -> Option<&str> {
        match self {
            Self::Bare(name, _) => Some(name),
            Self::Script(..) => None,
        }
    }
}
