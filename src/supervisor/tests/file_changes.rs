//! Restarts and signals by files that have changed, and the end of a loop that they make.

use std::time::Duration;

use super::super::sim::{FakeChild, TypeRow, World, never, on_failure, row};
use super::super::{Event, FileChanges, ResolvedRequest};
use super::needs::{once, with_ready};
use crate::app::file_watch::{DEBOUNCE, FileWatch, WatchAction};
use crate::app::{Exit, ExitOn, Moment, Policy, Signal};

fn watched(policy: Policy) -> Policy {
    with_action(policy, WatchAction::Restart)
}

pub(super) fn with_action(policy: Policy, action: WatchAction) -> Policy {
    let (globs, places) = (Vec::new(), Vec::new());
    Policy {
        watch: Some(FileWatch { globs, debounce: DEBOUNCE, action, poll: None, places }),
        ..policy
    }
}

fn worker() -> TypeRow {
    row("worker", on_failure(), FakeChild::Forever)
}

/// Files of the first type that change at this time, in milliseconds since the start.
fn change(w: &mut World, at: u64) {
    let since = Moment(Duration::from_millis(at - 1));
    let changes = FileChanges { file: "src/a.py".to_owned(), others: 2, since };
    w.at(at, Event::FilesChanged { process_type: 0, changes });
}

#[test]
fn a_change_restarts_every_instance_at_once_and_none_of_its_neighbours() {
    let web = TypeRow { count: 2, ..row("web", watched(on_failure()), FakeChild::Master(50)) };
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    change(&mut w, 5_000);
    w.run(20_000);
    assert_eq!(
        w.lines(&["spawn", "restart for", "SIGTERM web"]),
        [
            "0 spawn web.1#1",
            "0 spawn web.2#1",
            "0 spawn worker.1#1",
            "5000 web.1 restart for src/a.py and 2",
            "5000 web.2 restart for src/a.py and 2",
            "5000 SIGTERM web.2#1",
            "5000 SIGTERM web.1#1",
            "5051 spawn web.2#2",
            "5051 spawn web.1#2",
        ]
    );
}

#[test]
fn changes_while_it_stops_are_exactly_one_more_restart() {
    let web = row("web", watched(on_failure()), FakeChild::Master(1_000));
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    for at in [5_000, 5_200, 5_500, 5_900] {
        change(&mut w, at);
    }
    w.run(60_000);
    assert_eq!(
        w.lines(&["spawn web"]),
        ["0 spawn web.1#1", "6001 spawn web.1#2", "7002 spawn web.1#3"]
    );
}

#[test]
fn a_change_starts_what_has_failed_for_good_and_its_crashes_are_forgotten() {
    let policy = Policy { max_restarts: 1, ..watched(on_failure()) };
    let web = row("web", policy, FakeChild::ExitsAfter(10, Exit::Code(1)));
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    change(&mut w, 10_000);
    assert_eq!(w.run(60_000), None, "a type that is watched does not end the session");
    assert_eq!(
        w.lines(&["spawn web", "stays failed"]),
        [
            "0 spawn web.1#1",
            "510 spawn web.1#2",
            "520 web.1 exited with code 1; gave up at 2; stays failed",
            "10000 spawn web.1#3",
            "10510 spawn web.1#4",
            "10520 web.1 exited with code 1; gave up at 2; stays failed",
        ]
    );
}

#[test]
fn a_change_ends_the_wait_for_the_next_try() {
    let web = row("web", watched(on_failure()), FakeChild::ExitsAfter(10, Exit::Code(1)));
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    change(&mut w, 100);
    w.run(150);
    assert_eq!(w.lines(&["spawn web"]), ["0 spawn web.1#1", "100 spawn web.1#2"]);
}

#[test]
fn what_runs_once_runs_again_and_the_session_goes_on_although_all_is_done() {
    let build = row("build", watched(once(never())), FakeChild::ExitsAfter(10, Exit::Code(0)));
    let mut w = World::new(ExitOn::Failure, vec![build]);
    change(&mut w, 1_000);
    w.at(2_000, Event::Signalled(Signal::TERM));
    assert_eq!(w.run(60_000), Some(0));
    assert_eq!(w.lines(&["spawn"]), ["0 spawn build.1#1", "1000 spawn build.1#2"]);
}

#[test]
fn what_a_person_stopped_stays_stopped_until_a_person_starts_it() {
    let web = row("web", watched(on_failure()), FakeChild::Polite);
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    w.run(1_000);
    let web = w.instance("web.1");
    w.ask(ResolvedRequest::Stop(vec![web]));
    w.run(2_000);
    change(&mut w, 3_000);
    w.run(4_000);
    assert_eq!(w.lines(&["spawn web"]), ["0 spawn web.1#1"]);
    let web = w.instance("web.1");
    w.ask(ResolvedRequest::Start(vec![web]));
    change(&mut w, 8_000);
    w.run(10_000);
    assert_eq!(w.lines(&["spawn web"]).len(), 3);
}

#[test]
fn a_signal_goes_to_what_runs_and_starts_what_does_not() {
    let policy = with_action(on_failure(), WatchAction::Signal(Signal::HUP));
    let web = row("web", policy.clone(), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    change(&mut w, 1_000);
    w.run(2_000);
    assert_eq!(w.lines(&["SIGHUP web", "spawn web"]), ["0 spawn web.1#1", "1000 SIGHUP web.1#1"]);
    let web = row("web", policy, FakeChild::ExitsAfter(10, Exit::Code(0)));
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    change(&mut w, 1_000);
    w.run(2_000);
    assert_eq!(w.lines(&["spawn web"]), ["0 spawn web.1#1", "1000 spawn web.1#2"]);
}

#[test]
fn five_restarts_in_a_row_by_its_own_changes_are_a_loop_and_a_person_ends_its_suspension() {
    let web = row("web", watched(on_failure()), FakeChild::Polite);
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    for n in 1..=9 {
        change(&mut w, n * 500);
    }
    w.run(20_000);
    assert_eq!(w.lines(&["spawn web"]).len(), 6);
    assert_eq!(w.lines(&["suspended"]), ["3000 web.1 watch suspended by src/a.py"]);
    let web = w.instance("web.1");
    w.ask(ResolvedRequest::Restart(vec![web]));
    w.run(21_000);
    change(&mut w, 30_000);
    w.run(40_000);
    assert_eq!(w.lines(&["spawn web"]).len(), 8);
}

#[test]
fn saves_by_a_person_are_no_loop_however_many_they_are() {
    let web = row("web", watched(on_failure()), FakeChild::Polite);
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    for n in 1..=20 {
        change(&mut w, n * 2_500);
    }
    w.run(100_000);
    assert_eq!(w.lines(&["spawn web"]).len(), 21);
}

#[test]
fn a_watched_type_that_cannot_be_started_is_tried_again_at_the_next_change() {
    let web = row("web", watched(on_failure()), FakeChild::Missing);
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    change(&mut w, 1_000);
    change(&mut w, 2_000);
    assert_eq!(w.run(10_000), None);
    assert_eq!(w.lines(&["spawn web"]).len(), 3);
}

#[test]
fn what_a_program_writes_as_it_stops_makes_a_loop_too() {
    let web = row("web", watched(on_failure()), FakeChild::Master(50));
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    change(&mut w, 5_000);
    // Each stop takes 50 ms, in the midst of which it writes.
    for n in 0..100 {
        change(&mut w, 5_030 + n * 51);
    }
    w.run(60_000);
    assert_eq!(w.lines(&["suspended"]).len(), 1);
    assert!(w.lines(&["spawn web"]).len() <= 8, "{}", w.trace());
}

#[test]
fn what_a_program_writes_as_it_ends_makes_a_loop_though_it_is_seen_later() {
    let build = row("build", watched(once(never())), FakeChild::ExitsAfter(10, Exit::Code(0)));
    let mut w = World::new(ExitOn::Failure, vec![build, worker()]);
    for n in 1..=20 {
        change(&mut w, n * 150);
    }
    w.run(60_000);
    assert_eq!(w.lines(&["suspended"]).len(), 1);
    assert_eq!(w.lines(&["spawn build"]).len(), 6);
}

#[test]
fn saves_of_what_has_crashed_are_no_loop() {
    let policy = Policy { max_restarts: 0, ..watched(on_failure()) };
    let web = row("web", policy, FakeChild::ExitsAfter(10, Exit::Code(1)));
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    for n in 1..=20 {
        change(&mut w, n * 1_000);
    }
    w.run(60_000);
    assert_eq!(w.lines(&["spawn web"]).len(), 21);
}

#[test]
fn a_change_while_nothing_runs_does_not_hide_a_loop() {
    let web = row("web", watched(on_failure()), FakeChild::Polite);
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    w.start_takes = 1;
    for n in 1..=9 {
        change(&mut w, n * 500);
        // Before its first run there was none that could have made it.
        let changes = FileChanges { file: "a".to_owned(), others: 0, since: Moment::default() };
        w.at(n * 500 + 100, Event::FilesChanged { process_type: 0, changes });
    }
    w.run(20_000);
    assert_eq!(w.lines(&["suspended"]).len(), 1);
}

#[test]
fn a_reload_that_watches_other_files_ends_a_suspension_and_another_does_not() {
    let web = row("web", watched(on_failure()), FakeChild::Polite);
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    for n in 1..=6 {
        change(&mut w, n * 500);
    }
    w.run(4_000);
    assert!(w.sup.is_watch_suspended(0));
    let reload = |app: crate::app::App| ResolvedRequest::Reload {
        app: app.into(),
        gone: Vec::new(),
        rolling: None,
    };
    let mut app = (**w.sup.app()).clone();
    app.types[1].policy.max_restarts += 1;
    w.ask(reload(app.clone()));
    assert!(w.sup.is_watch_suspended(0));
    app.types[0].policy.watch.as_mut().expect("it is watched").globs = vec!["!a".to_owned()];
    w.ask(reload(app));
    assert!(!w.sup.is_watch_suspended(0));
    assert_eq!(w.lines(&["spawn web"]).len(), 6);
    change(&mut w, 9_000);
    w.run(10_000);
    assert_eq!(w.lines(&["spawn web"]).len(), 7);
}

#[test]
fn a_change_before_a_stop_by_a_person_restarts_nothing_after_the_next_start() {
    let web = row("web", watched(on_failure()), FakeChild::Master(1_000));
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    change(&mut w, 5_000);
    change(&mut w, 5_500);
    w.run(5_600);
    let web = w.instance("web.1");
    w.ask(ResolvedRequest::Stop(vec![web]));
    w.run(8_000);
    w.ask(ResolvedRequest::Start(vec![web]));
    w.run(20_000);
    assert_eq!(w.lines(&["spawn web"]).len(), 2, "{}", w.trace());
}

#[test]
fn a_signal_waits_until_what_starts_is_ready_and_begins_again_what_has_no_process_yet() {
    let policy = with_action(on_failure(), WatchAction::Signal(Signal::HUP));
    let web = row("web", with_ready(policy.clone()), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![web, worker()]);
    w.ready_after = |run| (run.instance.process_type == 0).then_some(1_300);
    change(&mut w, 500);
    change(&mut w, 700);
    change(&mut w, 2_000);
    w.run(3_000);
    assert_eq!(w.lines(&["SIGHUP web"]), ["1300 SIGHUP web.1#1", "2000 SIGHUP web.1#1"]);
    let web = row("web", policy, FakeChild::Polite);
    let mut w = World::new(ExitOn::Failure, vec![web]);
    w.start_takes = 100;
    change(&mut w, 50);
    w.run(3_000);
    assert_eq!(w.lines(&["SIGHUP web", "spawn web"]), ["0 spawn web.1#1", "101 spawn web.1#2"]);
}
