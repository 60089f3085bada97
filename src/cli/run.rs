//! `pm run`

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use clap::ArgMatches;

use super::args::RunArgs;
use super::layers::CliLayers;
use super::settings::Settings;
use super::sources::Sources;
use super::{diagnostics, load, ports, resolve};
use crate::app::{Environment, InstanceId, shell};
use crate::error::{Alternative, Error};
use crate::session::foreground::{self, ForegroundCommand};

/// Runs one command with the application's environment, and returns its exit code. A Procfile that is
/// broken does not keep a program from running, unless it was named.
pub(crate) fn run(args: &RunArgs, matches: &ArgMatches, sources: &Sources) -> Result<i32, Error> {
    let mut settings = Settings::read(CliLayers::read(matches, sources)?, sources)?;
    if settings.files.root.is_some() {
        settings.files.root(&sources.cwd)?;
    }
    let loaded = load::environment(&settings.files, &sources.cwd, sources.environment())?;
    diagnostics::warnings(settings.warnings.iter().chain(&loaded.warnings()));
    if args.verbose {
        loaded
            .differences()
            .iter()
            .map(diagnostics::warning_in_one_line)
            .for_each(|line| diagnostics::note(&line));
    }
    let environment = loaded.environment;
    // clap wants one word at least.
    let Some((first, rest)) = args.command.split_first() else { return Ok(0) };
    let shared = shared_environment(&mut settings, sources, &environment);
    if args.shell {
        let environment = shared.unwrap_or(environment);
        return foreground(&of_shell(first, rest, &sources.cwd, environment));
    }
    let mut broken = None;
    if rest.is_empty() {
        match entry(first, &settings, sources, &environment) {
            Ok(Some(order)) => return foreground(&order),
            Ok(None) => {}
            Err(error) if settings.files.procfile.is_some() => return Err(error),
            Err(error) => broken = Some(error),
        }
    }
    let order = ForegroundCommand {
        program: first.clone(),
        arguments: rest.to_vec(),
        folder: sources.cwd.clone(),
        environment: shared.unwrap_or(environment),
    };
    match (foreground(&order), broken) {
        // The word may be an entry that could not be read.
        (Err(Error::CommandNotFound { .. }), Some(broken)) => Err(broken),
        (result, _) => result,
    }
}

/// Runs a command in the foreground. A program gets what pm has to say in the object of an error, or else on stderr, since
/// stdout is the command's own.
fn foreground(command: &ForegroundCommand) -> Result<i32, Error> {
    let code = foreground::run(command)?;
    diagnostics::release();
    Ok(code)
}

fn of_shell(
    command: &OsStr,
    rest: &[OsString],
    folder: &Path,
    environment: Environment,
) -> ForegroundCommand {
    let mut arguments: Vec<OsString> = vec!["-c".into(), command.to_owned(), "sh".into()];
    arguments.extend_from_slice(rest);
    ForegroundCommand {
        program: "/bin/sh".into(),
        arguments,
        folder: folder.to_owned(),
        environment,
    }
}

/// Returns the environment with the ports of all process types, where there is a Procfile that can be read; and fills
/// in what is known of the session.
fn shared_environment(
    settings: &mut Settings,
    sources: &Sources,
    environment: &Environment,
) -> Option<Environment> {
    let entries = load::procfile(&settings.files, &sources.cwd).ok()?.entries;
    let root = settings.files.root(&sources.cwd).ok()?;
    ports::expect(settings, environment, (&root, entries.len()), sources);
    let app = resolve::one_of(settings, root, entries, environment.clone(), 0).ok()?;
    Some(app.shared_environment())
}

/// Returns what to run where the word names an entry of the Procfile; there may be no Procfile.
fn entry(
    name: &OsStr,
    settings: &Settings,
    sources: &Sources,
    environment: &Environment,
) -> Result<Option<ForegroundCommand>, Error> {
    let files = &settings.files;
    let procfile = match load::procfile(files, &sources.cwd) {
        Ok(procfile) => procfile,
        Err(Error::ProcfileRead { source, .. })
            if source.kind() == io::ErrorKind::NotFound && files.procfile.is_none() =>
        {
            return Ok(None);
        }
        Err(Error::ProcfileMissing { instead: Alternative::Package { .. }, .. }) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let Some(at) = procfile.entries.iter().position(|entry| name == entry.name.as_str()) else {
        return Ok(None);
    };
    diagnostics::warnings(&procfile.warnings());
    diagnostics::notices(procfile.notice.as_slice());
    settings.check_names(&procfile.names())?;
    let root = files.root(&sources.cwd)?;
    let app = resolve::one_of(settings, root, procfile.entries, environment.clone(), at)?;
    let id = InstanceId { process_type: u16::try_from(at).unwrap_or(u16::MAX), number: 1 };
    let environment = app.environment_of(id);
    let script = shell::script(&app.type_of(id).command, &[&environment]).into_owned();
    let folder = app.type_of(id).folder(&app.root);
    Ok(Some(of_shell(OsStr::new(&script), &[], folder, environment)))
}
