//! inittab: a line for each instance, and a script beside it, since init skips long lines in silence
//! (inittab(5), sysvinit). Proven on 3.14.

use serde_json::json;

use super::script::{self, Account, Lines, sh_env_files};
use crate::app::shell::ShellCommand;
use crate::app::{App, Restart};
use crate::error::Error;
use crate::export::quote::sh;
use crate::export::services::{Instance, Service, Services, carry, carry_variable};
use crate::export::template::{Templates, context, raw};
use crate::export::{ExportError, Feature, File, Format, Inittab, Options, Owner, Runs, Values};

pub(crate) const FORMAT: Format = Format {
    name: "inittab",
    when: "System V init and its heirs, on small or old systems",
    install: "append APP.inittab to /etc/inittab, then `telinit q`; LOCATION may be a file, or `-` to print the lines",
    templates: &[
        ("inittab.j2", include_str!("../templates/inittab/inittab.j2")),
        ("instance.sh.j2", include_str!("../templates/inittab/instance.sh.j2")),
    ],
    paths: &["APP.env", "APP-TYPE.env", "APP.inittab", "APP-TYPE-N.sh"],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    leaves_out: &[Feature::Memory, Feature::Release, Feature::StopSignal, Feature::StopTimeout],
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

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    let mut files = sh_env_files(&FORMAT, options, &services, Owner::Exporter)?;
    let mut lines = Vec::new();
    let instances =
        services.running.iter().flat_map(|s| s.instances.iter().map(move |instance| (s, instance)));
    for (at, (service, instance)) in instances.enumerate() {
        let process = match &options.inittab {
            Inittab::File(_) => {
                let file = instance_script(options, &services, &templates, service, instance)?;
                let path = format!("{}/{}", services.location, file.path.display());
                files.push(file);
                // Only a quoted path makes init use a shell, which costs nothing here but is not needed.
                let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+@".contains(c));
                let word = if plain { path } else { line_word("the folder of the export", &path)? };
                format!("/bin/sh {word}")
            }
            Inittab::Lines => whole_line(options, &services, service, instance)?,
        };
        if process.len() > PROCESS_FIELD {
            let (instance, length) = (instance.name.clone(), process.len());
            return Err(ExportError::InittabLine { instance, length, limit: PROCESS_FIELD }.into());
        }
        let action = if service.policy.restart == Restart::Never { "once" } else { "respawn" };
        lines.push(json!({ "id": id(&options.app, at)?, "action": action, "process": process, "raw": raw(service) }));
    }
    let (path, mode) = match &options.inittab {
        Inittab::File(name) => (name.clone(), 0o644),
        Inittab::Lines => (format!("{}.inittab", options.app), 0o600),
    };
    let text = templates.render(
        "inittab.j2",
        &path,
        &context(options, &services, json!({ "lines": lines })),
    )?;
    files.push(File { path: path.into(), contents: text, mode, owner: Owner::Exporter });
    Ok(files)
}

fn instance_script(
    options: &Options,
    services: &Services<'_>,
    templates: &Templates<'_>,
    service: &Service<'_>,
    instance: &Instance,
) -> Result<File, ExportError> {
    let environment = script::environment(
        &FORMAT,
        options,
        services,
        service,
        instance,
        (Lines::Free, Account::Unset),
    )?;
    let command = service.command.for_one_process(service.policy.stop_signal);
    let mut own = script::context(&environment, service, instance, &command);
    own["log_folder"] = sh::word(&services.log).into();
    own["log"] =
        sh::word(&format!("{}/{}-{}.log", services.log, service.name, instance.number)).into();
    let path = format!("{}.sh", instance.unit);
    let contents = templates.render("instance.sh.j2", &path, &context(options, services, own))?;
    let mode = script::mode(options, service, 0o700, 0o755);
    Ok(File { path: path.into(), contents, mode, owner: Owner::Exporter })
}

/// Returns everything in one process field, as short as can be. init gives a field with such characters to
/// `sh -c "exec …"`.
fn whole_line(
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
    instance: &Instance,
) -> Result<String, ExportError> {
    if options.values == Values::EnvFile {
        return Err(ExportError::Unsupported {
            format: FORMAT.name,
            what: "env file on standard output",
        });
    }
    let user = &options.user;
    let mut line = format!("setpriv --reuid {user} --regid \"$(id -g {user})\" --init-groups env");
    for variable in &service.variables {
        let word = sh::line_word(&format!("{}={}", variable.name, variable.value));
        line.push(' ');
        line.push_str(&carry_variable(&FORMAT, variable, word)?);
    }
    let folder = line_word("the folder", &service.folder)?;
    let command = match &service.command {
        ShellCommand::Exec(text) => format!("cd {folder} && {text}"),
        ShellCommand::Compound(text) => format!("cd {folder} || exit 1; {text}"),
    };
    let command = line_word(&format!("the command of {}", service.name), &command)?;
    let log = format!("{}/{}-{}.log", services.log, service.name, instance.number);
    let log = line_word("the folder of the logs", &log)?;
    let (port, name) = (&instance.port, &instance.name);
    line.push_str(&format!(" PORT={port} PS={name} sh -c {command} >>{log} 2>&1"));
    Ok(line)
}

fn line_word(name: &str, text: &str) -> Result<String, ExportError> {
    carry(&FORMAT, name, sh::line_word(text))
}

/// Returns `SH01` for the first instance of `shop`.
fn id(app: &str, at: usize) -> Result<String, ExportError> {
    let mut letters =
        app.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase());
    let head = [letters.next().unwrap_or('P'), letters.next().unwrap_or('M')];
    let number = at + 1;
    let (Some(high), Some(low)) =
        (DIGITS.get(number / DIGITS.len()), DIGITS.get(number % DIGITS.len()))
    else {
        return Err(ExportError::Unsupported {
            format: FORMAT.name,
            what: "room for more than 1295 instances",
        });
    };
    Ok([head[0], head[1], *high, *low].into_iter().collect())
}
