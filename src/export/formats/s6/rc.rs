//! The source of a database for s6-rc (skarnet.org/software/s6-rc/s6-rc-compile.html): a longrun for each instance and
//! one for its logger, a oneshot for what runs once, and a bundle of all.

use serde_json::json;

use crate::app::Restart;
use crate::export::context::{Export, Instance};
use crate::export::formats::script;
use crate::export::formats::service_folder::{self, Extra, FolderRules, bare, bare_names};
use crate::export::needs::Whom;
use crate::export::quote::{config, sh};
use crate::export::{ExportError, File, Owner};

const S6_RC: FolderRules = FolderRules {
    extras: |export, instance| {
        let mut extras = vec![
            type_of("longrun"),
            Extra::Bare("producer-for".into(), format!("{}-log\n", instance.unit)),
        ];
        if super::tells_readiness(instance) {
            let service = instance.service;
            let seconds = service.ready_seconds() + service.delay_seconds().unwrap_or_default();
            let outside = export.outside_seconds(service);
            let milliseconds = (seconds + outside + 5) * 1000;
            extras.push(Extra::Bare("timeout-up".into(), format!("{milliseconds}\n")));
        }
        extras.extend(super::extras(instance));
        extras.extend(dependencies(export, instance));
        extras
    },
    context: super::add_to_run,
    // s6-rc starts it after what it depends on; after a crash it waits by itself, but for what runs once.
    wait: |need, unit| super::wait(need, unit).filter(|_| !need.service.is_once()),
    logger: "-log/run",
    beside_logger: |instance| {
        vec![type_of("longrun"), Extra::Bare("consumer-for".into(), format!("{}\n", instance.unit))]
    },
};

pub(super) fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    let mut files = script::env_files(export, Owner::Exporter)?;
    let mut names = Vec::new();
    for instance in export.instances() {
        if instance.service.is_once() {
            files.extend(oneshot(export, &instance)?);
        } else {
            files.extend(service_folder::folder(export, &instance, &S6_RC)?);
            names.push(format!("{}-log", instance.unit));
        }
        names.push(instance.unit);
    }
    let app = &export.options.app;
    let extras = [type_of("bundle")];
    let own = json!({ "names": names });
    let path = format!("{app}/contents");
    files.push(export.render_beside("contents.j2", path, &bare_names(&extras), own)?);
    files.extend(bare_files(app, extras));
    Ok(files)
}

/// Returns the folder of what runs once. s6-rc keeps the words of its `up`, and nothing else of the folder.
fn oneshot(export: &Export<'_>, instance: &Instance<'_>) -> Result<Vec<File>, ExportError> {
    let service = instance.service;
    let environment =
        script::environment(export, instance, script::Lines::Free, script::UserVariables::Unset)?;
    let (user, shell) = (&export.options.user, &environment.shell);
    let command = export.behind_waits(service, Whom::Outside, &service.for_one_process());
    let command = sh::word(&command);
    let run = format!("\"${{1:-s6-setuidgid}}\" '{user}' {shell} -c {command}");
    let log = sh::word(&export.log);
    let mut lines = vec![
        format!("mkdir -p {log}; exec >>{} 2>&1", sh::word(&instance.log)),
        format!("cd {} || exit 1", sh::word(&service.folder)),
        "set -- \"$(command -v s6-setuidgid)\"".to_owned(),
    ];
    lines.extend(script::limits(service));
    lines.extend(environment.exports);
    lines.push(match service.restart() {
        Restart::Never => format!("exec {run}"),
        Restart::OnFailure | Restart::Always => format!("until {run}; do sleep 1; done"),
    });
    let mut extras = vec![type_of("oneshot")];
    extras.extend(dependencies(export, instance));
    let own = instance.context(json!({ "script": config::execline(&lines.join("\n")) }));
    let path = format!("{}/up", instance.unit);
    let up = export.render_beside("up.j2", path, &bare_names(&extras), own)?;
    let mut files = vec![up.private_if(!export.inline(service).is_empty())];
    files.extend(bare_files(&instance.unit, extras));
    Ok(files)
}

fn type_of(kind: &str) -> Extra {
    Extra::Bare("type".into(), format!("{kind}\n"))
}

/// Returns an empty file for each instance that must be up before.
fn dependencies(export: &Export<'_>, instance: &Instance<'_>) -> Vec<Extra> {
    let needs = export.needs_of(instance.service);
    let units = needs.iter().flat_map(|need| &need.instances).map(|one| &one.unit);
    units.map(|unit| Extra::Bare(format!("dependencies.d/{unit}"), String::new())).collect()
}

fn bare_files(folder: &str, extras: impl IntoIterator<Item = Extra>) -> Vec<File> {
    let files = extras.into_iter().filter_map(|extra| match extra {
        Extra::Bare(name, contents) => Some(bare(format!("{folder}/{name}"), contents)),
        Extra::Script(..) => None,
    });
    files.collect()
}
