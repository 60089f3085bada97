//! `pm start`

use std::path::Path;
use std::sync::Arc;

use super::args::{StartArgs, Tool};
use super::resolve::{self, Loaded};
use super::sources::Sources;
use super::{ctl, daemon, tell};
use crate::app::{App, load};
use crate::control::place;
use crate::error::Error;
use crate::os;
use crate::os::desk::Control;

/// Runs the application until it has ended, and returns the exit code.
pub(crate) fn start(args: &StartArgs, called_as: Tool, sources: &Sources) -> Result<i32, Error> {
    if let Some(code) = ctl::start_in_session(args, sources)? {
        return Ok(code);
    }
    let files = resolve::files(&args.files);
    let procfile = load::procfile(&files, &sources.cwd)?;
    let loaded = load::environment(&files, &sources.cwd, sources.environment())?;
    tell::warnings(procfile.warnings().iter().chain(&loaded.warnings()));
    procfile.require_entries()?;
    let environment = loaded.environment;
    let loaded = Loaded { root: files.root(&sources.cwd)?, entries: procfile.entries, environment };
    let cpus = os::limits::cpus();
    let stdio = resolve::stdio(args.pty, sources);
    let plan = resolve::plan(args, called_as, loaded, cpus, stdio)?;
    let form = resolve::form(&args.output, &plan.app, sources)?;
    if args.daemon && !args.daemonised {
        return daemon::start(args, &plan.app.root, sources);
    }
    let notices = procfile.notice.into_iter().chain(plan.notices).collect();
    let control = Control {
        folder: place::folder(sources.var("XDG_RUNTIME_DIR").map(Path::new)),
        launched: args.daemonised,
        reread: reread(args.clone(), called_as, sources.clone()),
    };
    os::run::run(Arc::new(plan.app), form, notices, control)
}

/// Returns what reads the files again, as this start did.
fn reread(
    args: StartArgs,
    called_as: Tool,
    sources: Sources,
) -> Box<dyn FnMut() -> Result<App, String>> {
    let read = move || -> Result<App, Error> {
        let files = resolve::files(&args.files);
        let procfile = load::procfile(&files, &sources.cwd)?;
        let environment = load::environment(&files, &sources.cwd, sources.environment())?;
        procfile.require_entries()?;
        let root = files.root(&sources.cwd)?;
        let (entries, environment) = (procfile.entries, environment.environment);
        let loaded = Loaded { root, entries, environment };
        let stdio = resolve::stdio(args.pty, &sources);
        Ok(resolve::plan(&args, called_as, loaded, os::limits::cpus(), stdio)?.app)
    };
    Box::new(move || read().map_err(|error| tell::in_one_line(&error)))
}
