//! Runs that become ready, or do not; what is asked from outside; what is said of a slow start.

use std::time::Duration;

use super::super::sim::{FakeChild, TypeRow, World, never, on_failure, row};
use super::super::{Event, ResolvedRequest};
use crate::app::readiness::{Liveness, Probe, Readiness};
use crate::app::{App, Exit, ExitOn, Milestone, Policy, RunId, Signal};

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
    assert_eq!(w.lines(&["; again"]), Vec::<&str>::new());
    assert_eq!(w.lines(&["; at once"]).len(), 20);
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

/// Is asked for from outside.
fn outside() -> Policy {
    let ready = Readiness { probes: vec![Probe::Port(Some(1))], timeout: Duration::from_secs(9) };
    Policy { ready: Some(ready), ..on_failure() }
}

/// db, which nobody starts here, and web, which needs it.
fn needing_what_is_outside(web: TypeRow) -> World {
    let db = TypeRow { count: 0, ..row("db", outside(), FakeChild::Forever) };
    World::new(ExitOn::Failure, vec![db, web, row("other", on_failure(), FakeChild::Forever)])
}

fn reload(w: &mut World, change: impl FnOnce(&mut App)) {
    let mut app = (**w.sup.app()).clone();
    change(&mut app);
    w.ask(ResolvedRequest::Reload { app: app.into(), gone: vec![], rolling: None });
}

#[test]
fn nobody_is_asked_from_outside_for_what_nobody_waits_for() {
    let web = row("web", needing(on_failure(), &[(0, Milestone::Ready)]), FakeChild::Forever);
    let mut w = needing_what_is_outside(TypeRow { count: 0, ..web });
    w.run(1000);
    assert_eq!(w.lines(&["outside"]), [""; 0]);
    w.ask(ResolvedRequest::Scale(vec![(1, 1)]));
    w.run(2000);
    w.ask(ResolvedRequest::Scale(vec![(1, 0)]));
    w.run(3000);
    assert_eq!(w.lines(&["outside"]), ["0 probe-outside db", "0 end-probe-outside db"]);
}

#[test]
fn one_that_starts_again_asks_again_for_what_is_outside() {
    let policy = needing(on_failure(), &[(0, Milestone::Ready)]);
    let lives = vec![FakeChild::ExitsAfter(500, Exit::Code(1)), FakeChild::Forever];
    let mut w = needing_what_is_outside(TypeRow {
        children: lives,
        ..row("web", policy, FakeChild::Forever)
    });
    let found = || Event::FoundOutside { process_type: 0 };
    w.at(100, found());
    w.at(5000, found());
    w.run(9000);
    assert_eq!(
        w.lines(&["spawn web", "outside"]),
        ["0 probe-outside db", "100 spawn web.1#1", "1100 probe-outside db", "5000 spawn web.1#2"]
    );
}

#[test]
fn what_is_started_here_after_all_is_not_asked_from_outside() {
    let web = row("web", needing(on_failure(), &[(0, Milestone::Ready)]), FakeChild::Forever);
    let mut w = needing_what_is_outside(web);
    w.ready_after = |_| Some(100);
    w.run(1000);
    w.ask(ResolvedRequest::Scale(vec![(0, 1)]));
    w.run(2000);
    assert_eq!(
        w.lines(&["spawn db", "spawn web", "outside"]),
        ["0 probe-outside db", "0 end-probe-outside db", "0 spawn db.1#1", "100 spawn web.1#1"]
    );
}

#[test]
fn a_reload_that_adds_a_dependency_or_a_probe_asks_from_outside() {
    let web = row("web", on_failure(), FakeChild::ExitsAfter(1000, Exit::Code(1)));
    let mut w = needing_what_is_outside(web);
    w.run(500);
    let needs = needing(on_failure(), &[(0, Milestone::Ready)]).depends_on;
    reload(&mut w, |app| app.types[1].policy.depends_on = needs);
    w.run(5000);
    assert_eq!(w.lines(&["outside", "spawn web"]), ["0 spawn web.1#1", "1500 probe-outside db"]);
    // Another way of asking.
    reload(&mut w, |app| {
        app.types[0].policy.ready.as_mut().unwrap().probes = vec![Probe::Port(Some(2))];
    });
    assert_eq!(w.lines(&["outside"])[1..], ["1500 end-probe-outside db", "1500 probe-outside db"]);
    // Nobody needs it any more.
    reload(&mut w, |app| app.types[1].policy.depends_on.clear());
    assert_eq!(
        w.lines(&["outside", "spawn web"])[4..],
        ["1500 end-probe-outside db", "1500 spawn web.1#2"]
    );
}

#[test]
fn a_reload_starts_what_did_not_run_and_another_depends_on_by_now() {
    let db = TypeRow { count: 0, ..row("db", on_failure(), FakeChild::Forever) };
    let web = row("web", on_failure(), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![db, web]);
    w.run(500);
    let needs = needing(on_failure(), &[(0, Milestone::Started)]).depends_on;
    reload(&mut w, |app| {
        app.types[0].count = 1;
        app.types[1].policy.depends_on = needs;
    });
    w.run(1000);
    assert_eq!(w.lines(&["spawn db"]), ["0 spawn db.1#1"]);
    // It stays where it was scaled to.
    w.ask(ResolvedRequest::Scale(vec![(0, 0)]));
    reload(&mut w, |app| app.types[0].count = 2);
    w.run(2000);
    assert_eq!(w.lines(&["spawn"]), ["0 spawn web.1#1", "0 spawn db.1#1"]);
}

#[test]
fn each_dependency_that_an_instance_waits_for_is_named() {
    let db = row("db", with_ready(on_failure()), FakeChild::Forever);
    let queue = row("queue", with_ready(on_failure()), FakeChild::Forever);
    let needs = [(0, Milestone::Ready), (1, Milestone::Ready), (0, Milestone::Started)];
    let web = row("web", needing(on_failure(), &needs), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![db, queue, web]);
    w.ready_after = |run| (run.instance.process_type == 0).then_some(100);
    let waits_for = |w: &World| {
        let all = w.sup.status(w.now).pop().unwrap().waits_for;
        all.into_iter().map(|id| w.sup.app().name_of(id)).collect::<Vec<_>>()
    };
    w.run(50);
    assert_eq!(waits_for(&w), ["db.1", "queue.1"]);
    w.run(200);
    assert_eq!(waits_for(&w), ["queue.1"]);
}

#[test]
fn a_reload_restarts_for_ready_only_what_is_not_ready_yet_or_could_not_be() {
    let policies = [with_ready(on_failure()), with_ready(on_failure()), on_failure()];
    let rows = policies.into_iter().zip(["unready", "ready", "up"]);
    let rows = rows.map(|(policy, name)| row(name, policy, FakeChild::Forever)).collect();
    let mut w = World::new(ExitOn::Failure, rows);
    w.ready_after = |run| (run.instance.process_type == 1).then_some(100);
    w.run(200);
    let other =
        Some(Readiness { probes: vec![Probe::Port(None)], timeout: Duration::from_secs(5) });
    let change = other.clone();
    reload(&mut w, |app| app.types.iter_mut().for_each(|own| own.policy.ready = change.clone()));
    w.run(1000);
    assert_eq!(
        w.lines(&[" SIGTERM ", " spawn "])[3..],
        [
            "100 SIGTERM up.1#1",
            "100 SIGTERM unready.1#1",
            "101 spawn up.1#2",
            "101 spawn unready.1#2"
        ]
    );
    // Nothing is different by now.
    let before = w.trace().len();
    reload(&mut w, |app| app.types.iter_mut().for_each(|own| own.policy.ready = other.clone()));
    assert_eq!(&w.trace()[before..], "\n101 reply 2 done");
}

#[test]
fn a_reload_moves_the_limit_of_what_is_not_ready_yet() {
    let mut w =
        World::new(ExitOn::Failure, vec![row("web", with_ready(on_failure()), FakeChild::Forever)]);
    w.run(1000);
    reload(&mut w, |app| {
        app.types[0].policy.ready.as_mut().unwrap().timeout = Duration::from_secs(5);
    });
    w.run(6000);
    assert_eq!(w.lines(&["not ready", " spawn web.1#2"]).len(), 2, "{}", w.trace());
    assert_eq!(w.lines(&["not ready"]), ["5000 web.1 not ready in 5s"]);
}

#[test]
fn a_reload_that_changes_live_asks_a_run_by_the_new_words_and_one_for_notify_needs_another_run() {
    let live = |probe| {
        let (interval, failures) = (Duration::from_secs(10), 3);
        Some(Liveness { probe, interval, failures })
    };
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
    w.run(1000);
    reload(&mut w, |app| app.types[0].policy.live = live(Probe::Port(None)));
    reload(&mut w, |app| app.types[0].policy.live = live(Probe::Port(None)));
    w.run(2000);
    assert_eq!(w.lines(&["watch", "end-probe"]), ["0 watch web.1#1"]);
    reload(&mut w, |app| app.types[0].policy.live = live(Probe::Notify));
    w.run(3000);
    assert_eq!(
        w.lines(&["watch", "end-probe", "probe web", " SIGTERM "])[1..],
        ["0 end-probe web.1#1", "0 SIGTERM web.1#1", "1 probe web.1#2"]
    );
    // What was asked by the old words is asked no more when it stops.
    reload(&mut w, |app| app.types[0].policy.live = None);
    let web = w.instance("web.1");
    w.ask(ResolvedRequest::Stop(vec![web]));
    w.run(4000);
    assert!(w.lines(&["end-probe web.1#2"]).len() == 1, "{}", w.trace());
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
