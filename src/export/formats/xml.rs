//! What launchd and smf share: an instance whose values are XML text.

use serde_json::{Value, json};

use crate::export::ExportError;
use crate::export::context::{Export, Instance};
use crate::export::quote::markup;
use crate::export::verify::{Checker, Select};

/// Returns the checker that knows nothing of the format, and runs where its own is not installed.
pub(super) const fn checker(endings: &'static [&'static str]) -> Checker {
    Checker {
        program: "xmllint",
        arguments: &["--nonet", "--noout"],
        files: Select::Suffixes(endings),
        variables: &[],
        probe: &[],
    }
}

/// Returns the context of an instance that runs `command` in `folder`.
pub(super) fn context(
    export: &Export<'_>,
    instance: &Instance<'_>,
    command: &str,
    folder: &str,
) -> Result<Value, ExportError> {
    let mut environment = Vec::new();
    for variable in export.inline(instance.service) {
        let value = export.carry_variable(variable, markup::xml(&variable.value))?;
        let name = export.carry("a variable's name", markup::xml(&variable.name))?;
        environment.push(json!({ "name": name, "value": value }));
    }
    for (name, value) in [("PORT", &instance.port), ("PS", &instance.name)] {
        environment.push(json!({ "name": name, "value": value }));
    }
    Ok(instance.context(json!({
        "command": export.carry_command(instance.service, markup::xml(command))?,
        "environment": environment,
        "folder": export.carry("the folder", markup::xml(folder))?,
    })))
}
