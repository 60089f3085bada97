//! launchd: a property list for each instance (launchd.plist(5)).

use serde_json::json;

use super::script::{self, sh_env_files};
use crate::app::App;
use crate::error::Error;
use crate::export::quote::markup;
use crate::export::services::{Instance, Service, Services, carry, carry_variable};
use crate::export::template::{Templates, context, raw};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, Feature, File, Format, Options, Owner, Runs, Scope, Values};

pub(crate) const FORMAT: Format = Format {
    name: "launchd",
    when: "macOS: daemons at boot, or with `--user-units` agents at login",
    install: "make the folder LOG, copy the files to /Library/LaunchDaemons (`--user-units`: ~/Library/LaunchAgents), \
              then `launchctl bootstrap system FILE` for each (`gui/$UID` for agents)",
    templates: &[("instance.plist.j2", include_str!("../templates/launchd/instance.plist.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "APP-TYPE-N.plist"],
    runs: Runs::Programs,
    has_user_scope: true,
    has_sandbox: false,
    leaves_out: &[Feature::Memory, Feature::Release, Feature::StopSignal],
    checkers: &[
        Checker {
            program: "plutil",
            arguments: &["-lint"],
            files: Select::Suffixes(&[".plist"]),
            variables: &[],
            probe: &[],
        },
        Checker {
            program: "xmllint",
            arguments: &["--nonet", "--noout"],
            files: Select::Suffixes(&[".plist"]),
            variables: &[],
            probe: &[],
        },
    ],
    render,
};

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    let mut files = sh_env_files(&FORMAT, options, &services, Owner::User)?;
    for service in &services.running {
        for instance in &service.instances {
            let own = instance_context(options, &services, service, instance)?;
            let path = format!("{}.plist", instance.unit);
            let contents =
                templates.render("instance.plist.j2", &path, &context(options, &services, own))?;
            let mode = script::mode(options, service, 0o600, 0o644);
            files.push(File { path: path.into(), contents, mode, owner: Owner::Exporter });
        }
    }
    Ok(files)
}

fn instance_context(
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
    instance: &Instance,
) -> Result<serde_json::Value, ExportError> {
    let xml = |name: &str, text: &str| carry(&FORMAT, name, markup::xml(text));
    let mut command = service.command.for_one_process(service.policy.stop_signal);
    let mut environment = Vec::new();
    match options.values {
        Values::Inline => {
            for variable in &service.variables {
                let value = carry_variable(&FORMAT, variable, markup::xml(&variable.value))?;
                environment.push(
                    json!({ "name": xml("a variable's name", &variable.name)?, "value": value }),
                );
            }
        }
        Values::EnvFile if service.variables.is_empty() => {}
        Values::EnvFile => {
            command = script::behind_env_file(options, services, service, &command);
        }
    }
    for (name, value) in [("PORT", &instance.port), ("PS", &instance.name)] {
        environment.push(json!({ "name": name, "value": value }));
    }
    let log = format!("{}/{}-{}.log", services.log, service.name, instance.number);
    Ok(json!({
        "name": instance.name,
        "label": instance.unit,
        "system": options.scope == Scope::System,
        "command": xml(&format!("the command of {}", service.name), &command)?,
        "environment": environment,
        "folder": xml("the folder", &service.folder)?,
        "log": xml("the folder of the logs", &log)?,
        "restart": service.restart_word(),
        "stop_seconds": service.stop_seconds(),
        "raw": raw(service),
    }))
}
