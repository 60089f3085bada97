//! Shell scripts that put an environment in place and then become the service: what runit, s6, supervisord,
//! inittab, upstart and others start. A file of `export` lines can carry every value.

use serde_json::json;

use crate::export::error::ExportError;
use crate::export::quote::sh;
use crate::export::services::{Instance, Service, Services, Variable};
use crate::export::verify::{Checker, Select};
use crate::export::write::marker;
use crate::export::{File, Format, Options, Owner, Values};

/// Whether values may span lines where the script stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// In a file of its own.
    Free,
    /// In a file whose own syntax ends at a line.
    Single,
}

/// Whether the consumer has set HOME, USER and LOGNAME of the service's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// It has.
    Known,
    /// It keeps its own.
    Unset,
}

/// The environment of an instance as shell text.
#[derive(Debug)]
pub(crate) struct Script {
    /// Commands, in their order.
    pub(crate) exports: Vec<String>,
    /// The shell that runs the command: `/bin/sh`, behind env(1) where a name is not for a shell.
    pub(crate) shell: String,
}

/// Writes the environment of one instance; `instance` is `None` where all instances are one object.
pub(crate) fn environment(
    format: &'static Format,
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
    instance: &Instance,
    (lines, account): (Lines, Account),
) -> Result<Script, ExportError> {
    let export = |name: &str, value: &str| match lines {
        Lines::Free => format!("export {name}={}", sh::word(value)),
        Lines::Single => sh::export_line(name, value),
    };
    let mut exports = Vec::new();
    // A number is no name for `~`, and tells nothing about a home.
    if account == Account::Unset && !options.user.starts_with(|c: char| c.is_ascii_digit()) {
        let user = &options.user;
        exports
            .push(format!("HOME=~{user} USER='{user}' LOGNAME='{user}'; export HOME USER LOGNAME"));
    }
    let mut shell = String::new();
    match options.values {
        Values::Inline => {
            for variable in &service.variables {
                if sh::can_export(&variable.name) {
                    exports.push(export(&variable.name, &variable.value));
                } else {
                    shell.push_str(&odd_argument(format, variable, lines)?);
                }
            }
        }
        Values::EnvFile if service.variables.is_empty() => {}
        Values::EnvFile => {
            let path =
                format!("{}/{}", services.location, env_file_name(options, services, service));
            exports.push(format!(". {}", sh::word(&path)));
        }
    }
    exports.push(export("PORT", &instance.port));
    exports.push(export("PS", &instance.name));
    let shell =
        if shell.is_empty() { "/bin/sh".into() } else { format!("/usr/bin/env{shell} /bin/sh") };
    Ok(Script { exports, shell })
}

/// Returns a variable whose name no shell can export as an argument of env(1).
fn odd_argument(
    format: &'static Format,
    variable: &Variable,
    lines: Lines,
) -> Result<String, ExportError> {
    let refuse = || ExportError::VariableName { format: format.name, name: variable.name.clone() };
    let argument = format!("{}={}", variable.name, variable.value);
    if variable.name.is_empty() || variable.name.starts_with('-') {
        return Err(refuse());
    }
    match lines {
        Lines::Free => Ok(format!(" {}", sh::word(&argument))),
        Lines::Single => {
            sh::line_word(&argument).map(|word| format!(" {word}")).map_err(|_| refuse())
        }
    }
}

/// Returns `shop.env`, or `shop-web.env` where the types have different variables.
pub(crate) fn env_file_name(
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
) -> String {
    let first = services.running.first();
    let same = services
        .running
        .iter()
        .all(|other| first.is_some_and(|first| first.variables == other.variables));
    let same = same && first.is_some_and(|first| first.variables == service.variables);
    if same {
        format!("{}.env", options.app)
    } else {
        format!("{}-{}.env", options.app, service.name)
    }
}

/// Returns every env file that the export needs, with `body` for the lines of one service.
pub(crate) fn env_files(
    format: &'static Format,
    options: &Options,
    services: &Services<'_>,
    owner: Owner,
    body: impl Fn(&Service<'_>) -> Result<String, ExportError>,
) -> Result<Vec<File>, ExportError> {
    let mut files: Vec<File> = Vec::new();
    if options.values == Values::Inline {
        return Ok(files);
    }
    for service in services.running.iter().chain(&services.release) {
        let path = env_file_name(options, services, service);
        if service.variables.is_empty() || files.iter().any(|file| file.path == *path) {
            continue;
        }
        let marker = marker::text(format.name, &options.app, &path, &[]);
        let contents = format!("# {marker}\n{}", body(service)?);
        files.push(File { path: path.into(), contents, mode: 0o600, owner });
    }
    Ok(files)
}

/// Returns env files of `export` lines, which scripts read with `.`.
pub(crate) fn sh_env_files(
    format: &'static Format,
    options: &Options,
    services: &Services<'_>,
    owner: Owner,
) -> Result<Vec<File>, ExportError> {
    env_files(format, options, services, owner, |service| {
        let mut body = String::new();
        for variable in &service.variables {
            if !sh::can_export(&variable.name) {
                return Err(ExportError::VariableName {
                    format: format.name,
                    name: variable.name.clone(),
                });
            }
            body.push_str(&format!("export {}={}\n", variable.name, sh::word(&variable.value)));
        }
        Ok(body)
    })
}

/// Returns shell text that reads the env file and runs the command in a shell that starts with it: some
/// variables mean something to a shell at its start, and something else when they are set in it.
pub(crate) fn behind_env_file(
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
    command: &str,
) -> String {
    let path = format!("{}/{}", services.location, env_file_name(options, services, service));
    format!(". {}; exec /bin/sh -c {}", sh::word(&path), sh::word(command))
}

/// Returns the mode of a file that holds what the scripts of this export hold.
pub(crate) fn mode(
    options: &Options,
    service: &Service<'_>,
    with_values: u32,
    without: u32,
) -> u32 {
    if options.values == Values::Inline && !service.variables.is_empty() {
        with_values
    } else {
        without
    }
}

/// Returns what the template of a script gets.
pub(crate) fn context(
    script: &Script,
    service: &Service<'_>,
    instance: &Instance,
    command: &str,
) -> serde_json::Value {
    json!({
        "name": instance.name,
        "unit": instance.unit,
        "exports": script.exports,
        "shell": script.shell,
        "command": sh::word(command),
        "folder": sh::word(&service.folder),
        "memory_bytes": service.policy.memory_bytes(),
    })
}

/// Checks the grammar of every script with the shell that will run it.
pub(crate) const SHELL_CHECKER: Checker = Checker {
    program: "/bin/sh",
    arguments: &["-n"],
    files: Select::Each(&[".sh", "run", "finish", "control/t"]),
    variables: &[],
    probe: &[],
};
