//! What a group waits for: other groups, which Nomad's catalogue of services finds, and what runs once, which is a
//! part of each group that depends on it.

use super::{checks, is_found, service_name};
use crate::app::Milestone;
use crate::app::readiness::Probe;
use crate::export::context::{Export, Service};
use crate::export::needs::{At, Need, PM_WAIT, Whom, http_at, one_line, port_at};

/// What a task waits for before its command.
pub(super) struct Waits {
    /// One line of shell.
    pub(super) line: String,
    /// The services whose instances it reads from a file of their name: each with the words of consul-template
    /// that list them.
    pub(super) found: Vec<(String, String)>,
}

/// Returns whether something depends on a type.
pub(super) fn is_waited_for(export: &Export<'_>, service: &Service<'_>) -> bool {
    let needs = |other: &Service<'_>| {
        export.needs_of(other).iter().any(|need| need.service.position == service.position)
    };
    export.services.iter().any(needs)
}

/// Returns what runs once before a type, directly or not, in the order of the Procfile.
pub(super) fn once_before<'s>(
    export: &'s Export<'s>,
    service: &Service<'_>,
) -> Vec<&'s Service<'s>> {
    let mut found: Vec<&Service<'_>> = Vec::new();
    let mut to_visit = vec![service.position];
    while let Some(position) = to_visit.pop() {
        let of = export.services.iter().find(|other| other.position == position);
        for need in of.into_iter().flat_map(|of| export.needs_of(of)) {
            let is_new = found.iter().all(|other| other.position != need.service.position);
            if need.service.is_once() && is_new {
                found.push(need.service);
                to_visit.push(need.service.position);
            }
        }
    }
    found.sort_by_key(|service| service.position);
    found
}

/// Returns what a type waits for, but for what runs once where `has_parts`: a task waits for those before it.
pub(super) fn waits(export: &Export<'_>, service: &Service<'_>, parts: Parts) -> Option<Waits> {
    let mut calls = Vec::new();
    let mut found = Vec::new();
    for need in export.needs_of(service) {
        let of = need.service;
        if of.is_once() {
            calls.extend(
                (parts == Parts::Beside)
                    .then(|| format!("until [ -e \"{}\" ]; do sleep 1; done", mark(of))),
            );
        } else if is_found(of) {
            let name = service_name(&export.options.app, of.name);
            calls.extend(wait_for(&need, &name));
            let list = if checks::has_script(of) { "service" } else { "nomadService" };
            if found.iter().all(|(other, _)| *other != name) {
                let words = format!(
                    "{{{{ range {list} \"{name}\" }}}}{{{{ .Address }}}} {{{{ .Port }}}}\n{{{{ end }}}}"
                );
                found.push((name, words));
            }
        }
    }
    calls.extend(export.calls(service, Whom::OutsideOfContainer));
    if calls.is_empty() {
        return None;
    }
    if calls.iter().any(|call| call.contains("pm_wait ")) {
        calls.insert(0, PM_WAIT.to_owned());
    }
    Some(Waits { line: one_line(&calls), found })
}

/// Where what runs once before a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parts {
    /// It has ended when the task starts.
    Before,
    /// It starts at the same time.
    Beside,
}

/// Returns the file that tells the tasks of a group that something has ended well.
pub(super) fn mark(service: &Service<'_>) -> String {
    format!("$NOMAD_ALLOC_DIR/{}.done", service.name)
}

/// Returns shell text that waits for the instances of a service, whose addresses stand in a file.
fn wait_for(need: &Need<'_>, name: &str) -> Vec<String> {
    let file = format!("\"$NOMAD_TASK_DIR/{name}\"");
    let count = need.instances.len();
    let all = format!("until [ \"$(grep -c . {file})\" -ge {count} ]; do sleep 1; done");
    if need.milestone == Milestone::Started {
        return vec![all];
    }
    let at = At { host: "\"$pm_host\"", port: "\"$pm_port\"" };
    let of = need.service;
    let requests = of.policy.ready_probes().filter_map(|probe| match probe {
        Probe::Http(http) if http.authority.is_none() && of.open_port() == of.port() => {
            Some(http_at(http, at))
        }
        _ => None,
    });
    let asks = [port_at(at)].into_iter().chain(requests);
    let seconds = of.ready_seconds();
    let asks: Vec<String> = asks.map(|ask| format!("pm_wait {seconds} {ask} || exit 1")).collect();
    let each = format!("while read -r pm_host pm_port <&3; do {}; done 3<{file}", asks.join("; "));
    vec![all, each]
}
