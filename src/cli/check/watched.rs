//! What `pm check` says of watched files.

use std::path::{Path, PathBuf};

use super::place;
use crate::app::App;
use crate::app::lint::{Finding, Severity};
use crate::cli::counted::counted;
use crate::cli::settings::{Place, Settings};
use crate::output::OwnLog;
use crate::watch::{self, OwnFiles, Patterns};

/// With more folders, the watches of other programs may not suffice: 8,192 was the default of Linux for a long time.
const FOLDERS_MANY: usize = 8_000;

/// Says for each type that is watched how many files that are, and what is likely not meant.
pub(super) fn findings(settings: &Settings, app: &App, cwd: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for own in &app.types {
        let Some(watched) = &own.policy.watch else { continue };
        // The settings were read with these globs.
        let Ok(patterns) = Patterns::parse(&watched.globs) else { continue };
        let own_files = OwnFiles::new([], [app.root.join(OwnLog::NAME)]);
        let found = watch::survey(own.folder(&app.root), patterns, own_files);
        let name = &own.name;
        let globs = match watched.globs.as_slice() {
            [] => "all that are not ignored".to_owned(),
            globs => globs.join(", "),
        };
        let (files, folders) = (counted(found.files, "file"), counted(found.folders, "folder"));
        let message = format!("`{name}` watches {files} in {folders}: {globs}");
        findings.push(finding(Severity::Note, "watch", message, None));
        if found.folders > FOLDERS_MANY {
            let message = format!("`{name}` watches {folders}: each costs a watch of the system");
            let hint = "leave folders out by a glob with `!`, or by .gitignore".to_owned();
            findings.push(finding(Severity::Warning, "watch-many", message, Some(hint)));
        }
        let origin = settings.layers.of_type(name).watch.map(|said| said.origin);
        for glob in found.without_a_match {
            let at = watched.globs.iter().position(|one| *one == glob);
            let said = at
                .zip(origin)
                .map(|(at, origin)| settings.place_of_entry(name, "watch", origin, at));
            let message = format!("no file matches `{glob}`, which `{name}` watches");
            let warning = finding(Severity::Warning, "watch-nothing", message, None);
            findings.push(match said {
                Some(Place::File { path, line, column }) => {
                    Finding { place: place(cwd, &path, line, Some(column)), path, ..warning }
                }
                Some(Place::Option(_)) | None => warning,
            });
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
