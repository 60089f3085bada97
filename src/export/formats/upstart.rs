//! upstart: a master job, a job for each process type, a job for each instance (init(5), upstart 1.x).

use serde_json::{Value, json};

use super::script::{self, Lines, Script, UserVariables};
use super::{Can, Feature, Format, Logs, Runs};
use crate::app::Restart;
use crate::export::context::{Export, Instance};
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
    leaves_out: &[Feature::Memory, Feature::Release],
    asks: Can::SCRIPT,
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
    account: UserVariables,
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
        let restart = service.policy.restart;
        for instance in export.instances_of(service) {
            let script = script::environment(export, &instance, Lines::Single, account)?;
            let command = sh::line_word(service.command.for_group());
            let command = export.carry_command(service, command)?;
            let mut own = instance.context(own(export, &instance, &script, &command)?);
            own["respawn"] = (restart != Restart::Never && !service.is_once()).into();
            own["once"] = service.is_once().into();
            own["success_is_an_end"] = (restart == Restart::OnFailure).into();
            let path = format!("{}.conf", instance.unit);
            let file = export.render("instance.conf.j2", path, own)?;
            files.push(file.private_if(!export.inline(service).is_empty()));
        }
    }
    Ok(files)
}

/// Returns one line that waits for what an instance depends on.
pub(super) fn waits(
    export: &Export<'_>,
    instance: &Instance<'_>,
) -> Result<Option<String>, ExportError> {
    let Some(line) = export.wait_line(instance.service) else { return Ok(None) };
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
        "folder": export.carry("the folder", folder)?,
        "log": export.carry("the folder of the logs", sh::line_word(&instance.log))?,
    }))
}
