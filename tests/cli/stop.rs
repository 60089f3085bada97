//! The end of a session by request: everyone is asked once, gets its time, and nothing stays.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::sandbox::{End, Sandbox, Stopwatch, eventually};

/// Says which signals it gets. TERM ends it, as a well-behaved program.
pub(crate) const LOGGER: &str = "\
for name in HUP INT QUIT USR1 USR2 WINCH; do trap \"echo got $name\" $name; done
trap 'echo got TERM; exit 0' TERM
echo ready
while :; do read -r _; done
";
/// Never ends by itself, and does not care for TERM.
const STUBBORN: &str = "trap '' TERM; echo ready; while :; do read -r _; done\n";

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn each_request_gives_every_child_one_term_and_exit_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let app = Sandbox::with_procfile("a: sh logger.sh\nb: exec sh logger.sh\n")
            .write("logger.sh", LOGGER);
        let mut session = app.pm(["start", "-t", "60"]).spawn();
        session.wait_for_times("| ready", 2);
        session.signal(signal);
        assert_eq!(session.wait(), End::Code(0), "{signal}");
        let output = session.stdout_so_far();
        assert_eq!(count(&output, "got TERM"), 2, "{output}");
        assert_eq!(count(&output, "| got "), 2, "{output}");
        let (before, _) = output.split_once("got TERM").expect("it was counted");
        assert!(before.contains(&format!("{signal} received")), "said before it is done: {output}");
        assert!(!output.contains("killed") && !output.contains("ended by"), "{output}");
        app.assert_nothing_left();
    }
}

#[test]
fn two_requests_within_100_ms_are_one() {
    let app = Sandbox::with_procfile("web: sh web.sh\n").write(
        "web.sh",
        "trap 'echo got TERM; sleep 0.5; echo goodbye; exit 0' TERM; echo ready; while :; do read -r _; done\n",
    );
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGTERM);
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert!(output.contains("goodbye") && !output.contains("kill"), "{output}");
    assert_eq!(count(&output, "got TERM"), 1, "{output}");
}

#[test]
fn pm_says_after_a_second_whom_it_waits_for_and_a_second_request_kills() {
    let app = Sandbox::with_procfile("web: exec sh stubborn.sh\ngood: exec sh logger.sh\n")
        .write("stubborn.sh", STUBBORN)
        .write("logger.sh", LOGGER);
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for_times("| ready", 2);
    session.signal(Signal::SIGINT);
    let watch = Stopwatch::start();
    session.wait_for("waiting for web.1 to stop");
    assert!(watch.elapsed() > Duration::from_millis(900), "{:?}", watch.elapsed());
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert!(output.contains("second request: killing all processes"), "{output}");
    assert!(output.lines().last().is_some_and(|l| l.ends_with("killed: web.1")), "{output}");
    app.assert_nothing_left();
}

#[test]
fn a_stubborn_child_is_killed_after_the_grace_and_named() {
    let app = Sandbox::with_procfile("web: exec sh stubborn.sh\n").write("stubborn.sh", STUBBORN);
    let mut session = app.pm(["start", "-t", "1"]).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGTERM);
    let watch = Stopwatch::start();
    assert_eq!(session.wait(), End::Code(0));
    assert!(watch.elapsed() > Duration::from_millis(950), "{:?}", watch.elapsed());
    let output = session.stdout_so_far();
    assert!(output.contains("did not stop within 1s, killing it"), "{output}");
    assert!(output.lines().last().is_some_and(|l| l.ends_with("killed: web.1")), "{output}");
}

#[test]
fn a_shell_that_ends_at_once_leaves_its_program_time_to_end_cleanly() {
    let program = "trap 'sleep 1; echo all is written; exit 0' TERM\necho ready\nwhile :; do read -r _; done\n";
    for command in [
        "sh program.sh; true",
        "sh -c 'sh program.sh; true'; true",
        "true && sh program.sh || true",
        "cat | sh program.sh",
    ] {
        let app = Sandbox::with_procfile(&format!("web: {command}\n")).write("program.sh", program);
        let mut session = app.pm(["start", "-t", "60"]).spawn();
        session.wait_for("| ready");
        session.signal(Signal::SIGTERM);
        assert_eq!(session.wait(), End::Code(0), "{command}");
        let output = session.stdout_so_far();
        assert!(output.contains("all is written"), "{command}: {output}");
        assert!(!output.contains("killed: "), "{command}: {output}");
        app.assert_nothing_left();
    }
}

/// A program that lets its worker finish when it is told, and ends after it. The worker says which signals it
/// gets.
const MASTER: &str = "\
sh worker.sh & worker=$!
trap 'echo master got TERM; touch asked; wait $worker; echo master ends; exit 0' TERM
while :; do read -r _; done
";
const WORKER: &str = "\
trap 'echo worker got TERM' TERM
echo ready
until test -e asked; do sleep 0.1; done
sleep 0.2
echo worker done
";

#[test]
fn workers_are_left_to_their_program_unless_the_signal_is_to_go_to_the_group() {
    for (to, of_worker) in [("program", 0), ("group", 1)] {
        let app = Sandbox::with_procfile("web: :; sh master.sh; :\n")
            .write("master.sh", MASTER)
            .write("worker.sh", WORKER)
            .write("pm.toml", format!("[process.web]\nstop-signal-to = '{to}'\n"));
        let mut session = app.pm(["start", "-t", "60"]).spawn();
        session.wait_for("| ready");
        session.signal(Signal::SIGTERM);
        assert_eq!(session.wait(), End::Code(0));
        let output = session.stdout_so_far();
        assert_eq!(count(&output, "master got TERM"), 1, "{to}: {output}");
        assert_eq!(count(&output, "worker got TERM"), of_worker, "{to}: {output}");
        assert!(output.contains("worker done") && output.contains("master ends"), "{to}: {output}");
        app.assert_nothing_left();
    }
}

#[test]
fn each_job_of_a_shell_gets_the_signal_once_also_one_that_outlives_the_others() {
    let short = "trap 'echo short got TERM; touch ended; exit 0' TERM; echo ready; while :; do sleep 0.1; done\n";
    let long = "trap 'echo long got TERM' TERM; echo ready; until test -e ended; do sleep 0.1; done; sleep 0.3\n";
    let app = Sandbox::with_procfile("web: sh short.sh & sh long.sh & wait\n")
        .write("short.sh", short)
        .write("long.sh", long);
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for_times("| ready", 2);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert_eq!(count(&output, "short got TERM"), 1, "{output}");
    assert_eq!(count(&output, "long got TERM"), 1, "{output}");
    assert!(!output.contains("kill"), "{output}");
    app.assert_nothing_left();
}

#[test]
fn the_child_of_a_wrapper_that_ends_at_once_gets_the_signal_once_and_time() {
    let program = "trap 'echo got TERM; sleep 0.3; echo all is written; exit 0' TERM; echo ready; while :; do read -r _; done\n";
    let app = Sandbox::with_procfile("web: :; sh wrapper.sh; :\n")
        .write("wrapper.sh", "sh program.sh\n:\n")
        .write("program.sh", program);
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert_eq!(count(&output, "got TERM"), 1, "{output}");
    assert!(output.contains("all is written") && !output.contains("kill"), "{output}");
    app.assert_nothing_left();
}

#[test]
fn a_grandchild_that_ignores_term_is_killed_after_the_grace() {
    let app = Sandbox::with_procfile("web: sh stubborn.sh; true\n").write("stubborn.sh", STUBBORN);
    let mut session = app.pm(["start", "-t", "0.5"]).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert!(output.contains("did not stop within 0.5s, killing it"), "{output}");
    app.assert_nothing_left();
}

#[test]
fn what_a_leader_leaves_of_its_group_is_gone_when_the_leader_ends_by_itself() {
    for straggler in ["sleep 1000", "sh -c \"trap '' TERM; exec sleep 1000\""] {
        let procfile = format!("web: {straggler} & sleep 0.1\nkeep: exec cat\n");
        let app = Sandbox::with_procfile(&procfile);
        let mut session = app.pm(["start", "-t", "60"]).spawn();
        session.wait_for("web.1  | -- exited with code 0");
        eventually("the end of the group", || {
            session.running("sleep 1000").is_empty().then_some(())
        });
        assert_eq!(session.running("cat").len(), 1);
        session.signal(Signal::SIGTERM);
        assert_eq!(session.wait(), End::Code(0));
    }
}

#[test]
fn a_stop_during_back_off_is_immediate() {
    let app = Sandbox::with_procfile("web: exit 3\n");
    let mut session = app.pm(["start", "--max-restarts", "20"]).spawn();
    session.wait_for("restart 3 of 20 in 2s");
    session.signal(Signal::SIGTERM);
    let watch = Stopwatch::start();
    assert_eq!(session.wait(), End::Code(0));
    assert!(watch.elapsed() < Duration::from_secs(1), "{:?}", watch.elapsed());
    assert_eq!(count(&session.stdout_so_far(), "started with pid"), 3);
}

#[test]
fn a_stop_during_the_start_of_100_ends_those_that_run_and_starts_no_more() {
    let app = Sandbox::with_procfile("web: exec cat\n");
    let mut session = app.pm(["start", "web=100"]).spawn();
    session.wait_for("started with pid");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    let started = count(&output, "started with pid");
    assert_eq!(count(&output, "terminated by SIGTERM"), started, "{output}");
    app.assert_nothing_left();
}

#[test]
fn a_request_that_races_an_exit_ends_in_order() {
    let app = Sandbox::with_procfile("web: echo ready; exit 3\nother: exec cat\n");
    for _ in 0..50 {
        let mut session = app.pm(["start", "--restart", "never", "-t", "60"]).spawn();
        session.wait_for("| ready");
        session.signal(Signal::SIGTERM);
        let end = session.wait();
        let output = session.stdout_so_far();
        assert!(matches!(end, End::Code(0 | 3)), "{end:?} {output}");
        assert_eq!(
            count(&output, "started with pid"),
            count(&output, "-- exited")
                + count(&output, "| !! exited")
                + count(&output, "-- terminated"),
            "{output}"
        );
    }
    app.assert_nothing_left();
}

#[test]
fn a_real_time_signal_ends_a_process_and_is_named_by_its_number() {
    let app = Sandbox::with_procfile("web: kill -35 $$\n");
    let output = app.pm(["start", "--restart", "never"]).run();
    assert_eq!(output.code(), 128 + 35);
    assert!(output.stdout.contains("web.1  | !! terminated by SIG35"), "{}", output.stdout);
    app.assert_nothing_left();
}
