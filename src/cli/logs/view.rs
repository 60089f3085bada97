//! The forms of a log: text, JSON, and the bytes of the processes.

use super::gap;
use super::json::JsonView;
use super::text::LogView;
use crate::output::{Level, without_escapes};
use crate::state::runs::{Entry, Line, LineEnd, What};

/// Shows entries in one form.
pub(super) enum View {
    /// As `pm start` does.
    Text(Box<LogView>),
    /// The bytes of the processes alone.
    Raw {
        /// Without escape sequences.
        is_plain: bool,
    },
    /// An object a line.
    Json(JsonView),
}

impl View {
    /// Appends an entry.
    pub(super) fn entry(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        match (self, &entry.what) {
            (Self::Json(view), _) => view.entry(entry, out),
            (Self::Text(view), What::Line(line)) => text(view, entry, line, out),
            (Self::Text(view), What::Notice(notice)) => {
                let level = if notice.is_failure { Level::Failure } else { Level::Info };
                view.say(entry.name, entry.at, level, &notice.text, out);
            }
            (Self::Text(view), What::Gap(lost)) => {
                view.say(entry.name, entry.at, Level::Failure, &gap(*lost), out);
            }
            (Self::Raw { is_plain }, What::Line(line)) => {
                match is_plain {
                    true => out.extend_from_slice(&without_escapes(line.bytes)),
                    false => out.extend_from_slice(line.bytes),
                }
                if line.end == LineEnd::Newline {
                    out.push(b'\n');
                }
            }
            (Self::Raw { .. }, What::Notice(_) | What::Gap(_))
            | (_, What::Started(_) | What::Ended(_)) => {}
        }
    }

    /// Appends what is unfinished.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::Text(view) => view.end(out),
            Self::Raw { .. } | Self::Json(_) => {}
        }
    }
}

fn text(view: &mut LogView, entry: &Entry<'_>, line: &Line<'_>, out: &mut Vec<u8>) {
    view.is_of_run(entry.name, line.run, out);
    if line.missing > 0 {
        let mark = format!("[{} bytes are missing] ", line.missing);
        view.output(entry.name, entry.at, mark.as_bytes(), out);
    }
    match line.end {
        LineEnd::Silence => view.piece(entry.name, entry.at, line.bytes, out),
        LineEnd::Newline | LineEnd::End => {
            view.output(entry.name, entry.at, line.bytes, out);
            view.output(entry.name, entry.at, b"\n", out);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::cli::logs::text::{Cast, Dress};

    /// Returns what a terminal, or a pipe, is shown of these lines of one instance, each with its run.
    fn shown(is_terminal: bool, lines: &[(u32, &[u8])]) -> String {
        let (names, types) = (vec!["web.1".to_owned()], vec!["web".to_owned()]);
        let cast = Cast { names, types, terminals: Vec::new() };
        let (color, prefix, time, plain) = (false, false, false, false);
        let dress = Dress { color, prefix, time, plain, is_terminal };
        let mut view = View::Text(Box::new(LogView::new(cast, dress, TimeZone::UTC)));
        let mut out = Vec::new();
        for (run, bytes) in lines.iter().copied() {
            let what = What::Line(Line { run, bytes, end: LineEnd::Newline, missing: 0 });
            view.entry(&Entry { at: 0, name: "web.1", what }, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_colour_that_a_run_has_left_on_is_not_seen_on_lines_of_the_next() {
        let lines = [(1, &b"\x1b[31mfatal"[..]), (2, b"booting")];
        assert_eq!(shown(true, &lines), "\x1b[31mfatal\x1b[0m\nbooting\n");
        assert_eq!(shown(false, &lines), "\x1b[31mfatal\nbooting\n");
        let lines = [(1, &b"\x1b[31mone"[..]), (1, b"two")];
        assert_eq!(shown(true, &lines), "\x1b[31mone\x1b[0m\n\x1b[31mtwo\x1b[0m\n");
    }
}
