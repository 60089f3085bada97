//! s6: a service folder for each instance, for s6-svscan (skarnet.org/software/s6/servicedir.html), or the source of
//! a database of [`s6-rc`](rc). Proven on 2.13.

mod rc;

use serde_json::Value;

use super::script;
use super::service_folder::{self, Extra, FolderRules};
use super::{Addresses, Asks, Can, Feature, Format, Logs, Runs, SocketFor, Starts};
use crate::app::{Milestone, Signal};
use crate::export::ServiceTree;
use crate::export::context::{Export, Instance};
use crate::export::needs::{Need, Whom};
use crate::export::quote::sh;

pub(crate) const FORMAT: Format = Format {
    name: "s6",
    when: "s6 as init or inside a container (s6-overlay): supervision with a kill timeout",
    install: "copy the service folders to the scanned folder, then `s6-svscanctl -a SCANDIR`; with `--s6-rc`: \
              `s6-rc-compile COMPILED DIR`, `s6-rc-update COMPILED`, then `s6-rc -u change APP`",
    templates: &[
        ("run.j2", include_str!("../../templates/s6/run.j2")),
        ("log-run.j2", include_str!("../../templates/s6/log-run.j2")),
        ("finish.j2", include_str!("../../templates/s6/finish.j2")),
        ("check.j2", include_str!("../../templates/s6/check.j2")),
        ("up.j2", include_str!("../../templates/s6/up.j2")),
        ("contents.j2", include_str!("../../templates/s6/contents.j2")),
    ],
    paths: &[
        "APP.env",
        "APP-TYPE.env",
        "APP-TYPE-N/run",
        "APP-TYPE-N/log/run",
        "APP-TYPE-N/finish",
        "APP-TYPE-N/data/check",
        "APP-TYPE-N/notification-fd",
        "APP-TYPE-N/timeout-kill",
        "APP-TYPE-N/down-signal",
        "APP-TYPE-N/type",
        "APP-TYPE-N/up",
        "APP-TYPE-N/timeout-up",
        "APP-TYPE-N/producer-for",
        "APP-TYPE-N/dependencies.d/APP-TYPE-N",
        "APP-TYPE-N-log/run",
        "APP-TYPE-N-log/type",
        "APP-TYPE-N-log/consumer-for",
        "APP/type",
        "APP/contents",
    ],
    runs: Runs::Programs,
    has_user_scope: false,
    has_sandbox: false,
    logs: Logs::Consumer,
    leaves_out: &[Feature::Memory, Feature::Release, Feature::CpuTime],
    asks: Can {
        readiness: true,
        delay: true,
        others: Asks::Notify,
        starts: Starts::Told,
        ends: true,
        ..Can::SCRIPT
    },
    addresses: Addresses { socket: SocketFor::One, ..Addresses::APART },
    checkers: &[script::SHELL_CHECKER],
    render: |export| match export.options.service_tree {
        ServiceTree::Scanned => service_folder::render(export, &S6_SUPERVISE),
        ServiceTree::Compiled => rc::render(export),
    },
};

const S6_SUPERVISE: FolderRules = FolderRules {
    extras: |_, instance| extras(instance),
    context: add_to_run,
    wait,
    logger: "/log/run",
    beside_logger: |_| Vec::new(),
};

/// Where the program that asks writes to; s6-supervise reads the other end.
const NOTIFICATION_FD: &str = "3\n";

fn extras(instance: &Instance<'_>) -> Vec<Extra> {
    let service = instance.service;
    let signal = service.policy.stop_signal;
    let bare = |name: &str, contents: String| Extra::Bare(name.to_owned(), contents);
    let mut extras = vec![bare("timeout-kill", format!("{}\n", service.stop_seconds() * 1000))];
    if signal != Signal::TERM {
        extras.push(bare("down-signal", format!("{signal}\n")));
    }
    if tells_readiness(instance) {
        extras.push(bare("notification-fd", NOTIFICATION_FD.to_owned()));
        extras.push(Extra::Script("data/check", "check.j2"));
    }
    extras
}

/// Returns whether s6 learns when an instance is ready.
fn tells_readiness(instance: &Instance<'_>) -> bool {
    instance.is_ready().is_some() || instance.service.delay_seconds().is_some()
}

fn add_to_run(export: &Export<'_>, instance: &Instance<'_>, own: &mut Value) {
    let service = instance.service;
    let command = add_socket(instance, own);
    own["wait_line"] = Value::Null;
    if tells_readiness(instance) {
        // s6-notifyoncheck counts the time from its start: what is waited for has been there before.
        let waits = export.wait_line(service, Whom::Outside);
        own["wait_line"] = waits.map(|line| sh::word(&line)).into();
        add_readiness(instance, &command, own);
    } else {
        let command = export.behind_waits(service, Whom::Outside, &command);
        own["command"] = sh::word(&command).into();
    }
}

/// Adds the program that listens and becomes the next with the socket as its standard input (s6-networking,
/// s6-tcpserver-socketbinder), and returns the command, which gets it as descriptor 3.
fn add_socket(instance: &Instance<'_>, own: &mut Value) -> String {
    let service = instance.service;
    let command = service.for_one_process();
    own["binder"] = Value::Null;
    let Some(socket) = service.socket else { return command };
    let host = if socket.host == "localhost" { "127.0.0.1" } else { socket.host };
    own["binder"] = format!("-b 4096 -B {} {}", sh::word(host), socket.port).into();
    let name = sh::word(service.name);
    format!(
        "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_FDNAMES={name} PM_LISTEN_FD=3 LISTEN_PID=$$; {command}"
    )
}

fn add_readiness(instance: &Instance<'_>, command: &str, own: &mut Value) {
    let service = instance.service;
    let delay_seconds = service.delay_seconds().unwrap_or_default();
    // Where there is only a time to wait for, the first question comes after it.
    let check = instance.is_ready().unwrap_or_else(|| "exit 0".to_owned());
    let folder = sh::word(&service.folder);
    own["check"] = sh::word(&check).into();
    own["delay_ms"] = (delay_seconds * 1000).max(20).into();
    own["ready_ms"] = ((delay_seconds + service.ready_seconds()) * 1000).into();
    own["checked_command"] = sh::word(&format!("cd {folder} || exit 1; {command}")).into();
}

fn wait(need: &Need<'_>, unit: &str) -> Option<String> {
    let milliseconds =
        (need.service.ready_seconds() + need.service.delay_seconds().unwrap_or_default()) * 1000;
    let is_told = need.instances.first().is_some_and(tells_readiness);
    Some(match need.milestone {
        Milestone::Done => service_folder::done(unit),
        // It may have come and gone.
        Milestone::Started if need.service.is_once() => service_folder::done(unit),
        Milestone::Ready if is_told => {
            format!("s6-svwait -U -t {milliseconds} '../{unit}' || exit 1")
        }
        Milestone::Ready | Milestone::Started => {
            format!("s6-svwait -u -t {milliseconds} '../{unit}' || exit 1")
        }
    })
}
