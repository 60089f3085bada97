//! Everything that is shown, in the form that was asked for: who speaks, at what time, in one batch.

use std::collections::HashMap;

use jiff::{Timestamp, tz::TimeZone};

use super::batch::Sink;
use super::filter::Piece;
use super::json;
use super::lines::Lines;
use super::message::{Say, Speaker};
use super::render::{Form, LabelId, Renderer, SYSTEM};
use crate::app::InstanceId;

/// An instance and how it is shown.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Which instance.
    pub id: InstanceId,
    /// `web.1`
    pub name: String,
    /// Its output is read, not shown; what pm says about it is.
    pub quiet: bool,
}

/// Where the bytes of a pipe go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Show {
    /// Nowhere.
    Nothing,
    /// Under this label.
    As(LabelId),
}

#[derive(Debug)]
enum Medium {
    Text(Renderer),
    Json,
}

/// Who is shown and how, and the time that lines get.
pub(super) struct Screen {
    medium: Medium,
    clock: Clock,
    labels: HashMap<InstanceId, (LabelId, bool)>,
    /// Names by label.
    names: Vec<String>,
    system: LabelId,
    is_terminal: bool,
}

impl Screen {
    /// `is_terminal`: what is shown is seen there.
    pub(super) fn new(form: Form, zone: TimeZone, voices: Vec<Voice>, is_terminal: bool) -> Self {
        let (mut renderer, clock, medium_is_json) = match form {
            Form::Text(look) => {
                let clock = Clock::new(look.timestamp.clone().filter(|_| look.prefix), zone);
                (Renderer::new(look), clock, false)
            }
            Form::Json => (
                Renderer::new(super::Look::plain()),
                Clock::new(Some(JSON_TIME.into()), zone),
                true,
            ),
        };
        let system = renderer.label(SYSTEM, None);
        let names = vec![SYSTEM.to_owned()];
        let medium = if medium_is_json { Medium::Json } else { Medium::Text(renderer) };
        let labels = HashMap::new();
        let mut screen = Self { medium, clock, labels, names, system, is_terminal };
        for voice in voices {
            let _ = screen.add(voice);
        }
        screen
    }

    /// Takes an instance in; one that is known stays as it is. Returns whether it is new.
    pub(super) fn add(&mut self, voice: Voice) -> bool {
        if self.labels.contains_key(&voice.id) {
            return false;
        }
        let label = match &mut self.medium {
            Medium::Text(renderer) => {
                renderer.label(&voice.name, Some(usize::from(voice.id.process_type)))
            }
            Medium::Json => LabelId::nth(self.names.len()),
        };
        self.labels.insert(voice.id, (label, voice.quiet));
        self.names.push(voice.name);
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
        if self.clock.set(now)
            && let Medium::Text(renderer) = &mut self.medium
        {
            renderer.set_time(&self.clock.text);
        }
    }

    pub(super) fn show_of(&self, id: InstanceId) -> Show {
        match self.labels.get(&id) {
            Some((label, false)) => Show::As(*label),
            Some((_, true)) | None => Show::Nothing,
        }
    }

    /// Returns what makes lines of a run's output: on a terminal, and from one, it may not draw over others.
    pub(super) fn lines_of(&self, from_terminal: bool) -> Lines {
        if self.is_terminal || from_terminal { Lines::filtered() } else { Lines::unchanged() }
    }

    /// Shows the lines that these bytes finish.
    #[inline]
    pub(super) fn push(
        &mut self,
        show: Show,
        lines: &mut Lines,
        bytes: &[u8],
        out: &mut impl Sink,
    ) {
        let Show::As(label) = show else { return };
        match &mut self.medium {
            Medium::Text(renderer) => renderer.show(label, lines, bytes, out),
            Medium::Json => lines.push(bytes, |piece| self.put(label, piece, out)),
        }
    }

    /// Shows what waits and has been silent.
    pub(super) fn prompt(&mut self, show: Show, lines: &mut Lines, out: &mut impl Sink) {
        if let Show::As(label) = show {
            lines.silence(|piece| self.put(label, piece, out));
        }
    }

    /// Shows what is left when a pipe ends.
    pub(super) fn end(&mut self, show: Show, lines: &mut Lines, out: &mut impl Sink) {
        let Show::As(label) = show else { return };
        lines.end(|piece| self.put(label, piece, out));
        if let Medium::Text(renderer) = &mut self.medium {
            renderer.put(label, Piece::Over, out);
        }
    }

    fn put(&mut self, label: LabelId, piece: Piece<'_>, out: &mut impl Sink) {
        match &mut self.medium {
            Medium::Text(renderer) => renderer.put(label, piece, out),
            Medium::Json => {
                let (bytes, is_partial) = match piece {
                    Piece::Line(bytes) => (bytes, false),
                    Piece::Part(bytes) => (bytes, true),
                    // What follows is no more of it.
                    Piece::Over => (&b""[..], false),
                };
                let (time, name) = (&self.clock.text, &self.names[label.index()]);
                json::line(time, name, bytes, is_partial, out);
            }
        }
    }

    /// Shows a line of pm's own.
    pub(super) fn say(&mut self, say: Say, out: &mut impl Sink) {
        let instance = match say.speaker {
            Speaker::System => None,
            Speaker::Instance(id) => self.labels.get(&id).map(|(label, _)| *label),
        };
        match &mut self.medium {
            Medium::Text(renderer) => {
                renderer.say(instance.unwrap_or(self.system), say.tone, &say.text, out);
            }
            Medium::Json => {
                let process = instance.map(|label| self.names[label.index()].as_str());
                json::event(&self.clock.text, say.event, process, say.facts, &say.text, out);
            }
        }
    }
}

const JSON_TIME: &str = "%Y-%m-%dT%H:%M:%S%.3f%:z";

/// The wall clock as text, made again only when the text would change.
struct Clock {
    format: Option<String>,
    zone: TimeZone,
    fractions: bool,
    second: i64,
    millisecond: i64,
    text: String,
}

impl Clock {
    fn new(format: Option<String>, zone: TimeZone) -> Self {
        let fractions = format.as_deref().is_some_and(changes_within_a_second);
        Self { format, zone, fractions, second: i64::MIN, millisecond: 0, text: String::new() }
    }

    /// Returns whether the text may have changed.
    fn set(&mut self, now: Timestamp) -> bool {
        self.millisecond = now.as_millisecond();
        let Some(format) = &self.format else { return false };
        if now.as_second() == self.second && !self.fractions {
            return false;
        }
        self.second = now.as_second();
        let zoned = now.to_zoned_datetime(self.zone.clone());
        // The form was tried when the options were read.
        self.text = jiff::fmt::strtime::format(format, &zoned).unwrap_or_default();
        true
    }
}

/// Returns whether a form of time shows fractions of a second, in whichever of strftime's spellings.
fn changes_within_a_second(format: &str) -> bool {
    let at = |nanosecond| {
        let time = Timestamp::new(0, nanosecond).unwrap_or_default();
        jiff::fmt::strtime::format(format, &time.to_zoned_datetime(TimeZone::UTC)).ok()
    };
    at(123_456_789) != at(987_654_321)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Tone;

    const WEB: InstanceId = InstanceId { process_type: 0, number: 1 };
    const JOB: InstanceId = InstanceId { process_type: 1, number: 1 };
    const NOBODY: InstanceId = InstanceId { process_type: 9, number: 1 };

    fn voice(id: InstanceId, name: &str, quiet: bool) -> Voice {
        Voice { id, name: name.to_owned(), quiet }
    }

    /// A screen of `web.1`, which is shown, and `job.1`, which is not.
    fn screen(form: Form) -> Screen {
        let voices = vec![voice(WEB, "web.1", false), voice(JOB, "job.1", true)];
        Screen::new(form, TimeZone::UTC, voices, false)
    }

    fn text() -> Form {
        let timestamp = None;
        Form::Text(crate::output::Look { color: false, timestamp, prefix: true, width: 6 })
    }

    fn say(speaker: Speaker, text: &str) -> Say {
        let (tone, facts) = (Tone::News, serde_json::Map::new());
        Say { speaker, tone, event: "event", text: text.to_owned(), facts }
    }

    /// Takes what was shown.
    fn taken(out: &mut Vec<u8>) -> String {
        String::from_utf8(std::mem::take(out)).unwrap()
    }

    #[test]
    fn an_instance_is_taken_in_once_and_known_by_its_name() {
        for form in [text(), Form::Json] {
            let mut screen = screen(form);
            assert!(!screen.add(voice(WEB, "other", true)));
            assert!(screen.add(voice(NOBODY, "new.1", false)));
            assert_eq!(screen.name_of(WEB), Some("web.1"));
            assert_eq!(screen.name_of(JOB), Some("job.1"));
            assert_eq!(screen.name_of(NOBODY), Some("new.1"));
        }
        assert_eq!(screen(text()).name_of(NOBODY), None);
    }

    #[test]
    fn what_a_pipe_leaves_unfinished_is_a_line_at_its_end() {
        let mut screen = screen(text());
        let mut out = Vec::new();
        let mut lines = Lines::unchanged();
        let show = screen.show_of(WEB);
        screen.push(show, &mut lines, b"one\ntwo", &mut out);
        assert_eq!(taken(&mut out), "web.1  | one\n");
        screen.end(show, &mut lines, &mut out);
        assert_eq!(taken(&mut out), "web.1  | two\n");
        screen.end(show, &mut lines, &mut out);
        screen.prompt(show, &mut lines, &mut out);
        assert_eq!(taken(&mut out), "");
    }

    #[test]
    fn a_prompt_is_ended_by_whoever_speaks_next_or_by_the_end_of_its_pipe() {
        let mut screen = screen(text());
        let mut out = Vec::new();
        let mut lines = Lines::unchanged();
        let show = screen.show_of(WEB);
        screen.push(show, &mut lines, b"name: ", &mut out);
        screen.prompt(show, &mut lines, &mut out);
        screen.say(say(Speaker::System, "stopping"), &mut out);
        screen.say(say(Speaker::Instance(JOB), "exited"), &mut out);
        screen.say(say(Speaker::Instance(NOBODY), "who"), &mut out);
        let expected =
            "web.1  | name: \nsystem | -- stopping\njob.1  | -- exited\nsystem | -- who\n";
        assert_eq!(taken(&mut out), expected);
        screen.push(show, &mut lines, b"again: ", &mut out);
        screen.prompt(show, &mut lines, &mut out);
        screen.end(show, &mut lines, &mut out);
        assert_eq!(taken(&mut out), "web.1  | again: \n");
    }

    #[test]
    fn nothing_that_a_quiet_instance_writes_is_shown() {
        for form in [text(), Form::Json] {
            let mut screen = screen(form);
            let mut out = Vec::new();
            for id in [JOB, NOBODY] {
                let mut lines = Lines::unchanged();
                let show = screen.show_of(id);
                screen.push(show, &mut lines, b"one\ntwo", &mut out);
                screen.prompt(show, &mut lines, &mut out);
                screen.end(show, &mut lines, &mut out);
                assert_eq!(taken(&mut out), "");
            }
        }
    }

    #[test]
    fn json_marks_a_piece_of_a_line_and_names_who_speaks() {
        let mut screen = screen(Form::Json);
        let mut out = Vec::new();
        let mut lines = Lines::unchanged();
        let show = screen.show_of(WEB);
        screen.push(show, &mut lines, b"one\nna", &mut out);
        screen.prompt(show, &mut lines, &mut out);
        screen.push(show, &mut lines, b"me", &mut out);
        screen.end(show, &mut lines, &mut out);
        screen.end(show, &mut lines, &mut out);
        screen.say(say(Speaker::Instance(JOB), "exited"), &mut out);
        screen.say(say(Speaker::System, "stopping"), &mut out);
        let expected = [
            r#"{"time":"","process":"web.1","line":"one"}"#,
            r#"{"time":"","process":"web.1","line":"na","partial":true}"#,
            r#"{"time":"","process":"web.1","line":"me"}"#,
            r#"{"time":"","event":"event","process":"job.1","text":"exited"}"#,
            r#"{"time":"","event":"event","text":"stopping"}"#,
        ];
        assert_eq!(taken(&mut out).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_tick_sets_the_time_of_the_lines_and_of_the_pieces() {
        let timestamp = Some("year %Y".to_owned());
        let look = crate::output::Look { color: false, timestamp, prefix: true, width: 6 };
        let mut screen = screen(Form::Text(look));
        let mut out = Vec::new();
        screen.tick();
        screen.say(say(Speaker::System, "a"), &mut out);
        assert!(taken(&mut out).starts_with("year 20"));
        // 2020 in milliseconds; the clock of no machine that runs this is before it.
        assert!(screen.millisecond() > 1_577_836_800_000);
    }

    #[test]
    fn the_time_is_made_again_at_each_look_only_where_it_shows_fractions() {
        let now = Timestamp::new(5, 0).unwrap();
        for (format, again) in [(Some("%T"), false), (Some("%.3f"), true), (None, false)] {
            let mut clock = Clock::new(format.map(str::to_owned), TimeZone::UTC);
            assert_eq!(clock.set(now), format.is_some());
            assert_eq!(clock.set(now), again, "{format:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_or_forth_is_followed() {
        let mut clock = Clock::new(Some("%Y %H:%M:%S".to_owned()), TimeZone::UTC);
        for (second, text, is_new) in [
            (0, "1970 00:00:00", true),
            (0, "1970 00:00:00", false),
            (86_399, "1970 23:59:59", true),
            (1, "1970 00:00:01", true),
            (253_402_207_200, "9999 22:00:00", true),
            (-1, "1969 23:59:59", true),
        ] {
            let now = Timestamp::new(second, 0).unwrap();
            assert_eq!((clock.set(now), clock.text.as_str()), (is_new, text), "{second}");
            assert_eq!(clock.millisecond, second * 1000);
        }
    }

    #[test]
    fn fractions_of_a_second_are_found_in_every_spelling() {
        for format in ["%f", "%3f", "%.3f", "%6N", "%N", "%T%.f", "%H:%M:%S,%3f"] {
            assert!(changes_within_a_second(format), "{format}");
        }
        for format in ["", "%H:%M:%S", "%%f", "%s", "100%%.3f"] {
            assert!(!changes_within_a_second(format), "{format}");
        }
    }
}
