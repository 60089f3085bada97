//! inittab: a line for each instance, and a script beside it, since init skips long lines silently
//! (inittab(5), sysvinit). Proven on 3.14.

use serde_json::json;

use super::{Addresses, Can, Feature, Format, Logs, Runs, script};
use crate::app::Restart;
use crate::app::shell::ShellCommand;
use crate::export::context::{Export, Instance};
use crate::export::needs::Whom;
use crate::export::quote::sh;
use crate::export::{ExportError, File, Inittab, Owner, Values};

pub(crate) const FORMAT: Format = Format {
    name: "inittab",
    when: "System V init and its successors, on small or old systems",
    install: "append INITTAB to /etc/inittab, then `telinit q`",
    templates: &[
        ("inittab.j2", include_str!("../templates/inittab/inittab.j2")),
        ("instance.sh.j2", include_str!("../templates/inittab/instance.sh.j2")),
    ],
    paths: &["APP.env", "APP-TYPE.env", "APP.inittab", "APP-TYPE-N.sh", "APP.logrotate"],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Logrotate,
    leaves_out: &[
        Feature::Memory,
        Feature::Release,
        Feature::StopSignal,
        Feature::StopTimeout,
        Feature::CpuTime,
    ],
    asks: Can { ends: true, ..Can::SCRIPT },
    addresses: Addresses::APART,
    checkers: &[script::SHELL_CHECKER],
    render,
};

/// The longest process field that sysvinit 3 reads (its init.c); older ones read 127.
const PROCESS_FIELD: usize = 253;
/// Ids have four characters: two of the application's name and two of this number system.
const DIGITS: [char; 36] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I',
    'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
];

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    let options = export.options;
    let mut files = script::env_files(export, Owner::Exporter)?;
    let mut lines = Vec::new();
    for (at, instance) in export.instances().enumerate() {
        let process = match &options.inittab {
            Inittab::File(_) => {
                let file = instance_script(export, &instance)?;
                let path = format!("{}/{}", export.location, file.path.display());
                files.push(file);
                // Only a quoted path makes init use a shell, which costs nothing here but is not needed.
                let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@".contains(c));
                let word = if plain {
                    path
                } else {
                    export.carry("the folder of the export", sh::line_word(&path))?
                };
                format!("/bin/sh {word}")
            }
            Inittab::Lines => whole_line(export, &instance)?,
        };
        if process.len() > PROCESS_FIELD {
            let (instance, length) = (instance.name, process.len());
            return Err(ExportError::InittabLine { instance, length, limit: PROCESS_FIELD });
        }
        let service = instance.service;
        let is_once = service.is_once() || service.policy.restart == Restart::Never;
        let action = if is_once { "once" } else { "respawn" };
        let id = id(export, at)?;
        lines.push(instance.context(json!({ "id": id, "action": action, "process": process })));
    }
    let (path, is_private) = match &options.inittab {
        Inittab::File(name) => (name.clone(), false),
        Inittab::Lines => (format!("{}.inittab", options.app), true),
    };
    let file = export.render("inittab.j2", path, json!({ "lines": lines }))?;
    files.push(file.private_if(is_private));
    Ok(files)
}

fn instance_script(export: &Export<'_>, instance: &Instance<'_>) -> Result<File, ExportError> {
    let service = instance.service;
    let command = export.behind_waits(service, Whom::All, &service.for_one_process());
    let mut own = script::context(export, instance, &command)?;
    let needs = export.needs_of(service);
    let done = needs.iter().filter(|need| need.is_done()).flat_map(|need| &need.instances);
    own["done"] = done.map(|one| script::marked(&mark(export, one))).collect();
    own["mark"] = sh::word(&mark(export, instance)).into();
    own["run"] = sh::word(&export.run).into();
    own["log_folder"] = sh::word(&export.log).into();
    own["log"] = sh::word(&instance.log).into();
    let file = export.render("instance.sh.j2", format!("{}.sh", instance.unit), own)?;
    Ok(file.executable().private_if(!export.inline(service).is_empty()))
}

/// Returns the file that says that what runs once has ended well.
fn mark(export: &Export<'_>, instance: &Instance<'_>) -> String {
    format!("{}/{}.done", export.run, instance.unit)
}

/// Returns everything in one process field, as short as can be. init gives a field with such characters to
/// `sh -c "exec …"`.
fn whole_line(export: &Export<'_>, instance: &Instance<'_>) -> Result<String, ExportError> {
    if export.options.values == Values::EnvFile {
        return Err(export.unsupported("env file on standard output"));
    }
    let service = instance.service;
    let user = &export.options.user;
    let nice = service.limits.nice.map(|nice| format!("nice -n {nice} ")).unwrap_or_default();
    let cpus = service.cpu_numbers().map(|cpus| format!("taskset -c {cpus} ")).unwrap_or_default();
    let mut line =
        format!("{nice}{cpus}setpriv --reuid {user} --regid \"$(id -g {user})\" --init-groups env");
    for variable in &service.variables {
        let word = sh::line_word(&format!("{}={}", variable.name, variable.value));
        line.push(' ');
        line.push_str(&export.carry_variable(variable, word)?);
    }
    let folder = export.carry("the folder", sh::line_word(&service.folder))?;
    let open_files = service.limits.open_files.map(|most| format!("ulimit -n {most} || exit 1; "));
    let open_files = open_files.unwrap_or_default();
    let command = match &service.command {
        ShellCommand::Exec(text) => format!("{open_files}cd {folder} && {text}"),
        ShellCommand::Compound(text) => format!("{open_files}cd {folder} || exit 1; {text}"),
    };
    let command = export.carry_command(service, sh::line_word(&command))?;
    let log = export.carry("the folder of the logs", sh::line_word(&instance.log))?;
    let (port, name) = (&instance.port, &instance.name);
    line.push_str(&format!(" PORT={port} PS={name} sh -c {command} >>{log} 2>&1"));
    Ok(line)
}

/// Returns `SH01` for the first instance of `shop`.
fn id(export: &Export<'_>, at: usize) -> Result<String, ExportError> {
    let app = export.options.app.chars();
    let mut letters = app.filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase());
    let head = [letters.next().unwrap_or('P'), letters.next().unwrap_or('M')];
    let number = at + 1;
    let (Some(high), Some(low)) =
        (DIGITS.get(number / DIGITS.len()), DIGITS.get(number % DIGITS.len()))
    else {
        return Err(export.unsupported("room for more than 1295 instances"));
    };
    Ok([head[0], head[1], *high, *low].into_iter().collect())
}
