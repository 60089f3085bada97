//! A real webpack dev server beside an API: it builds again on a change, keeps its colours, ends whole.

use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::sandbox::http::{free_port, get};
use crate::sandbox::{End, Sandbox, eventually, has, has_program};

#[test]
fn webpack_builds_again_keeps_its_colours_and_leaves_nothing() {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webpack/node_modules");
    let installed = "examples/webpack/node_modules (`npm ci` there makes it)";
    if !has_program("node") || !has(installed, modules.is_dir()) {
        return;
    }
    let app = Sandbox::of_example("webpack");
    symlink(modules, app.path("node_modules")).expect("a link can be made in the sandbox");
    let port = free_port(101);
    let mut session = app.pm(["start", "-t", "60", "-p", &port.to_string()]).spawn();
    session.wait_for(&format!("api.1 listening on port {}", port + 100));
    // The escape sequences around the word are webpack's own.
    session.wait_for("compiled \x1b[1m\x1b[32msuccessfully\x1b[39m\x1b[22m");
    let script = get(port, "/main.js").expect("the dev server answers");
    assert!(script.contains("Hello from webpack"), "{script}");
    let time = get(port, "/api/time").expect("the dev server passes it on");
    assert!(time.contains("{\"time\":"), "{time}");

    let app = app.write("src/greeting.js", "export const greeting = `Changed`;\n");
    session.wait_for_times("compiled \x1b[1m\x1b[32msuccessfully", 2);
    eventually("the changed script", || {
        get(port, "/main.js").ok()?.contains("Changed").then_some(())
    });

    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    assert!(!session.stdout_so_far().contains("killed"), "{}", session.stdout_so_far());
    app.assert_nothing_left();
}
