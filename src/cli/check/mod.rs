//! `pm check`: reads the files, lints them, and shows what was found.

mod probe;
mod render;

use std::fs;
use std::io::{self, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use crate::app::formation::{self, Wish};
use crate::app::lint::{self, Finding, Place, Severity, Subject, System};
use crate::app::load::{self, LoadedEnvironment, LoadedProcfile};
use crate::cli::args::CheckArgs;
use crate::cli::sources::Sources;
use crate::cli::{answer, resolve};
use crate::error::Error;

/// Checks the application. The answer goes to stdout, what was found to stderr; with `--json` all
/// goes to stdout.
///
/// # Errors
/// `Error::CheckFailed` where an error was found and shown (with `--strict`, a warning).
pub(super) fn run(args: &CheckArgs, sources: &Sources) -> Result<(), Error> {
    let mut findings = Vec::new();
    let checked = check(args, sources, &mut findings);
    let names: Vec<&str> = match &checked {
        Ok(procfile) => procfile.entries.iter().map(|entry| entry.name.as_str()).collect(),
        Err(error) => {
            // What was found until then stands before it: it may say why.
            findings.push(as_finding(error, &sources.cwd));
            Vec::new()
        }
    };
    if args.json {
        answer(render::json(&findings, &names).as_bytes())?;
    } else {
        if !names.is_empty() {
            let valid = format!("valid procfile detected ({})\n", names.join(", "));
            answer(valid.as_bytes())?;
        }
        let is_colored = sources.stderr_is_terminal && sources.var("NO_COLOR").is_none();
        let text = render::text(&findings, is_colored);
        // A closed standard error leaves nobody to tell.
        drop(io::stderr().write_all(text.as_bytes()));
    }
    let limit = if args.strict { Severity::Warning } else { Severity::Error };
    if findings.iter().any(|finding| finding.severity <= limit) {
        Err(Error::CheckFailed)
    } else {
        Ok(())
    }
}

/// Reads and lints. Returns the Procfile where it is valid, though the env files may not be.
fn check(
    args: &CheckArgs,
    sources: &Sources,
    findings: &mut Vec<Finding>,
) -> Result<LoadedProcfile, Error> {
    let files = resolve::files(&args.files);
    let root = files.root(&sources.cwd)?;
    let procfile = load::procfile(&files, &sources.cwd)?;
    if let Some(notice) = &procfile.notice {
        findings.push(Finding {
            severity: Severity::Note,
            code: "no-procfile",
            path: procfile.path.clone(),
            place: None,
            message: notice.clone(),
            hint: Some("write that line into a Procfile, and this is not said".into()),
        });
    }
    let environment = load::environment(&files, &sources.cwd, sources.environment())
        .unwrap_or_else(|error| {
            findings.push(as_finding(&error, &sources.cwd));
            LoadedEnvironment { environment: sources.environment(), files: Vec::new() }
        });
    let counts = counts(args, &procfile)?;
    let base_port = resolve::base_port(args.port, &environment.environment)?;
    let path = environment.environment.get("PATH").map(|value| value.text.clone());
    let program = |name: &str| probe::program(name, path.as_deref(), &root);
    let system = System { program: &program, port: &probe::port };
    let subject =
        Subject { procfile: &procfile, environment: &environment, counts: &counts, base_port };
    findings.extend(lint::check(subject, &system));
    procfile.require_entries()?;
    Ok(procfile)
}

/// Returns how many instances of each entry would run.
fn counts(args: &CheckArgs, procfile: &LoadedProcfile) -> Result<Vec<u16>, Error> {
    let names: Vec<&str> = procfile.entries.iter().map(|entry| entry.name.as_str()).collect();
    // `release` is not started by a bare `pm start`.
    let default: Vec<u16> = names.iter().map(|name| u16::from(*name != "release")).collect();
    let Some(formation) = &args.formation else { return Ok(default) };
    let wish = Wish { formation: formation::parse(formation)?, ..Wish::default() };
    let cpus = std::thread::available_parallelism().map_or(1, NonZero::get);
    Ok(wish.counts(&names, u16::try_from(cpus).unwrap_or(u16::MAX), &default)?)
}

/// Turns an error into a finding; the path is empty where no file is at fault.
fn as_finding(error: &Error, cwd: &Path) -> Finding {
    let cause =
        std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let said = format!("{error}{cause}");
    let (code, path, place, message) = match error {
        Error::ProcfileLine { path, line, reason } => {
            ("procfile-line", path, place(cwd, path, *line), reason.clone())
        }
        Error::EnvFileLine { path, line, reason } => {
            ("env-file-line", path, place(cwd, path, *line), reason.clone())
        }
        Error::ProcfileRead { path, .. } => ("procfile-read", path, None, said),
        Error::EnvFileRead { path, .. } => ("env-file-read", path, None, said),
        Error::Root { path, .. } => ("root", path, None, said),
        Error::ProcfileEmpty { path } => ("no-processes", path, None, said),
        // No other error has a file to show.
        _ => ("usage", &PathBuf::new(), None, said),
    };
    Finding {
        severity: Severity::Error,
        code,
        path: path.clone(),
        place,
        message,
        hint: error.hint(),
    }
}

/// Reads the line again that stopped a parser; it may not be UTF-8.
fn place(cwd: &Path, path: &Path, line: usize) -> Option<Place> {
    let bytes = fs::read(cwd.join(path)).ok()?;
    Place::of(&String::from_utf8_lossy(&bytes), line, None)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Cli, Command};

    fn found(
        files: &[(&str, &str)],
        words: &[&str],
    ) -> (Result<Vec<String>, String>, Vec<&'static str>) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let sources = Sources {
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            cwd: dir.path().to_owned(),
            stdout_is_terminal: false,
            stderr_is_terminal: false,
        };
        let cli = Cli::try_parse_from(["pm", "check"].iter().chain(words)).unwrap();
        let Command::Check(args) = cli.command else { unreachable!("`check` was typed") };
        let mut findings = Vec::new();
        let checked = check(&args, &sources, &mut findings)
            .map_err(|error| as_finding(&error, dir.path()).code.to_owned());
        let names =
            checked.map(|procfile| procfile.entries.into_iter().map(|entry| entry.name).collect());
        (
            names,
            findings
                .into_iter()
                .map(|finding| finding.code)
                .filter(|code| *code != "port-taken")
                .collect(),
        )
    }

    #[test]
    fn a_valid_procfile_stays_valid_beside_a_broken_env_file() {
        let files = [("Procfile", "web: ls\njunk\n"), (".env", "A=\0\n")];
        assert_eq!(
            found(&files, &[]),
            (Ok(vec!["web".into()]), vec!["env-file-line", "skipped-line"])
        );
    }

    #[test]
    fn a_procfile_without_an_entry_is_an_error_after_the_lines_that_are_none() {
        assert_eq!(
            found(&[("Procfile", "web=ls\n")], &[]),
            (Err("no-processes".into()), vec!["skipped-line"])
        );
    }

    #[test]
    fn what_keeps_the_application_from_starting_is_an_error() {
        let procfile = ("Procfile", "web: ls\n");
        type Row<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str);
        let table: [Row<'_>; 6] = [
            (&[], &[], "procfile-read"),
            (&[procfile], &["-d", "nope"], "root"),
            (&[procfile], &["-m", "wbe=1"], "usage"),
            (&[procfile, (".env", "PORT=x")], &[], "usage"),
            (&[("Procfile", "web: a\nweb: b\n")], &[], "procfile-line"),
            (&[("Procfile", "web: a\0\n")], &[], "procfile-line"),
        ];
        for (files, words, code) in table {
            assert_eq!(found(files, words).0, Err(code.to_owned()), "{files:?} {words:?}");
        }
        let (names, codes) = found(&[procfile], &["-p", "65535", "-m", "web=2"]);
        assert_eq!((names, codes), (Ok(vec!["web".into()]), vec!["port-over-65535"]));
    }
}
