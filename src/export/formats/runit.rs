//! runit: a service folder for each instance (runsv(8), chpst(8), svlogd(8)). Proven on 2.2.

use super::script::{self, Account, Lines, sh_env_files};
use crate::app::shell::short_name;
use crate::app::{App, Restart, Signal};
use crate::error::Error;
use crate::export::quote::sh;
use crate::export::services::Services;
use crate::export::template::{Templates, context};
use crate::export::{ExportError, Feature, File, Format, Options, Owner, Runs};

pub(crate) const FORMAT: Format = Format {
    name: "runit",
    when: "Void Linux, or runit on any other: small, reliable, restarts within a second",
    install: "move the service folders to /etc/sv and link each into the scanned folder (/var/service, /etc/service); \
              `sv -w 7 force-stop NAME` kills what does not end",
    templates: &[
        ("run.j2", include_str!("../templates/runit/run.j2")),
        ("log-run.j2", include_str!("../templates/runit/log-run.j2")),
        ("finish.j2", include_str!("../templates/runit/finish.j2")),
        ("control-t.j2", include_str!("../templates/runit/control-t.j2")),
    ],
    paths: &[
        "APP.env",
        "APP-TYPE.env",
        "APP-TYPE-N/run",
        "APP-TYPE-N/log/run",
        "APP-TYPE-N/finish",
        "APP-TYPE-N/control/t",
    ],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    leaves_out: &[Feature::Memory, Feature::Release, Feature::StopTimeout],
    checkers: &[script::SHELL_CHECKER],
    render,
};

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    let mut files = sh_env_files(&FORMAT, options, &services, Owner::Exporter)?;
    for service in &services.running {
        let policy = service.policy;
        for instance in &service.instances {
            let environment = script::environment(
                &FORMAT,
                options,
                &services,
                service,
                instance,
                (Lines::Free, Account::Unset),
            )?;
            let command = service.command.for_one_process(policy.stop_signal);
            let mut own = script::context(&environment, service, instance, &command);
            let log = format!("{}/{}-{}", services.log, service.name, instance.number);
            own["log"] = sh::word(&log).into();
            own["stop_signal"] = short_name(policy.stop_signal).into();
            own["restart"] = service.restart_word().into();
            let own = context(options, &services, own);
            let mut add = |name: &str, template: &str, mode: u32| -> Result<(), ExportError> {
                let path = format!("{}/{name}", instance.unit);
                let contents = templates.render(template, &path, &own)?;
                files.push(File { path: path.into(), contents, mode, owner: Owner::Exporter });
                Ok(())
            };
            add("run", "run.j2", script::mode(options, service, 0o700, 0o755))?;
            add("log/run", "log-run.j2", 0o755)?;
            if policy.restart != Restart::Always {
                add("finish", "finish.j2", 0o755)?;
            }
            if policy.stop_signal != Signal::TERM {
                add("control/t", "control-t.j2", 0o755)?;
            }
        }
    }
    Ok(files)
}
