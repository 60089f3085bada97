//! `examples/stack`: real programs none of which waits for another, in an order that pm sees to.

use nix::sys::signal::Signal;

use crate::control::done;
use crate::sandbox::http::{free_port, get, post};
use crate::sandbox::{End, Sandbox, Session, cases, eventually, has_program};

/// What must be seen of a start, in this order.
const STARTS: &[&str] = &[
    "redis.1   | -- ready after",
    "migrate.1 | -- started with pid",
    "migrate.1 | migrated to schema 7",
    "migrate.1 | -- exited with code 0",
    "api.1     | -- started with pid",
    "api.1     | -- ready after",
    "web.1     | -- started with pid",
    "web.1     | -- ready after",
];

/// What the servers say after their start. They can be asked before they say it.
const SERVES: [[&str; 2]; 2] = [
    ["api.1     | -- started with pid", "api.1     | serving schema 7"],
    ["web.1     | -- started with pid", "web.1     | pages of schema 7"],
];

/// What must be seen of a stop, in this order.
const STOPS: &[&str] = &[
    "web.1     | -- terminated",
    "api.1     | -- terminated",
    "redis.1   | -- exited with code 0",
];

fn is_there() -> bool {
    has_program("node") && has_program("redis-server")
}

/// Copies the example; who asks its session is in the same folder.
fn example() -> Sandbox {
    let app = Sandbox::of_example("stack");
    let runtime = app.dir();
    app.env("XDG_RUNTIME_DIR", runtime)
}

/// Starts the example on ports of its own; returns the first.
fn start(app: &Sandbox) -> (Session, u16) {
    let port = free_port(401);
    let urls = [("API_URL", "http", 100), ("REDIS_URL", "redis", 400)]
        .map(|(name, scheme, more)| format!("{name}={scheme}://127.0.0.1:{}", port + more));
    let base = port.to_string();
    let words = ["start", "-t", "60", "-p", &base, "--set", &urls[0], "--set", &urls[1]];
    (app.pm(words).spawn(), port)
}

#[track_caller]
fn assert_order(output: &str, expected: &[&str]) {
    let mut rest = output;
    for text in expected {
        let (_, after) = rest
            .split_once(text)
            .unwrap_or_else(|| panic!("`{text}` is not in its place:\n{output}"));
        rest = after;
    }
}

#[test]
fn the_stack_starts_and_stops_in_order_each_time() {
    if !is_there() {
        return;
    }
    for _ in 0..cases(3) {
        let app = example();
        let (mut session, port) = start(&app);
        session.wait_for("web.1     | -- ready after");
        session.wait_for("worker.1  | -- ready after");
        let answer = post(port, "/hello", "").expect("the web server answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        session.wait_for("worker.1  | did /hello");
        session.signal(Signal::SIGINT);
        assert_eq!(session.wait(), End::Code(0));
        let output = session.stdout_so_far();
        assert_order(&output, STARTS);
        SERVES.iter().for_each(|texts| assert_order(&output, texts));
        assert_order(&output, STOPS);
        let worker = ["migrate.1 | -- exited with code 0", "worker.1  | -- started with pid"];
        assert_order(&output, &worker);
        assert_order(&output, &["worker.1  | -- terminated", "redis.1   | -- exited with code 0"]);
        assert!(!output.contains("restart 1 of") && !output.contains("killed"), "{output}");
        app.assert_nothing_left();
    }
}

#[test]
fn redis_killed_in_the_middle_costs_the_worker_one_crash_and_the_others_nothing() {
    if !is_there() {
        return;
    }
    let app = example();
    let (mut session, port) = start(&app);
    session.wait_for("web.1     | -- ready after");
    session.wait_for("worker.1  | -- ready after");
    done(&app, "signal KILL redis");
    session.wait_for_times("redis.1   | -- ready after", 2);
    session.wait_for_times("worker.1  | -- ready after", 2);
    eventually("an answer", || get(port, "/").ok()?.starts_with("HTTP/1.1 200").then_some(()));
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    for (name, starts) in [("web.1    ", 1), ("api.1    ", 1), ("migrate.1", 1), ("worker.1 ", 2)] {
        let started = format!("{name} | -- started with pid");
        assert_eq!(output.matches(&started).count(), starts, "{name}: {output}");
    }
    app.assert_nothing_left();
}

#[test]
fn a_migration_that_fails_ends_the_start_and_what_needs_it_never_runs() {
    if !is_there() {
        return;
    }
    let app = example().write("migrate.js", "console.log('no such table'); process.exit(3);\n");
    let (mut session, _) = start(&app);
    assert_eq!(session.wait(), End::Code(3));
    let output = session.stdout_so_far();
    for name in ["web.1    ", "api.1    ", "worker.1 "] {
        assert!(!output.contains(&format!("{name} | -- started")), "{output}");
    }
    app.assert_nothing_left();
}
