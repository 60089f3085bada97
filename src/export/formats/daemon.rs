//! daemon: upstart jobs that start the program through start-stop-daemon(8), with a pid file; foreman's
//! name for it.

use serde_json::{Value, json};

use super::script::{self, Account, Lines};
use super::upstart;
use crate::export::quote::sh;
use crate::export::services::{Instance, Service, Services, carry};
use crate::export::{ExportError, Feature, Format, Options, Runs};

pub(crate) const FORMAT: Format = Format {
    name: "daemon",
    when: "upstart, where other tools need pid files (foreman's `daemon`)",
    install: "copy the files to /etc/init, then `start APP`",
    templates: &[
        ("app.conf.j2", include_str!("../templates/daemon/app.conf.j2")),
        ("type.conf.j2", include_str!("../templates/daemon/type.conf.j2")),
        ("instance.conf.j2", include_str!("../templates/daemon/instance.conf.j2")),
    ],
    paths: &["APP.env", "APP-TYPE.env", "APP.conf", "APP-TYPE.conf", "APP-TYPE-N.conf"],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    leaves_out: &[Feature::Memory, Feature::Release],
    checkers: &[upstart::CHECKER],
    render: |app, options| upstart::render(&FORMAT, app, options, own),
};

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
        (Lines::Single, Account::Known),
    )?;
    let word = |name: &str, text: &str| carry(&FORMAT, name, sh::line_word(text));
    let command = word(&format!("the command of {}", service.name), service.command.for_group())?;
    // `--chuid` sets HOME and USER, so the variables come after it: inside the shell that it starts.
    let inner = format!("{}; exec {} -c {command}", script.exports.join("; "), script.shell);
    Ok(json!({
        "inner": word("the variables", &inner)?,
        "folder": word("the folder", &service.folder)?,
        "pid_file": word("the folder of the pid files", &format!("{}/{}.pid", services.run, instance.unit))?,
        "log": word("the folder of the logs", &format!("{}/{}-{}.log", services.log, service.name, instance.number))?,
    }))
}
