//! Requests and answers through the front and without it: `tests/framing/`, in Python.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::sandbox::http::free_port;
use crate::sandbox::{End, Sandbox, cases, has, has_program};

/// Runs a script of `tests/framing/` to its end, with all that the caller's environment has. It takes as long as it
/// takes, and its own waits have limits.
#[track_caller]
fn script(name: &str, args: &[String]) -> (bool, String) {
    let output = Command::new("python3").arg(path(name)).args(args).output();
    let output = output.expect("python3 is there");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn path(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/framing");
    folder.join(name).display().to_string()
}

#[test]
fn each_case_of_framing_is_answered_as_without_the_front_or_with_400() {
    if !has_program("python3") {
        return;
    }
    let base = free_port(10);
    let app = Sandbox::with_procfile(&format!("web: exec python3 {}\n", path("backend.py")));
    let mut session = app.pm(["start", "--proxy", "-p", &base.to_string()]).spawn();
    session.wait_for("| listens");
    let ports = [base, base + 1].map(|port| port.to_string());
    let (is_right, said) = script("compare.py", &ports);
    assert!(is_right && said.contains("; 0 differ"), "{said}");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

/// With `PM_CI_LONG=1` only: it downloads them.
#[test]
fn the_suites_of_llhttp_and_gunicorn_see_no_difference_that_is_not_known() {
    if cases(1) == 1 || !has_program("python3") || !has_program("node") {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("framing").display().to_string();
    let (is_there, _) = script("suites.py", &["fetch".to_owned(), folder.clone()]);
    if !has("source packages of aiohttp and gunicorn, by pip", is_there) {
        return;
    }
    let base = free_port(110);
    let procfile = format!(
        "web: exec node {}\nraw: exec python3 {} {folder}\n",
        path("backend.js"),
        path("answers.py")
    );
    let app = Sandbox::with_procfile(&procfile);
    let mut session = app.pm(["start", "--proxy=web,raw", "-p", &base.to_string()]).spawn();
    session.wait_for_times("| listens", 2);
    let ports = [base, base + 1, base + 100, base + 101].map(|port| port.to_string());
    let (is_right, said) = script("suites.py", &[&[folder], &ports[..]].concat());
    assert!(is_right && said.contains(" 0 differ"), "{said}");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}
