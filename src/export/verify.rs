//! Runs the target's own checker on an export, if it is installed.

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
    let text = if output.status.success() {
        // A warning about one of the files counts too; systemd-analyze ends well after one.
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let names = |line: &&str| files.iter().any(|file| line.contains(&*file.to_string_lossy()));
        said.lines().filter(names).map(|line| format!("{line}\n")).collect()
    } else {
        let said = [output.stderr, output.stdout].concat();
        String::from_utf8_lossy(&said).into_owned()
    };
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if output.status.success() && lines.is_empty() {
        return Ok(Ran::Accepted);
    }
    Err(ExportError::Rejected { checker: checker.program.to_owned(), output: lines.join("; ") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Owner;
    use crate::export::formats::runit;

    const fn sh(arguments: &'static [&'static str]) -> Checker {
        Checker {
            program: "/bin/sh",
            arguments,
            files: Select::Each(&["run"]),
            variables: &["DIR"],
            probe: &[],
        }
    }

    fn verdict(checkers: &'static [Checker]) -> Result<Verdict, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("run"), "echo run\n").unwrap();
        let file = |path: &str| File {
            path: path.into(),
            contents: String::new(),
            mode: 0o644,
            owner: Owner::Exporter,
        };
        let format = Format { checkers, ..runit::FORMAT };
        let files = [file("other"), file("run")];
        verify(&format, folder.path(), &files).map_err(|error| error.to_string())
    }

    const MISSING: Checker =
        Checker { program: "/nonexistent/checker", files: Select::Folder, ..sh(&[]) };

    #[test]
    fn the_first_installed_checker_decides() {
        assert_eq!(verdict(const { &[MISSING, sh(&["-n"])] }), Ok(Verdict::Accepted("/bin/sh")));
        assert_eq!(verdict(&[MISSING]), Ok(Verdict::NotInstalled(vec!["/nonexistent/checker"])));
        assert_eq!(verdict(&[]), Ok(Verdict::NoChecker));
        const PART: Checker = Checker { probe: &["-c", "exit 1"], ..sh(&["-n"]) };
        assert_eq!(verdict(&[PART]), Ok(Verdict::NotInstalled(vec!["/bin/sh"])));
    }

    #[test]
    fn a_failure_or_a_warning_about_a_file_is_a_rejection() {
        let refusal = verdict(const { &[sh(&["-c", "echo bad >&2; echo worse; exit 3"])] });
        assert_eq!(refusal, Err("/bin/sh rejects the export: bad; worse".into()));
        let warning =
            verdict(const { &[sh(&["-c", "echo \"$0: odd\" >&2; echo else >&2"])] }).unwrap_err();
        assert!(warning.ends_with("/run: odd"), "{warning}");
    }
}
