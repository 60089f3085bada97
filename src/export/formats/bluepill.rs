//! bluepill: one Ruby file for the application (bluepill 0.1, its DSL).

use serde_json::json;

use super::script::{self, sh_env_files};
use crate::app::App;
use crate::error::Error;
use crate::export::quote::{config, sh};
use crate::export::services::Services;
use crate::export::template::{Templates, context, raw};
use crate::export::verify::{Checker, Select};
use crate::export::{Feature, File, Format, Options, Owner, Runs, Values};

pub(crate) const FORMAT: Format = Format {
    name: "bluepill",
    when: "Ruby servers that are supervised by bluepill",
    install: "`bluepill load DIR/APP.pill` as root",
    templates: &[("app.pill.j2", include_str!("../templates/bluepill/app.pill.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "APP.pill"],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    leaves_out: &[Feature::Release, Feature::Restart],
    checkers: &[Checker {
        program: "ruby",
        arguments: &["-c"],
        files: Select::Each(&[".pill"]),
        variables: &[],
        probe: &[],
    }],
    render,
};

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    let mut files = sh_env_files(&FORMAT, options, &services, Owner::User)?;
    let mut processes = Vec::new();
    let mut mode = 0o644;
    for service in &services.running {
        mode = script::mode(options, service, 0o600, mode);
        for instance in &service.instances {
            let mut command = service.command.for_one_process(service.policy.stop_signal);
            let mut environment = Vec::new();
            let mut set = |name: &str, value: &str| {
                environment
                    .push(json!({ "name": config::ruby(name), "value": config::ruby(value) }));
            };
            match options.values {
                Values::Inline => service
                    .variables
                    .iter()
                    .for_each(|variable| set(&variable.name, &variable.value)),
                Values::EnvFile if service.variables.is_empty() => {}
                Values::EnvFile => {
                    command = script::behind_env_file(options, &services, service, &command);
                }
            }
            set("PORT", &instance.port);
            set("PS", &instance.name);
            let log = format!("{}/{}-{}.log", services.log, service.name, instance.number);
            let signal = crate::app::shell::short_name(service.policy.stop_signal).to_lowercase();
            processes.push(json!({
                "name": config::ruby(&format!("{}-{}", service.name, instance.number)),
                "group": config::ruby(service.name),
                // bluepill splits the command with Shellwords and runs the words without a shell.
                "command": config::ruby(&format!("/bin/sh -c {}", sh::word(&command))),
                "folder": config::ruby(&service.folder),
                "environment": environment,
                "log": config::ruby(&log),
                "pid_file": config::ruby(&format!("{}/{}.pid", services.run, instance.unit)),
                "stop_signal": signal,
                "stop_seconds": service.stop_seconds(),
                // More than the signals take together, or bluepill refuses the file.
                "stop_grace_seconds": service.stop_seconds() + 10,
                "memory_bytes": service.policy.memory_bytes(),
                "raw": raw(service),
            }));
        }
    }
    let own = json!({ "processes": processes, "log": config::ruby(&format!("{}/bluepill.log", services.log)) });
    let path = format!("{}.pill", options.app);
    let contents = templates.render("app.pill.j2", &path, &context(options, &services, own))?;
    files.push(File { path: path.into(), contents, mode, owner: Owner::Exporter });
    Ok(files)
}
