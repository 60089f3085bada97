//! daemon: upstart jobs that start the program through start-stop-daemon(8), with a pid file; foreman's
//! name for it.

use serde_json::{Value, json};

use super::script::{Script, UserVariables};
use super::{Format, upstart};
use crate::export::ExportError;
use crate::export::context::{Export, Instance};
use crate::export::quote::sh;

pub(crate) const FORMAT: Format = Format {
    name: "daemon",
    when: "upstart, if other tools need pid files (foreman's `daemon`)",
    templates: &[
        ("app.conf.j2", include_str!("../templates/daemon/app.conf.j2")),
        ("type.conf.j2", include_str!("../templates/daemon/type.conf.j2")),
        ("instance.conf.j2", include_str!("../templates/daemon/instance.conf.j2")),
    ],
    render: |export| upstart::render(export, UserVariables::Set, own),
    // The same files in the same place, which upstart reads.
    ..upstart::FORMAT
};

fn own(
    export: &Export<'_>,
    instance: &Instance<'_>,
    script: &Script,
    command: &str,
) -> Result<Value, ExportError> {
    let word = |name: &str, text: &str| export.carry(name, sh::line_word(text));
    // `--chuid` sets HOME and USER, so the variables come after it: inside the shell that it starts.
    let waits =
        upstart::waits(export, instance)?.map(|line| format!("{line}; ")).unwrap_or_default();
    let exports = script.exports.join("; ");
    let inner = format!("{exports}; {waits}exec {} -c {command}", script.shell);
    let ready = upstart::ready(export, instance)?.map(|line| format!("{exports}; {line}"));
    let ready = ready.map(|line| word("the variables", &line)).transpose()?;
    Ok(json!({
        "ready": ready,
        "inner": word("the variables", &inner)?,
        "folder": word("the folder", &instance.service.folder)?,
        "pid_file": word("the folder of the pid files", &instance.pid_file)?,
        // start-stop-daemon wants to know what is running already; nothing ever writes this file.
        "ready_file": word("the folder of the pid files", &format!("{}.ready", instance.pid_file))?,
        "log": word("the folder of the logs", &instance.log)?,
    }))
}
