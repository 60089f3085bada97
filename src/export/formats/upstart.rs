//! upstart: a master job, a job for each process type, a job for each instance (init(5), upstart 1.x).

use serde_json::{Value, json};

use super::script::{self, Account, Lines, sh_env_files};
use crate::app::{App, Restart, Signal};
use crate::error::Error;
use crate::export::quote::{config, sh};
use crate::export::services::{Instance, Service, Services, carry};
use crate::export::template::{Templates, context, raw};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, Feature, File, Format, Options, Owner, Runs};

pub(crate) const FORMAT: Format = Format {
    name: "upstart",
    when: "Ubuntu 10.04 to 14.10, RHEL 6: servers that still run upstart",
    install: "copy the files to /etc/init, then `start APP`",
    templates: &[
        ("app.conf.j2", include_str!("../templates/upstart/app.conf.j2")),
        ("type.conf.j2", include_str!("../templates/upstart/type.conf.j2")),
        ("instance.conf.j2", include_str!("../templates/upstart/instance.conf.j2")),
    ],
    paths: &["APP.env", "APP-TYPE.env", "APP.conf", "APP-TYPE.conf", "APP-TYPE-N.conf"],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    leaves_out: &[Feature::Memory, Feature::Release],
    checkers: &[CHECKER],
    render: |app, options| render(&FORMAT, app, options, own),
};

/// Upstart's own checker takes one job at a time.
pub(crate) const CHECKER: Checker = Checker {
    program: "init-checkconf",
    arguments: &[],
    files: Select::Each(&[".conf"]),
    variables: &[],
    probe: &[],
};

/// What a format says of one instance.
type Own = fn(&Options, &Services<'_>, &Service<'_>, &Instance) -> Result<Value, ExportError>;

/// Renders the three kinds of job; `own` gives the context of an instance's.
pub(crate) fn render(
    format: &'static Format,
    app: &App,
    options: &Options,
    own: Own,
) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(format, options)?;
    let name = &options.app;
    let job = |path: String, contents: String, mode: u32| File {
        path: path.into(),
        contents,
        mode,
        owner: Owner::Exporter,
    };
    // Upstart's jobs run as the user, except for the daemon format's, which start-stop-daemon changes later.
    let mut files = sh_env_files(format, options, &services, Owner::User)?;
    let folders = json!({ "log": sh::word(&services.log), "run": sh::word(&services.run) });
    let path = format!("{name}.conf");
    let text = templates.render("app.conf.j2", &path, &context(options, &services, folders))?;
    files.push(job(path, text, 0o644));
    for service in &services.running {
        let path = format!("{name}-{}.conf", service.name);
        let text = templates.render(
            "type.conf.j2",
            &path,
            &context(options, &services, json!({ "type": service.name })),
        )?;
        files.push(job(path, text, 0o644));
        for instance in &service.instances {
            let mut own = own(options, &services, service, instance)?;
            own["type"] = service.name.into();
            own["name"] = instance.name.clone().into();
            own["respawn"] = (service.policy.restart != Restart::Never).into();
            own["success_is_an_end"] = (service.policy.restart == Restart::OnFailure).into();
            own["stop_seconds"] = service.stop_seconds().into();
            let signal = (service.policy.stop_signal != Signal::TERM)
                .then(|| service.policy.stop_signal.to_string());
            own["stop_signal"] = signal.into();
            own["raw"] = raw(service);
            let path = format!("{}.conf", instance.unit);
            let text =
                templates.render("instance.conf.j2", &path, &context(options, &services, own))?;
            files.push(job(path, text, script::mode(options, service, 0o600, 0o644)));
        }
    }
    Ok(files)
}

fn own(
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
    instance: &Instance,
) -> Result<Value, ExportError> {
    let script = script::environment(
        &FORMAT,
        options,
        services,
        service,
        instance,
        (Lines::Single, Account::Unset),
    )?;
    let log = format!("{}/{}-{}.log", services.log, service.name, instance.number);
    let command = sh::line_word(service.command.for_group());
    Ok(json!({
        "exports": script.exports,
        "shell": script.shell,
        "command": carry(&FORMAT, &format!("the command of {}", service.name), command)?,
        "folder": carry(&FORMAT, "the folder", config::upstart_token(&service.folder))?,
        "log": carry(&FORMAT, "the folder of the logs", sh::line_word(&log))?,
    }))
}
