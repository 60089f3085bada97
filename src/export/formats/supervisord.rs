//! supervisord: one configuration file with a program for each instance and a group, and a script for each
//! program, since neither `command=` nor `environment=` can carry every value
//! (supervisord.org/configuration). Proven on 4.2.5.

use serde_json::json;

use super::{Addresses, Can, Feature, Format, Logs, Runs, Starts, script};
use crate::app::shell::short_name;
use crate::app::{Restart, dependencies};
use crate::export::context::Export;
use crate::export::needs::Whom;
use crate::export::quote::config;
use crate::export::{ExportError, File, Owner};

pub(crate) const FORMAT: Format = Format {
    name: "supervisord",
    when: "if supervisord is already in use, often in containers or Python shops",
    install: "create the folder LOG, point `[include] files` of supervisord.conf at DIR/*.conf, then `supervisorctl update`",
    templates: &[
        ("app.conf.j2", include_str!("../templates/supervisord/app.conf.j2")),
        ("program.sh.j2", include_str!("../templates/supervisord/program.sh.j2")),
    ],
    paths: &["APP.env", "APP-TYPE.env", "APP.conf", "APP-TYPE-N.sh"],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Consumer,
    leaves_out: &[Feature::Memory, Feature::Release, Feature::CpuTime],
    asks: Can { starts: Starts::InOrder, ..Can::SCRIPT },
    addresses: Addresses::APART,
    checkers: &[script::SHELL_CHECKER],
    render,
};

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    // supervisord starts the scripts as the user, who must be able to read them and what they read.
    let mut files = script::env_files(export, Owner::User)?;
    let has_needs = export.services.iter().any(|one| !export.needs_of(one).is_empty());
    let levels = dependencies::levels(&export.app.dependencies());
    let mut programs = Vec::new();
    for instance in export.instances() {
        let service = instance.service;
        let mut own = script::context(export, &instance, service.command.for_group())?;
        own["waits"] = export.waits_of(service, Whom::All).into();
        let path = format!("{}.sh", instance.unit);
        let script = config::ini_word(&format!("{}/{path}", export.location));
        files.push(
            export.render("program.sh.j2", path, own)?.executable().private_if(true).of_user(),
        );
        programs.push(instance.context(json!({
            "script": export.carry("the folder of the export", script)?,
            "log": export.carry("the folder of the logs", config::ini_path(&instance.log))?,
            "restart": match service.restart() {
                Restart::Never => "false",
                Restart::OnFailure => "unexpected",
                Restart::Always => "true",
            },
            "priority": has_needs.then(|| 100 + levels[usize::from(service.position)]),
            "stop_signal": short_name(service.policy.stop_signal),
        })));
    }
    let members: Vec<String> = export.instances().map(|instance| instance.unit).collect();
    let own = json!({ "members": members.join(","), "programs": programs });
    files.push(export.render("app.conf.j2", format!("{}.conf", export.options.app), own)?);
    Ok(files)
}
