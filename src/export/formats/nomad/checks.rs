//! What Nomad asks of a type: its ports, and with Consul a script.

use serde_json::{Value, json};

use super::is_found;
use crate::app::readiness::Probe;
use crate::export::context::{Export, Service};
use crate::export::needs::{At, PM_WAIT, http_at, one_line};
use crate::export::quote::{markup, sh};

/// Returns whether only a script can ask it, which Nomad leaves to Consul.
pub(crate) fn needs_consul(probe: &Probe) -> bool {
    match probe {
        Probe::Http(http) => http.authority.is_some() || !http.codes.is_empty(),
        Probe::Command(_) => true,
        Probe::Port(_) | Probe::Log(_) | Probe::Notify | Probe::Delay(_) => false,
    }
}

/// Returns the probes that become checks, and whether a failure restarts the task.
fn asked<'s>(service: &'s Service<'_>) -> impl Iterator<Item = (&'s Probe, bool)> {
    let live = service.policy.live.as_ref().map(|live| &live.probe);
    let ready = service.policy.ready_probes().filter(move |probe| Some(*probe) != live);
    let all = ready.map(|probe| (probe, false)).chain(live.map(|probe| (probe, true)));
    all.filter(|(probe, _)| match probe {
        Probe::Port(_) | Probe::Http(_) | Probe::Command(_) => true,
        Probe::Log(_) | Probe::Notify | Probe::Delay(_) => false,
    })
}

/// Returns whether one of them is a script.
pub(super) fn has_script(service: &Service<'_>) -> bool {
    asked(service).any(|(probe, _)| needs_consul(probe))
}

/// Returns the port that a probe asks.
fn port_of(service: &Service<'_>, probe: &Probe) -> u16 {
    match probe {
        Probe::Port(Some(port)) => *port,
        _ => service.port(),
    }
}

/// Returns the label of a port: `http` for the one that others connect to.
fn label(service: &Service<'_>, port: u16) -> String {
    if port == service.open_port() { "http".to_owned() } else { format!("p{port}") }
}

/// Returns the ports of a group: the open one, and those that are asked.
pub(super) fn ports(service: &Service<'_>, is_container: bool) -> Vec<Value> {
    if !is_found(service) {
        return Vec::new();
    }
    let asked = asked(service).filter(|(probe, _)| !needs_consul(probe));
    let mut ports = vec![service.open_port()];
    for port in asked.map(|(probe, _)| port_of(service, probe)) {
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    let port = |port: &u16| {
        // Its PORT is the one that Nomad chooses; any other is what its command says.
        let is_chosen = *port == service.port() && *port == service.open_port();
        json!({
            "label": label(service, *port),
            "to": is_container.then_some(port),
            "fixed": (!is_container && !is_chosen).then_some(port),
        })
    };
    ports.iter().map(port).collect()
}

/// Returns the checks of a type.
pub(super) fn of(service: &Service<'_>) -> Vec<Value> {
    let mut scripts = 0..;
    let check = |(probe, restarts): (&Probe, bool)| {
        let mut check = json!({ "port": null, "path": null, "script": null, "restarts": restarts });
        if needs_consul(probe) {
            check["kind"] = "script".into();
            check["script"] = scripts.next().map(script_name).into();
            return check;
        }
        let label = label(service, port_of(service, probe));
        let port = (label != "http").then_some(label);
        let path = match probe {
            Probe::Http(http) => Some(markup::hcl(&http.path)),
            _ => None,
        };
        check["kind"] = if path.is_some() { "http" } else { "tcp" }.into();
        check["port"] = port.into();
        check["path"] = path.into();
        check
    };
    asked(service).map(check).collect()
}

/// Returns the variables that hold the scripts, each with its text: Nomad would replace `${NAME}` in the arguments of a
/// check, as in those of a task.
pub(super) fn scripts(export: &Export<'_>, service: &Service<'_>) -> Vec<(String, String)> {
    let instance = export.instances_of(service).next();
    let probes = asked(service).map(|(probe, _)| probe).filter(|probe| needs_consul(probe));
    let ask = |probe: &Probe| match probe {
        Probe::Http(http) if http.authority.is_none() => {
            Some(http_at(http, At { host: "localhost", port: "\"$PORT\"" }))
        }
        probe => instance.as_ref()?.ask_itself(probe),
    };
    let folder = if super::is_container(export) {
        service.folder_below(&export.root)
    } else {
        Some(sh::word(&service.folder))
    };
    let folder = folder.map(|folder| format!("cd {folder} || exit 1; ")).unwrap_or_default();
    let asks = probes.filter_map(ask).map(|ask| {
        let call = format!("pm_wait 0 {ask} || exit 1");
        format!("{folder}{}", one_line(&[PM_WAIT.to_owned(), call]))
    });
    (0..).map(script_name).zip(asks).collect()
}

fn script_name(number: u32) -> String {
    format!("PM_CHECK_{number}")
}
