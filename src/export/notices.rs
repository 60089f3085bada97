//! Notices about an export that its files do not show: what was left out, and what was assumed.

use super::formats::{SocketFor, compose, kubernetes, systemd};
use super::{Feature, Format, Image, Logs, Options, Owner, Runs, Scope};
use crate::app::{
    App, CpuLimit, InstanceId, Limits, Policy, ProcessType, Reach, Role, Signal, Update,
};

/// What the machine that exports knows of the user that the application will run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// There is no such user here.
    Unknown,
    /// Files can be given to it, or it is the one who exports.
    Reachable,
    /// Files cannot be given to it: pm is not root.
    OutOfReach,
}

/// Returns the notices of an export whose files are owned as `owners` says.
pub fn notices(
    format: &Format,
    app: &App,
    options: &Options,
    account: Account,
    mut owners: impl Iterator<Item = Owner>,
) -> Vec<String> {
    let mut notices = left_out(format, app);
    notices.extend(super::unsaid::notices(format, app, options));
    if format.name == kubernetes::FORMAT.name {
        notices.extend(kubernetes::notices(app, options));
    }
    notices.extend(of_logs(format, options));
    notices.extend(of_watch(format, app, options));
    notices.extend(of_sockets(format, app));
    notices.extend(of_fronts(format, app));
    notices.extend(super::references::notices(format, app, options));
    match format.runs {
        Runs::Containers { without_image } => {
            let builds =
                format.name == compose::FORMAT.name && matches!(options.image, Image::Build { .. });
            if !matches!(options.image, Image::Named(_)) && !builds {
                let assumed = without_image.replace("APP", &options.app.to_lowercase());
                notices.push(format!("no image was given with `--image`: {assumed}"));
            }
        }
        Runs::Programs if options.scope == Scope::System => match account {
            Account::Unknown => notices.push(format!(
                "there is no user `{}` on this machine; choose one with `-u`",
                options.user
            )),
            Account::OutOfReach if owners.any(|owner| owner == Owner::User) => {
                notices.push(format!(
                    "only root can change the owner of files: the scripts and env files must be owned by `{}`",
                    options.user
                ));
            }
            Account::OutOfReach | Account::Reachable => {}
        },
        Runs::Programs => {}
    }
    notices
}

/// Says what becomes of files that are watched.
fn of_watch(format: &Format, app: &App, options: &Options) -> Vec<String> {
    if format.name == compose::FORMAT.name {
        return compose::watch::notices(app, options);
    }
    let watched = app.types.iter().filter(|own| own.count > 0 && own.policy.watch.is_some());
    let names: Vec<_> = watched.map(|own| format!("`{}`", own.name)).collect();
    if names.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "`watch` of {} is left out: {} does not watch files",
        names.join(", "),
        format.name
    )]
}

/// Says who does not get a shared socket.
fn of_sockets(format: &Format, app: &App) -> Vec<String> {
    let name = format.name;
    let shared = app.types.iter().filter(|own| own.count > 0 && own.share_port.is_some());
    let one = |own: &ProcessType| {
        let (own_name, count) = (&own.name, own.count);
        match format.addresses.socket {
            SocketFor::All => None,
            SocketFor::One if count > 1 => Some(format!(
                "`{own_name}` is exported once, and not {count} times: {name} gives a socket to one service"
            )),
            SocketFor::One => None,
            SocketFor::Nobody => Some(format!(
                "`share-port` of `{own_name}` is left out: {name} passes no socket; let it listen on PORT"
            )),
        }
    };
    let mut notices: Vec<String> = shared.clone().filter_map(one).collect();
    if format.addresses.socket != SocketFor::Nobody && name != systemd::FORMAT.name {
        let of_all = shared.clone().filter(|own| own.policy.stop_signal_to == Reach::Group);
        notices.extend(of_all.map(|own| {
            format!(
                "`stop-signal-to` of `{}` is left out: {name} sends the stop signal to the program that has the socket",
                own.name
            )
        }));
    }
    if name == super::formats::launchd::FORMAT.name && shared.count() > 0 {
        notices.push(
            "launchd passes a socket by launch_activate_socket(3), and not as descriptor 3"
                .to_owned(),
        );
    }
    notices
}

/// Says what becomes of the one address of a type, and of restarts without a gap.
fn of_fronts(format: &Format, app: &App) -> Vec<String> {
    let name = format.name;
    if format.addresses.are_balanced {
        return Vec::new();
    }
    let mut notices = Vec::new();
    for (own, process_type) in app.types.iter().zip(0_u16..).filter(|(own, _)| own.count > 0) {
        let type_name = &own.name;
        let port = |number| app.port_of(InstanceId { process_type, number });
        if let (Some(_), Some(first), Some(last)) = (&own.front, port(1), port(own.count)) {
            let ports = if first == last {
                format!("port {first}")
            } else {
                format!("ports {first} to {last}")
            };
            notices.push(format!(
                "`proxy` of `{type_name}` is left out: {name} has none; let nginx or caddy lead to {ports}"
            ));
        }
        if own.policy.update == Update::Rolling {
            notices.push(format!(
                "`update = \"rolling\"` of `{type_name}` is left out: {name} stops an instance before it starts the next"
            ));
        }
    }
    notices
}

/// Says who keeps the logs short, where pm's own limits do not reach.
fn of_logs(format: &Format, options: &Options) -> Option<String> {
    options.log_limits.filter(|limits| limits.size > 0)?;
    match format.logs {
        Logs::Consumer => None,
        Logs::Logrotate => {
            Some(format!("to limit the logs, copy {}.logrotate to /etc/logrotate.d", options.app))
        }
        Logs::Other { setting } => Some(format!(
            "`log-size` and `log-keep` are left out: {} has its own limits, {setting}",
            format.name
        )),
    }
}

/// Says which limits of its processes the kernel does not keep.
fn of_limits(format: &Format, app: &App) -> Vec<String> {
    type Wants = fn(&Limits) -> bool;
    let name = format.name;
    let table: [(Feature, Wants, String); 4] = [
        (
            Feature::OpenFiles,
            |limits| limits.open_files.is_some(),
            format!("`nofile` is left out: {name} does not limit open files"),
        ),
        (
            Feature::Niceness,
            |limits| limits.nice.is_some(),
            format!("`nice` is left out: {name} does not set the niceness"),
        ),
        (
            Feature::CpuTime,
            |limits| matches!(limits.cpus, Some(CpuLimit::Time { .. })),
            format!("`cpus` is left out: {name} does not limit CPU time"),
        ),
        (
            Feature::CpuNumbers,
            |limits| matches!(limits.cpus, Some(CpuLimit::Numbers { .. })),
            format!("`cpus` is left out: {name} does not choose CPUs"),
        ),
    ];
    let is_wanted = |wants: Wants| app.types.iter().any(|own| own.count > 0 && wants(&own.limits));
    let missing = table
        .into_iter()
        .filter(|(feature, wants, _)| format.leaves_out.contains(feature) && is_wanted(*wants));
    missing.map(|(_, _, notice)| notice).collect()
}

fn left_out(format: &Format, app: &App) -> Vec<String> {
    let name = format.name;
    let mut notices = Vec::new();
    let left_out = |feature: Feature| format.leaves_out.contains(&feature);
    if let Some(release) = app.types.iter().find(|t| t.policy.role == Role::Release) {
        let release_name = &release.name;
        if release.count == 0 {
            notices.push(format!(
                "`{release_name}` is left out; run it before each start, or export it with `--release`"
            ));
        } else if left_out(Feature::Release) {
            notices.push(format!(
                "`{release_name}` is left out: {name} has no one-shot step; run it before each start"
            ));
        }
    }
    let default = Policy::default();
    let wanted = |wants: fn(&Policy, &Policy) -> bool| {
        app.types.iter().any(|t| t.count > 0 && wants(&t.policy, &default))
    };
    if left_out(Feature::Memory) && wanted(|policy, _| policy.memory_bytes().is_some()) {
        notices.push(format!("the memory budget is left out: {name} does not limit memory"));
    }
    if left_out(Feature::StopSignal) && wanted(|policy, _| policy.stop_signal != Signal::TERM) {
        notices.push(format!("the stop signal is left out: {name} sends TERM"));
    }
    if left_out(Feature::StopTimeout) && wanted(|policy, default| policy.grace != default.grace) {
        notices.push(format!("the timeout is left out: {name} has its own"));
    }
    if left_out(Feature::Restart)
        && wanted(|policy, default| policy.restart != default.restart && policy.role != Role::Once)
    {
        notices.push(format!("the restart policy is left out: {name} has its own"));
    }
    notices.extend(of_limits(format, app));
    notices
}
