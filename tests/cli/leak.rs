//! A real program that leaks, and its memory budget.

use nix::sys::signal::Signal;

use crate::log::{objects, said_by};
use crate::sandbox::http::free_port;
use crate::sandbox::{End, Sandbox, has_program};

fn leak() -> Sandbox {
    Sandbox::of_example("leak")
}

fn args(port: u16) -> [String; 4] {
    // Traffic finds the server 100 ports below its own.
    ["start", "--set", "PAUSE_MS=5", "-p"].map(str::to_owned).map(|word| match word.as_str() {
        "-p" => format!("--port={port}"),
        _ => word,
    })
}

#[test]
fn a_leak_is_stopped_in_order_and_restarted_with_the_figures() {
    if !has_program("node") {
        return;
    }
    let app = leak();
    let mut session = app.pm(args(free_port(1))).spawn();
    session.wait_for("over its budget of 128 MiB; stopping it");
    session.wait_for("| stopping with ");
    session.wait_for("restart 1 of 100 in 0.5s");
    session.wait_for_times("with nothing kept", 2);
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    let said = said_by(&output, "web.1");
    let figures =
        said.iter().find_map(|text| text.strip_prefix("uses ")).expect("it was waited for");
    let used: u64 = figures.split(' ').next().and_then(|n| n.parse().ok()).expect("a figure");
    assert!((129..2000).contains(&used), "{figures}");
    app.assert_nothing_left();
}

#[test]
fn warn_says_so_once_and_leaves_it_running() {
    if !has_program("node") {
        return;
    }
    let app = leak();
    let args = args(free_port(1));
    let more = ["--memory-action", "web=warn", "--json"].map(str::to_owned);
    let mut session = app.pm(args.iter().chain(&more)).spawn();
    session.wait_for("\"event\":\"over-budget\"");
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    let objects = objects(&session.stdout_so_far());
    let of = |event: &str| objects.iter().filter(|o| o["event"] == event).count();
    assert_eq!((of("over-budget"), of("started")), (1, 2), "{objects:#?}");
    let told = objects.iter().find(|object| object["event"] == "over-budget");
    let told = told.expect("it was counted");
    assert_eq!((&told["process"], told["budget"].as_u64()), (&"web.1".into(), Some(128 << 20)));
    assert!(told["used"].as_u64() > Some(128 << 20), "{told}");
}
