//! Finds the session that is meant.

use std::path::{Path, PathBuf};

use super::args::TargetArgs;
use crate::app::load::Files;
use crate::app::select;
use crate::cli::sources::Sources;
use crate::config::load;
use crate::control::place::{self, Found};
use crate::control::proto::{Body, Order, Report};
use crate::control::{client, place::sessions};
use crate::error::Error;

/// A session and what it runs.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) found: Found,
    pub(super) report: Report,
}

/// Returns the application's folder; .foreman can say it too, pm.toml cannot.
pub(in crate::cli) fn root(target: &TargetArgs, sources: &Sources) -> Result<PathBuf, Error> {
    let foreman = load::foreman(&sources.cwd)?.settings.session;
    let files = Files {
        procfile: target.procfile.clone().or(foreman.procfile.map(|procfile| procfile.value)),
        root: target.root.clone().or(foreman.root.map(|root| root.value)),
        ..Files::default()
    };
    files.root(&sources.cwd)
}

/// Returns where sessions leave their sockets.
pub(in crate::cli) fn folder(sources: &Sources) -> PathBuf {
    place::folder(sources.var("XDG_RUNTIME_DIR").map(Path::new))
}

/// Returns every session of the root.
pub(super) fn all(target: &TargetArgs, sources: &Sources) -> Result<Vec<Session>, Error> {
    let folder = folder(sources);
    let mut all = Vec::new();
    for found in sessions(&folder, &root(target, sources)?) {
        if target.session.is_none_or(|session| session == found.pid) {
            // One that has just ended is none.
            match report(&found) {
                Ok(report) => all.push(Session { found, report }),
                Err(_) if sessions(&folder, &root(target, sources)?).contains(&found) => {
                    all.push(Session { report: report(&found)?, found });
                }
                Err(_) => {}
            }
        }
    }
    Ok(all)
}

/// Returns what a session does.
pub(super) fn report(found: &Found) -> Result<Report, Error> {
    let fail = |source| Error::Session { session: found.pid, source };
    match client::ask(&found.socket, Order::Status).map_err(fail)? {
        Some(Body::Status(report)) => Ok(report),
        Some(Body::Refused { reason, hint }) => Err(Error::Refused { reason, hint }),
        Some(
            Body::Done
            | Body::Warning { .. }
            | Body::Failed { .. }
            | Body::Output { .. }
            | Body::Lost { .. }
            | Body::Attached,
        )
        | None => {
            Err(fail(std::io::Error::other("it does not answer; it may be stopped (Ctrl-Z)")))
        }
    }
}

/// Returns the only session; or the only one that runs what all these patterns name.
pub(super) fn one(
    target: &TargetArgs,
    sources: &Sources,
    names: &[String],
    fits: fn(&Report, &[String]) -> bool,
) -> Result<Session, Error> {
    let mut all = all(target, sources)?;
    if all.len() > 1 {
        let describe = |session: &Session| {
            let names: Vec<_> =
                session.report.instances.iter().map(|instance| instance.name.as_str()).collect();
            format!("{} runs {}", session.found.pid, names.join(" "))
        };
        let described: Vec<_> = all.iter().map(describe).collect();
        if !names.is_empty() {
            all.retain(|session| fits(&session.report, names));
        }
        if all.len() != 1 {
            return Err(Error::WhichSession { root: root(target, sources)?, sessions: described });
        }
    }
    match all.pop() {
        Some(session) => Ok(session),
        None => Err(Error::NoSession { root: root(target, sources)? }),
    }
}

/// Returns whether a session has instances that every pattern fits.
pub(super) fn has_instances(report: &Report, patterns: &[String]) -> bool {
    chosen(report, patterns).is_ok()
}

/// Returns whether a session runs these process types.
pub(super) fn runs_types(report: &Report, types: &[String]) -> bool {
    let is_run =
        |name: &String| report.instances.iter().any(|instance| select::fits(name, &instance.name));
    types.iter().all(is_run)
}

/// Returns the positions of the instances that are meant; all where no pattern is given.
pub(super) fn chosen(report: &Report, patterns: &[String]) -> Result<Vec<usize>, Error> {
    if patterns.is_empty() {
        return Ok((0..report.instances.len()).collect());
    }
    let names: Vec<_> = report.instances.iter().map(|instance| instance.name.clone()).collect();
    select::select(patterns, &names)
        .map_err(|unknown| Error::Refused { reason: unknown.to_string(), hint: unknown.hint() })
}
