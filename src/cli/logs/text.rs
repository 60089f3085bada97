//! Lines of a log as `pm start` shows them.

use std::collections::HashMap;

use jiff::{Timestamp, tz::TimeZone};

use crate::cli::sources::Sources;
use crate::control::proto::Report;
use crate::os;
use crate::output::{
    Fragment, LabelId, Level, LineAssembler, Look, SYSTEM, TextRenderer, without_escapes,
};

const TIME: &str = "%H:%M:%S";

/// Whose lines a log has.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Cast {
    /// The instances.
    pub(in crate::cli) names: Vec<String>,
    /// The process types, in the order of the Procfile.
    pub(in crate::cli) types: Vec<String>,
    /// Those of them whose instances have a terminal.
    pub(in crate::cli) terminals: Vec<String>,
}

impl From<&Report> for Cast {
    fn from(report: &Report) -> Self {
        Self {
            names: report.instances.iter().map(|instance| instance.name.clone()).collect(),
            types: report.types.clone(),
            terminals: report.terminals.clone(),
        }
    }
}

/// How the lines look.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Dress {
    /// Colour the prefix.
    pub(in crate::cli) color: bool,
    /// Names and times before the lines.
    pub(in crate::cli) prefix: bool,
    /// The time before the name.
    pub(in crate::cli) time: bool,
    /// Without escape sequences.
    pub(in crate::cli) plain: bool,
    /// They are seen on a terminal.
    pub(in crate::cli) is_terminal: bool,
}

/// Shows lines, whole or in pieces.
pub(in crate::cli) struct LogView {
    renderer: TextRenderer,
    zone: TimeZone,
    dress: Dress,
    speakers: Speakers,
    /// The run that the last line of each instance is of.
    runs: HashMap<String, u32>,
    /// Of the time that is shown.
    second: Option<i64>,
}

/// Those who have spoken.
struct Speakers {
    cast: Cast,
    is_terminal: bool,
    system: LabelId,
    known: HashMap<String, (LabelId, LineAssembler)>,
}

impl Speakers {
    /// Returns an instance, or pm where the name is empty or `system`.
    fn get(&mut self, name: &str, renderer: &mut TextRenderer) -> &mut (LabelId, LineAssembler) {
        if !self.known.contains_key(name) {
            let process_type = name.rsplit_once('.').map_or(name, |(process_type, _)| process_type);
            let color = self.cast.types.iter().position(|known| known == process_type);
            let label = match name {
                "" | SYSTEM => self.system,
                _ => renderer.label(name, color.or(Some(self.cast.types.len()))),
            };
            let has_terminal = self.cast.terminals.iter().any(|known| known == process_type);
            let lines = match has_terminal || self.is_terminal {
                true => LineAssembler::filtered(),
                false => LineAssembler::unchanged(),
            };
            self.known.insert(name.to_owned(), (label, lines));
        }
        let known = self.known.get_mut(name);
        known.unwrap_or_else(|| unreachable!("it was inserted above"))
    }
}

impl LogView {
    /// Makes one for stderr.
    pub(in crate::cli) fn beside_errors(sources: &Sources, report: &Report) -> Self {
        let is_terminal = sources.stderr_is_terminal;
        let (color, prefix, time, plain) = (false, true, false, false);
        let dress = Dress { color, prefix, time, plain, is_terminal };
        Self::new(report.into(), dress, os::zone::local(sources.var("TZ").is_some()))
    }

    /// Makes one that shows times of this zone.
    pub(in crate::cli) fn new(cast: Cast, dress: Dress, zone: TimeZone) -> Self {
        let longest = cast.names.iter().map(String::len).max();
        let mut renderer = TextRenderer::new(Look {
            color: dress.color,
            timestamp: None,
            prefix: dress.prefix,
            width: longest.unwrap_or(0).max(SYSTEM.len()),
        });
        let system = renderer.label(SYSTEM, None);
        let is_terminal = dress.is_terminal;
        let speakers = Speakers { cast, is_terminal, system, known: HashMap::new() };
        Self { renderer, zone, dress, speakers, runs: HashMap::new(), second: None }
    }

    /// Appends what the bytes of an instance show, which may be pieces of lines.
    pub(in crate::cli) fn output(&mut self, name: &str, at: i64, bytes: &[u8], out: &mut Vec<u8>) {
        self.set_time(at);
        let (label, lines) = self.speakers.get(name, &mut self.renderer);
        match self.dress.plain {
            true => self.renderer.show(*label, lines, &without_escapes(bytes), out),
            false => self.renderer.show(*label, lines, bytes, out),
        };
    }

    /// Appends a piece of a line that may go on.
    pub(super) fn piece(&mut self, name: &str, at: i64, bytes: &[u8], out: &mut Vec<u8>) {
        self.output(name, at, bytes, out);
        let (label, lines) = self.speakers.get(name, &mut self.renderer);
        lines.silence(|piece| self.renderer.put(*label, piece, out));
    }

    /// Appends a line of pm's own, about an instance or the session.
    pub(super) fn say(&mut self, name: &str, at: i64, level: Level, text: &str, out: &mut Vec<u8>) {
        self.set_time(at);
        self.say_now(name, level, text, out);
    }

    /// The same with the time of the line before.
    pub(super) fn say_now(&mut self, name: &str, level: Level, text: &str, out: &mut Vec<u8>) {
        let (label, _) = self.speakers.get(name, &mut self.renderer);
        self.renderer.say(*label, level, text, out);
    }

    /// Takes the run that the next line of an instance is of, and ends the run before.
    pub(super) fn is_of_run(&mut self, name: &str, run: u32, out: &mut Vec<u8>) {
        if self.runs.get(name) != Some(&run) {
            self.end_run(name, out);
            self.runs.insert(name.to_owned(), run);
        }
    }

    /// Appends the unfinished line of a run that has ended. The colours that it left on do not apply to the next run.
    pub(super) fn end_run(&mut self, name: &str, out: &mut Vec<u8>) {
        if let Some((label, lines)) = self.speakers.known.get_mut(name) {
            lines.end(|piece| self.renderer.put(*label, piece, out));
        }
    }

    /// Appends the unfinished lines.
    pub(in crate::cli) fn end(&mut self, out: &mut Vec<u8>) {
        for (label, lines) in self.speakers.known.values_mut() {
            lines.end(|piece| self.renderer.put(*label, piece, out));
            self.renderer.put(*label, Fragment::Restarted, out);
        }
    }

    fn set_time(&mut self, at: i64) {
        let second = at.div_euclid(1000);
        if self.dress.time
            && self.second != Some(second)
            && let Ok(at) = Timestamp::from_second(second)
        {
            self.second = Some(second);
            let at = at.to_zoned_datetime(self.zone.clone());
            let time = jiff::fmt::strtime::format(TIME, &at).unwrap_or_default();
            self.renderer.set_time(&time);
        }
    }
}
