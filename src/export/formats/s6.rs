//! s6: a service folder for each instance, for s6-svscan (skarnet.org/software/s6/servicedir.html).
//! Proven on 2.13.

use super::script;
use super::service_folder::{self, Extra};
use super::{Can, Feature, Format, Logs, Runs};
use crate::app::Signal;
use crate::export::context::Instance;

pub(crate) const FORMAT: Format = Format {
    name: "s6",
    when: "s6 as init or inside a container (s6-overlay): supervision with a kill timeout",
    install: "copy the service folders to the scanned folder, then `s6-svscanctl -a SCANDIR`",
    templates: &[
        ("run.j2", include_str!("../templates/s6/run.j2")),
        ("log-run.j2", include_str!("../templates/s6/log-run.j2")),
        ("finish.j2", include_str!("../templates/s6/finish.j2")),
    ],
    paths: &[
        "APP.env",
        "APP-TYPE.env",
        "APP-TYPE-N/run",
        "APP-TYPE-N/log/run",
        "APP-TYPE-N/finish",
        "APP-TYPE-N/timeout-kill",
        "APP-TYPE-N/down-signal",
    ],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Consumer,
    leaves_out: &[Feature::Memory, Feature::Release],
    asks: Can::SCRIPT,
    checkers: &[script::SHELL_CHECKER],
    render: |export| service_folder::render(export, extras),
};

fn extras(instance: &Instance<'_>) -> Vec<Extra> {
    let service = instance.service;
    let signal = service.policy.stop_signal;
    let mut extras =
        vec![Extra::Bare("timeout-kill", format!("{}\n", service.stop_seconds() * 1000))];
    if signal != Signal::TERM {
        extras.push(Extra::Bare("down-signal", format!("{signal}\n")));
    }
    extras
}
