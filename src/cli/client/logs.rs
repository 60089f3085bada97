//! `pm logs`: recent output of the session, and new output as it comes, in the format of `pm start`.

use std::collections::HashMap;
use std::io;

use jiff::{Timestamp, tz::TimeZone};

use super::args::LogsArgs;
use super::find;
use crate::cli::answer;
use crate::cli::resolve::log_style;
use crate::cli::sources::Sources;
use crate::control::client::{Connection, Received};
use crate::control::proto::{LogQuery, Report, Request, Response};
use crate::error::Error;
use crate::os;
use crate::output::{HISTORY_LINES, LabelId, Level, LineAssembler, Look, SYSTEM, TextRenderer};

const TIME: &str = "%H:%M:%S";

/// Shows output until all is shown, or with `--follow` until the session ends.
pub(crate) fn logs(args: &LogsArgs, sources: &Sources) -> Result<i32, Error> {
    let session = find::one(&args.target, sources, &args.names, find::has_instances)?;
    let fail = |source| Error::Session { session: session.endpoint.pid, source };
    let request = Request::Logs(LogQuery {
        names: args.names.clone(),
        lines: args.lines.unwrap_or(HISTORY_LINES),
        follow: args.follow,
    });
    let mut connection = Connection::open(&session.endpoint.socket, request).map_err(fail)?;
    let mut log = LogView::new(args, sources, session.report);
    loop {
        let out = match connection.receive(None).map_err(fail)? {
            Received::Response(Response::Output { name, at, length }) => {
                log.output(&name, at, &connection.read_bytes(length).map_err(fail)?)
            }
            Received::Response(Response::Lost { lines }) => log.lost(lines),
            Received::Response(Response::Refused { reason, hint }) => {
                return Err(Error::Refused { reason, hint });
            }
            Received::Response(
                Response::Done
                | Response::Failed { .. }
                | Response::Status(_)
                | Response::Attached
                | Response::Warning { .. },
            )
            | Received::Timeout => continue,
            Received::Closed => {
                let rest = log.end();
                return shown(&rest).map(|_| 0);
            }
        };
        if shown(&out)? == Reader::Gone {
            return Ok(0);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reader {
    There,
    Gone,
}

/// A reader that has enough (`pm logs | head`) is no failure.
fn shown(bytes: &[u8]) -> Result<Reader, Error> {
    match answer(bytes) {
        Ok(()) => Ok(Reader::There),
        Err(Error::Output { source }) if source.kind() == io::ErrorKind::BrokenPipe => {
            Ok(Reader::Gone)
        }
        Err(error) => Err(error),
    }
}

/// Makes lines of what comes in pieces.
pub(super) struct LogView {
    renderer: TextRenderer,
    zone: TimeZone,
    types: Vec<String>,
    /// Those whose instances have a terminal.
    terminals: Vec<String>,
    /// What is shown is seen on a terminal.
    is_terminal: bool,
    speakers: HashMap<String, (LabelId, LineAssembler)>,
    system: LabelId,
    has_time: bool,
}

impl LogView {
    fn new(args: &LogsArgs, sources: &Sources, report: Report) -> Self {
        let color = log_style::color(args.color, sources);
        let (has_prefix, has_time) = (!args.no_prefix, !args.no_timestamp);
        Self::of(report, (color, has_prefix, has_time), sources, sources.stdout_is_terminal)
    }

    /// Makes one for stderr.
    pub(super) fn beside_errors(sources: &Sources, report: Report) -> Self {
        Self::of(report, (false, true, false), sources, sources.stderr_is_terminal)
    }

    fn of(
        report: Report,
        (color, prefix, has_time): (bool, bool, bool),
        sources: &Sources,
        is_terminal: bool,
    ) -> Self {
        let longest = report.instances.iter().map(|instance| instance.name.len()).max();
        let mut renderer = TextRenderer::new(Look {
            color,
            timestamp: None,
            prefix,
            width: longest.unwrap_or(0).max(SYSTEM.len()),
        });
        let system = renderer.label(SYSTEM, None);
        Self {
            renderer,
            zone: os::zone::local(sources.var("TZ").is_some()),
            types: report.types,
            terminals: report.terminals,
            is_terminal,
            speakers: HashMap::new(),
            system,
            has_time,
        }
    }

    pub(super) fn output(&mut self, name: &str, at: i64, bytes: &[u8]) -> Vec<u8> {
        if let Ok(at) = Timestamp::from_millisecond(at)
            && self.has_time
        {
            let at = at.to_zoned_datetime(self.zone.clone());
            let time = jiff::fmt::strtime::format(TIME, &at).unwrap_or_default();
            self.renderer.set_time(&time);
        }
        if !self.speakers.contains_key(name) {
            let process_type = name.rsplit_once('.').map_or(name, |(process_type, _)| process_type);
            let color = self.types.iter().position(|known| known == process_type);
            let label = match name {
                SYSTEM => self.system,
                _ => self.renderer.label(name, color.or(Some(self.types.len()))),
            };
            let has_terminal = self.terminals.iter().any(|known| known == process_type);
            let lines = match has_terminal || self.is_terminal {
                true => LineAssembler::filtered(),
                false => LineAssembler::unchanged(),
            };
            self.speakers.insert(name.to_owned(), (label, lines));
        }
        let mut out = Vec::new();
        if let Some((label, lines)) = self.speakers.get_mut(name) {
            self.renderer.show(*label, lines, bytes, &mut out);
        }
        out
    }

    fn lost(&mut self, lines: u64) -> Vec<u8> {
        let text = format!("{lines} lines lost: they came faster than they were read");
        // What was begun does not go on.
        let mut out = self.end();
        self.renderer.say(self.system, Level::Failure, &text, &mut out);
        out
    }

    /// Returns the unfinished lines.
    pub(super) fn end(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for (label, lines) in self.speakers.values_mut() {
            lines.end(|piece| self.renderer.put(*label, piece, &mut out));
        }
        out
    }
}
