//! smf: one manifest with an instance for each instance (service_bundle(4), smf_method(7)): illumos, Solaris.

use serde_json::{Value, json};

use super::script::{self, sh_env_files};
use crate::app::App;
use crate::error::Error;
use crate::export::quote::{markup, sh};
use crate::export::services::{Instance, Service, Services, carry, carry_variable};
use crate::export::template::{Templates, context, raw};
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, Feature, File, Format, Options, Owner, Runs, Values};

pub(crate) const FORMAT: Format = Format {
    name: "smf",
    when: "SmartOS, OmniOS and other illumos systems, Solaris",
    install: "`svccfg import DIR/APP.xml`; `svcs 'APP/*'` shows the instances",
    templates: &[("app.xml.j2", include_str!("../templates/smf/app.xml.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "APP.xml"],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    leaves_out: &[Feature::Memory, Feature::Release, Feature::Restart],
    checkers: &[
        Checker {
            program: "svccfg",
            arguments: &["validate"],
            files: Select::Each(&[".xml"]),
            variables: &[],
            probe: &[],
        },
        Checker {
            program: "xmllint",
            arguments: &["--nonet", "--noout"],
            files: Select::Suffixes(&[".xml"]),
            variables: &[],
            probe: &[],
        },
    ],
    render,
};

fn render(app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let services = Services::of(app, options)?;
    let templates = Templates::new(&FORMAT, options)?;
    let mut files = sh_env_files(&FORMAT, options, &services, Owner::User)?;
    let mut mode = 0o644;
    let mut types = Vec::new();
    for service in &services.running {
        mode = script::mode(options, service, 0o600, mode);
        let mut instances = Vec::new();
        for instance in &service.instances {
            instances.push(instance_context(options, &services, service, instance)?);
        }
        types.push(json!({ "name": service.name, "instances": instances, "raw": raw(service) }));
    }
    let own = json!({ "types": Value::from(types) });
    let path = format!("{}.xml", options.app);
    let contents = templates.render("app.xml.j2", &path, &context(options, &services, own))?;
    files.push(File { path: path.into(), contents, mode, owner: Owner::Exporter });
    Ok(files)
}

fn instance_context(
    options: &Options,
    services: &Services<'_>,
    service: &Service<'_>,
    instance: &Instance,
) -> Result<Value, ExportError> {
    let xml = |name: &str, text: &str| carry(&FORMAT, name, markup::xml(text));
    let mut command = service.command.for_group().to_owned();
    let mut environment = Vec::new();
    match options.values {
        Values::Inline => {
            for variable in &service.variables {
                let value = carry_variable(&FORMAT, variable, markup::xml(&variable.value))?;
                environment.push(
                    json!({ "name": xml("a variable's name", &variable.name)?, "value": value }),
                );
            }
        }
        Values::EnvFile if service.variables.is_empty() => {}
        Values::EnvFile => {
            command = script::behind_env_file(options, services, service, &command);
        }
    }
    for (name, value) in [("PORT", &instance.port), ("PS", &instance.name)] {
        environment.push(json!({ "name": name, "value": value }));
    }
    let log = format!("{}/{}-{}.log", services.log, service.name, instance.number);
    // svc.startd gives the method to /sbin/sh after it has expanded its own tokens, which begin with `%`.
    let method = format!("exec /bin/sh -c {} >>{} 2>&1", sh::word(&command), sh::word(&log))
        .replace('%', "%%");
    Ok(json!({
        "name": format!("{}-{}", service.name, instance.number),
        "title": instance.name,
        "command": xml(&format!("the command of {}", service.name), &method)?,
        "folder": xml("the folder", &service.folder.replace('%', "%%"))?,
        "environment": environment,
        "stop_signal": crate::app::shell::short_name(service.policy.stop_signal),
        "stop_seconds": service.stop_seconds(),
    }))
}
