//! `pm status`: a table, or JSON.

use std::collections::HashMap;
use std::time::Duration;

use nix::poll::{PollTimeout, poll};
use nix::unistd::Pid;

use super::args::StatusArgs;
use super::find;
use crate::app::siblings;
use crate::cli::answer;
use crate::cli::columns::columns;
use crate::cli::counted::counted;
use crate::cli::json::status::StatusObject;
use crate::cli::json::{AnswerForm, CommandAnswer};
use crate::cli::sources::Sources;
use crate::control::proto::{
    FiguresQuery, FileWatchStatus, InstanceState, InstanceStatus, ProxyStatus, ReplacementRun,
    ReplacementStatus, Report,
};
use crate::error::Error;
use crate::os::listeners::InstancePorts;
use crate::session::messages::{short, with_logs};

/// What `-v` and `--json` say of instances.
const DETAILS: FiguresQuery = FiguresQuery { pss: false, details: true, past: false };
/// Time between two tables of `--watch`, in milliseconds.
const AGAIN: u16 = 1000;

/// Shows what the session does.
pub(crate) fn status(args: &StatusArgs, form: AnswerForm, sources: &Sources) -> Result<i32, Error> {
    let sessions = find::all(&args.target, sources)?;
    // Every session of the root has its say, where none is named.
    let is_of_all = args.names.is_empty() && !args.watch && form == AnswerForm::Text;
    if sessions.len() > 1 && is_of_all {
        for session in &sessions {
            let title = format!("session {}\n", session.endpoint.pid);
            answer((title + &table(&session.report, &HashMap::new())).as_bytes())?;
        }
        return Ok(0);
    }
    let who = (&args.target, sources);
    let session = find::one_of(sessions, who, &args.names, find::has_instances)?;
    let is_whole = args.verbose || form == AnswerForm::Json;
    let look = || match is_whole {
        true => find::figures(&session.endpoint, DETAILS),
        false => find::report(&session.endpoint),
    };
    let mut report = session.report;
    if is_whole {
        report = match look() {
            Ok(report) => report,
            // One of an older pm says less.
            Err(Error::Refused { .. }) if !args.verbose => report,
            Err(error) => return Err(error),
        };
    }
    let mut before = HashMap::new();
    loop {
        let chosen = find::chosen(&report, &args.names)?;
        let mut at = 0..;
        report.instances.retain(|_| at.next().is_some_and(|at| chosen.contains(&at)));
        let shown = &report.instances;
        let is_shown = |proxy: &ProxyStatus| {
            args.names.is_empty() || shown.iter().any(|it| it.process_type() == proxy.name)
        };
        report.proxies.retain(is_shown);
        let uses = report.instances.iter().filter_map(|it| Some((it.pid?, it.cpu?))).collect();
        let clears = args.watch && sources.may_clear();
        form.answer(StatusAnswer { report, before, clears, is_verbose: args.verbose })?;
        if !args.watch {
            return Ok(0);
        }
        before = uses;
        // An interrupted wait is a short one.
        let _ = poll(&mut [], PollTimeout::from(AGAIN));
        report = match look() {
            Ok(report) => report,
            // It has ended, which is what was watched.
            Err(_) => return Ok(0),
        };
    }
}

/// What a session does at a moment.
#[derive(Debug)]
struct StatusAnswer {
    report: Report,
    /// The CPU time of each process at the moment before.
    before: HashMap<i32, f64>,
    /// It takes the place of the table before.
    clears: bool,
    /// It has more columns.
    is_verbose: bool,
}

impl CommandAnswer for StatusAnswer {
    type Object = StatusObject;

    fn text(&self) -> Vec<u8> {
        let clear = if self.clears { "\x1b[H\x1b[2J" } else { "" };
        let table = match self.is_verbose {
            true => verbose_table(&self.report, &self.before),
            false => table(&self.report, &self.before),
        };
        format!("{clear}{table}").into_bytes()
    }

    fn object(self) -> StatusObject {
        StatusObject::of(self.report)
    }
}

/// Shortens a probe that would push the other columns out of sight.
fn shortened(probe: &str) -> String {
    /// Longer ones are commands and patterns.
    const LONGEST: usize = 40;
    match probe.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &probe[..end]),
        None => probe.to_owned(),
    }
}

/// Writes one line an instance. CPU is that of the time since `before`, else of its life.
fn table(report: &Report, before: &HashMap<i32, f64>) -> String {
    let head = ["NAME", "STATE", "PID", "PORT", "UPTIME", "RESTARTS", "RSS", "CPU"];
    let has_proxies = !report.proxies.is_empty();
    let of_proxy: &[&str] = if has_proxies { &["REQUESTS", "IN FLIGHT", "5XX"] } else { &[] };
    let head = head.iter().chain(of_proxy).map(|title| (*title).to_owned()).collect();
    let mut rows: Vec<Vec<String>> = vec![head];
    rows.extend(report.instances.iter().map(|instance| {
        let mut cells = row(instance, before);
        if has_proxies {
            let figures = [instance.requests, instance.in_flight, instance.errors_5xx];
            cells.extend(figures.map(|n| n.map_or_else(|| "-".to_owned(), |n| n.to_string())));
        }
        cells
    }));
    columns(&rows) + &addresses(report) + &where_to_look(report)
}

/// Writes one line for each type with one address: where it is, and how many of its instances are ready.
fn addresses(report: &Report) -> String {
    let one = |ProxyStatus { name, port, ready, instances, .. }: &ProxyStatus| {
        vec![name.clone(), siblings::url(*port), format!("{ready}/{instances}")]
    };
    let rows: Vec<_> = report.proxies.iter().map(one).collect();
    if rows.is_empty() { String::new() } else { columns(&rows) }
}

/// Writes the same with more columns.
fn verbose_table(report: &Report, before: &HashMap<i32, f64>) -> String {
    let head = ["NAME", "STATE", "PID", "PORT", "UPTIME", "RESTARTS", "RSS", "CPU"];
    let more = ["PEAK", "THREADS", "FILES", "LISTENS"];
    let mut rows: Vec<Vec<String>> =
        vec![head.into_iter().chain(more).map(str::to_owned).collect()];
    let listening = InstancePorts::look(Pid::from_raw(report.session));
    for instance in &report.instances {
        let ports = instance.pid.and_then(|pid| listening.of(Pid::from_raw(pid)));
        let mut cells = row(instance, before);
        cells.extend(details(instance, ports.unwrap_or_default()));
        rows.push(cells);
    }
    columns(&rows) + &addresses(report) + &where_to_look(report)
}

/// Returns the cells that only `-v` shows.
fn details(instance: &InstanceStatus, ports: Vec<u16>) -> [String; 4] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let figures = instance.figures.as_deref().cloned().unwrap_or_default();
    let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
    [
        or_dash(figures.peak.map(|bytes| format!("{}M", bytes.div_ceil(1 << 20)))),
        or_dash(figures.threads.map(|count| count.to_string())),
        or_dash(figures.open_files.map(|count| count.to_string())),
        or_dash((!ports.is_empty()).then(|| ports.join(","))),
    ]
}

/// Returns the table of `pm ps`. CPU is that of each life.
pub(crate) fn plain_table(report: &Report) -> String {
    table(report, &HashMap::new())
}

/// How many failures are explained.
const EXPLAINED: usize = 3;

/// Says how to see what those wrote last that have failed.
fn where_to_look(report: &Report) -> String {
    let failed = report.instances.iter().filter(|it| it.state == InstanceState::Failed);
    let one = |instance: &InstanceStatus| {
        let end = instance.end.as_deref().unwrap_or("failed");
        with_logs(format!("{}: {end}", instance.name), &instance.name) + "\n"
    };
    failed.take(EXPLAINED).map(one).collect()
}

fn row(instance: &InstanceStatus, before: &HashMap<i32, f64>) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let seconds = |seconds: f64| short(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let up = || instance.uptime.map(&seconds).unwrap_or_default();
    let state = match (instance.state, &instance.end, instance.restart_in) {
        (InstanceState::Failed, Some(end), _) => format!("failed ({end})"),
        (state @ (InstanceState::Waiting | InstanceState::Blocked), ..)
            if !instance.waits_for.is_empty() =>
        {
            format!("{} {}", state.word(), instance.waits_for.join(", "))
        }
        (InstanceState::Starting, ..) if let Some(probe) = &instance.probe => {
            format!("starting {} {}", shortened(probe), up())
        }
        (state, _, Some(left)) => format!("{} ({})", state.word(), seconds(left)),
        (state, _, None) => state.word().to_owned(),
    };
    let state = match instance.watching {
        Some(FileWatchStatus { suspended: true, .. }) => format!("{state}, watching suspended"),
        Some(FileWatchStatus { polling: true, .. }) => format!("{state}, polling"),
        Some(_) if instance.state == InstanceState::Done => format!("{state}, watching"),
        Some(FileWatchStatus { files, .. }) => {
            format!("{state}, watching {}", counted(files, "file"))
        }
        None => state,
    };
    let state = match &instance.replacement {
        Some(second) => format!("{state}, {}", replacement(second)),
        None => state,
    };
    // What the program says of itself (sd_notify(3)).
    let state = match &instance.status {
        Some(text) => format!("{state} ({text})"),
        None => state,
    };
    vec![
        instance.name.clone(),
        state,
        or_dash(instance.pid.map(|pid| pid.to_string())),
        or_dash(instance.port.map(|port| port.to_string())),
        or_dash(instance.uptime.map(seconds)),
        instance.restarts.to_string(),
        or_dash(instance.rss.map(|bytes| format!("{}M", bytes.div_ceil(1 << 20)))),
        or_dash(cpu(instance, before).map(|share| format!("{:.0}%", share * 100.0))),
    ]
}

/// Says what the second run of an instance does.
fn replacement(second: &ReplacementStatus) -> String {
    let which = match second.run {
        ReplacementRun::New => "new",
        ReplacementRun::Old => "old",
    };
    let probe = second.probe.as_deref().map(|probe| format!(" {}", shortened(probe)));
    format!("{which} one {}{}", second.state.word(), probe.unwrap_or_default())
}

fn cpu(instance: &InstanceStatus, before: &HashMap<i32, f64>) -> Option<f64> {
    let now = instance.cpu?;
    match before.get(&instance.pid?) {
        Some(before) => Some((now - before).max(0.0) * 1000.0 / f64::from(AGAIN)),
        None => instance.uptime.filter(|uptime| *uptime > 0.0).map(|uptime| now / uptime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An instance of each kind: one that is up, one that has failed, one that starts and one that waits.
    fn one_of_each() -> Vec<InstanceStatus> {
        let restarted =
            |name: &str, state| InstanceStatus { restarts: 2, ..InstanceStatus::of(name, state) };
        vec![
            InstanceStatus {
                pid: Some(41),
                port: Some(5000),
                uptime: Some(80.0),
                rss: Some(50 << 20),
                cpu: Some(8.0),
                ..restarted("web.1", InstanceState::Up)
            },
            InstanceStatus {
                port: Some(5100),
                end: Some("exited with code 3".into()),
                ..restarted("worker.1", InstanceState::Failed)
            },
            InstanceStatus {
                ready: Some(false),
                probe: Some("notify".into()),
                status: Some("loading 42 models".into()),
                pid: Some(42),
                uptime: Some(3.0),
                ..InstanceStatus::of("boot.1", InstanceState::Starting)
            },
            InstanceStatus {
                waits_for: vec!["boot.1".into()],
                ..InstanceStatus::of("late.1", InstanceState::Waiting)
            },
        ]
    }

    #[test]
    fn the_table_has_one_line_per_instance() {
        let report =
            Report { types: vec!["web".into(), "worker".into()], ..Report::of(one_of_each()) };
        assert_eq!(
            table(&report, &HashMap::new()),
            "NAME      STATE                                   PID  PORT  UPTIME  RESTARTS  RSS  CPU\n\
             web.1     up                                      41   5000  1m 20s  2         50M  10%\n\
             worker.1  failed (exited with code 3)             -    5100  -       2         -    -\n\
             boot.1    starting notify 3s (loading 42 models)  42   -     3s      0         -    -\n\
             late.1    waiting boot.1                          -    -     -       0         -    -\n\
             worker.1: exited with code 3; see `pm logs worker.1 -n 50`\n"
        );
        let table = table(&report, &HashMap::from([(41, 7.5)]));
        assert!(table.contains("50M  50%"), "{table}");
    }

    #[test]
    fn a_type_with_one_address_has_a_line_and_its_instances_their_figures() {
        let one = |name: &str, figures: Option<[u64; 3]>| InstanceStatus {
            port: Some(5001),
            requests: figures.map(|of| of[0]),
            in_flight: figures.map(|of| of[1]),
            errors_5xx: figures.map(|of| of[2]),
            ..InstanceStatus::of(name, InstanceState::Ready)
        };
        let proxies = vec![ProxyStatus {
            name: "web".into(),
            port: 5000,
            ready: 3,
            instances: 4,
            in_flight: 2,
            traffic: None,
        }];
        let report = Report {
            types: vec!["web".into(), "job".into()],
            proxies,
            ..Report::of(vec![one("web.1", Some([137, 2, 31])), one("job.1", None)])
        };
        assert_eq!(
            table(&report, &HashMap::new()),
            "NAME   STATE  PID  PORT  UPTIME  RESTARTS  RSS  CPU  REQUESTS  IN FLIGHT  5XX\n\
             web.1  ready  -    5001  -       0         -    -    137       2          31\n\
             job.1  ready  -    5001  -       0         -    -    -         -          -\n\
             web  http://localhost:5000  3/4\n"
        );
    }

    #[test]
    fn an_instance_that_is_replaced_says_what_its_second_run_does() {
        let second = |run, state, probe: Option<&str>| ReplacementStatus {
            run,
            state,
            pid: Some(42),
            port: Some(5051),
            probe: probe.map(str::to_owned),
            last_answer: None,
        };
        let table = [
            (
                second(ReplacementRun::New, InstanceState::Starting, Some("http:/up")),
                "ready, new one starting http:/up",
            ),
            (second(ReplacementRun::New, InstanceState::Stopping, None), "ready, new one stopping"),
            (second(ReplacementRun::Old, InstanceState::Stopping, None), "ready, old one stopping"),
        ];
        for (second, expected) in table {
            let web = InstanceStatus {
                replacement: Some(second),
                ..InstanceStatus::of("web.1", InstanceState::Ready)
            };
            assert_eq!(row(&web, &HashMap::new())[1], expected);
        }
    }
}
