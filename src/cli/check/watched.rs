//! What `pm check` says of watched files.

use std::path::{Path, PathBuf};

use super::place;
use crate::app::App;
use crate::app::lint::{Finding, Severity};
use crate::watch::{self, Patterns};

/// From so many folders on, the watches of other programs may not suffice: 8,192 were the default of Linux for long.
const FOLDERS_MANY: usize = 8_000;

/// Says for each type that is watched how many files that are, and what is likely not meant.
pub(super) fn findings(app: &App, cwd: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for own in &app.types {
        let Some(watched) = &own.policy.watch else { continue };
        let folder = own.directory.as_ref().unwrap_or(&app.root);
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        // The settings were read with these globs.
        let Ok(patterns) = Patterns::parse(&watched.globs) else { continue };
        let found = watch::survey(folder, patterns);
        let name = &own.name;
        let globs = match watched.globs.as_slice() {
            [] => "all that are not ignored".to_owned(),
            globs => globs.join(", "),
        };
        let (files, folders) = (found.files, found.folders);
        let message = format!("`{name}` watches {files} files in {folders} folders: {globs}");
        findings.push(finding(Severity::Note, "watch", message, None));
        if folders > FOLDERS_MANY {
            let message =
                format!("`{name}` watches {folders} folders: each costs a watch of the system");
            let hint = "leave folders out by a glob with `!`, or by .gitignore".to_owned();
            findings.push(finding(Severity::Warning, "watch-many", message, Some(hint)));
        }
        for glob in found.without_a_match {
            let at = watched.globs.iter().position(|one| *one == glob);
            let said = at.and_then(|at| watched.places.get(at)).map_or("", String::as_str);
            let (path, place) = place_of(said, cwd);
            let message = format!("no file matches `{glob}`, which `{name}` watches");
            let warning = finding(Severity::Warning, "watch-nothing", message, None);
            findings.push(Finding { path, place, ..warning });
        }
    }
    findings
}

fn finding(
    severity: Severity,
    code: &'static str,
    message: String,
    hint: Option<String>,
) -> Finding {
    Finding { severity, code, path: PathBuf::new(), place: None, message, hint }
}

/// Reads `pm.toml:3:10`; a flag has no such place.
fn place_of(said: &str, cwd: &Path) -> (PathBuf, Option<crate::app::lint::Excerpt>) {
    let mut parts = said.rsplitn(3, ':');
    let column = parts.next().and_then(|part| part.parse().ok());
    let line = parts.next().and_then(|part| part.parse().ok());
    match (parts.next(), line) {
        (Some(path), Some(line)) => {
            (PathBuf::from(path), place(cwd, Path::new(path), line, column))
        }
        _ => (PathBuf::new(), None),
    }
}
