//! How a session is asked to end, at every moment of its life.

use crate::app::{Exit, ExitOn, Signal};
use crate::supervisor::sim::{FakeChild, TypeRow, World, never, on_failure, row};
use crate::supervisor::{Event, ResolvedRequest};

const FOREVER: u64 = 1_000_000_000;

fn deaf() -> World {
    World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Deaf)])
}

#[test]
fn interrupt_terminate_and_hang_up_all_ask_for_the_end() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
        w.at(5, Event::Signalled(signal));
        assert_eq!(w.run(FOREVER), Some(0));
        let said = format!("5 stopping: {signal}");
        assert_eq!(w.lines(&["stopping", "SIGTERM web"]), [&said, "5 SIGTERM web.1#1"]);
        assert_eq!(w.sup.verdict(), &Default::default());
    }
}

#[test]
fn who_asked_for_the_end_is_remembered_and_a_failure_has_not_asked() {
    for (ask, was_asked) in [(Some(ResolvedRequest::Quit), true), (None, false)] {
        let rows = vec![row("web", never(), FakeChild::ExitsAfter(50, Exit::Code(3)))];
        let mut w = World::new(ExitOn::Failure, rows);
        w.run(10);
        assert!(!w.sup.was_asked());
        ask.map(|request| w.ask(request));
        w.run(FOREVER);
        assert_eq!(w.sup.was_asked(), was_asked);
    }
}

#[test]
fn the_end_of_the_process_that_it_goes_with_ends_the_session_gracefully() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
    w.at(100, Event::OwnerEnded { pid: 812 });
    // A person's first Ctrl-C after that is no second request.
    w.at(100, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn web.1#1
        100 stopping: owner 812 ended
        100 SIGTERM web.1#1
        100 waiting 5s on web.1
        101 sweep web.1#1
        101 web.1 terminated by SIGTERM
        101 orphans SIGTERM",
    );
}

#[test]
fn a_session_ends_ten_seconds_after_its_root_was_removed() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
    w.at(100, Event::RootRemoved);
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn web.1#1
        100 root removed, 10s left
        10100 stopping: root removed
        10100 SIGTERM web.1#1
        10101 sweep web.1#1
        10101 web.1 terminated by SIGTERM
        10101 orphans SIGTERM",
    );
}

#[test]
fn a_session_goes_on_whose_root_is_made_again_in_time() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
    w.at(100, Event::RootRemoved);
    w.at(10_000, Event::RootRestored);
    w.at(20_000, Event::RootRemoved);
    w.at(30_000, Event::Signalled(Signal::TERM));
    assert_eq!(w.run(FOREVER), Some(0));
    let lines = w.lines(&["root", "stopping"]);
    assert_eq!(
        lines,
        [
            "100 root removed, 10s left",
            "10000 root restored",
            "20000 root removed, 10s left",
            "30000 stopping: SIGTERM"
        ]
    );
}

#[test]
fn a_second_request_kills() {
    let mut w = deaf();
    w.at(100, Event::Signalled(Signal::INT));
    w.at(400, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn web.1#1
        100 stopping: SIGINT
        100 SIGTERM web.1#1
        400 killing all
        400 SIGKILL web.1#1
        401 sweep web.1#1
        401 web.1 terminated by SIGKILL
        401 orphans SIGKILL",
    );
    assert_eq!(w.killed(), [w.instance("web.1")]);
}

#[test]
fn two_requests_within_the_same_moment_are_one() {
    let mut w = deaf();
    w.at(100, Event::Signalled(Signal::HUP));
    w.at(100, Event::Signalled(Signal::HUP));
    w.at(199, Event::Signalled(Signal::TERM));
    assert_eq!(w.run(1_000), None);
    w.assert(
        "0 spawn web.1#1
        100 stopping: SIGHUP
        100 SIGTERM web.1#1",
    );
}

#[test]
fn a_third_request_adds_nothing() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Immortal)]);
    for at in [100, 400, 700, 1000] {
        w.at(at, Event::Signalled(Signal::INT));
    }
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn web.1#1
        100 stopping: SIGINT
        100 SIGTERM web.1#1
        400 killing all
        400 SIGKILL web.1#1
        2400 sweep web.1#1
        2400 web.1 did not end
        2400 orphans SIGKILL",
    );
}

#[test]
fn a_second_request_kills_what_is_left_of_a_group_too() {
    let rows = vec![row("web", on_failure(), FakeChild::LeavesGroupDeaf)];
    let mut w = World::new(ExitOn::Failure, rows);
    w.at(100, Event::Signalled(Signal::INT));
    w.at(400, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(w.lines(&["SIGKILL", "sweep"])[..2], ["400 SIGKILL web.1#1", "401 sweep web.1#1"]);
}

#[test]
fn the_first_request_in_a_stop_that_a_failure_began_is_polite_too_and_answered() {
    let rows = vec![
        row("web", on_failure(), FakeChild::Deaf),
        row("api", never(), FakeChild::ExitsAfter(50, Exit::Code(3))),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    w.at(1000, Event::Signalled(Signal::INT));
    w.at(2000, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(3));
    let expected = [
        "50 stopping: api.1 ended",
        "1000 waiting 4.05s on web.1",
        "2000 killing all",
        "2000 SIGKILL web.1#1",
    ];
    let said = w.lines(&["stopping", "killing", "SIGKILL web", "1000 waiting"]);
    assert_eq!(said, expected);
    assert_eq!(w.sup.verdict().culprit.unwrap().instance, w.instance("api.1"));
}

#[test]
fn a_stop_in_back_off_is_immediate() {
    let crash = FakeChild::ExitsAfter(10, Exit::Code(1));
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), crash)]);
    w.at(100, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn web.1#1
        10 sweep web.1#1
        10 web.1 exited with code 1; again in 500ms (1/5)
        100 stopping: SIGINT
        100 orphans SIGTERM",
    );
}

#[test]
fn a_stop_gets_in_between_the_starts_of_a_hundred() {
    let rows = vec![TypeRow { count: 100, ..row("web", on_failure(), FakeChild::Forever) }];
    let mut w = World::new(ExitOn::Failure, rows);
    w.start_takes = 10;
    w.at(25, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn web.1#1
        10 spawn web.2#1
        20 spawn web.3#1
        25 stopping: SIGINT
        25 SIGTERM web.1#1
        25 SIGTERM web.2#1
        26 sweep web.1#1
        26 web.1 terminated by SIGTERM
        26 sweep web.2#1
        26 web.2 terminated by SIGTERM
        30 SIGTERM web.3#1
        31 sweep web.3#1
        31 web.3 terminated by SIGTERM
        31 orphans SIGTERM",
    );
}

#[test]
fn a_start_that_is_answered_after_the_second_request_is_killed_at_once() {
    let mut w = deaf();
    w.start_takes = 1000;
    w.at(100, Event::Signalled(Signal::INT));
    w.at(500, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn web.1#1
        100 stopping: SIGINT
        500 killing all
        1000 SIGKILL web.1#1
        1001 sweep web.1#1
        1001 web.1 terminated by SIGKILL
        1001 orphans SIGKILL",
    );
}

#[test]
fn a_start_that_fails_after_the_stop_began_does_not_change_the_code() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Missing)]);
    w.start_takes = 1000;
    w.at(100, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn web.1#1
        100 stopping: SIGINT
        1000 web.1 cannot start: no such file
        1000 orphans SIGTERM",
    );
    assert_eq!(w.sup.verdict(), &Default::default());
}

#[test]
fn a_request_that_races_an_exit_ends_with_zero_or_with_the_code_of_the_exit() {
    let rows = vec![
        row("web", never(), FakeChild::ExitsAfter(100, Exit::Code(3))),
        row("api", never(), FakeChild::Forever),
    ];
    for (at, code) in [(99, 0), (100, 0), (101, 3)] {
        let mut w = World::new(ExitOn::Failure, rows.clone());
        w.at(at, Event::Signalled(Signal::TERM));
        assert_eq!(w.run(FOREVER), Some(code), "{at}");
        assert_eq!(w.lines(&["SIGTERM api"]).len(), 1);
        assert_eq!(w.sup.verdict().culprit.is_some(), code == 3);
    }
}

#[test]
fn an_exit_between_its_end_and_its_last_line_is_not_asked_and_not_restarted() {
    let rows = vec![row("web", on_failure(), FakeChild::Leaky(100, Exit::Code(3)))];
    let mut w = World::new(ExitOn::Failure, rows);
    w.at(150, Event::Signalled(Signal::TERM));
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn web.1#1
        150 stopping: SIGTERM
        300 sweep web.1#1
        300 web.1 exited with code 3
        300 orphans SIGTERM",
    );
}

#[test]
fn lost_output_ends_the_session_with_its_code() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
    w.at(100, Event::OutputLost(141));
    w.at(100, Event::OutputLost(1));
    w.at(100, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(141));
    w.assert(
        "0 spawn web.1#1
        100 stopping: output lost
        100 SIGTERM web.1#1
        100 waiting 5s on web.1
        101 sweep web.1#1
        101 web.1 terminated by SIGTERM
        101 orphans SIGTERM",
    );
    assert_eq!(w.sup.verdict(), &Default::default());
}

#[test]
fn an_application_without_instances_ends_at_once() {
    let mut w = World::new(ExitOn::Failure, vec![]);
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert("0 orphans SIGTERM");
}

#[test]
fn a_start_waits_for_the_answer_to_the_one_before_whatever_happens() {
    let rows = vec![TypeRow { count: 3, ..row("web", on_failure(), FakeChild::Forever) }];
    let mut w = World::new(ExitOn::Failure, rows);
    w.start_takes = 10;
    w.at(5, Event::Ticked);
    w.at(6, Event::Signalled(Signal::USR1));
    w.run(FOREVER);
    let expected = ["0 spawn web.1#1", "10 spawn web.2#1", "20 spawn web.3#1"];
    assert_eq!(w.lines(&["spawn"]), expected);
}
