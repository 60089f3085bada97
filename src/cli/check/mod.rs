//! `pm check`: reads the files, lints them, and shows what was found.

mod probe;
mod render;

use std::fs;
use std::io::{self, Write as _};
use std::num::NonZero;
use std::path::Path;

use crate::app::formation::{self, Wish};
use crate::app::lint::{self, Finding, Place, Severity, Subject, System};
use crate::app::load::{self, Files, LoadedProcfile};
use crate::app::{Environment, Source};
use crate::cli::args::CheckArgs;
use crate::cli::sources::Sources;
use crate::error::Error;

/// PORT of the first instance, where nothing else is said (foreman engine.rb).
const BASE_PORT: u16 = 5000;

/// Checks the application. The answer goes to stdout, what was found to stderr; with `--json` all
/// goes to stdout.
///
/// # Errors
/// `Error::CheckFailed` where an error was found and shown (with `--strict`, a warning); any other
/// where there is nothing to check.
pub fn run(args: &CheckArgs, sources: &Sources) -> Result<(), Error> {
    let mut findings = Vec::new();
    let procfile = check(args, sources, &mut findings).or_else(|error| {
        // An error that has a place in a file, or that a program reads, is shown as a finding.
        match as_finding(&error, &sources.cwd) {
            Some(finding) if args.json || finding.place.is_some() => {
                findings.push(finding);
                Ok(None)
            }
            Some(_) | None => Err(error),
        }
    });
    // Even where there is nothing to check, what was found until then is shown: it may say why.
    let names = match &procfile {
        Ok(Some(procfile)) => procfile.entries.iter().map(|entry| entry.name.as_str()).collect(),
        Ok(None) | Err(_) => Vec::new(),
    };
    if args.json {
        let text = render::json(&findings, &names);
        io::stdout().write_all(text.as_bytes()).map_err(|source| Error::Output { source })?;
    } else {
        if !names.is_empty() {
            let valid = format!("valid procfile detected ({})\n", names.join(", "));
            io::stdout().write_all(valid.as_bytes()).map_err(|source| Error::Output { source })?;
        }
        let is_colored = sources.stderr_is_terminal && sources.var("NO_COLOR").is_none();
        let text = render::text(&findings, is_colored);
        // A closed standard error leaves nobody to tell.
        drop(io::stderr().write_all(text.as_bytes()));
    }
    procfile?;
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
) -> Result<Option<LoadedProcfile>, Error> {
    let files = Files::from(&args.files);
    let root = files.root(&sources.cwd)?;
    let procfile = load::procfile(&files, &sources.cwd)?;
    if let Some(notice) = &procfile.notice {
        findings.push(Finding {
            severity: Severity::Note,
            code: "no-procfile",
            path: procfile.path.clone(),
            place: None,
            message: notice.clone(),
            hint: Some("write that line into a Procfile to silence this".into()),
        });
    }
    let loaded = load::environment(&files, &sources.cwd, sources.environment());
    let (environment, failure) = match loaded {
        Ok(environment) => (environment, None),
        Err(error) => (
            load::LoadedEnvironment { environment: sources.environment(), files: Vec::new() },
            Some(error),
        ),
    };
    let counts = counts(args, &procfile)?;
    let base_port = base_port(args.port, &environment.environment)?;
    let path = environment.environment.get("PATH").map(|value| value.text.clone());
    let subject =
        Subject { procfile: &procfile, environment: &environment, counts: &counts, base_port };
    let system = System {
        program: &|name| probe::program(name, path.as_deref(), &root),
        port: &probe::port,
    };
    findings.extend(lint::check(subject, &system));
    procfile.require_entries()?;
    match failure {
        None => {}
        Some(error) => match as_finding(&error, &sources.cwd) {
            Some(finding) => findings.push(finding),
            None => return Err(error),
        },
    }
    Ok(Some(procfile))
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

/// Returns the base of all ports: `-p`, else PORT of the environment, else 5000.
fn base_port(typed: Option<u16>, environment: &Environment) -> Result<u16, Error> {
    let (None, Some(value)) = (typed, environment.get("PORT")) else {
        return Ok(typed.unwrap_or(BASE_PORT));
    };
    let text = value.text.to_string_lossy();
    text.trim().parse().map_err(|_| Error::PortValue {
        value: text.clone().into_owned(),
        origin: match &value.source {
            Source::Caller => "of the environment".into(),
            Source::EnvFile { path, line } => format!("of {}:{line}", path.display()),
            Source::Set => "of `--set`".into(),
            Source::Pm(rule) => format!("of {rule}"),
        },
    })
}

/// Turns an error into a finding. `None` where no file is at fault.
fn as_finding(error: &Error, cwd: &Path) -> Option<Finding> {
    let (code, path, place, message) = match error {
        Error::ProcfileLine { path, line, reason } => {
            ("procfile-line", path, place(cwd, path, *line), reason.clone())
        }
        Error::EnvFileLine { path, line, reason } => {
            ("env-file-line", path, place(cwd, path, *line), reason.clone())
        }
        Error::ProcfileRead { path, source } => {
            ("procfile-read", path, None, format!("{error}: {source}"))
        }
        Error::EnvFileRead { path, source } => {
            ("env-file-read", path, None, format!("{error}: {source}"))
        }
        Error::Root { path, source } => ("root", path, None, format!("{error}: {source}")),
        Error::ProcfileEmpty { path } => ("no-processes", path, None, error.to_string()),
        _ => return None,
    };
    let hint = error.hint();
    Some(Finding { severity: Severity::Error, code, path: path.clone(), place, message, hint })
}

/// Reads the line again that stopped a parser; it may not be UTF-8.
fn place(cwd: &Path, path: &Path, line: usize) -> Option<Place> {
    let bytes = fs::read(cwd.join(path)).ok()?;
    Place::of(&String::from_utf8_lossy(&bytes), line, None)
}
