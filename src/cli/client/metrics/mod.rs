//! `pm metrics`: what is known of instances, as Prometheus text, once.

mod families;
mod proxies;
mod text;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use clap::ArgMatches;

use super::args::MetricsArgs;
use super::{find, sessions};
use crate::cli::json;
use crate::cli::sources::Sources;
use crate::control::proto::{FiguresQuery, Report};
use crate::control::socket_paths::{self, Endpoint};
use crate::error::Error;
use families::SessionMetrics;

const STACK: usize = 256 << 10;

/// Sessions, each with its root, where that is known.
type Listed = Vec<(Endpoint, Option<PathBuf>)>;

/// `pm metrics`
pub(crate) fn metrics(
    args: &MetricsArgs,
    matches: &ArgMatches,
    sources: &Sources,
) -> Result<i32, Error> {
    let sessions = match args.all {
        true => {
            sessions::refuse_target(matches)?;
            of_user(sources)?
        }
        false => of_root(args, sources)?,
    };
    let text = families::text(&sessions);
    match &args.output {
        None => json::print(text.as_bytes())?,
        Some(file) => {
            let path = sources.cwd.join(file);
            let fail = |source| Error::MetricsWrite { path: file.clone(), source };
            replace(&path, text.as_bytes()).map_err(fail)?;
        }
    }
    Ok(0)
}

/// Returns the metrics of the root's sessions. With `--output`, one without a session is told as down: whoever reads the
/// file must not take an old one for the present.
fn of_root(args: &MetricsArgs, sources: &Sources) -> Result<Vec<SessionMetrics>, Error> {
    let root = find::root(&args.target, sources)?;
    let folder = find::folder(sources);
    let list = || {
        let fail = |source| Error::RuntimeFolder { folder: folder.clone(), source };
        let mut found = socket_paths::sessions(&folder, &root).map_err(fail)?;
        found.retain(|found| args.target.session.is_none_or(|pid| pid == found.pid));
        Ok(found.into_iter().map(|endpoint| (endpoint, Some(root.clone()))).collect())
    };
    let sessions = asked(list)?;
    match (sessions.is_empty(), &args.output) {
        (false, _) => Ok(sessions),
        (true, Some(_)) => Ok(vec![SessionMetrics::down(&root, 0)]),
        (true, None) => Err(Error::NoSession { root }),
    }
}

fn of_user(sources: &Sources) -> Result<Vec<SessionMetrics>, Error> {
    let folder = find::folder(sources);
    asked(|| {
        let fail = |source| Error::RuntimeFolder { folder: folder.clone(), source };
        let found = socket_paths::all_sessions(&folder).map_err(fail)?;
        Ok(found.into_iter().map(|found| (found.endpoint, found.root)).collect())
    })
}

/// Asks all sessions of a list at the same time. One that does not answer is down, unless it is not listed any more.
fn asked(list: impl Fn() -> Result<Listed, Error>) -> Result<Vec<SessionMetrics>, Error> {
    let ask = |(endpoint, root): (Endpoint, Option<PathBuf>)| {
        let (sender, answer) = crossbeam_channel::bounded(1);
        let asked = endpoint.clone();
        // Nobody may be left to take it.
        let ask = move || drop(sender.send(figures(&asked)));
        // Without a thread it is down.
        drop(thread::Builder::new().name("ask".into()).stack_size(STACK).spawn(ask));
        (endpoint, root, answer)
    };
    let asked: Vec<_> = list()?.into_iter().map(ask).collect();
    let mut sessions = Vec::new();
    for (endpoint, root, answer) in asked {
        match answer.recv() {
            Ok(Ok(report)) => sessions.push(SessionMetrics::of(report)),
            Ok(Err(_)) | Err(_) if list()?.iter().any(|(listed, _)| *listed == endpoint) => {
                sessions.push(SessionMetrics::down(&root.unwrap_or_default(), endpoint.pid));
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }
    Ok(sessions)
}

fn figures(endpoint: &Endpoint) -> Result<Report, Error> {
    find::figures(endpoint, FiguresQuery { pss: false, details: true, past: false })
}

/// Gives a file other contents by rename(2): who reads it finds the old or the new, and never a part.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let write = || {
        // Another user reads it: the collector. What an earlier pm of this number has left is written over.
        let _ = fs::remove_file(&temporary);
        let options = OpenOptions::new().write(true).create_new(true).mode(0o644).to_owned();
        options.open(&temporary)?.write_all(bytes)?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&temporary)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pm.prom");
        for text in ["one\n", "two\n"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(replace(&folder.path().join("no/pm.prom"), b"x").is_err());
        // A folder cannot be replaced by a file.
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        assert!(replace(&inner, b"x").is_err());
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["inner", "pm.prom"]);
    }
}
