//! Parts of messages.

use std::path::PathBuf;

/// What there is where a Procfile is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alternative {
    /// A Procfile of another name, as it would be typed.
    Procfile(PathBuf),
    /// A package.json that `npm start` cannot run.
    Package {
        /// The package.json, as it would be typed.
        path: PathBuf,
        /// The script of it that starts the application, by its name.
        script: Option<String>,
    },
}

/// Returns what there is instead of a Procfile.
pub(super) fn beside(instead: &Alternative) -> String {
    match instead {
        Alternative::Procfile(path) => format!(", but there is `{}`", path.display()),
        Alternative::Package { path, .. } => {
            format!(", and `{}` has no script `start`", path.display())
        }
    }
}

/// Returns which names run in which session.
pub(super) fn already(running: &[(String, i32)]) -> String {
    let mut sessions: Vec<(i32, Vec<&str>)> = Vec::new();
    for (name, session) in running {
        match sessions.iter_mut().find(|(known, _)| known == session) {
            Some((_, names)) => names.push(name),
            None => sessions.push((*session, vec![name])),
        }
    }
    let one = |(session, names): &(i32, Vec<&str>)| {
        let run = if names.len() == 1 { "runs" } else { "run" };
        format!("{} already {run} in the session of pid {session}", names.join(", "))
    };
    sessions.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Returns which names do not run in which session.
pub(super) fn stopped(down: &[(String, i32)]) -> String {
    let one = |(name, session): &(String, i32)| {
        format!("`{name}` is not running in the session of pid {session}")
    };
    down.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Returns names in backticks.
pub(super) fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns what is waited for, behind what waits.
pub(super) fn waiting_for(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!(": waiting for {}", names.join(", ")),
    }
}
