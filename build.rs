//! Tells the program what it is built for, with what, and from which commit: `pm --version -v`.
//!
//! The commit is looked up for a release build alone: otherwise each commit would compile pm again while it is
//! worked on. Who builds without git, a distribution for example, may say it: `PM_COMMIT=… cargo build --release`.
#![expect(
    clippy::disallowed_methods,
    reason = "what cargo tells a build script is in the environment"
)]

use std::env::{var, vars};
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PM_COMMIT");
    println!("cargo::rustc-env=PM_TARGET={}", var("TARGET").unwrap_or_default());
    println!("cargo::rustc-env=PM_FEATURES={}", features().join(" "));
    let stated = var("PM_COMMIT").ok().filter(|commit| !commit.is_empty());
    if let Some(commit) = stated.or_else(|| is_release().then(commit).flatten()) {
        println!("cargo::rustc-env=PM_COMMIT={commit}");
    }
}

/// Returns the features of the package, as Cargo.toml names them but for `-`, which cargo makes `_`.
fn features() -> Vec<String> {
    let mut names: Vec<_> = vars()
        .filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase()))
        .filter(|name| name != "default")
        .collect();
    names.sort();
    names
}

fn is_release() -> bool {
    var("PROFILE").is_ok_and(|profile| profile == "release")
}

/// Returns the commit that is checked out, or that of the package that `cargo package` made. A folder of some
/// other repository that these sources were unpacked in is not asked.
fn commit() -> Option<String> {
    packaged_commit().or_else(|| {
        Path::new(".git").exists().then_some(())?;
        // What a commit, and a step to another one, writes to.
        for file in ["HEAD", "logs/HEAD"] {
            let path = git(&["rev-parse", "--git-path", file])?;
            if Path::new(&path).exists() {
                println!("cargo::rerun-if-changed={path}");
            }
        }
        git(&["rev-parse", "--short=12", "HEAD"])
    })
}

fn packaged_commit() -> Option<String> {
    let told = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, commit) = told.split_once("\"sha1\": \"")?;
    commit.get(..12).map(str::to_string)
}

/// Returns the one line that git prints, if it runs and has an answer.
fn git(words: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(words).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_string())
}
