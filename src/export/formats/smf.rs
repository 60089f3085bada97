//! smf: one manifest with an instance for each instance (service_bundle(4), smf_method(7)): illumos, Solaris.

use serde_json::{Value, json};

use super::{Addresses, Asks, Can, Feature, Format, Logs, Runs, Starts, script, xml};
use crate::app::Signal;
use crate::app::shell::short_name;
use crate::export::context::{Export, Instance, Service};
use crate::export::needs::{Otherwise, Whom};
use crate::export::quote::sh;
use crate::export::verify::{Checker, Select};
use crate::export::{ExportError, File, Owner};

pub(crate) const FORMAT: Format = Format {
    name: "smf",
    when: "SmartOS, OmniOS and other illumos systems, Solaris",
    install: "`svccfg import DIR/APP.xml`; `svcs 'APP/*'` shows the instances",
    templates: &[("app.xml.j2", include_str!("../templates/smf/app.xml.j2"))],
    paths: &["APP.env", "APP-TYPE.env", "APP.xml"],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Other { setting: "logadm.conf" },
    leaves_out: &[
        Feature::Memory,
        Feature::Release,
        Feature::Restart,
        Feature::CpuTime,
        Feature::CpuNumbers,
    ],
    asks: Can {
        readiness: true,
        delay: true,
        others: Asks::Notify,
        starts: Starts::WithReadiness,
        ends: true,
        restarts_with: true,
        ends_unready: true,
        ..Can::SCRIPT
    },
    addresses: Addresses::APART,
    checkers: &[
        Checker {
            program: "svccfg",
            arguments: &["validate"],
            files: Select::Each(&[".xml"]),
            variables: &[],
            probe: &[],
        },
        xml::checker(&[".xml"]),
    ],
    render,
};

fn render(export: &Export<'_>) -> Result<Vec<File>, ExportError> {
    let mut files = script::env_files(export, Owner::User)?;
    let mut types = Vec::new();
    for service in &export.services {
        let instances = export.instances_of(service).map(|instance| context(export, &instance));
        let instances = instances.collect::<Result<Vec<_>, _>>()?;
        let needs = export.needs_of(service);
        let unit = |one: &Instance<'_>| {
            format!("{}/{}:{}", export.options.app, one.service.name, one.short_name)
        };
        let needs = needs.iter().enumerate().map(|(at, need)| {
            let units: Vec<_> = need.instances.iter().map(unit).collect();
            json!({ "name": format!("need-{at}"), "units": units })
        });
        types.push(service.context(json!({
            "name": service.name,
            "instances": instances,
            "needs": needs.collect::<Vec<_>>(),
            "restart_on": if service.follows_restarts() { "restart" } else { "none" },
        })));
    }
    let path = format!("{}.xml", export.options.app);
    let file = export.render("app.xml.j2", path, json!({ "types": types }))?;
    files.push(file.private_if(export.has_inline()));
    Ok(files)
}

fn context(export: &Export<'_>, instance: &Instance<'_>) -> Result<Value, ExportError> {
    let service = instance.service;
    let ready = instance.becomes_ready(Otherwise::End).filter(|_| !service.is_once());
    let command = match &ready {
        None => export.behind_waits(service, Whom::Outside, service.command.for_group()),
        Some(ready) => in_background(export, service, ready),
    };
    let command = script::behind_limits(&script::own_limits(service), command);
    let command = script::behind_env_file(export, service, &command);
    // svc.startd gives the method to /sbin/sh after it has expanded its own tokens, which begin with `%`.
    let text = |text: &str| text.replace('%', "%%");
    let (command, log) = (sh::word(&command), sh::word(&instance.log));
    let method = format!("exec /bin/sh -c {command} >>{log} 2>&1");
    let mut own = xml::context(export, instance, &text(&method), &text(&service.folder))?;
    own["name"] = instance.short_name.clone().into();
    own["title"] = instance.name.clone().into();
    own["stop_signal"] = short_name(service.policy.stop_signal).into();
    let start_seconds = service.ready_seconds()
        + service.delay_seconds().unwrap_or_default()
        + export.outside_seconds(service)
        + 5;
    own["duration"] = match ready {
        _ if service.is_once() => "transient",
        // The method returns, and its processes are the service.
        Some(_) => "contract",
        None => "child",
    }
    .into();
    own["start_seconds"] = if service.is_once() {
        0
    } else if ready.is_some() {
        start_seconds
    } else {
        60
    }
    .into();
    Ok(own)
}

/// Returns shell text that starts the command and ends when it is ready.
fn in_background(export: &Export<'_>, service: &Service<'_>, ready: &str) -> String {
    let waits = export.wait_line(service, Whom::Outside).map(|waits| format!("{waits}; "));
    // Without job control a shell starts what is in the background deaf to these.
    let is_deaf = matches!(service.policy.stop_signal, Signal::INT | Signal::QUIT);
    let job_control = if is_deaf { "set -m; " } else { "" };
    let command = sh::word(service.command.for_group());
    format!("{}{job_control}/bin/sh -c {command} & {ready}", waits.unwrap_or_default())
}
