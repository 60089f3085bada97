//! nomad: one job with a group for each process type (the HCL 2 job specification).
//!
//! Nomad replaces `${NAME}` in `env` and `args` at run time, and nothing escapes that. So the values and
//! the command itself travel in a `template` with `env = true`, whose result it takes as it is.

use serde_json::{Value, json};

use super::compose::{container_command, image};
use super::script::{self, env_file_name, env_files};
use crate::app::{App, Signal};
use crate::error::Error;
use crate::export::quote::{markup, sh};
use crate::export::services::{Service, Services, carry};
use crate::export::template::{Templates, context, raw};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, Feature, File, Format, Image, Options, Owner, Runs, Values};

pub(crate) const FORMAT: Format = Format {
    name: "nomad",
    when: "a Nomad cluster: docker with `--image`, else raw_exec in the root",
    install: "`nomad job run DIR/APP.nomad.hcl`",
    templates: &[("app.nomad.hcl.j2", include_str!("../templates/nomad/app.nomad.hcl.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "APP.nomad.hcl"],
    runs: Runs::Containers {
        without_image: "raw_exec runs the commands in the root, on each client",
    },
    has_user_scope: false,
    has_sandbox: false,
    leaves_out: &[Feature::Release, Feature::Restart],
    checkers: &[Checker {
        program: "nomad",
        arguments: &["job", "validate"],
        files: Select::Suffixes(&[".nomad.hcl"]),
        variables: &[],
        probe: &[],
    }],
    render,
};

const MIB: u64 = 1024 * 1024;

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    // Read by the command line tool that submits the job, not by the clients.
    let mut files = env_files(&FORMAT, options, &services, Owner::Exporter, |service| {
        let mut body = String::new();
        for line in value_lines(service)?.0 {
            body.push_str(&line);
            body.push('\n');
        }
        Ok(body)
    })?;
    let mut mode = 0o644;
    let mut groups = Vec::new();
    for service in &services.running {
        mode = script::mode(options, service, 0o600, mode);
        groups.push(group(options, &services, service)?);
    }
    let own = json!({ "image": container(options).then(|| markup::hcl(&image(options))), "groups": groups });
    let path = format!("{}.nomad.hcl", options.app);
    let contents =
        templates.render("app.nomad.hcl.j2", &path, &context(options, &services, own))?;
    files.push(File { path: path.into(), contents, mode, owner: Owner::Exporter });
    Ok(files)
}

fn container(options: &Options) -> bool {
    matches!(options.image, Image::Named(_))
}

/// Returns the lines of an environment template, and as shell text what such lines cannot carry.
fn value_lines(service: &Service<'_>) -> Result<(Vec<String>, String), ExportError> {
    let mut lines = Vec::new();
    let mut shell = String::new();
    for variable in &service.variables {
        if !crate::app::shell::is_name(&variable.name) {
            return Err(ExportError::VariableName {
                format: FORMAT.name,
                name: variable.name.clone(),
            });
        }
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

fn group(
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
) -> Result<Value, ExportError> {
    let (mut lines, shell) = value_lines(service)?;
    let mut command = if container(options) {
        container_command(services, service)
    } else {
        let command = service.command.for_one_process(service.policy.stop_signal);
        format!("cd {} || exit 1; {command}", sh::word(&service.folder))
    };
    command.insert_str(0, &shell);
    let command =
        carry(&FORMAT, &format!("the command of {}", service.name), markup::nomad_env(&command))?;
    let mut values_file = None;
    if options.values == Values::EnvFile && !lines.is_empty() {
        lines.clear();
        let path = format!("{}/{}", services.location, env_file_name(options, services, service));
        values_file = Some(markup::hcl(&path));
    }
    lines.push(format!("PM_COMMAND={command}"));
    let signal = service.policy.stop_signal;
    Ok(json!({
        "name": service.name,
        "count": service.instances.len(),
        "listens": service.listens,
        "port": service.port(),
        "lines": lines,
        "values_file": values_file,
        "stop_signal": (signal != Signal::TERM).then(|| signal.to_string()),
        "stop_seconds": service.stop_seconds(),
        "memory_mib": service.policy.memory_bytes().map(|bytes| bytes.div_ceil(MIB)),
        "raw": raw(service),
    }))
}
