//! Memory budgets: three samples over one in a row count, and what then happens.

use crate::app::{Budget, Exit, ExitOn, Moment, Policy, RunId, Signal};
use crate::app::{MemoryAction, Size};
use crate::supervisor::sim::{FakeChild, World, never, on_failure, row};
use crate::supervisor::{Event, Group};

const BUDGET: u64 = 100;

fn with(policy: Policy, action: MemoryAction) -> Policy {
    let size = Size::from_bytes(BUDGET).unwrap();
    Policy { budget: Some(Budget { size, action }), ..policy }
}

fn a_web(policy: Policy, child: FakeChild, memory: fn(RunId, Moment) -> u64) -> World {
    let mut w = World::new(ExitOn::Failure, vec![row("web", policy, child)]);
    w.memory = memory;
    w
}

/// The first run leaks; those after it do not.
fn the_first_leaks(run: RunId, _: Moment) -> u64 {
    if run.seq == 1 { 101 } else { 100 }
}

#[test]
fn without_a_budget_nothing_is_measured_and_nothing_wakes_up() {
    let mut w = a_web(on_failure(), FakeChild::Forever, |_, _| u64::MAX);
    assert_eq!(w.run(100_000), None);
    assert_eq!(w.sup.next_deadline(), None);
    assert!(w.lines(&["measure"]).is_empty());
}

#[test]
fn the_third_sample_over_the_budget_in_a_row_stops_it_in_order_and_restarts_it() {
    let policy = with(on_failure(), MemoryAction::Restart);
    let mut w = a_web(policy, FakeChild::Forever, the_first_leaks);
    assert_eq!(w.run(6000), None);
    w.assert(
        "0 spawn web.1#1
        1000 measure web.1#1
        2000 measure web.1#1
        3000 measure web.1#1
        3000 web.1 uses 101 of 100
        3000 SIGTERM web.1#1
        3001 sweep web.1#1
        3001 web.1 terminated by SIGTERM; again in 500ms (1/5)
        3501 spawn web.1#2
        4501 measure web.1#2
        5501 measure web.1#2",
    );
}

#[test]
fn a_sample_within_the_budget_begins_the_count_again() {
    let policy = with(on_failure(), MemoryAction::Restart);
    // Over in two of three seconds.
    let mut w = a_web(
        policy,
        FakeChild::Forever,
        |_, now| if now.0.as_secs() % 3 == 0 { 100 } else { 101 },
    );
    w.run(60_000);
    assert!(w.lines(&["uses"]).is_empty(), "{}", w.trace());
}

#[test]
fn a_warning_is_said_once_until_it_has_been_below_again() {
    let policy = with(on_failure(), MemoryAction::Warn);
    let mut w =
        a_web(
            policy,
            FakeChild::Forever,
            |_, now| if now.0.as_secs() % 10 == 0 { 100 } else { 101 },
        );
    w.run(25_000);
    let said = w.lines(&["uses", "SIGTERM"]);
    let expected = ["3000", "13000", "23000"].map(|at| format!("{at} web.1 uses 101 of 100"));
    assert_eq!(said, expected);
    // After a warning the rough figure is enough to show a fall.
    let measured = w.lines(&["measure"]);
    assert_eq!(measured[2..4], ["3000 measure web.1#1", "4000 measure ~web.1#1"]);
    assert_eq!(measured[9..11], ["10000 measure ~web.1#1", "11000 measure web.1#1"]);
}

#[test]
fn kill_kills_at_once_and_restarts() {
    let policy = with(on_failure(), MemoryAction::Kill);
    let mut w = a_web(policy, FakeChild::Deaf, the_first_leaks);
    w.run(4000);
    assert_eq!(
        w.lines(&["uses", "SIG", "spawn"]),
        [
            "0 spawn web.1#1",
            "3000 web.1 uses 101 of 100",
            "3000 SIGKILL web.1#1",
            "3001 web.1 terminated by SIGKILL; again in 500ms (1/5)",
            "3501 spawn web.1#2",
        ]
    );
    assert_eq!(w.killed(), []);
}

#[test]
fn one_that_does_not_stop_is_killed_after_its_grace() {
    let policy = with(on_failure(), MemoryAction::Restart);
    let mut w = a_web(policy, FakeChild::Deaf, the_first_leaks);
    w.run(9000);
    assert_eq!(
        w.lines(&["SIG", "killed", "spawn web.1#2"]),
        [
            "3000 SIGTERM web.1#1",
            "8000 web.1 killed after 5s",
            "8000 SIGKILL web.1#1",
            "8001 web.1 terminated by SIGKILL; again in 500ms (1/5)",
            "8501 spawn web.1#2",
        ]
    );
}

#[test]
fn one_that_even_sigkill_does_not_end_gets_no_second_beside_it() {
    let policy = with(on_failure(), MemoryAction::Kill);
    let mut w = a_web(policy, FakeChild::Immortal, the_first_leaks);
    assert_eq!(w.run(60_000), Some(1));
    assert_eq!(w.lines(&["spawn"]).len(), 1);
    assert_eq!(w.lost(), [w.instance("web.1")]);
}

#[test]
fn it_counts_as_a_crash_until_max_restarts_and_then_ends_the_session() {
    let policy = Policy { max_restarts: 1, ..with(on_failure(), MemoryAction::Restart) };
    let mut w = a_web(policy, FakeChild::Forever, |_, _| 101);
    assert_eq!(w.run(60_000), Some(143));
    assert!(w.trace().contains("web.1 terminated by SIGTERM; gave up at 2"), "{}", w.trace());
    let policy = with(never(), MemoryAction::Restart);
    let mut w = a_web(policy, FakeChild::Forever, |_, _| 101);
    assert_eq!(w.run(60_000), Some(143));
    assert_eq!(w.lines(&["spawn"]).len(), 1);
}

#[test]
fn under_first_a_stop_for_memory_is_the_first_end() {
    for action in [MemoryAction::Restart, MemoryAction::Kill] {
        let rows = vec![
            row("web", with(on_failure(), action), FakeChild::Forever),
            row("api", on_failure(), FakeChild::Forever),
        ];
        let mut w = World::new(ExitOn::First, rows);
        w.memory = |_, _| 101;
        let code = if action == MemoryAction::Kill { 137 } else { 143 };
        assert_eq!(w.run(60_000), Some(code));
        assert_eq!(w.lines(&["spawn"]).len(), 2);
        assert_eq!(w.sup.verdict().culprit.unwrap().instance, w.instance("web.1"));
    }
}

#[test]
fn a_clean_exit_of_one_that_was_stopped_for_memory_is_a_failure_all_the_same() {
    let mut w = a_web(with(never(), MemoryAction::Restart), FakeChild::Deaf, |_, _| 101);
    let run = RunId { instance: w.instance("web.1"), seq: 1 };
    w.at(3100, Event::Exited { run, exit: Exit::Code(0), group: Group::Gone });
    assert_eq!(w.run(60_000), Some(1));
    assert_eq!(w.sup.verdict().culprit.unwrap().instance, run.instance);
}

#[test]
fn a_stop_while_it_is_stopped_for_memory_restarts_nothing() {
    let policy = with(on_failure(), MemoryAction::Restart);
    let mut w = a_web(policy, FakeChild::LeavesGroup(1000), the_first_leaks);
    w.at(3500, Event::Signalled(Signal::INT));
    assert_eq!(w.run(60_000), Some(0));
    let expected = ["0 spawn web.1#1", "3000 SIGTERM web.1#1", "3001 SIGTERM web.1#1 group"];
    assert_eq!(w.lines(&["SIGTERM web", "spawn"]), expected);
}

#[test]
fn a_figure_of_an_older_life_is_nobodys() {
    let policy = with(on_failure(), MemoryAction::Restart);
    let mut w = a_web(policy, FakeChild::Forever, the_first_leaks);
    w.run(3600);
    let run = w.past_run(0).unwrap();
    for _ in 0..5 {
        assert_eq!(w.sup.handle(Event::Measured { run, bytes: 101 }, w.now), []);
    }
}
