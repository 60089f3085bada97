//! Runs that become ready, or do not; what is asked from outside; what is said of a slow start.

use std::time::Duration;

use super::super::Event;
use super::super::sim::{FakeChild, TypeRow, World, never, on_failure, row};
use crate::app::readiness::{Probe, Readiness};
use crate::app::{Exit, ExitOn, Milestone, Policy, RunId, Signal};

use super::needs::{healthy, needing, once, with_ready};

#[test]
fn one_that_is_not_ready_in_time_crashes_and_is_started_again() {
    let mut w = World::new(
        ExitOn::Failure,
        vec![row("db", with_ready(on_failure()), FakeChild::Master(100))],
    );
    w.ready_after = |run: RunId| (run.seq == 2).then_some(1000);
    w.run(70_000);
    assert_eq!(
        w.lines(&["spawn", "ready", "SIG", "; again"]),
        [
            "0 spawn db.1#1",
            "60000 db.1 not ready in 60s",
            "60000 SIGTERM db.1#1",
            "60101 db.1 terminated by SIGTERM; again in 500ms (1/5)",
            "60601 spawn db.1#2",
            "61601 db.1 ready after 1s",
        ]
    );
}

#[test]
fn one_that_is_never_ready_is_given_up_after_its_restarts() {
    let policy = Policy { max_restarts: 2, ..on_failure() };
    let mut w = World::new(ExitOn::Failure, vec![row("db", with_ready(policy), FakeChild::Polite)]);
    assert_eq!(w.run(1_000_000), Some(1), "not 0, although it stops well");
    assert_eq!(
        w.lines(&["exited"]),
        [
            "60001 db.1 exited with code 0; again in 500ms (1/2)",
            "120502 db.1 exited with code 0; again in 1s (2/2)",
            "181503 db.1 exited with code 0; gave up at 3",
        ]
    );
}

#[test]
fn more_time_that_was_asked_for_moves_the_limit() {
    let mut w =
        World::new(ExitOn::Failure, vec![row("db", with_ready(on_failure()), FakeChild::Forever)]);
    w.run(50_000);
    let run = RunId { instance: w.instance("db.1"), seq: 1 };
    w.now = crate::app::Moment(Duration::from_secs(50));
    w.deliver(Event::ReadyExtended { run, time: Duration::from_secs(30) });
    w.run(90_000);
    assert_eq!(w.lines(&["not ready"]), ["80000 db.1 not ready in 60s"]);
}

#[test]
fn one_that_is_not_alive_is_restarted_and_that_is_no_crash() {
    let mut w =
        World::new(ExitOn::Failure, vec![row("web", with_ready(on_failure()), FakeChild::Forever)]);
    w.ready_after = |_| Some(10);
    for seq in 1..=20 {
        w.run(1000 * u64::from(seq));
        w.now = crate::app::Moment(Duration::from_secs(u64::from(seq)));
        let run = RunId { instance: w.instance("web.1"), seq };
        w.deliver(Event::NotAlive { run, why: "http:/up timed out 3 times".to_owned() });
    }
    w.run(30_000);
    assert_eq!(w.lines(&["spawn"]).len(), 21);
    assert_eq!(w.lines(&["; again in"]), Vec::<&str>::new());
    assert_eq!(w.sup.status(w.now)[0].restarts, 20);
}

#[test]
fn a_slow_start_is_explained_after_5_s_and_then_every_15() {
    let mut w = healthy();
    w.ready_after = |_| None;
    w.run(40_000);
    assert_eq!(
        w.lines(&["slow"]),
        [
            "5000 slow 5s: web.1x1 on db.1",
            "20000 slow 20s: web.1x1 on db.1",
            "35000 slow 35s: web.1x1 on db.1"
        ]
    );
}

#[test]
fn all_is_started_when_everything_is_ready_up_or_done() {
    let migrate = row("migrate", once(never()), FakeChild::ExitsAfter(700, Exit::Code(0)));
    let web =
        row("web", needing(with_ready(on_failure()), &[(0, Milestone::Done)]), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![migrate, web]);
    w.ready_after = |_| Some(1000);
    w.run(1699);
    assert!(!w.sup.is_started());
    w.run(1700);
    assert!(w.sup.is_started());
}

#[test]
fn a_program_that_asks_for_more_time_never_has_less() {
    let mut w =
        World::new(ExitOn::Failure, vec![row("web", with_ready(on_failure()), FakeChild::Forever)]);
    w.run(1000);
    let run = RunId { instance: w.instance("web.1"), seq: 1 };
    w.deliver(Event::ReadyExtended { run, time: Duration::from_secs(5) });
    w.run(60_000);
    assert_eq!(w.lines(&["not ready"]).len(), 1);
    assert!(w.lines(&["not ready"])[0].starts_with("60000 "));
}

#[test]
fn what_is_not_started_here_is_asked_from_outside_where_it_can_be() {
    let outside = |probe: &str| {
        let ready =
            Readiness { probes: vec![Probe::parse(probe).unwrap()], timeout: Duration::ZERO };
        Policy { ready: Some(ready), ..on_failure() }
    };
    let db = TypeRow { count: 0, ..row("db", outside("port:5432"), FakeChild::Forever) };
    let log = TypeRow { count: 0, ..row("log", outside("log:up"), FakeChild::Forever) };
    let web = row("web", needing(on_failure(), &[(0, Milestone::Ready)]), FakeChild::Forever);
    let api = row("api", needing(on_failure(), &[(1, Milestone::Ready)]), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![db, log, web, api]);
    w.at(2000, Event::FoundOutside { process_type: 0 });
    w.run(60_000);
    assert_eq!(
        w.lines(&["spawn", "outside"]),
        ["0 probe-outside db", "0 spawn api.1#1", "2000 spawn web.1#1"]
    );
}

#[test]
fn with_the_session_ends_what_is_asked_from_outside() {
    let policy = with_ready(on_failure());
    let ready =
        policy.ready.clone().map(|ready| Readiness { probes: vec![Probe::Port(Some(1))], ..ready });
    let db =
        TypeRow { count: 0, ..row("db", Policy { ready, ..policy.clone() }, FakeChild::Forever) };
    let web = row("web", needing(on_failure(), &[(0, Milestone::Ready)]), FakeChild::Forever);
    let other = row("other", on_failure(), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![db, web, other]);
    w.at(1000, Event::Signalled(Signal::TERM));
    assert_eq!(w.run(9000), Some(0));
    assert_eq!(w.lines(&["probe-outside"]), ["0 probe-outside db", "1000 end-probe-outside db"]);
}
