//! The lines of a file as its reader must count them, and what a finding about one must look like.

use std::fmt::Debug;

use pm::app::warning::{LineError, LineNote};
use pm::config::ConfigError;

/// Reads twice, holds that both came out the same, and returns the first.
pub(super) fn read_in_the_same_way<T: Debug>(read: impl Fn() -> T) -> T {
    let first = read();
    assert_eq!(format!("{first:?}"), format!("{:?}", read()), "the same is read in the same way");
    first
}

/// Returns the lines of a text that the reader took: no byte order mark, LF or CR LF between them.
/// `None` where it is no UTF-8.
pub(super) fn lines(bytes: &[u8]) -> Option<Vec<&str>> {
    let text = str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines: Vec<&str> = text.split('\n').collect();
    if let Some((_, finished)) = lines.split_last_mut() {
        for line in finished {
            *line = line.strip_suffix('\r').unwrap_or(line);
        }
    }
    Some(lines)
}

/// Holds that a note points into its line, and says something on one line of a terminal.
pub(super) fn note_is_sound(note: &LineNote, lines: &[&str]) {
    let line = note.line.checked_sub(1).and_then(|at| lines.get(at));
    let Some(line) = line else { panic!("a note beyond the {} lines: {note:?}", lines.len()) };
    assert!(line.get(note.span.clone()).is_some(), "a span outside of {line:?}: {note:?}");
    is_one_line(&note.message);
    note.hint.as_deref().map(is_one_line);
}

/// Holds that an error names a line of the file.
pub(super) fn error_is_sound(error: &LineError, bytes: &[u8]) {
    let count = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
    assert!((1..=count).contains(&error.line), "not one of {count} lines: {error:?}");
    is_one_line(&error.reason);
    is_one_line(error.hint);
}

/// Holds that an error names a place in the text of a config file.
pub(super) fn config_error_is_sound(error: &ConfigError, text: &str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = error.line.checked_sub(1).and_then(|at| text.split('\n').nth(at));
    let Some(line) = line else { panic!("beyond the end of the text: {error:?}") };
    // The place behind the last character is where something is missing.
    let columns = line.chars().count() + 1;
    assert!((1..=columns).contains(&error.column), "outside of {line:?}: {error:?}");
    is_one_line(&error.reason);
    error.hint.as_deref().map(is_one_line);
}

/// Holds that a message says something, on one line.
pub(super) fn is_one_line(message: &str) {
    assert!(!message.trim().is_empty(), "a message that says nothing");
    assert!(!message.contains('\n'), "a message of two lines: {message:?}");
}
