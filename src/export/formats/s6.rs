//! s6: a service folder for each instance, for s6-svscan (skarnet.org/software/s6/servicedir.html).
//! Proven on 2.13.

use super::script::{self, Account, Lines, sh_env_files};
use crate::app::{App, Restart, Signal};
use crate::error::Error;
use crate::export::quote::sh;
use crate::export::services::Services;
use crate::export::template::{Templates, context};
use crate::export::{Feature, File, Format, Options, Owner, Runs};

pub(crate) const FORMAT: Format = Format {
    name: "s6",
    when: "s6 as init or inside a container (s6-overlay): supervision with a kill timeout",
    install: "copy the service folders to the scanned folder, then `s6-svscanctl -a SCANDIR`",
    templates: &[
        ("run.j2", include_str!("../templates/s6/run.j2")),
        ("log-run.j2", include_str!("../templates/s6/log-run.j2")),
        ("finish.j2", include_str!("../templates/s6/finish.j2")),
    ],
    paths: &[
        "APP.env",
        "APP-TYPE.env",
        "APP-TYPE-N/run",
        "APP-TYPE-N/log/run",
        "APP-TYPE-N/finish",
        "APP-TYPE-N/timeout-kill",
        "APP-TYPE-N/down-signal",
    ],
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
            own["log"] =
                sh::word(&format!("{}/{}-{}", services.log, service.name, instance.number)).into();
            own["restart"] = service.restart_word().into();
            let own = context(options, &services, own);
            // No comment fits into these: the marker of `run` names them.
            let mut bare = vec![("timeout-kill", format!("{}\n", service.stop_seconds() * 1000))];
            if policy.stop_signal != Signal::TERM {
                bare.push(("down-signal", format!("{}\n", policy.stop_signal)));
            }
            let names: Vec<&str> = bare.iter().map(|(name, _)| *name).collect();
            let path = |name: &str| format!("{}/{name}", instance.unit);
            let mut add = |path: String, contents: String, mode: u32| {
                files.push(File { path: path.into(), contents, mode, owner: Owner::Exporter });
            };
            let run = templates.render_beside("run.j2", &path("run"), &names, &own)?;
            add(path("run"), run, script::mode(options, service, 0o700, 0o755));
            let mut scripts = vec![("log/run", "log-run.j2")];
            if policy.restart != Restart::Always {
                scripts.push(("finish", "finish.j2"));
            }
            for (name, template) in scripts {
                let path = path(name);
                let contents = templates.render(template, &path, &own)?;
                add(path, contents, 0o755);
            }
            for (name, contents) in bare {
                add(path(name), contents, 0o644);
            }
        }
    }
    Ok(files)
}
