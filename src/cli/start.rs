//! `pm start`

use std::path::Path;
use std::sync::Arc;

use super::args::{StartArgs, Tool};
use super::given::Given;
use super::resolve::{self, Asked, Loaded, Plan, look};
use super::settled::Settled;
use super::{ctl, daemon, tell};
use crate::app::{App, Stdio, Warning, formation, load};
use crate::control::place;
use crate::error::Error;
use crate::os::desk::Control;
use crate::output::Form;
use crate::{os, resources};

/// Runs the application until it has ended, and returns the exit code.
pub(crate) fn start(args: &StartArgs, called_as: Tool, given: Given<'_>) -> Result<i32, Error> {
    let sources = given.sources;
    if let Some(code) = ctl::start_in_session(args, sources)? {
        return Ok(code);
    }
    let reread = reread(args.clone(), called_as, &given);
    let (settled, plan) = read(args, called_as, given, |warnings| tell::warnings(warnings))?;
    let form = match args.json {
        true => Form::Json,
        false => look::text(&settled.session, &plan.app, sources)?,
    };
    if args.daemon && !args.daemonised {
        return daemon::start(args, &plan.app.root, sources);
    }
    let zone = os::zone::local(sources.var("TZ").is_some());
    let folder = place::folder(sources.var("XDG_RUNTIME_DIR").map(Path::new));
    let control = Control { folder, launched: args.daemonised, reread };
    os::run::run(Arc::new(plan.app), form, zone, plan.notices, control)
}

/// Returns what reads the files again, as this start does.
fn reread(
    args: StartArgs,
    called_as: Tool,
    given: &Given<'_>,
) -> Box<dyn FnMut() -> Result<App, String>> {
    let (matches, sources) = (given.matches.clone(), given.sources.clone());
    Box::new(move || {
        // What is passed over was said at the start.
        let plan = read(&args, called_as, Given::new(&matches, &sources), |_| {});
        plan.map(|(_, plan)| plan.app).map_err(|error| tell::in_one_line(&error))
    })
}

/// Reads the files, and makes of them what is to run. `say` gets what was passed over, also where an
/// error follows.
pub(crate) fn read(
    args: &StartArgs,
    called_as: Tool,
    given: Given<'_>,
    say: impl FnOnce(&[Warning]),
) -> Result<(Settled, Plan), Error> {
    let sources = given.sources;
    let settled = Settled::read(given.config(args.config.config.as_ref()).all(&args.session)?)?;
    let files = &settled.files;
    let procfile = load::procfile(files, &sources.cwd)?;
    let loaded = load::environment(files, &sources.cwd, sources.environment())?;
    let warnings = settled.warnings.iter().cloned().chain(procfile.warnings());
    say(&warnings.chain(loaded.warnings()).collect::<Vec<_>>());
    procfile.require_entries()?;
    settled.check_names(&procfile.names())?;
    let environment = loaded.environment;
    let loaded = Loaded { root: files.root(&sources.cwd)?, entries: procfile.entries, environment };
    let mut named = Vec::new();
    for text in &args.types {
        named.extend(formation::parse(text)?);
    }
    let rules = args.session.behave_as.unwrap_or(called_as);
    let cpus = resources::cpus::available;
    let auto = match sources.stdout_is_terminal {
        true => Stdio::Terminal,
        false => Stdio::Pipes,
    };
    let mut plan = resolve::plan(&settled, loaded, Asked { named, rules, cpus, auto })?;
    resolve::check_ports(&plan.app)?;
    plan.notices.splice(..0, procfile.notice);
    Ok((settled, plan))
}
