//! bluepill: one Ruby file for the application (bluepill 0.1, its DSL).

use serde_json::{Value, json};

use super::{Addresses, Can, Feature, Format, Logs, Runs, script};
use crate::app::shell::short_name;
use crate::export::context::{Export, Instance};
use crate::export::needs::Whom;
use crate::export::quote::{config, sh};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Owner};

pub(crate) const FORMAT: Format = Format {
    name: "bluepill",
    when: "Ruby servers that are supervised by bluepill",
    install: "`bluepill load DIR/APP.pill` as root",
    templates: &[("app.pill.j2", include_str!("../templates/bluepill/app.pill.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "APP.pill", "APP.logrotate"],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Logrotate,
    leaves_out: &[Feature::Release, Feature::Restart, Feature::CpuTime],
    asks: Can::SCRIPT,
    addresses: Addresses::APART,
    checkers: &[Checker {
        program: "ruby",
        arguments: &["-c"],
        files: Select::Each(&[".pill"]),
        variables: &[],
        probe: &[],
    }],
    render,
};

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    let mut files = script::env_files(export, Owner::User)?;
    let processes: Vec<Value> =
        export.instances().map(|instance| process(export, &instance)).collect();
    let log = config::ruby(&format!("{}/bluepill.log", export.log));
    let path = format!("{}.pill", export.options.app);
    let file = export.render("app.pill.j2", path, json!({ "processes": processes, "log": log }))?;
    files.push(file.private_if(export.has_inline()));
    Ok(files)
}

fn process(export: &Export<'_>, instance: &Instance<'_>) -> Value {
    let service = instance.service;
    let command = export.behind_waits(service, Whom::All, &service.for_one_process());
    let command = script::behind_limits(&script::limits(service), command);
    let command = script::behind_env_file(export, service, &command);
    let inline = export.inline(service).iter().map(|v| (v.name.as_str(), v.value.as_str()));
    let environment: Vec<Value> = inline
        .chain([("PORT", &*instance.port), ("PS", &*instance.name)])
        .map(|(name, value)| json!({ "name": config::ruby(name), "value": config::ruby(value) }))
        .collect();
    instance.context(json!({
        "name": config::ruby(&instance.short_name),
        "group": config::ruby(service.name),
        // bluepill splits the command with Shellwords and runs the words without a shell.
        "command": config::ruby(&format!("/bin/sh -c {}", sh::word(&command))),
        "folder": config::ruby(&service.folder),
        "environment": environment,
        "log": config::ruby(&instance.log),
        "pid_file": config::ruby(&instance.pid_file),
        "stop_signal": short_name(service.policy.stop_signal).to_lowercase(),
        // More than the signals take together, or bluepill refuses the file.
        "stop_grace_seconds": service.stop_seconds() + 10,
    }))
}
