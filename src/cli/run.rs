//! `pm run`

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::args::RunArgs;
use super::sources::Sources;
use super::{resolve, tell};
use crate::app::{Environment, InstanceId, load};
use crate::error::Error;
use crate::os::foreground::{self, Order};

/// Runs one command with the application's environment, and returns its exit code.
pub(crate) fn run(args: &RunArgs, sources: &Sources) -> Result<i32, Error> {
    let files = resolve::files(&args.files);
    let loaded = load::environment(&files, &sources.cwd, sources.environment())?;
    tell::warnings(&loaded.warnings());
    let environment = loaded.environment;
    // clap wants one word at least.
    let Some((first, rest)) = args.command.split_first() else { return Ok(0) };
    if args.shell {
        return foreground::run(&shell(first, rest, &sources.cwd, environment));
    }
    if rest.is_empty()
        && let Some(order) = entry(first, args, sources, &environment)?
    {
        return foreground::run(&order);
    }
    let order = Order {
        program: first.clone(),
        arguments: rest.to_vec(),
        folder: sources.cwd.clone(),
        environment,
    };
    foreground::run(&order)
}

fn shell(command: &OsStr, rest: &[OsString], folder: &Path, environment: Environment) -> Order {
    let mut arguments: Vec<OsString> = vec!["-c".into(), command.to_owned(), "sh".into()];
    arguments.extend_from_slice(rest);
    Order { program: "/bin/sh".into(), arguments, folder: folder.to_owned(), environment }
}

/// Returns what to run where the word names an entry of the Procfile. A Procfile that is missing or
/// broken does not keep a program from running, unless it was named.
fn entry(
    name: &OsStr,
    args: &RunArgs,
    sources: &Sources,
    environment: &Environment,
) -> Result<Option<Order>, Error> {
    let files = resolve::files(&args.files);
    let procfile = match load::procfile(&files, &sources.cwd) {
        Ok(procfile) => procfile,
        Err(error) if files.procfile.is_some() => return Err(error),
        Err(_) => return Ok(None),
    };
    let Some(at) = procfile.entries.iter().position(|entry| name == entry.name.as_str()) else {
        return Ok(None);
    };
    tell::warnings(&procfile.warnings());
    let app = resolve::one_of_each(
        files.root(&sources.cwd)?,
        procfile.entries,
        environment.clone(),
        None,
    )?;
    let id = InstanceId { process_type: u16::try_from(at).unwrap_or(u16::MAX), number: 1 };
    let command = OsString::from(&app.type_of(id).command);
    Ok(Some(shell(&command, &[], &app.root, app.environment_of(id))))
}
