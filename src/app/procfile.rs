//! Reads a Procfile, by foreman's rule (procfile.rb): `^([A-Za-z0-9_-]+):\s*(.+)$`.
//! Every other line is ignored with a note. No I/O.

use std::collections::HashMap;

use super::text;
use super::warning::{LineError, LineNote, NoteKind};

/// How many process types there may be: their place is the `u16` of an `InstanceId`.
const TYPES_MAX: usize = u16::MAX as usize;

/// One process type of a Procfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcfileEntry {
    /// `web`
    pub name: String,
    /// The command, for `/bin/sh -c`.
    pub command: String,
    /// The line, from 1.
    pub line: usize,
}

/// What a Procfile holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Procfile {
    /// The process types, in the order of the file.
    pub entries: Vec<ProcfileEntry>,
    /// The lines that were ignored, or are likely not what was meant.
    pub notes: Vec<LineNote>,
}

/// Reads a Procfile. A file without an entry is not an error here.
///
/// # Errors
/// Bytes that are not UTF-8, a NUL, or two entries of one name: an instance's name must be unique,
/// since ports, logs and control hang on it.
pub fn parse(bytes: &[u8]) -> Result<Procfile, LineError> {
    let text = text::decode(bytes)?;
    let mut found = Procfile::default();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    // The line before this one, where it ends with a backslash.
    let mut broken: Option<usize> = None;
    for (line, content) in (1..).zip(text.split('\n')) {
        let before = broken.take();
        if content.contains('\0') {
            let reason = "a command cannot contain a NUL byte";
            return Err(LineError::new(line, reason, text::NUL_HINT));
        }
        let Some((name, command)) = entry(content) else {
            if !is_blank_or_comment(content) {
                found.notes.push(skipped(line, content, before));
                broken = ends_escaped(content.trim_end()).then_some(line);
            }
            continue;
        };
        if let Some(first) = seen.insert(name, line) {
            let reason = format!("`{name}` is defined twice, on line {first} and on line {line}");
            return Err(LineError::new(line, reason, "rename one of them, or remove it"));
        }
        if let Some(before) = before {
            found.notes.push(LineNote {
                kind: NoteKind::Malformed,
                code: "continued-line",
                line,
                span: 0..name.len(),
                message: format!(
                    "`{name}` is a separate entry, although line {before} ends with a backslash"
                ),
                hint: Some(format!("remove the backslash at the end of line {before}")),
            });
        }
        if ends_escaped(command) {
            broken = Some(line);
            found.notes.push(trailing_backslash(line, content, name));
        }
        if found.entries.len() == TYPES_MAX {
            let reason = format!("more than {TYPES_MAX} process types");
            return Err(LineError::new(line, reason, "split it into several Procfiles"));
        }
        found.entries.push(ProcfileEntry {
            name: name.to_owned(),
            command: command.to_owned(),
            line,
        });
    }
    Ok(found)
}

fn trailing_backslash(line: usize, content: &str, name: &str) -> LineNote {
    let end = content.trim_end().len();
    LineNote {
        kind: NoteKind::Malformed,
        code: "trailing-backslash",
        line,
        span: end - 1..end,
        message: format!(
            "the backslash at the end of `{name}` does not continue the line: a command is one line"
        ),
        hint: Some("write the whole command on one line, or put it in a script".into()),
    }
}

/// Splits a line at its first colon. Spaces around the command are dropped, but a space that a
/// backslash escapes is part of it.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once(':')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let start = rest.trim_start();
    let mut command = start.trim_end();
    if ends_escaped(command) && start[command.len()..].starts_with([' ', '\t']) {
        command = &start[..=command.len()];
    }
    (!command.is_empty()).then_some((name, command))
}

/// Returns whether a backslash at the end escapes what follows, which two of them do not.
fn ends_escaped(text: &str) -> bool {
    text.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

fn is_blank_or_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// Says why a line is no entry, as exactly as can be known.
fn skipped(line: usize, content: &str, before: Option<usize>) -> LineNote {
    let start = content.len() - content.trim_start().len();
    let whole = start..content.trim_end().len();
    let form = "write one process type per line: `web: node server.js`";
    let indented = content.trim_start();
    let (span, message, hint) = if let Some(before) = before {
        let message =
            format!("skipped: does not continue line {before}, which ends with a backslash");
        (whole, message, "write the whole command on one line, or put it in a script".to_owned())
    } else if let Some((name, _)) = entry(indented) {
        (
            0..start,
            format!("skipped: spaces before `{name}`"),
            "start the line with the name".to_owned(),
        )
    } else if let Some((name, rest)) = content.split_once(':') {
        let bad = name
            .char_indices()
            .find(|(_, c)| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
        match bad {
            Some((at, c)) => {
                let message = format!(
                    "skipped: the name of a process type cannot contain {}",
                    text::visible(c)
                );
                (at..at + c.len_utf8(), message, "use letters, digits, `_` and `-`".to_owned())
            }
            None if name.is_empty() => {
                (0..1, "skipped: no name before the colon".to_owned(), form.to_owned())
            }
            None => {
                debug_assert!(rest.trim().is_empty(), "an entry with a command is no skipped line");
                (
                    whole,
                    format!("skipped: `{name}` has no command"),
                    format!("write it on this line: `{name}: COMMAND`"),
                )
            }
        }
    } else {
        (whole, "skipped: not NAME: COMMAND".to_owned(), form.to_owned())
    };
    LineNote::skipped(line, span, message, Some(hint))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries(text: &str) -> Vec<(String, String)> {
        let read = parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e:?}"));
        read.entries.into_iter().map(|e| (e.name, e.command)).collect()
    }

    fn notes(text: &str) -> Vec<(usize, String)> {
        let read = parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e:?}"));
        read.notes.into_iter().map(|note| (note.line, note.message)).collect()
    }

    #[test]
    fn lines_that_foreman_reads_are_read_and_nothing_is_said() {
        let table: [(&str, &[(&str, &str)]); 24] = [
            ("web: echo hi", &[("web", "echo hi")]),
            ("web:echo hi\n", &[("web", "echo hi")]),
            ("web: \t echo hi\n", &[("web", "echo hi")]),
            ("web:\u{a0}echo hi\n", &[("web", "echo hi")]),
            ("web:: x\n", &[("web", ": x")]),
            ("http://x\n", &[("http", "//x")]),
            ("a-b_2: x\n2: y\n_: z\n", &[("a-b_2", "x"), ("2", "y"), ("_", "z")]),
            ("web: a\nWeb: b\n", &[("web", "a"), ("Web", "b")]),
            ("web: echo a:b http://x:1/\n", &[("web", "echo a:b http://x:1/")]),
            ("web: echo a # dev only\n", &[("web", "echo a # dev only")]),
            ("web: echo \"a  b\" | tr 'a' \\$x\n", &[("web", "echo \"a  b\" | tr 'a' \\$x")]),
            ("web: echo café 日本\n", &[("web", "echo café 日本")]),
            ("web: echo a  \t\n", &[("web", "echo a")]),
            ("web: echo a\\ \n", &[("web", "echo a\\ ")]),
            ("web: echo a\\\\ \n", &[("web", "echo a\\\\")]),
            ("web: a\r\nworker: b\r\n", &[("web", "a"), ("worker", "b")]),
            ("web: a\nworker: b\r", &[("web", "a"), ("worker", "b")]),
            ("\u{feff}web: a\n", &[("web", "a")]),
            ("web: a\u{2028}b: c\n", &[("web", "a\u{2028}b: c")]),
            ("web: a\x0cb: c\n", &[("web", "a\x0cb: c")]),
            ("# web: no\n   # note: no\n\n  \t\nweb: a\n", &[("web", "a")]),
            ("#!/usr/bin/env foreman\r\n\r\nweb: a\r\n", &[("web", "a")]),
            ("", &[]),
            ("# nothing\n", &[]),
        ];
        for (text, expected) in table {
            let expected: Vec<_> =
                expected.iter().map(|&(n, c)| (n.to_owned(), c.to_owned())).collect();
            assert_eq!(entries(text), expected, "{text:?}");
            assert_eq!(notes(text), [], "{text:?}");
        }
    }

    #[test]
    fn other_lines_are_passed_over_with_the_reason() {
        let table: [(&str, &str); 14] = [
            ("this is junk", "skipped: not NAME: COMMAND"),
            ("web=echo a", "skipped: not NAME: COMMAND"),
            ("<<<<<<< HEAD", "skipped: not NAME: COMMAND"),
            ("web:", "skipped: `web` has no command"),
            ("web:   ", "skipped: `web` has no command"),
            (": x", "skipped: no name before the colon"),
            ("web : x", "skipped: the name of a process type cannot contain spaces"),
            ("my web: x", "skipped: the name of a process type cannot contain spaces"),
            ("a.b: x", "skipped: the name of a process type cannot contain `.`"),
            ("a/b: x", "skipped: the name of a process type cannot contain `/`"),
            ("wéb: x", "skipped: the name of a process type cannot contain `é`"),
            ("\u{200b}web: x", "skipped: the name of a process type cannot contain U+200B"),
            ("  web: x", "skipped: spaces before `web`"),
            ("\tweb: x", "skipped: spaces before `web`"),
        ];
        for (line, message) in table {
            let text = format!("first: a\n{line}\nlast: b\n");
            assert_eq!(
                entries(&text),
                [("first".into(), "a".into()), ("last".into(), "b".into())],
                "{line:?}"
            );
            assert_eq!(notes(&text), [(2, message.to_owned())], "{line:?}");
        }
    }

    #[test]
    fn a_backslash_at_the_end_is_noted_with_the_line_that_it_does_not_join() {
        let text = "web: echo a \\\nworker: echo k\n";
        assert_eq!(
            entries(text),
            [("web".into(), "echo a \\".into()), ("worker".into(), "echo k".into())]
        );
        assert_eq!(notes(text).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2]);
        let text = "web: node \\\n  --flag \\\n  server.js\nworker: k\n";
        let lines: Vec<_> = notes(text).iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3]);
        assert_eq!(
            notes(text)[2].1,
            "skipped: does not continue line 2, which ends with a backslash"
        );
    }

    #[test]
    fn more_types_than_there_are_ids_are_refused() {
        let lines = |count: usize| (0..count).map(|n| format!("t{n}: x\n")).collect::<String>();
        assert_eq!(parse(lines(65_535).as_bytes()).unwrap().entries.len(), 65_535);
        let refusal = parse(lines(65_536).as_bytes()).map_err(|e| (e.line, e.reason));
        assert_eq!(refusal.map(drop), Err((65_536, "more than 65535 process types".to_owned())));
    }

    #[test]
    fn what_stops_everything_names_its_line() {
        let refusal = |bytes: &[u8]| parse(bytes).map_err(|e| (e.line, e.reason));
        let twice = "`web` is defined twice, on line 1 and on line 3".to_owned();
        assert_eq!(refusal(b"web: a\nx: b\nweb: c\n"), Err((3, twice)));
        assert_eq!(
            refusal(b"x: a\nweb: a\0b\n"),
            Err((2, "a command cannot contain a NUL byte".into()))
        );
        assert_eq!(refusal(b"web: a\n# caf\xe9\n").map_err(|(line, _)| line), Err(2));
    }

    proptest! {
        #[test]
        fn spans_lie_in_their_lines_and_entries_stand_in_theirs(
            bytes in prop_oneof!["[ab:.=\\\\ \t#é\r\n\u{200b}\0]{0,40}".prop_map(String::into_bytes), any::<Vec<u8>>()],
        ) {
            let decoded = text::decode(&bytes);
            let (text, read) = match (decoded, parse(&bytes)) {
                (Ok(text), Ok(read)) => (text, read),
                (Err(_), Err(_)) => return Ok(()),
                (Ok(text), Err(refusal)) => {
                    let line = text.split('\n').nth(refusal.line - 1).unwrap_or_default();
                    prop_assert!(line.contains('\0') || entry(line).is_some(), "{refusal:?}");
                    return Ok(());
                }
                (Err(_), Ok(read)) => panic!("not UTF-8, but {read:?}"),
            };
            let lines: Vec<&str> = text.split('\n').collect();
            for note in read.notes {
                prop_assert!(lines[note.line - 1].get(note.span.clone()).is_some(), "{note:?}");
            }
            for entry in read.entries {
                let line = lines[entry.line - 1];
                prop_assert!(line.starts_with(&format!("{}:", entry.name)) && line.contains(&entry.command), "{entry:?}");
            }
        }
    }
}
