//! `pm check`: reads the files, lints them, and shows what was found.

mod fronts;
pub(in crate::cli) mod probe;
pub(in crate::cli) mod render;
mod watched;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use crate::app::lint::{self, Excerpt, Finding, LintInput, PortState, Severity, System};
use crate::app::loaded::{LoadedEnvironment, LoadedProcfile};
use crate::app::{App, Warning};
use crate::cli::args::CheckArgs;
use crate::cli::layers::CliLayers;
use crate::cli::load;
use crate::cli::resolve;
use crate::cli::settings::Settings;
use crate::cli::sources::Sources;
use crate::cli::{answer, client, ports};
use crate::control::socket_paths;
use crate::error::Error;
use crate::os;
use crate::os::cgroup::Unavailable;

/// Checks the application. The answer goes to stdout, what was found to stderr; with `--json` all
/// goes to stdout.
///
/// # Errors
/// `Error::CheckFailed` where an error was found and shown (with `--strict`, a warning); `Error::Usage` where the command
/// line cannot be used.
pub(super) fn run(args: &CheckArgs, matches: &ArgMatches, sources: &Sources) -> Result<(), Error> {
    let mut findings = Vec::new();
    let checked = check(matches, sources, &mut findings);
    let names: Vec<&str> = match &checked {
        Ok(procfile) => procfile.entries.iter().map(|entry| entry.name.as_str()).collect(),
        // Nothing was checked.
        Err(Error::Usage { .. }) => return checked.map(drop),
        Err(error) => {
            // What was found until then stands before it: it may say why.
            findings.push(as_finding(error, &sources.cwd));
            Vec::new()
        }
    };
    if args.json {
        answer(&render::json(&findings, &names))?;
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
    matches: &ArgMatches,
    sources: &Sources,
    findings: &mut Vec<Finding>,
) -> Result<LoadedProcfile, Error> {
    let mut settings = Settings::read(CliLayers::read(matches, sources)?, sources)?;
    let unknown = settings.warnings.iter().map(|warning| unknown_option(warning, &sources.cwd));
    findings.extend(unknown);
    let files = &settings.files;
    let root = files.root(&sources.cwd)?;
    let procfile = load::procfile(files, &sources.cwd)?;
    findings.extend(no_procfile(&procfile));
    let environment =
        load::environment(files, &sources.cwd, sources.environment()).unwrap_or_else(|error| {
            findings.push(as_finding(&error, &sources.cwd));
            LoadedEnvironment { environment: sources.environment(), files: Vec::new() }
        });
    let is_environment_read = !findings.iter().any(|finding| finding.severity == Severity::Error);
    settings.check_names(&procfile.names())?;
    let mut wrong = resolve::dependency_errors(&settings, &procfile.names());
    if let Some(last) = wrong.pop() {
        findings.extend(wrong.iter().map(|error| as_finding(error, &sources.cwd)));
        return Err(last);
    }
    let size = (root.as_path(), procfile.entries.len());
    let wish = ports::expect(&mut settings, &environment.environment, size, sources);
    // In a session it would be set.
    settings.facts = Some(ports::facts(&root, Some(std::process::id())));
    let app = application(&settings, &procfile, &environment, root)?;
    let counts: Vec<u16> = app.types.iter().map(|process_type| process_type.count).collect();
    findings.extend(fronts::findings(&app, &sources.cwd));
    // What an env file sets that cannot be read is not known.
    let is_known = |finding: &Finding| is_environment_read || finding.code != "unset-variable";
    let input = LintInput {
        procfile: &procfile,
        environment: &environment,
        counts: &counts,
        base_port: app.base_port,
        base: wish.origin(),
        app: &app,
    };
    findings.extend(lint_app(input, sources).into_iter().filter(is_known));
    findings.extend(os::machine::memory().and_then(|has| lint::memory::over(&app.types, has)));
    findings.extend(sampled(&app));
    findings.extend(resolve::absent_instances(&app).into_iter().map(absent_instance));
    findings.extend(watched::findings(&settings, &app, &sources.cwd));
    load::require_entries(&procfile)?;
    Ok(procfile)
}

/// Shows an option of a file that pm does not know.
fn unknown_option(warning: &Warning, cwd: &Path) -> Finding {
    Finding {
        severity: Severity::Warning,
        code: "unknown-option",
        path: warning.path.clone(),
        place: place(cwd, &warning.path, warning.line, None),
        message: warning.message.clone(),
        hint: warning.hint.clone(),
    }
}

/// Says what stands in for a Procfile that is not there.
fn no_procfile(procfile: &LoadedProcfile) -> Option<Finding> {
    Some(Finding {
        severity: Severity::Note,
        code: "no-procfile",
        path: procfile.path.clone(),
        place: None,
        message: procfile.notice.clone()?,
        hint: Some("write that line into a Procfile to avoid this notice".into()),
    })
}

/// Lints what was read, against this machine.
fn lint_app(input: LintInput<'_>, sources: &Sources) -> Vec<Finding> {
    let app = input.app;
    let path = input.environment.environment.get("PATH").map(|value| value.text.clone());
    let program = |name: &str, folder: &Path| probe::program(name, path.as_deref(), folder);
    let sessions = || {
        let found = socket_paths::sessions(&client::find::folder(sources), &app.root);
        found.unwrap_or_default().iter().map(|session| session.pid).collect()
    };
    let needed = app.needed_ports();
    let holders = probe::PortHolders::new(needed, &sessions);
    let assigned = ports::of_other_sessions(&app.root, sources);
    let port = |number| match holders.state(number) {
        PortState::Taken(Some(holder)) => PortState::Taken(Some(ports::shown(holder, sources))),
        PortState::Free => match assigned.iter().find(|(port, _)| *port == number) {
            Some((_, holder)) => PortState::Taken(Some(holder.clone())),
            None => PortState::Free,
        },
        state @ (PortState::Taken(None) | PortState::Forbidden) => state,
    };
    let system =
        System { program: &program, refusal: &probe::refusal, folder: &probe::folder, port: &port };
    lint::check(input, &system)
}

/// Returns what `pm start` would run; nothing at all where the Procfile has nothing.
fn application(
    settings: &Settings,
    procfile: &LoadedProcfile,
    environment: &LoadedEnvironment,
    root: PathBuf,
) -> Result<App, Error> {
    let (entries, environment) = (procfile.entries.clone(), environment.environment.clone());
    match entries.is_empty() {
        true => resolve::one_of(settings, root, entries, environment, 0),
        false => resolve::app(settings, root, entries, environment).map(|resolved| resolved.app),
    }
}

/// Shows that somebody depends on an instance that is not there.
fn absent_instance(message: String) -> Finding {
    Finding {
        severity: Severity::Warning,
        code: "absent-instance",
        path: PathBuf::new(),
        place: None,
        message,
        hint: Some("`concurrency` in pm.toml says how many of a type there are".to_owned()),
    }
}

/// Says why the kernel does not hold the budgets, where there are any.
fn sampled(app: &App) -> Option<Finding> {
    let has_budgets = app.types.iter().any(|own| own.count > 0 && own.policy.budget.is_some());
    let reason =
        if has_budgets { crate::session::budgets::find_subtree().err()? } else { return None };
    Some(Finding {
        severity: Severity::Note,
        code: "memory-sampled",
        path: PathBuf::new(),
        place: None,
        message: format!(
            "the kernel does not enforce the memory budgets: {reason}; pm samples once per second"
        ),
        hint: match reason {
            Unavailable::NotDelegated { .. } | Unavailable::Shared { .. } => Some(
                "`systemd-run --user --scope -p Delegate=yes pm start` gives pm its own".into(),
            ),
            Unavailable::NoCgroup2
            | Unavailable::NoMemoryController
            | Unavailable::Refused { .. } => None,
        },
    })
}

/// Turns an error into a finding; the path is empty where no file is at fault.
fn as_finding(error: &Error, cwd: &Path) -> Finding {
    let cause =
        std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let said = format!("{error}{cause}");
    let (code, path, place, message) = match error {
        Error::ProcfileLine { path, line, reason, .. } => {
            ("procfile-line", path, place(cwd, path, *line, None), reason.clone())
        }
        Error::EnvFileLine { path, line, reason, .. } => {
            ("env-file-line", path, place(cwd, path, *line, None), reason.clone())
        }
        Error::ConfigLine { path, line, column, reason, .. } => {
            ("config", path, place(cwd, path, *line, Some(*column)), reason.clone())
        }
        Error::ConfigRead { path, .. } => ("config-read", path, None, said),
        Error::ProcfileRead { path, .. } | Error::ProcfileMissing { path, .. } => {
            ("procfile-read", path, None, said)
        }
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

/// Reads the line again that stopped a parser; it may not be UTF-8. The part is what follows the column,
/// else all of it.
fn place(cwd: &Path, path: &Path, line: usize, column: Option<usize>) -> Option<Excerpt> {
    let bytes = fs::read(cwd.join(path)).ok()?;
    let place = Excerpt::of(&String::from_utf8_lossy(&bytes), line, None)?;
    let Some(column) = column else { return Some(place) };
    let start = place.text.char_indices().nth(column - 1).map_or(place.text.len(), |(at, _)| at);
    let span = start..place.text.len();
    Some(Excerpt { span, ..place })
}
