//! upstart: a master job, a job for each process type, a job for each instance (init(5), upstart 1.x).

use serde_json::{Value, json};

use super::script::{self, Lines, Script, UserVariables};
use super::{Addresses, Asks, Can, Feature, Format, Logs, Runs, Starts};
use crate::app::{Milestone, Restart};
use crate::export::context::{Export, Instance, Service};
use crate::export::needs::{Need, Otherwise, Whom};
use crate::export::quote::{Refusal, config, sh};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Owner};

pub(crate) const FORMAT: Format = Format {
    name: "upstart",
    when: "Ubuntu 10.04 to 14.10, RHEL 6: servers that still run upstart",
    install: "copy the files to /etc/init, then `start APP`",
    templates: &[
        ("app.conf.j2", include_str!("../templates/upstart/app.conf.j2")),
        ("type.conf.j2", include_str!("../templates/upstart/type.conf.j2")),
        ("instance.conf.j2", include_str!("../templates/upstart/instance.conf.j2")),
    ],
    paths: &[
        "APP.env",
        "APP-TYPE.env",
        "APP.conf",
        "APP-TYPE.conf",
        "APP-TYPE-N.conf",
        "APP.logrotate",
    ],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Logrotate,
    leaves_out: &[Feature::Memory, Feature::Release, Feature::CpuTime],
    asks: Can {
        readiness: true,
        delay: true,
        others: Asks::Notify,
        starts: Starts::WithReadiness,
        ends: true,
        ..Can::SCRIPT
    },
    addresses: Addresses::APART,
    checkers: &[CHECKER],
    render: |export| render(export, UserVariables::Unset, own),
};

/// Upstart's own checker takes one job at a time.
const CHECKER: Checker = Checker {
    program: "init-checkconf",
    arguments: &[],
    files: Select::Each(&[".conf"]),
    variables: &[],
    probe: &[],
};

/// Renders the three kinds of job, which daemon has too. `own` gives an instance's context: from its
/// environment, and its command as one word.
pub(super) fn render(
    export: &Export<'_>,
    user_variables: UserVariables,
    own: fn(&Export<'_>, &Instance<'_>, &Script, &str) -> Result<Value, ExportError>,
) -> Result<Vec<File>, ExportError> {
    let app = &export.options.app;
    // Upstart's jobs run as the user, except for the daemon format's, which start-stop-daemon changes later.
    let mut files = script::env_files(export, Owner::User)?;
    let folders = json!({ "log": sh::word(&export.log), "run": sh::word(&export.run) });
    files.push(export.render("app.conf.j2", format!("{app}.conf"), folders)?);
    for service in &export.services {
        let path = format!("{app}-{}.conf", service.name);
        files.push(export.render("type.conf.j2", path, service.context(json!({})))?);
        let restart = service.restart();
        for instance in export.instances_of(service) {
            let script = script::environment(export, &instance, Lines::Single, user_variables)?;
            let command = sh::line_word(service.command.for_group());
            let command = export.carry_command(service, command)?;
            let mut own = instance.context(own(export, &instance, &script, &command)?);
            own["respawn"] = (restart != Restart::Never).into();
            own["affinity"] = script::affinity(service).into();
            own["after"] = events(export, service).into();
            own["success_is_an_end"] = (restart == Restart::OnFailure).into();
            let path = format!("{}.conf", instance.unit);
            let file = export.render("instance.conf.j2", path, own)?;
            files.push(file.private_if(!export.inline(service).is_empty()));
        }
    }
    Ok(files)
}

/// Returns the events of upstart that an instance waits for.
fn events(export: &Export<'_>, service: &Service<'_>) -> Vec<String> {
    let needs = export.needs_of(service);
    let of_need = |need: &Need<'_>| {
        let event = |one: &Instance<'_>| match need.milestone {
            Milestone::Done => format!("stopped {} RESULT=ok", one.unit),
            // A job has started when its post-start script has ended.
            Milestone::Started | Milestone::Ready => format!("started {}", one.unit),
        };
        need.instances.iter().map(event).collect::<Vec<_>>()
    };
    let mut events = Vec::new();
    for event in needs.iter().flat_map(of_need) {
        if !events.contains(&event) {
            events.push(event);
        }
    }
    events
}

/// Returns one line that waits for what somebody else runs.
pub(super) fn waits(
    export: &Export<'_>,
    instance: &Instance<'_>,
) -> Result<Option<String>, ExportError> {
    one_line(export, export.wait_line(instance.service, Whom::Outside))
}

/// Returns one line that waits until an instance is ready. Upstart does not look at how a post-start script ends.
pub(super) fn ready(
    export: &Export<'_>,
    instance: &Instance<'_>,
) -> Result<Option<String>, ExportError> {
    let line = instance.becomes_ready(Otherwise::AskAgain);
    one_line(export, line.filter(|_| !instance.service.is_once()))
}

fn one_line(export: &Export<'_>, line: Option<String>) -> Result<Option<String>, ExportError> {
    let Some(line) = line else { return Ok(None) };
    let line = if line.contains('\n') { Err(Refusal("a newline")) } else { Ok(line) };
    export.carry("what is asked by `ready`", line).map(Some)
}

fn own(
    export: &Export<'_>,
    instance: &Instance<'_>,
    script: &Script,
    command: &str,
) -> Result<Value, ExportError> {
    let folder = config::upstart_token(&instance.service.folder);
    Ok(json!({
        "exports": script.exports,
        "shell": script.shell,
        "command": command,
        "waits": waits(export, instance)?,
        "ready": ready(export, instance)?,
        "folder": export.carry("the folder", folder)?,
        "log": export.carry("the folder of the logs", sh::line_word(&instance.log))?,
    }))
}
