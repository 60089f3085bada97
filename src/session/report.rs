//! The report of `pm status`: the state of every instance, and its memory and CPU time.

use std::collections::HashMap;
use std::path::PathBuf;

use super::fronts::{self, RunPorts, SessionFronts};
use super::last_exits::LastExits;
use super::readiness::SessionProbes;
use super::watching::SessionWatch;
use crate::app::{App, Exit, Moment, Stdio};
use crate::control::outbox::Outbox;
use crate::control::proto::{
    FileWatchStatus, InstanceState, InstanceStatus, ProxyStatus, ProxyTraffic, ReplacementRun,
    ReplacementStatus, Report, Response,
};
use crate::os::job_control;
use crate::os::usage::{LookDepth, UsageReader, UsageRoot};
use crate::proxy::{FrontFigures, SECONDS};
use crate::supervisor::{Doing, Status, Supervisor};

/// Where a session comes from.
#[derive(Debug)]
pub(super) struct SessionOrigin {
    /// Its Procfile, absolute and without symbolic links.
    pub(super) procfile: PathBuf,
    /// When it began, in milliseconds since 1970.
    pub(super) started: i64,
    /// Who started it: `terminal`, `daemon`, or the name of the program that did.
    pub(super) by: String,
}

/// What the session knows of its instances beside what the supervisor does.
#[derive(Clone, Copy)]
pub(super) struct InstanceFacts<'a> {
    pub(super) readiness: &'a SessionProbes,
    pub(super) watching: &'a SessionWatch,
    pub(super) ends: &'a LastExits,
    pub(super) fronts: &'a SessionFronts,
    pub(super) ports: &'a RunPorts,
}

/// Returns the state of every instance.
pub(super) fn of(
    core: &Supervisor,
    known: InstanceFacts<'_>,
    origin: &SessionOrigin,
    now: Moment,
) -> Report {
    let InstanceFacts { readiness, watching, ends, fronts, ports } = known;
    let app = core.app();
    let figures = fronts.figures();
    let statuses = core.status(now);
    let proxies = proxies(app, &statuses, fronts, &figures);
    let instances = statuses.into_iter().map(|status| {
        let (state, restart_in, end) = state_of(status.doing);
        let served = fronts::figures_of(&figures, status.id);
        let detail = readiness.of_run(status.run).filter(|_| status.pid.is_some());
        let replacement = replacement(&status, readiness, ports);
        let has_ready = app.type_of(status.id).policy.ready.is_some();
        InstanceStatus {
            name: app.name_of(status.id),
            state,
            ready: has_ready.then_some(status.doing == Doing::Ready),
            waits_for: status.waits_for.iter().map(|id| app.name_of(*id)).collect(),
            probe: detail.and_then(|detail| detail.probe.clone()),
            last_answer: detail.and_then(|detail| detail.answer.clone()),
            status: detail.and_then(|detail| detail.status.clone()),
            watching: file_watch(core, watching, &status),
            pid: status.pid,
            port: ports.of_run(status.run).or_else(|| app.port_of(status.id)),
            uptime: status.uptime.map(|uptime| uptime.as_secs_f64()),
            restarts: status.restarts,
            restart_in,
            end: end.as_ref().map(Exit::to_string),
            replacement,
            last_exit: ends.of(status.id),
            rss: None,
            cpu: None,
            figures: None,
            requests: served.map(|of| of.requests),
            in_flight: served.map(|of| of.in_flight),
            errors_5xx: served.map(|of| of.errors_5xx),
        }
    });
    let has_terminal = app.types.iter().filter(|known| known.stdio == Stdio::Terminal);
    Report {
        session: i32::try_from(std::process::id()).unwrap_or_default(),
        root: app.root.to_string_lossy().into_owned(),
        procfile: origin.procfile.to_string_lossy().into_owned(),
        base: Some(app.base_port),
        started: Some(origin.started),
        by: Some(origin.by.clone()),
        ending: core.is_ending(),
        sampled: None,
        types: app.types.iter().map(|known| known.name.clone()).collect(),
        terminals: has_terminal.map(|known| known.name.clone()).collect(),
        scaled_to_zero: core.scaled_to_zero().map(|at| app.types[at].name.clone()).collect(),
        proxies,
        instances: instances.collect(),
    }
}

fn file_watch(
    core: &Supervisor,
    watching: &SessionWatch,
    status: &Status,
) -> Option<FileWatchStatus> {
    let process_type = status.id.process_type;
    let watched = watching.of(process_type)?;
    let suspended = core.is_watch_suspended(process_type);
    Some(FileWatchStatus { files: watched.files, polling: watched.is_polling, suspended })
}

/// Returns what is to be said of the second run of an instance, where it has one.
fn replacement(
    status: &Status,
    readiness: &SessionProbes,
    ports: &RunPorts,
) -> Option<ReplacementStatus> {
    let second = status.beside?;
    let detail = readiness.of_run(second.run).filter(|_| !second.is_leaving);
    let is_new = second.run.seq > status.run.seq;
    Some(ReplacementStatus {
        run: if is_new { ReplacementRun::New } else { ReplacementRun::Old },
        state: match second.is_leaving {
            true => InstanceState::Stopping,
            false => InstanceState::Starting,
        },
        pid: second.pid,
        port: ports.of_run(second.run),
        probe: detail.and_then(|detail| detail.probe.clone()),
        last_answer: detail.and_then(|detail| detail.answer.clone()),
    })
}

/// Returns the state that is shown, the seconds until a restart, and how the last run has ended.
fn state_of(doing: Doing) -> (InstanceState, Option<f64>, Option<Exit>) {
    match doing {
        Doing::Waiting => (InstanceState::Waiting, None, None),
        Doing::Blocked(_) => (InstanceState::Blocked, None, None),
        Doing::Starting | Doing::Unready => (InstanceState::Starting, None, None),
        Doing::Ready => (InstanceState::Ready, None, None),
        Doing::Up => (InstanceState::Up, None, None),
        Doing::Stopping => (InstanceState::Stopping, None, None),
        Doing::BackingOff(left) => (InstanceState::BackingOff, Some(left.as_secs_f64()), None),
        Doing::Stopped => (InstanceState::Stopped, None, None),
        Doing::Ended(exit) if exit.is_success() => (InstanceState::Done, None, Some(exit)),
        Doing::GivenUp => (InstanceState::Failed, None, Some(Exit::Code(0))),
        Doing::Ended(exit) => (InstanceState::Failed, None, Some(exit)),
    }
}

/// Returns what is to be said of each front.
fn proxies(
    app: &App,
    statuses: &[Status],
    fronts: &SessionFronts,
    figures: &[FrontFigures],
) -> Vec<ProxyStatus> {
    let one = |(process_type, port): (u16, u16)| {
        let of_type = || statuses.iter().filter(|status| status.id.process_type == process_type);
        let is_ready = |status: &&Status| matches!(status.doing, Doing::Ready | Doing::Up);
        ProxyStatus {
            name: app.types[usize::from(process_type)].name.clone(),
            port,
            ready: of_type().filter(is_ready).count(),
            instances: of_type().count(),
            in_flight: fronts::of_front(figures, process_type).map_or(0, |front| front.in_flight),
            traffic: fronts::of_front(figures, process_type).map(|front| Box::new(traffic(front))),
        }
    };
    fronts.ports().map(one).collect()
}

/// Returns what a front has answered, in the form that clients read.
fn traffic(front: &FrontFigures) -> ProxyTraffic {
    let so_far = front.seconds.iter().scan(0, |sum, count| {
        *sum += count;
        Some(*sum)
    });
    let within = SECONDS.into_iter().zip(so_far).collect();
    let answered = front.seconds.iter().sum();
    ProxyTraffic { codes: front.codes.clone(), within, answered, seconds_sum: front.seconds_sum }
}

/// Sends a report with the memory and CPU time of each instance. `helpers` are the processes that left the groups of
/// leaders.
pub(super) fn send(report: Report, helpers: HashMap<i32, Vec<i32>>, outbox: Outbox) {
    measured(report, helpers, move |report| outbox.respond(Response::Status(Box::new(report))));
}

/// Calls `then` with the same report. It measures on a thread, because with many processes this takes longer than a signal
/// may wait.
pub(super) fn measured(
    report: Report,
    helpers: HashMap<i32, Vec<i32>>,
    then: impl Fn(Report) + Clone + Send + 'static,
) {
    let bare = (report.clone(), then.clone());
    let thread = std::thread::Builder::new().name("status".into()).stack_size(256 << 10);
    let measuring = move || {
        let mut report = report;
        measure(&mut report, &helpers);
        then(report);
    };
    let started = job_control::keep_from(|| thread.spawn(measuring));
    if started.is_err() {
        let (report, then) = bare;
        then(report);
    }
}

/// If nothing can be measured, the figures are left out.
fn measure(report: &mut Report, helpers: &HashMap<i32, Vec<i32>>) {
    let Some(mut reader) = UsageReader::new() else { return };
    let measured = report.instances.iter_mut();
    let mut measured: Vec<_> =
        measured.filter_map(|instance| Some((instance.pid?, instance))).collect();
    let helpers_of = |leader| helpers.get(&leader).cloned().unwrap_or_default();
    let root = |leader| UsageRoot { leader, helpers: helpers_of(leader), group: None };
    let roots: Vec<_> = measured.iter().map(|(leader, _)| root(*leader)).collect();
    let usages = reader.look(&roots, LookDepth::default());
    for ((_, instance), usage) in measured.iter_mut().zip(usages) {
        instance.rss = usage.as_ref().map(|usage| usage.rss);
        instance.cpu = usage.as_ref().map(|usage| usage.cpu_time().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::FrontId;

    #[test]
    fn a_bound_counts_all_answers_that_came_before_it() {
        let mut seconds = [0; SECONDS.len() + 1];
        (seconds[0], seconds[2], seconds[SECONDS.len()]) = (3, 2, 1);
        let front = FrontFigures {
            front: FrontId(0),
            instances: Vec::new(),
            codes: vec![(200, 5), (503, 1)],
            in_flight: 1,
            seconds,
            seconds_sum: 20.5,
        };
        let traffic = traffic(&front);
        assert_eq!(traffic.within[..4], [(0.001, 3), (0.0025, 3), (0.005, 5), (0.01, 5)]);
        assert_eq!((traffic.within.len(), traffic.within[11]), (12, (10.0, 5)));
        assert_eq!((traffic.answered, traffic.codes), (6, vec![(200, 5), (503, 1)]));
    }
}
