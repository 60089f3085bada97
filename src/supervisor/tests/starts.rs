//! Starts: their order, and what follows where one fails.

use crate::app::{Exit, ExitOn};
use crate::supervisor::sim::{FakeChild, TypeRow, World, always, never, on_failure, row};

const FOREVER: u64 = 1_000_000_000;

#[test]
fn what_cannot_be_run_is_final_under_every_policy_and_rule() {
    for code in [126, 127] {
        for policy in [never, on_failure, always] {
            let child = FakeChild::ExitsAfter(999, Exit::Code(code));
            let rows = vec![row("web", policy(), child)];
            for exit_on in [ExitOn::First, ExitOn::Failure, ExitOn::All] {
                let mut w = World::new(exit_on, rows.clone());
                assert_eq!(w.run(FOREVER), Some(code));
                let said = format!("999 web.1 exited with code {code}; cannot run");
                assert_eq!(w.lines(&["exited", "#2"]), [said]);
            }
        }
    }
}

#[test]
fn from_the_second_second_on_its_codes_are_those_of_a_crash() {
    for (after, code) in [(1000, 127), (1000, 126), (10, 125), (10, 128)] {
        let child = FakeChild::ExitsAfter(after, Exit::Code(code));
        let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), child)]);
        assert_eq!(w.run(1100), None);
        let said = format!("{after} web.1 exited with code {code}; again in 500ms (1/5)");
        assert_eq!(w.lines(&["exited"])[0], said);
    }
}

#[test]
fn a_failed_start_ends_the_session_with_one_and_stops_the_rest() {
    let rows = vec![
        row("web", on_failure(), FakeChild::Forever),
        row("api", on_failure(), FakeChild::Missing),
        row("job", on_failure(), FakeChild::Forever),
    ];
    for exit_on in [ExitOn::First, ExitOn::Failure] {
        let mut w = World::new(exit_on, rows.clone());
        assert_eq!(w.run(FOREVER), Some(1));
        w.assert(
            "0 spawn web.1#1
            0 spawn api.1#1
            0 api.1 cannot start: no such file
            0 stopping: api.1 ended
            0 SIGTERM web.1#1
            1 sweep web.1#1
            1 web.1 terminated by SIGTERM
            1 orphans SIGTERM",
        );
        let culprit = w.sup.verdict().culprit.unwrap();
        assert_eq!((culprit.instance, culprit.exit), (w.instance("api.1"), Exit::NotStarted));
    }
}

#[test]
fn a_failed_start_alone_ends_without_a_word_on_stopping() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Missing)]);
    assert_eq!(w.run(FOREVER), Some(1));
    w.assert(
        "0 spawn web.1#1
        0 web.1 cannot start: no such file
        0 orphans SIGTERM",
    );
}

#[test]
fn starts_follow_the_procfile_and_number_their_instances() {
    let rows = vec![
        TypeRow { count: 2, ..row("web", on_failure(), FakeChild::Forever) },
        TypeRow { count: 0, ..row("off", on_failure(), FakeChild::Forever) },
        row("api", on_failure(), FakeChild::Forever),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(10);
    w.assert("0 spawn web.1#1\n0 spawn web.2#1\n0 spawn api.1#1");
}

#[test]
fn a_failure_during_a_start_stops_what_was_being_started() {
    let rows = vec![
        row("web", never(), FakeChild::ExitsAfter(10, Exit::Code(3))),
        row("api", never(), FakeChild::Forever),
        row("job", never(), FakeChild::Forever),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    w.start_takes = 30;
    assert_eq!(w.run(FOREVER), Some(3));
    w.assert(
        "0 spawn web.1#1
        30 spawn api.1#1
        40 sweep web.1#1
        40 web.1 exited with code 3
        40 stopping: web.1 ended
        60 SIGTERM api.1#1
        61 sweep api.1#1
        61 api.1 terminated by SIGTERM
        61 orphans SIGTERM",
    );
}
