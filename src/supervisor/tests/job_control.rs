//! Signals that are the application's business, and Ctrl-Z.

use crate::app::{Exit, ExitOn, Signal};
use crate::supervisor::Event;
use crate::supervisor::sim::{FakeChild, TypeRow, World, on_failure, row};

#[test]
fn ctrl_z_stops_the_groups_and_then_pm_and_after_that_the_groups_go_on() {
    let rows = vec![TypeRow { count: 2, ..row("web", on_failure(), FakeChild::Forever) }];
    let mut w = World::new(ExitOn::Failure, rows);
    w.at(10, Event::Signalled(Signal::TSTP));
    assert_eq!(w.run(1_000), None);
    w.assert(
        "0 spawn web.1#1
        0 spawn web.2#1
        10 SIGTSTP web.1#1
        10 SIGTSTP web.2#1
        10 pause
        10 SIGCONT web.1#1
        10 SIGCONT web.2#1",
    );
}

#[test]
fn ctrl_z_during_a_stop_reaches_who_is_stopping() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Deaf)]);
    w.at(10, Event::Signalled(Signal::INT));
    w.at(20, Event::Signalled(Signal::TSTP));
    assert_eq!(w.run(900), None);
    w.assert(
        "0 spawn web.1#1
        10 stopping: SIGINT
        10 SIGTERM web.1#1
        20 SIGTSTP web.1#1
        20 pause
        20 SIGCONT web.1#1",
    );
}

#[test]
fn the_applications_signals_go_to_whoever_runs_and_end_nothing() {
    let rows = vec![
        row("web", on_failure(), FakeChild::Forever),
        row("api", on_failure(), FakeChild::ExitsAfter(5, Exit::Code(1))),
        row("job", on_failure(), FakeChild::ExitsAfter(5, Exit::Code(0))),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    w.at(10, Event::Signalled(Signal::USR1));
    w.at(20, Event::Signalled(Signal::USR2));
    assert_eq!(w.run(400), None);
    assert_eq!(w.lines(&["SIGUSR"]), ["10 SIGUSR1 web.1#1", "20 SIGUSR2 web.1#1"]);
    assert!(w.lines(&["pause", "stopping"]).is_empty());
}

#[test]
fn ctrl_z_during_a_start_stops_what_was_just_started() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
    w.deliver(Event::Began);
    w.deliver(Event::Signalled(Signal::TSTP));
    w.assert(
        "0 spawn web.1#1
        0 SIGTSTP web.1#1
        0 pause
        0 SIGCONT web.1#1",
    );
}
