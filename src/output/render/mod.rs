//! The form of a line: as text or JSON, with its name and time.

mod at_terminal;
mod clock;
mod json;
mod text;

use std::collections::HashMap;

use jiff::{Timestamp, tz::TimeZone};

use self::clock::LineClock;
pub use self::json::{EventLine, OutputLine};
pub use self::text::{End, LabelId, Look, SYSTEM, TextRenderer};
use super::assembler::LineAssembler;
use super::batch::Sink;
use super::filter::Fragment;
use super::line_filter::LineFilter;
use super::message::{About, Level, Notice};
use crate::app::InstanceId;

/// What is written.
#[derive(Clone, Debug)]
pub enum LogFormat {
    /// Lines for people.
    Text(Look),
    /// One JSON object a line.
    Json,
}

/// An instance and how it is shown.
#[derive(Clone, Debug)]
pub struct OutputSource {
    /// Which instance.
    pub id: InstanceId,
    /// `web.1`
    pub name: String,
    /// Its output is read, not shown; what pm says about it is.
    pub quiet: bool,
}

#[derive(Debug)]
enum Medium {
    Text(TextRenderer),
    Json,
}

/// Who is shown and how, and the time that lines get.
pub(super) struct Renderer {
    medium: Medium,
    clock: LineClock,
    labels: HashMap<InstanceId, (LabelId, bool)>,
    /// Names by label.
    names: Vec<String>,
    /// Positions of process types by label.
    types: Vec<Option<u16>>,
    system: LabelId,
    is_terminal: bool,
    /// Which lines of programs are shown; `None`: all.
    filter: Option<Box<LineFilter>>,
    /// How many lines did not match since a filter was begun.
    hidden: u64,
}

impl Renderer {
    /// `is_terminal`: what is shown is seen there.
    pub(super) fn new(
        format: LogFormat,
        zone: TimeZone,
        sources: Vec<OutputSource>,
        is_terminal: bool,
    ) -> Self {
        let (medium, system, time) = match format {
            LogFormat::Text(look) => {
                let time = look.timestamp.clone().filter(|_| look.prefix);
                let mut text = TextRenderer::new(look);
                let system = text.label(SYSTEM, None);
                (Medium::Text(text), system, time)
            }
            LogFormat::Json => (Medium::Json, LabelId::nth(0), Some(JSON_TIME.to_owned())),
        };
        let clock = LineClock::new(time, zone);
        let (names, types, labels) = (vec![SYSTEM.to_owned()], vec![None], HashMap::new());
        let (filter, hidden) = (None, 0);
        let mut renderer =
            Self { medium, clock, labels, names, types, system, is_terminal, filter, hidden };
        for source in sources {
            let _ = renderer.add(source);
        }
        renderer
    }

    /// Takes an instance in; one that is known stays as it is. Returns whether it is new.
    pub(super) fn add(&mut self, source: OutputSource) -> bool {
        if self.labels.contains_key(&source.id) {
            return false;
        }
        let label = match &mut self.medium {
            Medium::Text(renderer) => {
                renderer.label(&source.name, Some(usize::from(source.id.process_type)))
            }
            Medium::Json => LabelId::nth(self.names.len()),
        };
        self.labels.insert(source.id, (label, source.quiet));
        self.names.push(source.name);
        self.types.push(Some(source.id.process_type));
        true
    }

    /// Returns `web.1`.
    pub(super) fn name_of(&self, id: InstanceId) -> Option<&str> {
        self.labels.get(&id).map(|(label, _)| self.names[label.index()].as_str())
    }

    /// Returns the time of the last tick, in milliseconds since 1970.
    pub(super) fn millisecond(&self) -> i64 {
        self.clock.millisecond
    }

    /// Reads the wall clock for the lines that follow.
    pub(super) fn tick(&mut self) {
        #[expect(
            clippy::disallowed_methods,
            reason = "the time of a line is when the pump read it"
        )]
        let now = Timestamp::now();
        self.set_time(now);
    }

    /// Sets the time of the lines that follow.
    fn set_time(&mut self, now: Timestamp) {
        if self.clock.set(now)
            && let Medium::Text(renderer) = &mut self.medium
        {
            renderer.set_time(&self.clock.text);
        }
    }

    /// Returns what stands before an instance's lines; `None` where they are not shown.
    pub(super) fn label_of(&self, id: InstanceId) -> Option<LabelId> {
        self.labels.get(&id).filter(|(_, quiet)| !quiet).map(|(label, _)| *label)
    }

    /// Begins to count the lines of an instance: it is started again.
    pub(super) fn begin(&mut self, label: Option<LabelId>) {
        if let (Medium::Text(renderer), Some(label)) = (&mut self.medium, label) {
            renderer.begin(label);
        }
    }

    /// Returns how many lines of an instance were shown since it was started, and how many of others since the last
    /// of them; nothing where it is not shown to people.
    pub(super) fn seen(&self, id: InstanceId) -> (u64, u64) {
        match (&self.medium, self.label_of(id)) {
            (Medium::Text(renderer), Some(label)) => renderer.seen(label),
            (Medium::Text(_) | Medium::Json, _) => (0, 0),
        }
    }

    /// Returns what makes lines of a run's output: on a terminal, and from one, it may not draw over others.
    pub(super) fn lines_of(&self, from_terminal: bool) -> LineAssembler {
        if self.is_terminal || from_terminal {
            LineAssembler::filtered()
        } else {
            LineAssembler::unchanged()
        }
    }

    /// Returns what makes lines of it for a file.
    pub(super) fn lines_for_file(from_terminal: bool) -> LineAssembler {
        if from_terminal { LineAssembler::filtered() } else { LineAssembler::unchanged() }
    }

    /// Shows the lines that these bytes finish. Returns how many newlines the bytes have, where that was seen.
    #[inline]
    pub(super) fn push(
        &mut self,
        label: Option<LabelId>,
        lines: &mut LineAssembler,
        bytes: &[u8],
        out: &mut impl Sink,
    ) -> Option<u64> {
        let label = label?;
        match &mut self.medium {
            Medium::Text(renderer) if self.filter.is_none() => {
                return renderer.show(label, lines, bytes, out);
            }
            Medium::Text(_) => lines.push(bytes, |piece| self.put_filtered(label, piece, out)),
            Medium::Json => lines.push(bytes, |piece| self.put(label, piece, out)),
        }
        None
    }

    /// Shows what waits and has been silent.
    pub(super) fn prompt(
        &mut self,
        label: Option<LabelId>,
        lines: &mut LineAssembler,
        out: &mut impl Sink,
    ) {
        // Of a line that may be hidden, nothing is shown before it is whole.
        if let Some(label) = label.filter(|label| !self.may_hide(*label)) {
            lines.silence(|piece| self.put(label, piece, out));
        }
    }

    /// Shows what is left when a pipe ends.
    pub(super) fn end(
        &mut self,
        label: Option<LabelId>,
        lines: &mut LineAssembler,
        out: &mut impl Sink,
    ) {
        let Some(label) = label else { return };
        lines.end(|piece| self.put_filtered(label, piece, out));
        if let Medium::Text(renderer) = &mut self.medium {
            renderer.put(label, Fragment::Restarted, out);
        }
    }

    fn put(&mut self, label: LabelId, piece: Fragment<'_>, out: &mut impl Sink) {
        match &mut self.medium {
            Medium::Text(renderer) => renderer.put(label, piece, out),
            Medium::Json => {
                let (bytes, is_partial) = match piece {
                    Fragment::Line(bytes) => (bytes, false),
                    Fragment::Partial(bytes) => (bytes, true),
                    // What follows is no more of it.
                    Fragment::Restarted => (&b""[..], false),
                };
                let (time, name) = (&self.clock.text, &self.names[label.index()]);
                json::line(time, name, bytes, is_partial, out);
            }
        }
    }

    /// Shows a line of pm's own.
    pub(super) fn say(&mut self, say: Notice, out: &mut impl Sink) {
        let instance = match say.about {
            About::Session => None,
            About::Instance(id) => self.labels.get(&id).map(|(label, _)| *label),
        };
        match &mut self.medium {
            Medium::Text(_) if say.level == Level::Event => {}
            Medium::Text(renderer) => {
                renderer.say(instance.unwrap_or(self.system), say.level, &say.text, out);
            }
            Medium::Json => {
                let process = instance.map(|label| self.names[label.index()].as_str());
                json::event(&self.clock.text, say.event, process, say.facts, &say.text, out);
            }
        }
    }
}

const JSON_TIME: &str = "%Y-%m-%dT%H:%M:%S%.3f%:z";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Level;

    const WEB: InstanceId = InstanceId { process_type: 0, number: 1 };
    const JOB: InstanceId = InstanceId { process_type: 1, number: 1 };
    const NOBODY: InstanceId = InstanceId { process_type: 9, number: 1 };

    fn source(id: InstanceId, name: &str, quiet: bool) -> OutputSource {
        OutputSource { id, name: name.to_owned(), quiet }
    }

    /// A renderer of `web.1`, which is shown, and `job.1`, which is not.
    fn renderer(form: LogFormat) -> Renderer {
        let sources = vec![source(WEB, "web.1", false), source(JOB, "job.1", true)];
        Renderer::new(form, TimeZone::UTC, sources, false)
    }

    fn text() -> LogFormat {
        let timestamp = None;
        LogFormat::Text(crate::output::Look { color: false, timestamp, prefix: true, width: 6 })
    }

    fn say(about: About, text: &str) -> Notice {
        let (level, facts) = (Level::Info, serde_json::Map::new());
        Notice { about, level, event: "event", text: text.to_owned(), facts }
    }

    /// Takes what was shown.
    fn taken(out: &mut Vec<u8>) -> String {
        String::from_utf8(std::mem::take(out)).unwrap()
    }

    #[test]
    fn an_instance_is_taken_in_once_and_known_by_its_name() {
        for form in [text(), LogFormat::Json] {
            let mut renderer = renderer(form);
            assert!(!renderer.add(source(WEB, "other", true)));
            assert!(renderer.add(source(NOBODY, "new.1", false)));
            assert_eq!(renderer.name_of(WEB), Some("web.1"));
            assert_eq!(renderer.name_of(JOB), Some("job.1"));
            assert_eq!(renderer.name_of(NOBODY), Some("new.1"));
        }
        assert_eq!(renderer(text()).name_of(NOBODY), None);
    }

    #[test]
    fn what_a_pipe_leaves_unfinished_is_a_line_at_its_end() {
        let mut renderer = renderer(text());
        let mut out = Vec::new();
        let mut lines = LineAssembler::unchanged();
        let label = renderer.label_of(WEB);
        renderer.push(label, &mut lines, b"one\ntwo", &mut out);
        assert_eq!(taken(&mut out), "web.1  | one\n");
        renderer.end(label, &mut lines, &mut out);
        assert_eq!(taken(&mut out), "web.1  | two\n");
        renderer.end(label, &mut lines, &mut out);
        renderer.prompt(label, &mut lines, &mut out);
        assert_eq!(taken(&mut out), "");
    }

    #[test]
    fn a_prompt_is_ended_by_whoever_speaks_next_or_by_the_end_of_its_pipe() {
        let mut renderer = renderer(text());
        let mut out = Vec::new();
        let mut lines = LineAssembler::unchanged();
        let label = renderer.label_of(WEB);
        renderer.push(label, &mut lines, b"name: ", &mut out);
        renderer.prompt(label, &mut lines, &mut out);
        renderer.say(say(About::Session, "stopping"), &mut out);
        renderer.say(say(About::Instance(JOB), "exited"), &mut out);
        renderer.say(say(About::Instance(NOBODY), "who"), &mut out);
        let expected =
            "web.1  | name: \nsystem | -- stopping\njob.1  | -- exited\nsystem | -- who\n";
        assert_eq!(taken(&mut out), expected);
        renderer.push(label, &mut lines, b"again: ", &mut out);
        renderer.prompt(label, &mut lines, &mut out);
        renderer.end(label, &mut lines, &mut out);
        assert_eq!(taken(&mut out), "web.1  | again: \n");
    }

    #[test]
    fn nothing_that_a_quiet_instance_writes_is_shown() {
        for form in [text(), LogFormat::Json] {
            let mut renderer = renderer(form);
            let mut out = Vec::new();
            for id in [JOB, NOBODY] {
                let mut lines = LineAssembler::unchanged();
                let label = renderer.label_of(id);
                renderer.push(label, &mut lines, b"one\ntwo", &mut out);
                renderer.prompt(label, &mut lines, &mut out);
                renderer.end(label, &mut lines, &mut out);
                assert_eq!(taken(&mut out), "");
            }
        }
    }

    #[test]
    fn json_marks_a_piece_of_a_line_and_names_who_speaks() {
        let mut renderer = renderer(LogFormat::Json);
        let mut out = Vec::new();
        let mut lines = LineAssembler::unchanged();
        let label = renderer.label_of(WEB);
        renderer.push(label, &mut lines, b"one\nna", &mut out);
        renderer.prompt(label, &mut lines, &mut out);
        renderer.push(label, &mut lines, b"me", &mut out);
        renderer.end(label, &mut lines, &mut out);
        renderer.end(label, &mut lines, &mut out);
        renderer.say(say(About::Instance(JOB), "exited"), &mut out);
        renderer.say(say(About::Session, "stopping"), &mut out);
        let expected = [
            r#"{"v":1,"time":"","process":"web.1","line":"one"}"#,
            r#"{"v":1,"time":"","process":"web.1","line":"na","partial":true}"#,
            r#"{"v":1,"time":"","process":"web.1","line":"me"}"#,
            r#"{"v":1,"time":"","event":"event","process":"job.1","text":"exited"}"#,
            r#"{"v":1,"time":"","event":"event","text":"stopping"}"#,
        ];
        assert_eq!(taken(&mut out).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_tick_sets_the_time_of_the_lines_and_of_the_pieces() {
        let timestamp = Some("year %Y".to_owned());
        let look = crate::output::Look { color: false, timestamp, prefix: true, width: 6 };
        let mut renderer = renderer(LogFormat::Text(look));
        let mut out = Vec::new();
        renderer.tick();
        renderer.say(say(About::Session, "a"), &mut out);
        assert!(taken(&mut out).starts_with("year 20"));
        // 2020 in milliseconds; the clock of no machine that runs this is before it.
        assert!(renderer.millisecond() > 1_577_836_800_000);
    }
}
