//! Finds the session that a command is for.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::args::TargetArgs;
use crate::app::nearest::nearest;
use crate::app::select;
use crate::cli::load::{self, Files};
use crate::cli::sources::Sources;
use crate::control::proto::{FiguresQuery, InstanceStatus, Report, Request, Response};
use crate::control::socket_paths::{self, Endpoint};
use crate::control::{client, socket_paths::sessions};
use crate::error::Error;

/// A session and what it runs.
#[derive(Debug)]
pub(in crate::cli) struct SessionInfo {
    pub(in crate::cli) endpoint: Endpoint,
    pub(in crate::cli) report: Report,
}

/// Sessions, each with what it runs, or why it does not say so.
type Answers = Vec<(Endpoint, Result<Report, Error>)>;

/// Returns the application's folder; .foreman can say it too, pm.toml cannot. It may have been removed.
pub(in crate::cli) fn root(target: &TargetArgs, sources: &Sources) -> Result<PathBuf, Error> {
    let foreman = load::config::foreman(&sources.cwd)?.layer.session;
    let files = Files {
        procfile: target.procfile.clone().or(foreman.procfile.map(|procfile| procfile.value)),
        root: target.root.clone().or(foreman.root.map(|root| root.value)),
        ..Files::default()
    };
    match files.root(&sources.cwd) {
        // A session may still run there.
        Err(Error::Root { path, source }) if source.kind() == ErrorKind::NotFound => {
            Ok(sources.cwd.join(path).components().collect())
        }
        root => root,
    }
}

/// Returns where sessions leave their sockets.
pub(in crate::cli) fn folder(sources: &Sources) -> PathBuf {
    socket_paths::folder(sources.var("XDG_RUNTIME_DIR").map(Path::new))
}

/// Returns every session of a folder, each with what it runs, or why it does not say so. One that has just ended
/// is none.
pub(in crate::cli) fn of_root(folder: &Path, root: &Path) -> Result<Answers, Error> {
    asked(folder, root, |_| true)
}

fn asked(
    folder: &Path,
    root: &Path,
    is_meant: impl Fn(&Endpoint) -> bool,
) -> Result<Answers, Error> {
    let is_listed =
        |found: &Endpoint| sessions(folder, root).is_ok_and(|sessions| sessions.contains(found));
    let ask = |found: Endpoint| match report(&found) {
        Err(Error::Session { source, .. })
            if source.kind() != ErrorKind::TimedOut && !is_listed(&found) =>
        {
            None
        }
        // It had not begun to listen.
        Err(Error::Session { source, .. })
            if matches!(source.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) =>
        {
            Some((report(&found), found))
        }
        report => Some((report, found)),
    };
    let found = sessions(folder, root)
        .map_err(|source| Error::RuntimeFolder { folder: folder.to_owned(), source })?;
    let asked = found.into_iter().filter(is_meant).filter_map(ask);
    Ok(asked.map(|(report, found)| (found, report)).collect())
}

/// Returns every session that is meant.
pub(in crate::cli) fn all(
    target: &TargetArgs,
    sources: &Sources,
) -> Result<Vec<SessionInfo>, Error> {
    let is_meant = |found: &Endpoint| target.session.is_none_or(|session| session == found.pid);
    let asked = asked(&folder(sources), &root(target, sources)?, is_meant)?;
    asked
        .into_iter()
        .map(|(endpoint, report)| Ok(SessionInfo { endpoint, report: report? }))
        .collect()
}

/// Returns what a session does.
pub(in crate::cli) fn report(found: &Endpoint) -> Result<Report, Error> {
    answer_to(Request::Status, found)
}

/// Returns what a session does, and what its instances use.
pub(in crate::cli) fn figures(found: &Endpoint, query: FiguresQuery) -> Result<Report, Error> {
    match answer_to(Request::Figures(query), found) {
        Err(Error::Refused { reason, .. }) if reason.contains("unknown variant `figures`") => {
            Err(Error::Refused {
                reason: format!("session {} is of an older pm, which does not measure", found.pid),
                hint: Some("`pm quit` ends it; `pm start` starts one of this version".to_owned()),
            })
        }
        answer => answer,
    }
}

fn answer_to(request: Request, found: &Endpoint) -> Result<Report, Error> {
    let fail = |source| Error::Session { session: found.pid, source };
    match client::request(&found.socket, request).map_err(fail)? {
        Response::Status(report) => Ok(*report),
        Response::Refused { reason, hint } => Err(Error::Refused { reason, hint }),
        Response::Done
        | Response::Warning { .. }
        | Response::Failed { .. }
        | Response::Output { .. }
        | Response::Lost { .. }
        | Response::Attached => Err(fail(io::Error::other("it sent an unexpected response"))),
    }
}

/// Returns the only session; or the only one that runs what all these patterns name.
pub(in crate::cli) fn one(
    target: &TargetArgs,
    sources: &Sources,
    names: &[String],
    fits: fn(&Report, &[String]) -> bool,
) -> Result<SessionInfo, Error> {
    one_of(all(target, sources)?, (target, sources), names, fits)
}

/// Returns the same of what [`all`] has found.
pub(in crate::cli) fn one_of(
    mut all: Vec<SessionInfo>,
    (target, sources): (&TargetArgs, &Sources),
    names: &[String],
    fits: fn(&Report, &[String]) -> bool,
) -> Result<SessionInfo, Error> {
    if all.len() > 1 {
        let described: Vec<_> = all.iter().map(described).collect();
        if let Some(name) =
            names.iter().find(|name| all.iter().all(|one| !knows(&one.report, name)))
        {
            return Err(known_to_none(name, &all, &root(target, sources)?));
        }
        if !names.is_empty() {
            all.retain(|session| fits(&session.report, names));
            // Where some have it stopped, it goes to the one that runs it.
            if all.iter().filter(|session| runs(&session.report, names)).count() == 1 {
                all.retain(|session| runs(&session.report, names));
            }
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

/// Says what a session runs, and what it has that does not run.
fn described(session: &SessionInfo) -> String {
    let instances = session.report.instances.iter();
    let (down, up): (Vec<_>, Vec<_>) = instances.partition(|instance| instance.state.is_over());
    let names = |instances: Vec<&InstanceStatus>| {
        let names: Vec<_> = instances.iter().map(|instance| instance.name.as_str()).collect();
        names.join(" ")
    };
    let pid = session.endpoint.pid;
    let up = if up.is_empty() { "nothing".to_owned() } else { names(up) };
    match down.is_empty() {
        true => format!("{pid} runs {up}"),
        false => format!("{pid} runs {up} (not running: {})", names(down)),
    }
}

/// Returns whether a session has a process type or an instance that a pattern fits.
fn knows(report: &Report, pattern: &str) -> bool {
    let instances = report.instances.iter().map(|instance| &instance.name);
    report.types.iter().chain(instances).any(|name| select::fits(pattern, name))
}

/// Returns that a name is nowhere, and what could be meant.
fn known_to_none(name: &str, sessions: &[SessionInfo], root: &Path) -> Error {
    let types = sessions.iter().flat_map(|session| &session.report.types);
    let types: BTreeSet<&str> = types.map(String::as_str).collect();
    let instances = sessions.iter().flat_map(|session| &session.report.instances);
    let known = types.iter().copied().chain(instances.map(|instance| instance.name.as_str()));
    let hint = match nearest(name, known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("they have: {}", types.into_iter().collect::<Vec<_>>().join(", ")),
    };
    let reason = format!(
        "no process type or instance `{name}` in the {} sessions of `{}`",
        sessions.len(),
        root.display()
    );
    Error::UnknownName { reason, hint: Some(hint) }
}

/// Returns whether an instance that fits one of the patterns is up, or on its way.
fn runs(report: &Report, patterns: &[String]) -> bool {
    let is_meant = |name: &str| patterns.iter().any(|pattern| select::fits(pattern, name));
    let mut meant = report.instances.iter().filter(|instance| is_meant(&instance.name));
    meant.any(|instance| !instance.state.is_over())
}

/// Returns whether a session has instances that every pattern fits.
pub(in crate::cli) fn has_instances(report: &Report, patterns: &[String]) -> bool {
    chosen(report, patterns).is_ok()
}

/// Returns whether a session runs these process types.
pub(super) fn runs_types(report: &Report, types: &[String]) -> bool {
    let is_run =
        |name: &String| report.instances.iter().any(|instance| select::fits(name, &instance.name));
    types.iter().all(is_run)
}

/// Returns the positions of the instances that are meant; all where no pattern is given.
pub(in crate::cli) fn chosen(report: &Report, patterns: &[String]) -> Result<Vec<usize>, Error> {
    if patterns.is_empty() {
        return Ok((0..report.instances.len()).collect());
    }
    let names: Vec<_> = report.instances.iter().map(|instance| instance.name.clone()).collect();
    select::select(patterns, &names)
        .map_err(|unknown| Error::UnknownName { reason: unknown.to_string(), hint: unknown.hint() })
}

/// Returns why a session has refused a request for these names: because no instance has one of them, if so.
pub(super) fn refusal(
    (reason, hint): (String, Option<String>),
    report: &Report,
    names: &[String],
) -> Error {
    match names.iter().all(|name| knows(report, name)) {
        true => Error::Refused { reason, hint },
        false => Error::UnknownName { reason, hint },
    }
}
