//! The tasks of a group: one that waits, what runs once before the type, and the type itself.

use serde_json::{Value, json};

use super::order::{self, Parts, Waits};
use super::{MIB, checks, is_container};
use crate::app::Restart;
use crate::app::shell::is_name;
use crate::export::ExportError;
use crate::export::context::{Export, Service};
use crate::export::formats::container;
use crate::export::quote::{markup, sh};

/// Returns the tasks of a type's group, in their order.
pub(super) fn of(export: &Export<'_>, service: &Service<'_>) -> Result<Vec<Value>, ExportError> {
    let mut tasks = Vec::new();
    let before = order::once_before(export, service);
    // A task that runs once waits by itself: it cannot be before another one of its group.
    if let Some(waits) = order::waits(export, service, Parts::Before) {
        let line = format!("{}{}", at_home(export, service), waits.line);
        let task = task(export, service, &line, Some(&waits))?;
        tasks.push(with(task, json!({ "name": "pm-wait", "is_prestart": true, "is_small": true })));
    }
    for once in &before {
        let waits = order::waits(export, once, Parts::Beside);
        let is_awaited = before.iter().any(|other| {
            export.needs_of(other).iter().any(|need| need.service.position == once.position)
        });
        let mut command = command(export, once);
        if is_awaited {
            let mark = order::mark(once);
            command = format!("/bin/sh -c {} && : >\"{mark}\"", sh::word(&command));
        }
        if let Some(waits) = &waits {
            let home = at_home(export, once);
            command = format!("{home}{}; exec /bin/sh -c {}", waits.line, sh::word(&command));
        }
        let task = task(export, once, &command, waits.as_ref())?;
        let is_never = once.restart() == Restart::Never;
        tasks.push(with(task, json!({ "is_prestart": true, "is_never": is_never })));
    }
    let main = task(export, service, &command(export, service), None)?;
    let is_never = service.is_once() && service.restart() == Restart::Never;
    tasks.push(with(main, json!({ "is_main": true, "is_never": is_never })));
    Ok(tasks)
}

/// Returns what changes into the folder that containers start in.
fn at_home(export: &Export<'_>, service: &Service<'_>) -> String {
    if is_container(export) {
        String::new()
    } else {
        format!("cd {} || exit 1; ", sh::word(&service.folder))
    }
}

fn command(export: &Export<'_>, service: &Service<'_>) -> String {
    if is_container(export) {
        container::command(export, service)
    } else {
        let open_files = service.limits.open_files;
        let limit = open_files.map(|most| format!("ulimit -n {most} || exit 1; "));
        let limit = limit.unwrap_or_default();
        format!("{}{limit}{}", at_home(export, service), service.for_one_process())
    }
}

fn with(mut task: Value, own: Value) -> Value {
    if let (Value::Object(task), Value::Object(own)) = (&mut task, own) {
        task.extend(own);
    }
    task
}

/// Returns a task with the values of a type.
fn task(
    export: &Export<'_>,
    service: &Service<'_>,
    command: &str,
    waits: Option<&Waits>,
) -> Result<Value, ExportError> {
    let (mut lines, shell) = value_lines(export, service)?;
    let values_file = export.env_file(service).filter(|_| !lines.is_empty());
    if values_file.is_some() {
        lines.clear();
    }
    let mut own = vec![("PM_COMMAND".to_owned(), format!("{shell}{command}"))];
    if waits.is_none() {
        own.extend(checks::scripts(export, service));
    }
    for (name, text) in &own {
        let value = export.carry_command(service, markup::nomad_env(text))?;
        lines.push(format!("{name}={value}"));
    }
    let names: Vec<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
    let found = waits.iter().flat_map(|waits| &waits.found);
    Ok(json!({
        "name": service.name,
        "is_prestart": false,
        "is_small": false,
        "is_main": false,
        "is_never": false,
        "unset": names.join(" "),
        "lines": lines,
        "values_file": values_file.map(|path| markup::hcl(&path)),
        "found": found.map(|(name, words)| json!({ "name": name, "words": words })).collect::<Vec<_>>(),
        "open_files": service.limits.open_files,
        "memory_mib": service.policy.memory_bytes().map(|bytes| bytes.div_ceil(MIB)),
    }))
}

/// Returns the lines of an environment template, and as shell text what such lines cannot carry.
pub(super) fn value_lines(
    export: &Export<'_>,
    service: &Service<'_>,
) -> Result<(Vec<String>, String), ExportError> {
    let mut lines = Vec::new();
    let mut shell = String::new();
    for variable in &service.variables {
        export.check_name(variable, is_name(&variable.name))?;
        match markup::nomad_env(&variable.value) {
            Ok(value) => lines.push(format!("{}={value}", variable.name)),
            // Its octal escapes leave no control character.
            Err(_) => {
                shell.push_str(&format!("{}; ", sh::export_line(&variable.name, &variable.value)));
            }
        }
    }
    Ok((lines, shell))
}
