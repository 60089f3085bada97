//! Reads an env file, by conformance/DIALECT.md. Three steps, none with I/O: `line` or `json`
//! finds the assignments, `prepare` has dotenvy read them. Nothing in a value is expanded or run.

mod differences;
mod json;
mod line;
mod prepare;

use super::text;
use super::warning::{LineError, LineNote, NoteKind};

/// One variable that an env file sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The line, from 1.
    pub line: usize,
}

/// What an env file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// The variables, in the order of the file; of two with one key the later wins.
    pub assignments: Vec<Assignment>,
    /// The lines that were ignored, or that other tools read differently.
    pub notes: Vec<LineNote>,
}

/// Reads an env file: lines of `KEY=VALUE`, or one JSON object.
///
/// # Errors
/// Bytes that are not UTF-8, or a NUL in a value: no program can be given one.
pub fn parse(bytes: &[u8]) -> Result<EnvFile, LineError> {
    let text = text::decode(bytes)?;
    let mut notes = Vec::new();
    let readings = match json::read(&text, &mut notes) {
        Some(readings) => readings,
        None => line::read(&text, &mut notes),
    };
    for reading in &readings {
        if reading.value.contains('\0') {
            let reason = format!("the value of `{}` contains a NUL byte", reading.key);
            return Err(LineError::new(reading.line, reason, text::NUL_HINT));
        }
    }
    notes.sort_by_key(|note| note.line);
    Ok(EnvFile { assignments: prepare::through_dotenvy(readings), notes })
}

/// An assignment as pm's own reader understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reading {
    key: String,
    value: String,
    /// What stands behind the `=`, where that is all of the value.
    raw: Option<String>,
    line: usize,
}

#[cfg(test)]
mod tests;
