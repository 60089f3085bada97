//! `pm logs --runs`: the runs that are kept.

use jiff::{Timestamp, tz::TimeZone};
use schemars::JsonSchema;
use serde::Serialize;

use super::json::rfc3339;
use crate::cli::columns::columns;
use crate::cli::json::CommandAnswer;
use crate::state::runs::Run;

const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// The answer of `pm logs --runs`.
#[derive(Debug)]
pub(super) struct RunsAnswer {
    pub(super) runs: Vec<Run>,
    pub(super) zone: TimeZone,
}

/// The runs that are kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct KeptRuns {
    /// The runs, the oldest first.
    runs: Vec<KeptRunEntry>,
}

/// A run that is kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::cli) struct KeptRunEntry {
    /// What `--run` takes.
    number: u32,
    /// When it began, in RFC 3339 with milliseconds.
    start: Option<String>,
    /// When it ended; null while it runs. Where pm was killed, when it last wrote.
    end: Option<String>,
    /// It still runs.
    running: bool,
    /// Why and how it ended, for people.
    verdict: String,
    /// The exit code of pm; null where it runs or was killed.
    code: Option<i32>,
    /// The process id of pm.
    pid: u32,
    /// What was typed.
    command: Vec<String>,
    /// Bytes on the disk.
    size: u64,
}

impl CommandAnswer for RunsAnswer {
    type Object = KeptRuns;

    fn text(&self) -> Vec<u8> {
        table(&self.runs, &self.zone).into_bytes()
    }

    fn object(self) -> KeptRuns {
        KeptRuns { runs: self.runs.iter().map(|run| entry(run, &self.zone)).collect() }
    }
}

fn entry(run: &Run, zone: &TimeZone) -> KeptRunEntry {
    KeptRunEntry {
        number: run.number,
        start: rfc3339(run.start.at, zone),
        end: run.ended_at().and_then(|at| rfc3339(at, zone)),
        running: run.is_alive,
        verdict: verdict(run),
        code: run.end.as_ref().map(|end| end.code),
        pid: run.start.pid,
        command: run.start.command.clone(),
        size: run.size,
    }
}

fn table(runs: &[Run], zone: &TimeZone) -> String {
    let head = ["RUN", "START", "END", "SIZE", "VERDICT"].map(str::to_owned).to_vec();
    let row = |run: &Run| {
        let end = run.ended_at().map_or_else(|| "-".to_owned(), |at| time(at, zone));
        vec![run.number.to_string(), time(run.start.at, zone), end, size(run.size), verdict(run)]
    };
    columns(&[head].into_iter().chain(runs.iter().map(row)).collect::<Vec<_>>())
}

/// Returns why and how a run ended.
pub(super) fn verdict(run: &Run) -> String {
    match &run.end {
        _ if run.is_alive => "running".to_owned(),
        None => "pm was killed".to_owned(),
        Some(end) => match (&end.verdict, end.code) {
            (Some(verdict), _) => verdict.clone(),
            (None, 0) => "exit code 0".to_owned(),
            (None, code) => format!("exit code {code}"),
        },
    }
}

/// Returns a time in milliseconds since 1970, as people read it.
pub(super) fn time(at: i64, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default().to_zoned_datetime(zone.clone());
    jiff::fmt::strtime::format(TIME, &at).unwrap_or_default()
}

fn size(bytes: u64) -> String {
    match bytes.div_ceil(1 << 10) {
        kib @ 0..10240 => format!("{kib}K"),
        kib => format!("{}M", kib >> 10),
    }
}
