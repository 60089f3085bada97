//! A line as the terminal gets it: `HH:MM:SS web.1  | line`, foreman's own form (engine/cli.rb).

use owo_colors::{AnsiColors, DynColor};

use crate::output::assembler::LineAssembler;
use crate::output::batch::Sink;
use crate::output::filter::Fragment;
use crate::output::message::Level;
use crate::output::splitter::LineSplitter;
use crate::output::status_line::column_after;

/// The name that pm's own lines stand under.
pub const SYSTEM: &str = "system";
/// foreman's colours, in its order (engine/cli.rb, `FOREMAN_COLORS`).
const COLORS: [AnsiColors; 12] = [
    AnsiColors::Cyan,
    AnsiColors::Yellow,
    AnsiColors::Green,
    AnsiColors::Magenta,
    AnsiColors::Blue,
    AnsiColors::BrightCyan,
    AnsiColors::BrightYellow,
    AnsiColors::BrightGreen,
    AnsiColors::BrightMagenta,
    AnsiColors::BrightBlue,
    AnsiColors::Red,
    AnsiColors::BrightRed,
];
const RESET: &[u8] = b"\x1b[0m";

/// How the log looks.
#[derive(Clone, Debug)]
pub struct Look {
    /// Colour the prefix.
    pub color: bool,
    /// The form of the time, as in strftime(3); `None`: no time.
    pub timestamp: Option<String>,
    /// Names and times before the lines.
    pub prefix: bool,
    /// The width that names are padded to.
    pub width: usize,
}

impl Look {
    /// Bare lines.
    pub fn plain() -> Self {
        Self { color: false, timestamp: None, prefix: false, width: 0 }
    }
}

/// Why a piece of output ends where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The line is over.
    Newline,
    /// Nothing came for a while: the line may go on.
    Silence,
}

/// The place of a source in the renderer's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelId(usize);

impl LabelId {
    /// Returns the one in this place: labels are counted where nothing is rendered, too.
    pub(super) fn nth(index: usize) -> Self {
        Self(index)
    }

    /// Returns its place, from 0.
    pub(super) fn index(self) -> usize {
        self.0
    }
}

#[derive(Debug)]
struct Label {
    /// Colour and what stands before the time.
    before: Vec<u8>,
    /// Name, bar and the end of the colour.
    after: Vec<u8>,
    /// The whole prefix with the time of `generation`.
    prefix: Vec<u8>,
    generation: u64,
    seen: LinesSeen,
}

/// What was seen of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LinesSeen {
    /// How many lines of all sources there were when its last one ended.
    until: u64,
    /// How many of its own since it began.
    lines: u64,
}

/// Renders the lines of many sources into one sink.
#[derive(Debug)]
pub struct TextRenderer {
    look: Look,
    labels: Vec<Label>,
    time: Vec<u8>,
    generation: u64,
    /// Whose unfinished line the cursor stands behind.
    open: Option<LabelId>,
    /// The column that it ends in, on a terminal that is wide enough.
    column: usize,
    /// How many lines there were.
    lines: u64,
}

impl TextRenderer {
    /// Makes a renderer without sources.
    pub fn new(look: Look) -> Self {
        let (labels, time) = (Vec::new(), Vec::new());
        Self { look, labels, time, generation: 1, open: None, column: 0, lines: 0 }
    }

    /// Adds a source. `color` picks from foreman's list: the position of the process type; `None` is
    /// the colour of pm's own lines.
    pub fn label(&mut self, name: &str, color: Option<usize>) -> LabelId {
        let mut before = Vec::new();
        let mut after = Vec::new();
        if self.look.prefix {
            if self.look.color {
                let color =
                    color.map_or(AnsiColors::BrightWhite, |index| COLORS[index % COLORS.len()]);
                // What the line before has left on is none of this one's.
                before.extend_from_slice(RESET);
                before.extend_from_slice(foreground(color).as_bytes());
            }
            after.extend_from_slice(format!("{name:<0$} | ", self.look.width).as_bytes());
            if self.look.color {
                after.extend_from_slice(RESET);
            }
        }
        let (prefix, generation, seen) = (Vec::new(), 0, LinesSeen::default());
        self.labels.push(Label { before, after, prefix, generation, seen });
        LabelId(self.labels.len() - 1)
    }

    /// Sets the text of the time that lines get from now on.
    pub fn set_time(&mut self, time: &str) {
        if self.look.prefix && self.time != time.as_bytes() {
            self.time.clear();
            self.time.extend_from_slice(time.as_bytes());
            if !time.is_empty() {
                self.time.push(b' ');
            }
            self.generation += 1;
        }
    }

    /// Makes the prefix of a source up to date.
    fn refresh(&mut self, id: LabelId) {
        let label = &mut self.labels[id.0];
        if label.generation != self.generation {
            label.prefix.clear();
            label.prefix.extend_from_slice(&label.before);
            label.prefix.extend_from_slice(&self.time);
            label.prefix.extend_from_slice(&label.after);
            label.generation = self.generation;
        }
    }

    /// Splits the next bytes of a source, and appends the lines that they finish. A line that silence
    /// has shown a piece of goes on behind that piece, where nobody else has written since. Returns how many newlines the
    /// bytes have.
    #[inline]
    pub fn push(
        &mut self,
        id: LabelId,
        splitter: &mut LineSplitter,
        bytes: &[u8],
        out: &mut impl Sink,
    ) -> u64 {
        self.refresh(id);
        let prefix = self.labels[id.0].prefix.as_slice();
        let open = &mut self.open;
        let newlines = splitter.push(bytes, |line| {
            if open.is_none() {
                out.append(prefix);
            } else {
                begin_behind(open, id, prefix, out);
            }
            out.append(line);
        });
        self.count(id, newlines);
        newlines
    }

    /// Counts lines of a source.
    #[inline]
    fn count(&mut self, id: LabelId, lines: u64) {
        if lines > 0 {
            self.lines += lines;
            let seen = &mut self.labels[id.0].seen;
            seen.lines += lines;
            seen.until = self.lines;
        }
    }

    /// Begins to count the lines of a source.
    pub fn begin(&mut self, id: LabelId) {
        self.labels[id.0].seen.lines = 0;
    }

    /// Returns how many lines of a source there were since it began, and how many of others since the last of them.
    pub fn seen(&self, id: LabelId) -> (u64, u64) {
        let seen = self.labels[id.0].seen;
        (seen.lines, self.lines - seen.until)
    }

    /// Appends a line without its newline, or a piece of one that silence shows. Anyone else's
    /// unfinished line is ended first.
    pub fn piece(&mut self, id: LabelId, bytes: &[u8], end: End, out: &mut impl Sink) {
        self.refresh(id);
        let prefix = &self.labels[id.0].prefix;
        let before = if self.open == Some(id) { Some(self.column) } else { None };
        match self.open {
            None => out.append(prefix),
            Some(_) => begin_behind(&mut self.open, id, prefix, out),
        }
        out.append(bytes);
        match end {
            End::Newline => {
                out.append(b"\n");
                self.count(id, 1);
            }
            End::Silence => {
                self.column =
                    column_after(before.unwrap_or_else(|| column_after(0, prefix)), bytes);
                self.open = Some(id);
            }
        }
    }

    /// Appends what the next bytes of a source show. Returns how many newlines the bytes have, where that was seen.
    #[inline]
    pub fn show(
        &mut self,
        id: LabelId,
        lines: &mut LineAssembler,
        bytes: &[u8],
        out: &mut impl Sink,
    ) -> Option<u64> {
        if let Some(splitter) = lines.plain(bytes) {
            return Some(self.push(id, splitter, bytes, out));
        }
        lines.push(bytes, |piece| self.put(id, piece, out));
        None
    }

    /// Appends what a source's output shows.
    pub fn put(&mut self, id: LabelId, piece: Fragment<'_>, out: &mut impl Sink) {
        match piece {
            Fragment::Line(bytes) => self.piece(id, bytes, End::Newline, out),
            Fragment::Partial(bytes) => self.piece(id, bytes, End::Silence, out),
            Fragment::Restarted if self.is_open(id) => self.piece(id, b"", End::Newline, out),
            // Someone else has spoken since, and so ended it.
            Fragment::Restarted => {}
        }
    }

    /// Appends a line of pm's own.
    pub fn say(&mut self, id: LabelId, level: Level, text: &str, out: &mut impl Sink) {
        let (begin, end) = match (self.look.color, level) {
            (false, _) => ("", ""),
            (true, Level::Info | Level::Event) => ("\x1b[2m", "\x1b[0m"),
            (true, Level::Failure) => ("\x1b[1;31m", "\x1b[0m"),
        };
        let line = [begin, &level.line(text), end].concat();
        // It would stand behind what a program has not finished.
        self.put(id, Fragment::Restarted, out);
        let seen = self.labels[id.0].seen;
        self.piece(id, line.as_bytes(), End::Newline, out);
        self.labels[id.0].seen = seen;
    }

    /// Ends the line that the cursor stands behind, whosever it is.
    pub(super) fn end_open(&mut self, out: &mut impl Sink) {
        if self.open.take().is_some() {
            out.append(b"\n");
        }
    }

    /// Returns the column that the cursor stands in behind an unfinished line, if it does.
    pub(super) fn open_column(&self) -> Option<usize> {
        self.open.map(|_| self.column)
    }

    /// Returns whether lines have colour.
    pub(super) fn has_color(&self) -> bool {
        self.look.color
    }

    /// Returns whether the cursor stands behind an unfinished line of this source.
    pub fn is_open(&self, id: LabelId) -> bool {
        self.open == Some(id)
    }
}

/// Begins a line of this source where someone's is unfinished: another's is ended, its own goes on.
#[cold]
fn begin_behind(open: &mut Option<LabelId>, id: LabelId, prefix: &[u8], out: &mut impl Sink) {
    if open.take() != Some(id) {
        out.append(b"\n");
        out.append(prefix);
    }
}

/// Returns the escape sequence that sets a colour.
fn foreground(color: AnsiColors) -> String {
    struct Sequence(AnsiColors);
    impl std::fmt::Display for Sequence {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.fmt_ansi_fg(f)
        }
    }
    Sequence(color).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Look {
        Look { color: false, timestamp: Some("%H:%M:%S".into()), prefix: true, width: 8 }
    }

    fn shown(look: Look, pieces: &[(usize, &[u8], End)]) -> String {
        let mut renderer = TextRenderer::new(look);
        let labels = [
            renderer.label("web.1", Some(0)),
            renderer.label("worker.1", Some(1)),
            renderer.label(SYSTEM, None),
        ];
        renderer.set_time("12:00:01");
        let mut out = Vec::new();
        for (speaker, bytes, end) in pieces {
            renderer.piece(labels[*speaker], bytes, *end, &mut out);
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn lines_have_foremans_form() {
        let out = shown(
            look(),
            &[
                (0, b"hello", End::Newline),
                (1, b"", End::Newline),
                (2, b"sending SIGTERM", End::Newline),
            ],
        );
        assert_eq!(
            out,
            "12:00:01 web.1    | hello\n12:00:01 worker.1 | \n12:00:01 system   | sending SIGTERM\n"
        );
    }

    #[test]
    fn types_have_foremans_colours_in_its_order() {
        let out = shown(
            Look { color: true, ..look() },
            &[(0, b"a", End::Newline), (1, b"b", End::Newline), (2, b"c", End::Newline)],
        );
        assert_eq!(
            out,
            "\x1b[0m\x1b[36m12:00:01 web.1    | \x1b[0ma\n\x1b[0m\x1b[33m12:00:01 worker.1 | \x1b[0mb\n\x1b[0m\x1b[97m12:00:01 system   | \x1b[0mc\n"
        );
    }

    #[test]
    fn pms_own_lines_begin_with_a_mark_with_colour_or_without() {
        let shown = |color| {
            let mut renderer =
                TextRenderer::new(Look { color, timestamp: None, width: 1, ..look() });
            let web = renderer.label("w", Some(0));
            let mut out = Vec::new();
            renderer.piece(web, b"half", End::Silence, &mut out);
            renderer.say(web, Level::Info, "started with pid 5", &mut out);
            renderer.say(web, Level::Failure, "no `\x1b[2J\n`", &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            shown(false),
            "w | half\nw | -- started with pid 5\nw | !! no `\\u{1b}[2J\\n`\n"
        );
        let prefix = "\x1b[0m\x1b[36mw | \x1b[0m";
        assert_eq!(
            shown(true),
            format!(
                "{prefix}half\n{prefix}\x1b[2m-- started with pid 5\x1b[0m\n\
                 {prefix}\x1b[1;31m!! no `\\u{{1b}}[2J\\n`\x1b[0m\n"
            )
        );
    }

    #[test]
    fn time_and_prefix_can_be_left_out() {
        let mut renderer = TextRenderer::new(Look { timestamp: None, ..look() });
        let web = renderer.label("web.1", Some(0));
        let mut out = Vec::new();
        renderer.piece(web, b"a", End::Newline, &mut out);
        assert_eq!(out, b"web.1    | a\n");
        assert_eq!(
            shown(Look { prefix: false, color: true, ..look() }, &[(0, b"a", End::Newline)]),
            "a\n"
        );
    }

    #[test]
    fn an_unfinished_line_goes_on_behind_itself() {
        let out = shown(
            look(),
            &[(0, b"name: ", End::Silence), (0, b"Ada", End::Newline), (0, b"next", End::Newline)],
        );
        assert_eq!(out, "12:00:01 web.1    | name: Ada\n12:00:01 web.1    | next\n");
    }

    #[test]
    fn an_unfinished_line_is_never_mixed_with_anothers() {
        let out = shown(
            look(),
            &[(0, b"name: ", End::Silence), (1, b"tick", End::Newline), (0, b"Ada", End::Newline)],
        );
        assert_eq!(
            out,
            "12:00:01 web.1    | name: \n12:00:01 worker.1 | tick\n12:00:01 web.1    | Ada\n"
        );
    }

    #[test]
    fn lines_that_are_split_and_lines_that_are_given_share_the_cursor() {
        let mut renderer = TextRenderer::new(Look { timestamp: None, width: 1, ..look() });
        let (a, b) = (renderer.label("a", Some(0)), renderer.label("b", Some(1)));
        let (mut of_a, mut of_b) = (LineSplitter::default(), LineSplitter::default());
        let mut out = Vec::new();
        renderer.push(a, &mut of_a, b"one\ntw", &mut out);
        renderer.piece(a, of_a.partial(), End::Silence, &mut out);
        of_a.clear();
        renderer.push(a, &mut of_a, b"o\nname: ", &mut out);
        renderer.piece(a, of_a.partial(), End::Silence, &mut out);
        of_a.clear();
        renderer.push(b, &mut of_b, b"tick", &mut out);
        renderer.push(b, &mut of_b, b"\n", &mut out);
        renderer.push(a, &mut of_a, b"Ada\n", &mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "a | one\na | two\na | name: \nb | tick\na | Ada\n"
        );
    }

    #[test]
    fn the_thirteenth_type_has_the_first_colour_again() {
        let mut renderer =
            TextRenderer::new(Look { color: true, timestamp: None, width: 1, ..look() });
        let mut out = Vec::new();
        for color in [0, 11, 12, 25] {
            let label = renderer.label("w", Some(color));
            renderer.piece(label, b"", End::Newline, &mut out);
        }
        let codes = [36, 91, 36, 33].map(|code| format!("\x1b[0m\x1b[{code}mw | \x1b[0m\n"));
        assert_eq!(String::from_utf8_lossy(&out), codes.concat());
    }

    #[test]
    fn a_new_time_is_that_of_every_line_after_it() {
        let mut renderer = TextRenderer::new(Look { width: 1, ..look() });
        let (a, b) = (renderer.label("a", Some(0)), renderer.label("b", Some(1)));
        let mut splitter = LineSplitter::default();
        let mut out = Vec::new();
        for time in ["1", "2", "2", "3"] {
            renderer.set_time(time);
            renderer.push(a, &mut splitter, b"x\n", &mut out);
            renderer.piece(b, b"y", End::Newline, &mut out);
        }
        let expected = "1 a | x\n1 b | y\n2 a | x\n2 b | y\n2 a | x\n2 b | y\n3 a | x\n3 b | y\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn lines_are_counted_by_whose_they_are_and_what_pm_says_is_anothers() {
        let mut renderer = TextRenderer::new(look());
        let (a, b) = (renderer.label("a", Some(0)), renderer.label("b", Some(1)));
        let mut splitter = LineSplitter::default();
        let mut out = Vec::new();
        assert_eq!(renderer.seen(a), (0, 0));
        renderer.push(a, &mut splitter, b"one\ntwo\nhalf", &mut out);
        assert_eq!((renderer.seen(a), renderer.seen(b)), ((2, 0), (0, 2)));
        renderer.piece(b, b"x", End::Newline, &mut out);
        renderer.say(a, Level::Info, "stopping it", &mut out);
        assert_eq!((renderer.seen(a), renderer.seen(b)), ((2, 2), (1, 1)));
        renderer.push(a, &mut splitter, b" done\n", &mut out);
        assert_eq!(renderer.seen(a), (3, 0));
        renderer.begin(a);
        renderer.piece(b, b"y", End::Newline, &mut out);
        assert_eq!(renderer.seen(a), (0, 1));
    }

    #[test]
    fn bytes_pass_unchanged() {
        let mut renderer = TextRenderer::new(Look { timestamp: None, width: 1, ..look() });
        let web = renderer.label("w", Some(0));
        let mut out = Vec::new();
        renderer.piece(web, b"\x00\xff\xfe\x1b[31m\r", End::Newline, &mut out);
        assert_eq!(out, b"w | \x00\xff\xfe\x1b[31m\r\n");
    }
}
