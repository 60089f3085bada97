//! What runs once, alone, before the others.

use crate::app::{Exit, ExitOn, Signal};
use crate::supervisor::Event;
use crate::supervisor::sim::{FakeChild, TypeRow, World, on_failure, release, row};

const FOREVER: u64 = 1_000_000_000;

fn world(child: FakeChild, exit_on: ExitOn) -> World {
    let rows = vec![
        row("web", on_failure(), FakeChild::Forever),
        row("release", release(), child),
        row("api", on_failure(), FakeChild::Forever),
    ];
    World::new(exit_on, rows)
}

#[test]
fn the_others_start_when_it_has_exited_zero_whatever_the_exit_rule() {
    for exit_on in [ExitOn::First, ExitOn::Failure, ExitOn::All] {
        let mut w = world(FakeChild::ExitsAfter(500, Exit::Code(0)), exit_on);
        assert_eq!(w.run(FOREVER), None);
        w.assert(
            "0 spawn release.1#1
            500 sweep release.1#1
            500 release.1 exited with code 0
            500 spawn web.1#1
            500 spawn api.1#1",
        );
    }
}

#[test]
fn its_failure_ends_the_session_with_its_code_and_nothing_else_starts() {
    for exit_on in [ExitOn::First, ExitOn::Failure, ExitOn::All] {
        let mut w = world(FakeChild::ExitsAfter(500, Exit::Code(4)), exit_on);
        assert_eq!(w.run(FOREVER), Some(4));
        w.assert(
            "0 spawn release.1#1
            500 sweep release.1#1
            500 release.1 exited with code 4
            500 orphans SIGTERM",
        );
        assert_eq!(w.sup.verdict().culprit.unwrap().instance, w.instance("release.1"));
    }
}

#[test]
fn one_that_cannot_be_started_ends_the_session_with_one() {
    let mut w = world(FakeChild::Missing, ExitOn::Failure);
    assert_eq!(w.run(FOREVER), Some(1));
    assert_eq!(w.lines(&["spawn"]), ["0 spawn release.1#1"]);
}

#[test]
fn the_others_wait_for_its_last_line_too() {
    let mut w = world(FakeChild::Leaky(500, Exit::Code(0)), ExitOn::Failure);
    w.run(FOREVER);
    assert_eq!(w.lines(&["spawn web"]), ["700 spawn web.1#1"]);
}

#[test]
fn two_of_them_both_come_first() {
    let first = FakeChild::ExitsAfter(100, Exit::Code(0));
    let rows = vec![
        row("web", on_failure(), FakeChild::Forever),
        TypeRow { count: 2, ..row("release", release(), first) },
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(FOREVER);
    let expected = ["0 spawn release.1#1", "0 spawn release.2#1", "100 spawn web.1#1"];
    assert_eq!(w.lines(&["spawn"]), expected);
}

#[test]
fn a_stop_ends_it_and_the_others_never_start() {
    let mut w = world(FakeChild::Forever, ExitOn::Failure);
    w.at(100, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn release.1#1
        100 stopping: SIGINT
        100 SIGTERM release.1#1
        101 sweep release.1#1
        101 release.1 terminated by SIGTERM
        101 orphans SIGTERM",
    );
}
