//! supervisord: one configuration file with a program for each instance and a group, and a script for each
//! program, since neither `command=` nor `environment=` can carry every value
//! (supervisord.org/configuration). Proven on 4.2.5.

use serde_json::{Value, json};

use super::script::{self, Account, Lines, sh_env_files};
use crate::app::{App, Restart};
use crate::error::Error;
use crate::export::quote::config;
use crate::export::services::{Services, carry};
use crate::export::template::{Templates, context, raw};
use crate::export::{Feature, File, Format, Options, Owner, Runs};

pub(crate) const FORMAT: Format = Format {
    name: "supervisord",
    when: "where supervisord runs already, often inside a container or a Python shop",
    install: "make the folder LOG, point `[include] files` of supervisord.conf at DIR/*.conf, then `supervisorctl update`",
    templates: &[
        ("app.conf.j2", include_str!("../templates/supervisord/app.conf.j2")),
        ("program.sh.j2", include_str!("../templates/supervisord/program.sh.j2")),
    ],
    paths: &["APP.env", "APP-TYPE.env", "APP.conf", "APP-TYPE-N.sh"],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    leaves_out: &[Feature::Memory, Feature::Release],
    checkers: &[script::SHELL_CHECKER],
    render,
};

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    // supervisord starts the scripts as the user, who must be able to read them and what they read.
    let mut files = sh_env_files(&FORMAT, options, &services, Owner::User)?;
    let mut programs = Vec::new();
    for service in &services.running {
        for instance in &service.instances {
            let environment = script::environment(
                &FORMAT,
                options,
                &services,
                service,
                instance,
                (Lines::Free, Account::Unset),
            )?;
            let own = script::context(&environment, service, instance, service.command.for_group());
            let path = format!("{}.sh", instance.unit);
            let contents =
                templates.render("program.sh.j2", &path, &context(options, &services, own))?;
            let script = format!("{}/{path}", services.location);
            let log = format!("{}/{}-{}.log", services.log, service.name, instance.number);
            files.push(File { path: path.into(), contents, mode: 0o700, owner: Owner::User });
            programs.push(json!({
                "name": instance.name,
                "unit": instance.unit,
                "script": carry(&FORMAT, "the folder of the export", config::ini_word(&script))?,
                "log": carry(&FORMAT, "the folder of the logs", config::ini_path(&log))?,
                "restart": match service.policy.restart {
                    Restart::Never => "false",
                    Restart::OnFailure => "unexpected",
                    Restart::Always => "true",
                },
                "stop_signal": crate::app::shell::short_name(service.policy.stop_signal),
                "stop_seconds": service.stop_seconds(),
                "raw": raw(service),
            }));
        }
    }
    let names: Vec<&str> = programs.iter().filter_map(|program| program["unit"].as_str()).collect();
    let own = json!({ "members": names.join(","), "programs": Value::from(programs.clone()) });
    let path = format!("{}.conf", options.app);
    let contents = templates.render("app.conf.j2", &path, &context(options, &services, own))?;
    files.push(File { path: path.into(), contents, mode: 0o644, owner: Owner::Exporter });
    Ok(files)
}
