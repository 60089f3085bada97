//! What becomes of files that are watched.

use std::time::Duration;

use super::{app, options, process, whole};
use crate::app::App;
use crate::app::file_watch::{FileWatch, WatchAction};
use crate::app::signal::Signal;
use crate::export::formats::{compose, systemd};
use crate::export::notices::{Account, notices};
use crate::export::{Format, Image, Options, render};

fn watch(globs: &[&str], action: WatchAction) -> Option<FileWatch> {
    Some(FileWatch {
        globs: globs.iter().map(|&glob| glob.to_owned()).collect(),
        debounce: Duration::from_millis(100),
        action,
        poll: None,
        places: Vec::new(),
    })
}

/// A type in the root, one in a folder of it, and one elsewhere.
fn watched() -> App {
    let mut web = process("web", "bin/web", 1);
    web.policy.watch = watch(&["src/**/*.py", "!**/test_*.py"], WatchAction::Restart);
    let mut api = process("api", "bin/api", 1);
    api.directory = Some("/srv/shop $1/api".into());
    api.policy.watch = watch(&[], WatchAction::Signal(Signal::HUP));
    let mut jobs = process("jobs", "bin/jobs", 1);
    jobs.directory = Some("/srv/jobs".into());
    jobs.policy.watch = watch(&[], WatchAction::Rolling);
    app("/srv/shop $1", vec![web, api, jobs, process("clock", "bin/clock", 1)], &[])
}

fn built(workdir: Option<&str>) -> Options {
    Options { image: Image::Build { workdir: workdir.map(str::to_owned) }, ..options("shop") }
}

fn told(format: &Format, options: &Options) -> Vec<String> {
    let files = render(format, &watched(), options).unwrap();
    notices(format, &watched(), options, Account::Reachable, files.iter().map(|file| file.owner))
}

#[test]
fn compose_copies_changed_files_to_where_the_container_runs() {
    let files = render(&compose::FORMAT, &watched(), &built(Some("/usr/src/app"))).unwrap();
    let text = whole(&files);
    let rules = r#"    develop:
      watch:
        - action: sync+restart
          path: "/srv/shop $$1/src"
          target: "/usr/src/app/src"
          ignore:
            - "**/.git"
            - "**/node_modules"
            - "**/test_*.py"
"#;
    assert!(text.contains(rules), "{text}");
    let rules = r#"        - action: sync
          path: "/srv/shop $$1/api"
          target: "/usr/src/app/api"
"#;
    assert!(text.contains(rules), "{text}");
    assert_eq!(text.matches("develop:").count(), 2, "{text}");
}

#[test]
fn what_is_not_watched_as_pm_does_is_told() {
    assert_eq!(
        told(&compose::FORMAT, &built(None)),
        [
            "`watch` of `web`: `/app` is taken for the container's folder: the Dockerfile has no WORKDIR",
            "`watch` of `web`: compose watches all of `src` for `src/**/*.py`",
            "`watch` of `api`: `/app` is taken for the container's folder: the Dockerfile has no WORKDIR",
            "`watch` of `api`: compose leaves out what .dockerignore does, and reads no .gitignore",
            "`watch-action` of `api`: compose copies the files, and sends no signal",
            "`watch` of `jobs` is left out: its folder is not in the image",
        ]
    );
    let left_out = "is left out: compose only watches what it builds from a Dockerfile";
    assert_eq!(
        told(&compose::FORMAT, &options("shop")),
        ["web", "api", "jobs"].map(|name| format!("`watch` of `{name}` {left_out}"))
    );
    assert_eq!(
        told(&systemd::FORMAT, &options("shop")),
        ["`watch` of `web`, `api`, `jobs` is left out: systemd does not watch files"]
    );
}
