//! `pm start`

use std::sync::Arc;

use super::args::{StartArgs, Tool};
use super::given::Given;
use super::resolve::{self, Asked, Loaded, look};
use super::settled::Settled;
use super::tell;
use crate::app::{formation, load};
use crate::error::Error;
use crate::output::Form;
use crate::{os, resources};

/// Runs the application until it has ended, and returns the exit code.
pub(crate) fn start(args: &StartArgs, called_as: Tool, given: Given<'_>) -> Result<i32, Error> {
    let sources = given.sources;
    let settled = Settled::read(given.config(args.config.config.as_ref()).all(&args.session)?)?;
    let files = &settled.files;
    let procfile = load::procfile(files, &sources.cwd)?;
    let loaded = load::environment(files, &sources.cwd, sources.environment())?;
    let warnings = procfile.warnings().into_iter().chain(loaded.warnings());
    tell::warnings(settled.warnings.iter().chain(&warnings.collect::<Vec<_>>()));
    procfile.require_entries()?;
    settled.check_names(&procfile.names())?;
    let environment = loaded.environment;
    let loaded = Loaded { root: files.root(&sources.cwd)?, entries: procfile.entries, environment };
    let mut named = Vec::new();
    for text in &args.types {
        named.extend(formation::parse(text)?);
    }
    let rules = args.session.behave_as.unwrap_or(called_as);
    let cpus = resources::cpus::available();
    let plan = resolve::plan(&settled, loaded, Asked { named, rules, cpus })?;
    resolve::check_ports(&plan.app)?;
    let form = match args.json {
        true => Form::Json,
        false => look::text(&settled.session, &plan.app, sources)?,
    };
    let notices = procfile.notice.into_iter().chain(plan.notices).collect();
    os::run::run(Arc::new(plan.app), form, notices)
}
