//! The applications of this repository run: the sample at its top, and the node cluster.

use std::io::Write;
use std::path::Path;

use nix::sys::signal::{Signal, kill};

use crate::http::{Answer, free_ports, get, post};
use crate::sandbox::{End, Sandbox, Session};

const TOP: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_sample_application_serves_works_and_is_restarted() {
    let app = Sandbox::new();
    let port = free_ports(1);
    let options = ["start", "-d", TOP, "-p", &port.to_string(), "--set", "FLAKY_SECONDS=0"];
    // rustup finds its toolchain by HOME, which is the sandbox.
    let mut invocation = app.pm(options);
    for variable in ["RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Some(value) = toolchain(variable) {
            invocation = invocation.env(variable, value);
        }
    }
    let mut session = invocation.spawn();
    session.wait_for("listening on");
    session.wait_for("primes below");
    session.wait_for("out of luck");
    session.wait_for("restart 1 of 5");
    let greeting = "Hello from the demo, from web.1\n".to_owned();
    assert_eq!(get(port, "/"), Answer { status: 200, body: greeting });
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn the_node_cluster_works_is_scaled_restarted_and_stopped() {
    if !are_installed(&["node", "redis-server"]) {
        return;
    }
    let app = Sandbox::new();
    let folder = Path::new(TOP).join("examples/node-cluster");
    let base = free_ports(3);
    let redis = base + 2;
    let mut session = app
        .pm(["start", "web=2,worker,redis", "-p", &base.to_string(), "-d"])
        .arg(&folder)
        .args(["--set", &format!("REDIS_PORT={redis}")])
        .args(["--set", &format!("REDIS_URL=redis://127.0.0.1:{redis}")])
        .env("TMPDIR", app.dir())
        .spawn();
    session.wait_for("web.1 listening on port");
    session.wait_for("web.2 listening on port");
    session.wait_for("waiting for jobs");

    let config = get(base, "/config").body;
    assert!(config.contains("--max_old_space_size=460"), "{config}");
    assert!(config.contains(r#""WEB_CONCURRENCY":"2""#), "{config}");
    assert_eq!(post(base, "/jobs", "hello").status, 202);
    session.wait_for("job 1 done");
    assert!(get(base + 1, "/jobs/1").body.contains("olleh"));

    kill(worker_of(&session), Signal::SIGKILL).expect("the worker runs");
    session.wait_for("restart 1 of 5");
    session.wait_for_times("waiting for jobs", 2);
    assert_eq!(post(base + 1, "/jobs", "again").status, 202);
    session.wait_for("job 2 done");

    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

fn worker_of(session: &Session) -> nix::unistd::Pid {
    let family = session.descendants();
    let worker = family.iter().find(|process| process.command == "node worker.js");
    worker.unwrap_or_else(|| panic!("no worker in {family:#?}")).pid
}

/// Returns whether all programs are on PATH, and says aloud where one is not. With
/// PM_TEST_REQUIRE_ALL set, as in CI, a missing one is a failure.
#[track_caller]
fn are_installed(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs
        .iter()
        .filter(|program| Sandbox::new().sh(&format!("command -v {program}")).run().code() != 0)
        .collect();
    assert!(
        missing.is_empty() || variable("PM_TEST_REQUIRE_ALL").is_none(),
        "missing: {missing:?}"
    );
    if !missing.is_empty() {
        // Not `eprintln!`, which the test harness keeps to itself where a test passes.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {missing:?} not on PATH");
    }
    missing.is_empty()
}

/// Returns a variable that tells where Rust is; for the two folders, also their default place.
fn toolchain(name: &str) -> Option<std::ffi::OsString> {
    let folder = match name {
        "RUSTUP_HOME" => ".rustup",
        "CARGO_HOME" => ".cargo",
        _ => return variable(name),
    };
    variable(name).or_else(|| Some(Path::new(&variable("HOME")?).join(folder).into()))
}

#[expect(clippy::disallowed_methods, reason = "a test learns from its caller what may be missing")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
