//! The Procfile at the top of this repository: what `cargo run --release -- start` shows a newcomer.

use std::fs;
use std::path::Path;

use crate::sandbox::http::{free_port, get};
use crate::sandbox::{CTRL_C, End, Sandbox, eventually, has_program};

#[test]
fn the_demo_compiles_serves_restarts_and_ends_at_ctrl_c() {
    if !has_program("rustc") {
        return;
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut app = Sandbox::new();
    for name in [
        "Procfile",
        ".env",
        "examples/demo/web.rs",
        "examples/demo/worker.rs",
        "examples/demo/flaky.rs",
    ] {
        app = app.write(name, fs::read(top.join(name)).expect("the demo is in the tree"));
    }
    // rustc as rustup installs it needs the real HOME; the sandbox knows its own by the folder as well.
    let home = app.sh("getent passwd \"$(id -u)\" | cut -d: -f6").run().stdout;
    let home = home.trim();
    let port = free_port(1).to_string();
    let mut invocation =
        app.pm(["start", "--color", "never", "-p", &port, "--set", "FLAKY_SECONDS=0"]);
    for (key, folder) in [("RUSTUP_HOME", ".rustup"), ("CARGO_HOME", ".cargo")] {
        #[expect(clippy::disallowed_methods, reason = "where the caller's toolchain is")]
        let value = std::env::var(key).unwrap_or_else(|_| format!("{home}/{folder}"));
        invocation = invocation.env(key, value);
    }
    let mut session = invocation.spawn_pty();
    session.wait_for("web.1    | listening on http://127.0.0.1:");
    let answer = get(port.parse().expect("it was a number"), "/").expect("the demo answers");
    assert!(answer.ends_with("Hello from the demo, from web.1\n"), "{answer}");
    session.wait_for("web.1    | GET / 200 OK");
    session.wait_for("worker.1 | job 1: 17984 primes below 200000");
    session.wait_for("flaky.1  | crashing on purpose: exiting with code 1");
    session.wait_for("flaky.1  | !! exited with code 1; restart 1 of 5 in 0.5s");
    eventually("its second start", || {
        (session.stdout_so_far().matches("flaky.1  | -- started with pid").count() >= 2)
            .then_some(())
    });
    session.type_keys(CTRL_C);
    assert_eq!(session.wait(), End::Code(0));
    assert!(!session.stdout_so_far().contains("killed: "), "{}", session.stdout_so_far());
    app.assert_nothing_left();
}
