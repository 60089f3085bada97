//! `develop.watch`: `docker compose watch` copies the changed files of a folder into the containers that were built from
//! it, and restarts them. It knows folders and files, and what to leave out of them; no globs (Compose Develop
//! Specification).

use serde_json::{Value, json};

use crate::app::file_watch::{FileWatch, WatchAction};
use crate::app::{App, ProcessType};
use crate::export::context::{Export, Service};
use crate::export::quote::markup;
use crate::export::{Image, Options};

/// The working folder of a container, where the Dockerfile does not say it.
const WORKDIR: &str = "/app";

/// Something that is watched.
#[derive(Debug, PartialEq, Eq)]
struct WatchedPlace {
    /// From the type's folder; empty where it is that.
    path: String,
    /// What of it is left out, as in a .dockerignore beside it.
    ignore: Vec<String>,
}

/// Returns what compose watches for a type, for the template: nothing where it builds no image of it.
pub(super) fn rules(export: &Export<'_>, service: &Service<'_>) -> Vec<Value> {
    let (Some(watch), Image::Build { workdir }) = (&service.policy.watch, &export.options.image)
    else {
        return Vec::new();
    };
    let Some(below) = below(&service.folder, &export.root) else { return Vec::new() };
    let workdir = workdir.as_deref().unwrap_or(WORKDIR);
    let action = match watch.action {
        WatchAction::Restart | WatchAction::Rolling => "sync+restart",
        WatchAction::Signal(_) => "sync",
    };
    let rule = |place: WatchedPlace| {
        json!({
            "action": action,
            "path": markup::dollar_json(&joined(&export.root, &[below, &place.path])),
            "target": markup::dollar_json(&joined(workdir, &[below, &place.path])),
            "ignore": place.ignore.iter().map(|one| markup::dollar_json(one)).collect::<Vec<_>>(),
        })
    };
    places(&watch.globs).into_iter().map(rule).collect()
}

/// Says what of `watch` compose does not do.
pub(in crate::export) fn notices(app: &App, options: &Options) -> Vec<String> {
    let watched = app.types.iter().filter(|own| own.count > 0);
    let watched = watched.filter_map(|own| Some((own, own.policy.watch.as_ref()?)));
    watched.flat_map(|(own, watch)| of_type(app, options, own, watch)).collect()
}

fn of_type(app: &App, options: &Options, own: &ProcessType, watch: &FileWatch) -> Vec<String> {
    let name = &own.name;
    let Image::Build { workdir } = &options.image else {
        return vec![format!(
            "`watch` of `{name}` is left out: compose only watches what it builds from a Dockerfile"
        )];
    };
    if !own.folder(&app.root).starts_with(&app.root) {
        return vec![format!("`watch` of `{name}` is left out: its folder is not in the image")];
    }
    let mut notices = Vec::new();
    if workdir.is_none() {
        notices.push(format!(
            "`watch` of `{name}`: `{WORKDIR}` is taken for the container's folder: the Dockerfile has no WORKDIR"
        ));
    }
    let is_wider = |glob: &&String| !is_exclusion(glob) && !is_exact(glob);
    for glob in watch.globs.iter().filter(is_wider) {
        let all = match literal(glob) {
            path if path.is_empty() => "all files".to_owned(),
            path => format!("all of `{path}`"),
        };
        notices.push(format!("`watch` of `{name}`: compose watches {all} for `{glob}`"));
    }
    if places(&watch.globs).iter().any(|place| place.path.is_empty()) {
        notices.push(format!(
            "`watch` of `{name}`: compose leaves out what .dockerignore does, and reads no .gitignore"
        ));
    }
    match watch.action {
        WatchAction::Restart => {}
        WatchAction::Rolling => notices
            .push(format!("`watch-action` of `{name}`: compose restarts all instances at once")),
        WatchAction::Signal(_) => notices.push(format!(
            "`watch-action` of `{name}`: compose copies the files, and sends no signal"
        )),
    }
    notices
}

/// Returns what is watched for some globs: what stands before their wildcards, each once.
fn places(globs: &[String]) -> Vec<WatchedPlace> {
    let positive = || globs.iter().filter(|glob| !is_exclusion(glob));
    let mut paths: Vec<String> = positive().map(|glob| literal(glob)).collect();
    if paths.is_empty() {
        paths.push(String::new());
    }
    let all = paths.clone();
    paths.retain(|path| !all.iter().any(|other| other != path && is_below(path, other)));
    paths.sort();
    paths.dedup();
    // What a later glob takes in again is not left out.
    let last = globs.iter().rposition(|glob| !is_exclusion(glob)).map_or(0, |last| last + 1);
    let place = |path: String| {
        let own = globs[last..].iter().filter_map(|glob| left_out(glob, &path));
        let is_outside = |name: &&str| !path.split('/').any(|part| part == *name);
        let always = [".git", "node_modules"].into_iter().filter(is_outside);
        let ignore = always.map(|name| format!("**/{name}")).chain(own).collect();
        WatchedPlace { path, ignore }
    };
    paths.into_iter().map(place).collect()
}

/// Returns what a glob with `!` leaves out of a place, as a line of a .dockerignore there.
fn left_out(glob: &str, place: &str) -> Option<String> {
    let body = body(glob);
    let inner = body.trim_end_matches('/');
    if !inner.contains('/') {
        return Some(format!("**/{inner}"));
    }
    if inner.starts_with("**/") {
        return Some(inner.to_owned());
    }
    let inner = inner.trim_start_matches('/');
    match place {
        "" => Some(inner.to_owned()),
        place => inner.strip_prefix(place)?.strip_prefix('/').map(str::to_owned),
    }
}

/// Returns what of a glob stands before its first wildcard; nothing where it holds at any depth.
fn literal(glob: &str) -> String {
    let inner = body(glob).trim_end_matches('/');
    if !inner.contains('/') || inner.starts_with("**/") {
        return String::new();
    }
    let is_literal = |part: &&str| !part.contains(['*', '?', '[', '\\', '{']);
    let parts: Vec<&str> =
        inner.trim_start_matches('/').split('/').take_while(is_literal).collect();
    parts.join("/")
}

/// Returns whether a glob means all of what is watched for it.
fn is_exact(glob: &str) -> bool {
    let literal = literal(glob);
    let inner = body(glob).trim_start_matches('/').trim_end_matches('/');
    !literal.is_empty() && (inner == literal || inner == format!("{literal}/**"))
}

fn is_exclusion(glob: &str) -> bool {
    glob.starts_with('!')
}

/// Returns a glob without its `!`.
fn body(glob: &str) -> &str {
    let body = glob.strip_prefix('!').unwrap_or(glob);
    body.strip_prefix("./").unwrap_or(body)
}

fn is_below(path: &str, other: &str) -> bool {
    other.is_empty() || path.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns a folder's path from the root; `None` where it is elsewhere.
fn below<'f>(folder: &'f str, root: &str) -> Option<&'f str> {
    let rest = folder.strip_prefix(root)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

fn joined(folder: &str, parts: &[&str]) -> String {
    let mut path = folder.trim_end_matches('/').to_owned();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        path.push('/');
        path.push_str(part);
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_places_and_what_is_left_out_of_them() {
        type PlacesRow =
            (&'static [&'static str], &'static [(&'static str, &'static [&'static str])]);
        const ALWAYS: &[&str] = &["**/.git", "**/node_modules"];
        let table: [PlacesRow; 9] = [
            (&[], &[("", ALWAYS)]),
            (
                &["src/**/*.py", "!**/test_*.py"],
                &[("src", &["**/.git", "**/node_modules", "**/test_*.py"])],
            ),
            (&["src/**", "lib/**", "src/a/*"], &[("lib", ALWAYS), ("src", ALWAYS)]),
            (&["*.py", "src/**"], &[("", ALWAYS)]),
            (&["!*.log", "!/tmp/"], &[("", &["**/.git", "**/node_modules", "**/*.log", "tmp"])]),
            (
                &["./src/**", "!src/gen/", "!lib/x"],
                &[("src", &["**/.git", "**/node_modules", "gen"])],
            ),
            // It is taken in again.
            (&["src/**", "!src/gen", "src/gen/keep.py"], &[("src", ALWAYS)]),
            (&["node_modules/mine/**"], &[("node_modules/mine", &["**/.git"])]),
            (&["conf/app.yml"], &[("conf/app.yml", ALWAYS)]),
        ];
        for (globs, expected) in table {
            let globs: Vec<String> = globs.iter().map(|&glob| glob.to_owned()).collect();
            let own = |(path, ignore): &(&str, &[&str])| WatchedPlace {
                path: (*path).to_owned(),
                ignore: ignore.iter().map(|&one| one.to_owned()).collect(),
            };
            assert_eq!(places(&globs), expected.iter().map(own).collect::<Vec<_>>(), "{globs:?}");
        }
    }

    #[test]
    fn a_container_may_run_in_the_root() {
        assert_eq!(joined("/", &["", "src"]), "/src");
        assert_eq!(joined("/", &["", ""]), "/");
        assert_eq!(joined("/app/", &["api", "src"]), "/app/api/src");
    }

    #[test]
    fn a_glob_is_exact_where_all_of_its_place_is_meant() {
        for glob in ["src/**", "./src/**", "/src/app.py", "conf/app.yml", "src/a/**"] {
            assert!(is_exact(glob), "{glob}");
        }
        for glob in ["src/", "*.py", "src/*.py", "src/**/*.py", "**/src/**", "src/*"] {
            assert!(!is_exact(glob), "{glob}");
        }
    }
}
