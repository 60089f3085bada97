//! Shell scripts that put an environment in place and then become the service: what runit, s6, supervisord,
//! inittab, upstart and others start. A file of `export` lines can carry every value.

use serde_json::{Value, json};

use crate::export::context::{Export, Instance, Service, Variable};
use crate::export::quote::sh;
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Owner};

/// Whether values may span lines where the script stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// In a file of its own.
    Free,
    /// In a file whose own syntax ends at a line.
    Single,
}

/// Whether the consumer has set HOME, USER and LOGNAME of the service's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UserVariables {
    /// It has.
    Set,
    /// It keeps its own.
    Unset,
}

/// The environment of an instance as shell text.
#[derive(Debug)]
pub(super) struct Script {
    /// Commands, in their order.
    pub(super) exports: Vec<String>,
    /// The shell that runs the command: `/bin/sh`, behind env(1) where a name is not for a shell.
    pub(super) shell: String,
}

/// Writes the environment of one instance.
pub(super) fn environment(
    export: &Export<'_>,
    instance: &Instance<'_>,
    lines: Lines,
    user_variables: UserVariables,
) -> Result<Script, ExportError> {
    let line = |name: &str, value: &str| match lines {
        Lines::Free => format!("export {name}={}", sh::word(value)),
        Lines::Single => sh::export_line(name, value),
    };
    let mut exports = Vec::new();
    let user = &export.options.user;
    // A number is no name for `~`, and tells nothing about a home.
    if user_variables == UserVariables::Unset && !user.starts_with(|c: char| c.is_ascii_digit()) {
        exports
            .push(format!("HOME=~{user} USER='{user}' LOGNAME='{user}'; export HOME USER LOGNAME"));
    }
    let mut shell = String::new();
    for variable in export.inline(instance.service) {
        if sh::can_export(&variable.name) {
            exports.push(line(&variable.name, &variable.value));
        } else {
            shell.push_str(&odd_argument(export, variable, lines)?);
        }
    }
    if let Some(path) = export.env_file(instance.service) {
        exports.push(format!(". {}", sh::word(&path)));
    }
    exports.push(line("PORT", &instance.port));
    exports.push(line("PS", &instance.name));
    let shell =
        if shell.is_empty() { "/bin/sh".into() } else { format!("/usr/bin/env{shell} /bin/sh") };
    Ok(Script { exports, shell })
}

/// Returns a variable whose name no shell can export as an argument of env(1).
fn odd_argument(
    export: &Export<'_>,
    variable: &Variable,
    lines: Lines,
) -> Result<String, ExportError> {
    let argument = format!("{}={}", variable.name, variable.value);
    let word = match lines {
        Lines::Free => Some(sh::word(&argument)),
        Lines::Single => sh::line_word(&argument).ok(),
    };
    let word = word.filter(|_| !variable.name.is_empty() && !variable.name.starts_with('-'));
    export.check_name(variable, word.is_some())?;
    Ok(format!(" {}", word.unwrap_or_default()))
}

/// Returns env files of `export` lines, which scripts read with `.`.
pub(super) fn env_files(export: &Export<'_>, owner: Owner) -> Result<Vec<File>, ExportError> {
    export.env_files(owner, |service| {
        let mut body = String::new();
        for variable in &service.variables {
            export.check_name(variable, sh::can_export(&variable.name))?;
            body.push_str(&format!("export {}={}\n", variable.name, sh::word(&variable.value)));
        }
        Ok(body)
    })
}

/// Returns the command behind its env file, where there is one: shell text that reads the file and runs the
/// command in a shell that starts with it. Some variables mean something to a shell at its start, and
/// something else when they are set in it.
pub(super) fn behind_env_file(export: &Export<'_>, service: &Service<'_>, command: &str) -> String {
    match export.env_file(service) {
        None => command.to_owned(),
        Some(path) => format!(". {}; exec /bin/sh -c {}", sh::word(&path), sh::word(command)),
    }
}

/// Returns commands that hold the shell, and what it becomes, to the limits of a type. Like pm, they fail the start where
/// the system refuses one. They come before the variables, which can change PATH.
pub(super) fn limits(service: &Service<'_>) -> Vec<String> {
    let mut limits = own_limits(service);
    limits.extend(affinity(service));
    limits
}

/// As [`limits`], without the CPUs, for which systems other than Linux have other programs.
pub(super) fn own_limits(service: &Service<'_>) -> Vec<String> {
    let open_files = service.limits.open_files.map(|most| format!("ulimit -n {most} || exit 1"));
    let nice = service.limits.nice;
    let nice = nice.map(|nice| format!("renice -n {nice} -p $$ >/dev/null || exit 1"));
    open_files.into_iter().chain(nice).collect()
}

/// As [`limits`], of the CPUs alone.
pub(super) fn affinity(service: &Service<'_>) -> Option<String> {
    let numbers = service.cpu_numbers()?;
    Some(format!("taskset -cp {numbers} $$ >/dev/null || exit 1"))
}

/// Returns a command behind its limits, on one line.
pub(super) fn behind_limits(limits: &[String], command: String) -> String {
    if limits.is_empty() {
        return command;
    }
    format!("{}; exec /bin/sh -c {}", limits.join("; "), sh::word(&command))
}

/// Returns what the template of a script in a file of its own gets. What the command waits for is a part of it: a script
/// that begins as root becomes the user before it asks.
pub(super) fn context(
    export: &Export<'_>,
    instance: &Instance<'_>,
    command: &str,
) -> Result<Value, ExportError> {
    let script = environment(export, instance, Lines::Free, UserVariables::Unset)?;
    Ok(instance.context(json!({
        "limits": limits(instance.service),
        "exports": script.exports,
        // Of a script that is the user's from its first line.
        "waits": [],
        "shell": script.shell,
        "command": sh::word(command),
        "folder": sh::word(&instance.service.folder),
    })))
}

/// Returns the line that waits for the mark of a `once` that has ended well. That of an earlier boot does not count.
pub(super) fn marked(path: &str) -> String {
    let mark = sh::word(path);
    format!(
        "until [ -e {mark} ] && [ \"$(cat {mark})\" = \"$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)\" ]; \
         do sleep 1; done"
    )
}

/// Checks the grammar of every script with the shell that will run it.
pub(super) const SHELL_CHECKER: Checker = Checker {
    program: "/bin/sh",
    arguments: &["-n"],
    files: Select::Each(&[".sh", "/run", "/finish", "/check", "/control/t"]),
    variables: &[],
    probe: &[],
};
