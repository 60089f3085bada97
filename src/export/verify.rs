//! Runs a consumer's own checker over an export, where one is installed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::ExportError;
use super::{File, Format};

/// How a checker is called: the program, its arguments, then the files that it reads.
#[derive(Clone, Copy, Debug)]
pub struct Checker {
    /// The program, looked up on PATH unless it is a path.
    pub program: &'static str,
    /// Arguments before the files.
    pub arguments: &'static [&'static str],
    /// The files that it is given.
    pub files: Select,
    /// Variables that are set to the export's folder.
    pub variables: &'static [&'static str],
    /// A call that fails where a part of the program is missing; empty where the program is enough.
    pub probe: &'static [&'static str],
}

/// Which files of an export a checker is given.
#[derive(Clone, Copy, Debug)]
pub enum Select {
    /// All in one call whose names end in one of these.
    Suffixes(&'static [&'static str]),
    /// Each in its own call, whose names end in one of these.
    Each(&'static [&'static str]),
    /// None: it finds them by a variable.
    Folder,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This program found nothing wrong.
    Accepted(&'static str),
    /// None of these programs is installed.
    NotInstalled(Vec<&'static str>),
    /// The format has no checker.
    NoChecker,
}

/// Runs the first installed checker of the format over files that have been written to `location`.
pub fn verify(format: &Format, location: &Path, files: &[File]) -> Result<Verdict, ExportError> {
    for checker in format.checkers.iter().filter(|checker| is_whole(checker)) {
        let paths = selected(checker.files, location, files);
        let calls: Vec<&[PathBuf]> = match checker.files {
            Select::Each(_) => paths.chunks(1).collect(),
            Select::Suffixes(_) | Select::Folder => vec![&paths],
        };
        let mut ran = false;
        for call in calls {
            match run(checker, location, call)? {
                Ran::Accepted => ran = true,
                Ran::NotInstalled => break,
            }
        }
        if ran {
            return Ok(Verdict::Accepted(checker.program));
        }
    }
    if format.checkers.is_empty() {
        return Ok(Verdict::NoChecker);
    }
    Ok(Verdict::NotInstalled(format.checkers.iter().map(|checker| checker.program).collect()))
}

fn is_whole(checker: &Checker) -> bool {
    let mut probe = Command::new(checker.program);
    probe.args(checker.probe).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    checker.probe.is_empty() || probe.status().is_ok_and(|status| status.success())
}

fn selected(select: Select, location: &Path, files: &[File]) -> Vec<PathBuf> {
    let ends = |file: &&File, ends: &[&str]| {
        let name = file.path.to_string_lossy();
        ends.iter().any(|end| name.ends_with(end))
    };
    match select {
        Select::Suffixes(suffixes) | Select::Each(suffixes) => files
            .iter()
            .filter(|file| ends(file, suffixes))
            .map(|file| location.join(&file.path))
            .collect(),
        Select::Folder => Vec::new(),
    }
}

enum Ran {
    Accepted,
    NotInstalled,
}

fn run(checker: &Checker, location: &Path, files: &[PathBuf]) -> Result<Ran, ExportError> {
    let mut command = Command::new(checker.program);
    command.args(checker.arguments).args(files).stdin(Stdio::null());
    for name in checker.variables {
        command.env(name, location);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ran::NotInstalled),
        Err(source) => return Err(ExportError::Write { path: checker.program.into(), source }),
    };
    if output.status.success() {
        return Ok(Ran::Accepted);
    }
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(ExportError::Rejected { checker: checker.program.to_owned(), output: lines.join("; ") })
}
