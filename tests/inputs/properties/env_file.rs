//! An env file: every physical line is an assignment or a part of one, blank, a comment, or has a finding;
//! and what is written in quotes is read as it was.

use pm::app::env_file::{Assignment, EnvFile, parse};
use pm::app::warning::NoteKind;

use super::text::{error_is_sound, lines, note_is_sound};

/// What must hold of every file that is read as an env file, and of every text as a value in one.
pub fn holds(bytes: &[u8]) {
    let read = parse(bytes);
    assert_eq!(read, parse(bytes), "the same bytes are read in the same way");
    match read {
        Err(error) => error_is_sound(&error, bytes),
        Ok(read) => {
            let lines = lines(bytes).expect("what was read is UTF-8");
            read.notes.iter().for_each(|note| note_is_sound(note, &lines));
            if !is_json(&lines) {
                nothing_is_dropped_in_silence(&read, &lines);
            }
            what_is_written_is_read(&read.assignments);
        }
    }
    if let Ok(value) = str::from_utf8(bytes)
        && !value.contains('\0')
    {
        a_value_in_quotes_is_read(value);
    }
}

/// The whole file is one object: its lines are not lines of assignments.
fn is_json(lines: &[&str]) -> bool {
    let object: Result<serde_json::Map<String, serde_json::Value>, _> =
        serde_json::from_str(&lines.join("\n"));
    object.is_ok()
}

fn nothing_is_dropped_in_silence(read: &EnvFile, lines: &[&str]) {
    // A value of n newlines stands on at most n lines after its own.
    let mut inside = 0;
    let mut assignments = read.assignments.iter().peekable();
    for (number, line) in (1..).zip(lines) {
        let is_skipped = read.notes.iter().any(|note| {
            note.line == number && note.kind == NoteKind::Skipped && note.code != "not-json"
        });
        let content = line.trim_start_matches([' ', '\t', '\r', '\x0c']);
        let is_nothing = content.is_empty() || content.starts_with('#');
        if let Some(assignment) = assignments.next_if(|assignment| assignment.line == number) {
            assert!(
                line.contains(&assignment.key) && line.contains('='),
                "{assignment:?}: {line:?}"
            );
            assert!(!is_skipped, "an assignment that is skipped: {line:?}");
            inside = assignment.value.matches('\n').count();
        } else {
            assert!(
                is_nothing || is_skipped || inside > 0,
                "line {number} is dropped in silence: {line:?}"
            );
            inside = inside.saturating_sub(1);
        }
    }
    assert_eq!(assignments.next(), None, "assignments stand in the order of their lines");
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

fn in_double_quotes(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n"))
}

fn pairs(assignments: &[Assignment]) -> Vec<(&str, &str)> {
    assignments.iter().map(|a| (a.key.as_str(), a.value.as_str())).collect()
}

fn what_is_written_is_read(assignments: &[Assignment]) {
    let expected: Vec<_> = pairs(assignments).into_iter().filter(|(key, _)| is_key(key)).collect();
    let written: String = expected
        .iter()
        .map(|(key, value)| format!("{key}={}\n", in_double_quotes(value)))
        .collect();
    let again = parse(written.as_bytes()).expect("what was read can be read again");
    assert_eq!(pairs(&again.assignments), expected, "{written:?}");
    let loud = again.notes.iter().find(|note| note.kind.is_for_every_command());
    assert_eq!(loud, None, "{written:?}");
}

fn a_value_in_quotes_is_read(value: &str) {
    let mut forms = vec![in_double_quotes(value)];
    // Single quotes cannot hold their own kind, and the file's CR LF is LF wherever it stands.
    if !value.contains('\'') && !value.contains("\r\n") {
        forms.push(format!("'{value}'"));
    }
    for form in forms {
        let text = format!("FIRST=1\nVALUE={form}\nLAST=2\n");
        let read = parse(text.as_bytes()).expect("a quoted text without NUL can be read");
        let expected = [("FIRST", "1"), ("VALUE", value), ("LAST", "2")];
        assert_eq!(pairs(&read.assignments), expected, "{text:?}");
    }
}
