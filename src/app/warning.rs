//! Warnings about ignored lines of a file: with file and line, never silent, never fatal.
//! Knows no file system: the parsers make a [`LineNote`] of a line, [`super::loaded`] adds the path.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A line that was read differently from what its author may have meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file as it was named.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

/// What a parser has to say about a line that it could not read, or reads as other tools do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineNote {
    /// How grave it is.
    pub kind: NoteKind,
    /// A word for machines: `skipped-line`.
    pub code: &'static str,
    /// The line, from 1.
    pub line: usize,
    /// The part of the line that it is about, in bytes of the line.
    pub span: Range<usize>,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl LineNote {
    /// Returns what is said of a line that has no effect.
    pub(super) fn skipped(
        line: usize,
        span: Range<usize>,
        message: String,
        hint: Option<String>,
    ) -> Self {
        Self { kind: NoteKind::Skipped, code: "skipped-line", line, span, message, hint }
    }
}

/// How grave a note is, and so which commands say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// The line has no effect. Every command says so.
    Skipped,
    /// The line is read as it stands, though an unclosed quote or a backslash at its end asks for
    /// something else. Every command says so.
    Malformed,
    /// Another tool reads a different value, and the author may have meant that one. Only `pm check`
    /// says so, as a warning, and `pm run -v`.
    Differs,
    /// Another tool reads a different value that nobody can want, or does not read the line. Only
    /// `pm check` says so, and `--strict` does not mind.
    Portability,
}

impl NoteKind {
    /// Returns whether `pm start` and `pm run` say it too.
    pub fn is_for_every_command(self) -> bool {
        match self {
            Self::Skipped | Self::Malformed => true,
            Self::Differs | Self::Portability => false,
        }
    }
}

impl LineNote {
    /// Returns the warning that this is in the file `path`.
    pub fn in_file(&self, path: &Path) -> Warning {
        Warning {
            path: path.to_owned(),
            line: self.line,
            message: self.message.clone(),
            hint: self.hint.clone(),
        }
    }
}

/// Why a file cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it: a lowercase fragment.
    pub reason: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl LineError {
    pub(super) fn new(line: usize, reason: impl Into<String>, hint: &'static str) -> Self {
        Self { line, reason: reason.into(), hint }
    }
}
