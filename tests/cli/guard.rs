//! The guard: it ends everything when pm is killed, costs next to nothing, and goes with pm.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sandbox::{End, Sandbox, Session, eventually, state_of, status};

/// SPEC.md section 5.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// Kills pm as nothing can be refused, and waits until nothing of the sandbox is left.
#[track_caller]
fn kill_pm(app: &Sandbox, session: &mut Session) {
    let guard = session.guard();
    session.signal(Signal::SIGKILL);
    assert_eq!(session.wait_for_end(), End::Signal(Signal::SIGKILL));
    app.assert_nothing_left_within(GONE_WITHIN);
    eventually("the guard's own end", || state_of(guard).is_none_or(|s| s == 'Z').then_some(()));
}

#[test]
fn the_guard_is_not_found_by_pms_name() {
    let app = Sandbox::with_procfile("web: exec sleep 60\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("started with pid");
    let guard = session.guard();
    let shown = std::fs::read(format!("/proc/{guard}/cmdline")).expect("the guard runs");
    assert_eq!(shown.split(|byte| *byte == 0).next(), Some(&b"procfile-guard"[..]));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn when_pm_is_killed_every_group_is_gone_within_2_s() {
    for (name, command) in [
        ("a program", "echo ready; exec sleep 1000"),
        ("a grandchild", "sh -c 'sleep 1000 & echo ready; wait'; true"),
        ("one that ignores TERM", "trap '' TERM; echo ready; while :; do sleep 1000; done"),
        ("a grandchild that does", "sh -c \"trap '' TERM; echo ready; sleep 1000\"; true"),
        ("a stopped one", "sh -c 'kill -STOP $$; sleep 1000' & echo ready; wait"),
        ("one that left its group", "setsid sh -c 'echo ready; sleep 1000' & wait"),
        (
            "one that left, and ignores TERM",
            "setsid sh -c \"trap '' TERM; echo ready; sleep 1000\" & wait",
        ),
        ("one whose parent has ended, too", "(setsid sleep 1000 &); echo ready; exec sleep 1000"),
        // It has left the group before its parent ends, which takes what is left in there with it.
        (
            "a daemon alone",
            "(setsid sh -c ': > up.$PS; echo ready; exec sleep 1000' &); until test -e up.$PS; do sleep 0.05; done",
        ),
    ] {
        let app = Sandbox::with_procfile(&format!("web: {command}\nother: exec cat\n"));
        let mut session = app.pm(["start", "web=2", "other"]).spawn();
        session.wait_for_times("| ready", 2);
        eprintln!("{name}");
        kill_pm(&app, &mut session);
    }
}

#[test]
fn a_program_gets_its_time_to_end_cleanly_when_pm_is_killed() {
    let app = Sandbox::with_procfile("web: sh web.sh\n").write(
        "web.sh",
        "trap 'sleep 0.3; echo written > file; exit 0' TERM; echo ready; while :; do read -r _; done\n",
    );
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| ready");
    kill_pm(&app, &mut session);
    assert_eq!(app.read("file").as_deref(), Some("written\n"));
}

#[test]
fn a_hundred_processes_are_gone_within_2_s_when_pm_is_killed() {
    let app = Sandbox::with_procfile("web: trap '' TERM; echo ready; exec sleep 1000\n");
    let mut session = app.pm(["start", "web=100"]).spawn();
    session.wait_for_times("| ready", 100);
    kill_pm(&app, &mut session);
}

#[test]
fn pm_killed_in_the_middle_of_a_start_leaves_nothing() {
    let app = Sandbox::with_procfile("web: exec cat\n");
    for count in 1..=10 {
        let mut session = app.pm(["start", "web=40"]).spawn();
        session.wait_for_times("started with pid", count * 3);
        session.signal(Signal::SIGKILL);
        session.wait_for_end();
    }
    app.assert_nothing_left_within(GONE_WITHIN);
}

#[test]
fn an_idle_guard_costs_less_than_a_mebibyte_and_never_wakes() {
    let app =
        Sandbox::with_procfile("web: exec cat\nticker: while :; do sleep 0.1; echo tick; done\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| tick");
    let guard = session.guard();
    let read = |field| status(guard, field).expect("the guard runs");
    let kib =
        |field| -> u64 { read(field).trim_end_matches(" kB").parse().expect("a number of KiB") };
    let switches = || (read("voluntary_ctxt_switches"), read("nonvoluntary_ctxt_switches"));
    let before = switches();
    session.wait_for_times("| tick", 10);
    assert_eq!(switches(), before);
    let own = kib("RssAnon") + kib("RssShmem");
    // Without optimisation, the relocations and the stack of the parser are more than twice as large.
    let most = if cfg!(debug_assertions) { 2048 } else { 1024 };
    assert!(own < most, "{own} KiB");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

/// Waits for a guard that is not this one.
#[track_caller]
fn another_guard(session: &Session, than: Pid) -> Pid {
    eventually("another guard", || Some(session.guard()).filter(|pid| *pid != than))
}

#[test]
fn a_guard_that_is_killed_is_replaced_by_one_that_does_as_much() {
    let app = Sandbox::with_procfile("web: (setsid sleep 1000 &); echo ready; exec cat\n");
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for("| ready");
    let first = session.guard();
    kill(first, Signal::SIGKILL).expect("the guard runs");
    session.wait_for("the watchdog was killed; another one has been started");
    let second = another_guard(&session, first);
    // One after the other is told of once.
    kill(second, Signal::SIGKILL).expect("the guard runs");
    let third = another_guard(&session, second);
    assert_eq!(session.stdout_so_far().matches("the watchdog was killed").count(), 1);
    eventually("a guard that holds nothing open", || {
        let open = |fd| std::fs::read_link(format!("/proc/{third}/fd/{fd}")).expect("it runs");
        (0..3).all(|fd| open(fd).to_str() == Some("/dev/null")).then_some(())
    });
    kill_pm(&app, &mut session);
}

#[test]
fn a_guard_guards_also_where_it_cannot_be_replaced() {
    let app = Sandbox::with_procfile("web: (setsid sleep 1000 &); echo ready; exec cat\n");
    let limited = format!("ulimit -f 100; exec {} start", crate::sandbox::PM);
    let mut session = app.sh(&limited).spawn();
    session.wait_for("| ready");
    kill_pm(&app, &mut session);
    let mut session = app.sh(&limited).spawn();
    session.wait_for("| ready");
    kill(session.guard(), Signal::SIGKILL).expect("the guard runs");
    session.wait_for(
        "another one cannot be started (there is no memory that it could share): if pm is",
    );
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(session.stdout_so_far().matches("another one cannot be").count(), 1);
    app.assert_nothing_left();
}

#[test]
fn a_guard_that_has_taken_anothers_place_ends_with_pm() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| ready");
    kill(session.guard(), Signal::SIGKILL).expect("the guard runs");
    session.wait_for("another one has been started");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn a_guard_that_is_stopped_goes_on() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| ready");
    let guard = session.guard();
    let switches = || -> u64 {
        let shown = status(guard, "voluntary_ctxt_switches").expect("the guard runs");
        shown.parse().expect("a number")
    };
    for _ in 0..10 {
        let before = switches();
        kill(guard, Signal::SIGSTOP).expect("the guard runs");
        // One when it stops, and one when it waits again.
        let waits = || state_of(guard) == Some('S') && switches() >= before + 2;
        eventually("a guard that waits again", || waits().then_some(()));
    }
    kill_pm(&app, &mut session);
}

#[test]
fn polite_signals_do_not_end_the_guard() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| ready");
    let guard = session.guard();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT] {
        kill(guard, signal).expect("the guard runs");
    }
    kill_pm(&app, &mut session);
}

#[test]
fn the_guard_ends_with_pm() {
    let app = Sandbox::with_procfile("web: true\n");
    let mut session = app.pm(["start"]).spawn();
    assert_eq!(session.wait(), End::Code(0));
    // The guard would be this process's child by now, and its folder is not the sandbox.
    assert_eq!(app.leftover(), []);

    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| ready");
    let guard = session.guard();
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(state_of(guard), None);
}

#[test]
fn a_guard_that_is_stopped_does_not_keep_pm_from_ending() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| ready");
    let guard = session.guard();
    kill(guard, Signal::SIGSTOP).expect("the guard runs");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(state_of(guard), None);
}
