//! `PM_TRACE=FILE`: what the supervisor was told and what it ordered, for debugging a session.

use crate::sandbox::Sandbox;

/// Returns the lines of a trace without their times, which must go on from line to line.
#[track_caller]
fn lines(trace: &str) -> Vec<&str> {
    let mut last = 0.0;
    let mut lines = Vec::new();
    for line in trace.lines() {
        let (time, text) = line.trim_start().split_once(' ').expect("a line has a time");
        let time: f64 = time.parse().expect("the time is seconds");
        assert!(time >= last, "{line}\n{trace}");
        last = time;
        lines.push(text);
    }
    lines
}

/// Asserts that lines with these texts stand there, one behind the other.
#[track_caller]
fn assert_in_order(lines: &[&str], texts: &[&str]) {
    let mut rest = lines.iter();
    for text in texts {
        assert!(rest.any(|line| line.contains(text)), "no `{text}` in {lines:#?}");
    }
}

#[test]
fn each_event_and_action_is_a_line_with_its_time_and_no_value_of_the_environment() {
    let app = Sandbox::with_procfile("web: echo ready; exit 3").write(".env", "SECRET=hunter2\n");
    let app = app.env("PM_TRACE", "trace").env("TOKEN", "hunter3");
    let output = app.pm(["start", "--restart", "never"]).run();
    assert_eq!(output.code(), 3, "{output:#?}");
    let trace = app.read("trace").expect("the trace stands where it was asked for");
    let lines = lines(&trace);
    assert_eq!(lines[0], "event  began", "{trace}");
    let of_a_life = [
        "action spawn web.1#1",
        "event  spawned web.1#1 as ",
        "action read web.1#1",
        "event  exited web.1#1: exited with code 3",
        "action sweep web.1#1",
    ];
    assert_in_order(&lines, &of_a_life);
    let is_known = |line: &&str| line.starts_with("event  ") || line.starts_with("action ");
    assert!(lines.iter().all(is_known), "{trace}");
    assert!(!trace.contains("hunter"), "{trace}");
}

#[test]
fn a_request_and_its_answer_stand_in_the_trace_that_is_there_already() {
    let app = Sandbox::with_procfile("web: echo ready; exec sleep 60").write("trace", "before\n");
    let runtime = app.dir();
    let app = app.env("XDG_RUNTIME_DIR", runtime).env("PM_TRACE", "trace");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| ready");
    assert_eq!(app.pm(["stop", "web"]).run().code(), 0);
    assert_eq!(app.pm(["quit"]).run().code(), 0);
    session.wait();
    let trace = app.read("trace").expect("the trace is there");
    let trace = trace.strip_prefix("before\n").expect("what was there stays");
    let stop = [
        ": stop web.1",
        "action SIGTERM web.1#1",
        "action sweep web.1#1",
        " done",
        ": quit",
        " done",
    ];
    assert_in_order(&lines(trace), &stop);
}

#[test]
fn a_trace_that_cannot_be_written_is_said_once_and_the_session_goes_on() {
    for file in ["/dev/full", "no/such/folder"] {
        let app = Sandbox::with_procfile("web: echo ready; exit 3").env("PM_TRACE", file);
        let output = app.pm(["start", "--restart", "never"]).run();
        assert_eq!(output.code(), 3, "{output:#?}");
        assert!(output.stdout.contains("| ready"), "{output:#?}");
        let said = output.stdout.matches("PM_TRACE: cannot write `").count();
        assert_eq!(said, 1, "{output:#?}");
    }
}
