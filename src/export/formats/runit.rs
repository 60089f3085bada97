//! runit: a service folder for each instance (runsv(8), chpst(8), svlogd(8)). Proven on 2.2.

use super::script;
use super::service_folder::{self, Extra, FolderRules};
use super::{Addresses, Can, Feature, Format, Logs, Runs, Starts};
use crate::app::{Milestone, Signal};
use crate::export::needs::Need;

pub(crate) const FORMAT: Format = Format {
    name: "runit",
    when: "Void Linux, or runit on any other: small, reliable, restarts within a second",
    install: "move the service folders to /etc/sv and link each into the scanned folder (/var/service, /etc/service); \
              `sv -w 7 force-stop NAME` kills what does not stop",
    templates: &[
        ("run.j2", include_str!("../templates/runit/run.j2")),
        ("log-run.j2", include_str!("../templates/runit/log-run.j2")),
        ("finish.j2", include_str!("../templates/runit/finish.j2")),
        ("check.j2", include_str!("../templates/runit/check.j2")),
        ("control-t.j2", include_str!("../templates/runit/control-t.j2")),
    ],
    paths: &[
        "APP.env",
        "APP-TYPE.env",
        "APP-TYPE-N/run",
        "APP-TYPE-N/log/run",
        "APP-TYPE-N/finish",
        "APP-TYPE-N/check",
        "APP-TYPE-N/control/t",
    ],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Consumer,
    leaves_out: &[Feature::Memory, Feature::Release, Feature::StopTimeout, Feature::CpuTime],
    asks: Can { readiness: true, starts: Starts::Told, ends: true, ..Can::SCRIPT },
    addresses: Addresses::APART,
    checkers: &[script::SHELL_CHECKER],
    render: |export| service_folder::render(export, &RUNSV),
};

const RUNSV: FolderRules = FolderRules {
    extras: |_, instance| {
        // runsv itself sends TERM.
        let has_signal = instance.service.policy.stop_signal != Signal::TERM;
        let signal = has_signal.then_some(Extra::Script("control/t", "control-t.j2"));
        let check = instance.is_ready().map(|_| Extra::Script("check", "check.j2"));
        signal.into_iter().chain(check).collect()
    },
    context: |_, _, _| {},
    wait,
    logger: "/log/run",
    beside_logger: |_| Vec::new(),
};

/// `sv check` asks the `check` of a folder, and takes a service without one as ready when it runs.
fn wait(need: &Need<'_>, unit: &str) -> Option<String> {
    let has_check = need.instances.first().is_some_and(|one| one.is_ready().is_some());
    Some(match need.milestone {
        Milestone::Done => service_folder::done(unit),
        Milestone::Started if has_check => {
            format!("until sv status '../{unit}' | grep -q '^run:'; do sleep 1; done")
        }
        Milestone::Started | Milestone::Ready => {
            format!("sv -w {} check '../{unit}' || exit 1", need.service.ready_seconds())
        }
    })
}
