//! `pm start`

use std::sync::Arc;

use super::args::{StartArgs, Tool};
use super::resolve::{self, Loaded};
use super::sources::Sources;
use super::tell;
use crate::app::load;
use crate::error::Error;
use crate::os;

/// Runs the application until it has ended, and returns the exit code.
pub(crate) fn start(args: &StartArgs, called_as: Tool, sources: &Sources) -> Result<i32, Error> {
    let files = resolve::files(&args.files);
    let procfile = load::procfile(&files, &sources.cwd)?;
    let loaded = load::environment(&files, &sources.cwd, sources.environment())?;
    tell::warnings(procfile.warnings().iter().chain(&loaded.warnings()));
    procfile.require_entries()?;
    let environment = loaded.environment;
    let loaded = Loaded { root: files.root(&sources.cwd)?, entries: procfile.entries, environment };
    let cpus = os::limits::cpus();
    let plan = resolve::plan(args, called_as, loaded, cpus)?;
    let form = resolve::form(&args.output, &plan.app, sources)?;
    let notices = procfile.notice.into_iter().chain(plan.notices).collect();
    os::run::run(Arc::new(plan.app), form, notices)
}
