//! launchd: a property list for each instance (launchd.plist(5)).

use serde_json::{Value, json};

use super::{Addresses, Can, Feature, Format, Logs, Runs, SocketFor, script, xml};
use crate::export::context::Export;
use crate::export::needs::Whom;
use crate::export::quote::markup;
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Owner, Scope};

pub(crate) const FORMAT: Format = Format {
    name: "launchd",
    when: "macOS: daemons at boot, or with `--user-units` agents at login",
    install: "create the folder LOG, copy the files to /Library/LaunchDaemons (`--user-units`: ~/Library/LaunchAgents), \
              then `launchctl bootstrap system FILE` for each (`gui/$UID` for agents)",
    templates: &[("instance.plist.j2", include_str!("../templates/launchd/instance.plist.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "APP-TYPE-N.plist", "APP.logrotate"],
    runs: Runs::Programs,
    has_user_scope: true,
    has_sandbox: false,
    logs: Logs::Logrotate,
    leaves_out: &[
        Feature::Memory,
        Feature::Release,
        Feature::StopSignal,
        Feature::CpuTime,
        Feature::CpuNumbers,
    ],
    asks: Can::SCRIPT,
    addresses: Addresses { socket: SocketFor::One, ..Addresses::APART },
    checkers: &[
        Checker {
            program: "plutil",
            arguments: &["-lint"],
            files: Select::Suffixes(&[".plist"]),
            variables: &[],
            probe: &[],
        },
        xml::checker(&[".plist"]),
    ],
    render,
};

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    let mut files = script::env_files(export, Owner::User)?;
    for instance in export.instances() {
        let service = instance.service;
        let command = export.behind_waits(service, Whom::All, &service.for_one_process());
        let command = script::behind_env_file(export, service, &command);
        let mut own = xml::context(export, &instance, &command, &service.folder)?;
        own["label"] = instance.unit.clone().into();
        own["socket"] = match service.socket {
            None => Value::Null,
            Some(socket) => json!({
                "name": export.carry("the name", markup::xml(service.name))?,
                "host": socket.host,
                "port": socket.port,
            }),
        };
        own["system"] = (export.options.scope == Scope::System).into();
        own["log"] = export.carry("the folder of the logs", markup::xml(&instance.log))?.into();
        let path = format!("{}.plist", instance.unit);
        let file = export.render("instance.plist.j2", path, own)?;
        files.push(file.private_if(!export.inline(service).is_empty()));
    }
    Ok(files)
}
