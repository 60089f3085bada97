//! The application's files as they were read, with the names that messages give them. Reads no file itself.

use std::path::{Path, PathBuf};

use super::env_file::{self, Assignment};
use super::environment::Environment;
use super::procfile::{self, ProcfileEntry};
use super::text;
use super::warning::{LineError, LineNote, NoteKind, Warning};

/// A Procfile that was read.
#[derive(Clone, Debug)]
pub struct LoadedProcfile {
    /// The file as it was named.
    pub path: PathBuf,
    /// Its text without a byte order mark, with LF for CRLF.
    pub text: String,
    /// The process types, in the order of the file; there may be none.
    pub entries: Vec<ProcfileEntry>,
    /// What the parser noted.
    pub notes: Vec<LineNote>,
    /// What was done in place of reading a Procfile, where there is none.
    pub notice: Option<String>,
}

impl LoadedProcfile {
    /// Reads the text of a Procfile that was named so.
    ///
    /// # Errors
    /// A line of it stops everything.
    pub fn parse(path: PathBuf, bytes: &[u8]) -> Result<Self, LineError> {
        let read = procfile::parse(bytes)?;
        let text = text::decode(bytes)?;
        Ok(Self { path, text, entries: read.entries, notes: read.notes, notice: None })
    }

    /// Returns what every command says about the file.
    pub fn warnings(&self) -> Vec<Warning> {
        warnings(&self.path, &self.notes).collect()
    }

    /// Returns the names of the process types, in the order of the file.
    pub fn names(&self) -> Vec<&str> {
        self.entries.iter().map(|entry| entry.name.as_str()).collect()
    }
}

/// An env file that was read.
#[derive(Clone, Debug)]
pub struct LoadedEnvFile {
    /// The file as it was named.
    pub path: PathBuf,
    /// Its text without a byte order mark, with LF for CRLF.
    pub text: String,
    /// The variables that it sets.
    pub assignments: Vec<Assignment>,
    /// What the parser noted.
    pub notes: Vec<LineNote>,
}

impl LoadedEnvFile {
    /// Reads the text of an env file that was named so.
    ///
    /// # Errors
    /// A line of it stops everything.
    pub fn parse(path: PathBuf, bytes: &[u8]) -> Result<Self, LineError> {
        let read = env_file::parse(bytes)?;
        let text = text::decode(bytes)?;
        Ok(Self { path, text, assignments: read.assignments, notes: read.notes })
    }
}

/// The environment with its env files.
#[derive(Clone, Debug)]
pub struct LoadedEnvironment {
    /// The caller's variables, under those of the env files, under `--set`.
    pub environment: Environment,
    /// The env files, in the order they were laid over one another.
    pub files: Vec<LoadedEnvFile>,
}

impl LoadedEnvironment {
    /// Returns what every command says about the files.
    pub fn warnings(&self) -> Vec<Warning> {
        self.files.iter().flat_map(|file| warnings(&file.path, &file.notes)).collect()
    }

    /// Returns what only who asks for it is told of the env files: where other programs read them in another way.
    pub fn differences(&self) -> Vec<Warning> {
        let of_file = |file: &LoadedEnvFile| {
            let notes = file.notes.iter().filter(|note| note.kind == NoteKind::Differs);
            notes.map(|note| note.in_file(&file.path)).collect::<Vec<_>>()
        };
        self.files.iter().flat_map(of_file).collect()
    }
}

fn warnings(path: &Path, notes: &[LineNote]) -> impl Iterator<Item = Warning> {
    notes.iter().filter(|note| note.kind.is_for_every_command()).map(|note| note.in_file(path))
}
