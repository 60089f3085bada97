//! Who waits for whom: starts and ends in the order of the dependencies.

use std::time::Duration;

use super::super::sim::{FakeChild, TypeRow, World, never, on_failure, row};
use super::super::{Event, ResolvedRequest};
use crate::app::readiness::{Probe, Readiness};
use crate::app::{Dependency, Exit, ExitOn, Milestone, OnDependencyRestart, Policy, Role, Signal};

const FAILED: Exit = Exit::Code(1);

/// Is ready by something that the world tells.
pub(super) fn with_ready(policy: Policy) -> Policy {
    let ready = Readiness { probes: vec![Probe::Notify], timeout: Duration::from_secs(60) };
    Policy { ready: Some(ready), ..policy }
}

/// Depends on these, by position.
pub(super) fn needing(policy: Policy, needs: &[(u16, Milestone)]) -> Policy {
    let one = |(process_type, milestone): &(u16, Milestone)| Dependency {
        process_type: *process_type,
        number: None,
        milestone: *milestone,
    };
    Policy { depends_on: needs.iter().map(one).collect(), ..policy }
}

pub(super) fn once(policy: Policy) -> Policy {
    Policy { role: Role::Once, restart: crate::app::Restart::Never, ..policy }
}

/// db, which is ready 1.3 s after each start, and web, which needs that.
pub(super) fn db_and_web(exit_on: ExitOn, db: Policy, lives: Vec<FakeChild>, web: Policy) -> World {
    let db = TypeRow { children: lives, ..row("db", with_ready(db), FakeChild::Forever) };
    let web = row("web", needing(web, &[(0, Milestone::Ready)]), FakeChild::Forever);
    let mut world = World::new(exit_on, vec![db, web]);
    world.ready_after = |run| (run.instance.process_type == 0).then_some(1300);
    world
}

/// The same, of a db that lives for ever.
pub(super) fn healthy() -> World {
    db_and_web(ExitOn::Failure, on_failure(), vec![FakeChild::Forever], on_failure())
}

const LIVES: [&str; 4] = ["spawn", "ready after", "waits", "blocked"];

#[test]
fn a_dependent_starts_when_what_it_needs_is_ready_and_not_before() {
    let mut w = healthy();
    w.run(3000);
    assert_eq!(
        w.lines(&LIVES),
        [
            "0 web.1 waits for db.1",
            "0 spawn db.1#1",
            "1300 db.1 ready after 1.3s",
            "1300 spawn web.1#1",
        ]
    );
    assert_eq!(w.sup.next_deadline(), None, "nothing is left to wait for");
}

#[test]
fn a_thousand_dependents_start_with_the_one_event_that_they_waited_for() {
    let db = row("db", with_ready(on_failure()), FakeChild::Forever);
    let web = row("web", needing(on_failure(), &[(0, Milestone::Ready)]), FakeChild::Forever);
    let web = TypeRow { count: 1000, ..web };
    let mut w = World::new(ExitOn::Failure, vec![db, web]);
    w.ready_after = |run| (run.instance.process_type == 0).then_some(1300);
    w.run(1299);
    assert_eq!(w.lines(&["spawn"]), ["0 spawn db.1#1"]);
    w.run(3000);
    let starts = w.lines(&[" spawn web."]);
    let at_once = starts.iter().filter(|line| line.starts_with("1300 spawn "));
    assert_eq!((starts.len(), at_once.count()), (1000, 1000));
    assert_eq!(w.sup.next_deadline(), None, "nothing is left to wait for");
}

#[test]
fn what_is_only_to_be_started_need_not_be_ready() {
    let db = row("db", with_ready(on_failure()), FakeChild::Forever);
    let web = row("web", needing(on_failure(), &[(0, Milestone::Started)]), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![db, web]);
    w.run(100);
    assert_eq!(w.lines(&["spawn"]), ["0 spawn db.1#1", "0 spawn web.1#1"]);
}

#[test]
fn every_wanted_instance_must_be_there_or_the_one_that_is_named() {
    let db = TypeRow { count: 2, ..row("db", with_ready(on_failure()), FakeChild::Forever) };
    let all = row("all", needing(on_failure(), &[(0, Milestone::Ready)]), FakeChild::Forever);
    let mut one = row("one", needing(on_failure(), &[(0, Milestone::Ready)]), FakeChild::Forever);
    one.policy.depends_on[0].number = Some(1);
    let mut w = World::new(ExitOn::Failure, vec![db, all, one]);
    w.ready_after = |run| Some(1000 * u64::from(run.instance.number));
    w.run(9000);
    assert_eq!(
        w.lines(&["spawn"]),
        ["0 spawn db.1#1", "0 spawn db.2#1", "1000 spawn one.1#1", "2000 spawn all.1#1"]
    );
}

#[test]
fn what_needs_something_done_starts_when_that_has_ended_well() {
    let migrate = row("migrate", once(never()), FakeChild::ExitsAfter(700, Exit::Code(0)));
    let web = row("web", needing(on_failure(), &[(0, Milestone::Done)]), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![migrate, web]);
    w.run(60_000);
    assert_eq!(w.lines(&["spawn"]), ["0 spawn migrate.1#1", "700 spawn web.1#1"]);
}

#[test]
fn a_once_that_fails_ends_the_session_and_its_dependents_never_run() {
    let migrate = row("migrate", once(never()), FakeChild::ExitsAfter(700, FAILED));
    let web = row("web", needing(on_failure(), &[(0, Milestone::Done)]), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![migrate, web]);
    assert_eq!(w.run(60_000), Some(1));
    assert_eq!(w.lines(&["spawn"]), ["0 spawn migrate.1#1"]);
}

#[test]
fn a_dependency_that_has_failed_for_good_blocks_and_who_is_blocked_counts_as_ended() {
    let mut w =
        db_and_web(ExitOn::All, never(), vec![FakeChild::ExitsAfter(500, FAILED)], on_failure());
    assert_eq!(w.run(60_000), Some(1));
    assert_eq!(
        w.lines(&LIVES),
        ["0 web.1 waits for db.1", "0 spawn db.1#1", "500 web.1 blocked by db.1"]
    );
}

#[test]
fn who_depends_on_one_that_is_blocked_is_blocked_by_the_same() {
    let db = row("db", with_ready(never()), FakeChild::ExitsAfter(500, FAILED));
    let api =
        row("api", needing(with_ready(on_failure()), &[(0, Milestone::Ready)]), FakeChild::Forever);
    let web = row("web", needing(on_failure(), &[(1, Milestone::Ready)]), FakeChild::Forever);
    let other = row("other", on_failure(), FakeChild::Forever);
    let mut w = World::new(ExitOn::All, vec![db, api, web, other]);
    w.run(2000);
    assert_eq!(w.lines(&["blocked"]), ["500 api.1 blocked by db.1", "500 web.1 blocked by db.1"]);
    assert_eq!(w.sup.finished(), None, "other goes on");
}

#[test]
fn one_that_ends_well_before_it_was_ready_is_not_waited_for() {
    let lives = vec![FakeChild::ExitsAfter(500, Exit::Code(0))];
    let mut w = db_and_web(ExitOn::All, on_failure(), lives, on_failure());
    assert_eq!(w.run(60_000), Some(0));
    assert_eq!(w.lines(&["blocked"]), ["500 web.1 blocked by db.1"]);
}

#[test]
fn blocked_ones_start_when_their_dependency_is_started_again_and_comes() {
    let lives = vec![FakeChild::ExitsAfter(500, FAILED), FakeChild::Forever];
    let db = TypeRow { children: lives, ..row("db", with_ready(never()), FakeChild::Forever) };
    let web = row("web", needing(on_failure(), &[(0, Milestone::Ready)]), FakeChild::Forever);
    let mut w = World::new(ExitOn::All, vec![db, web, row("other", never(), FakeChild::Forever)]);
    w.ready_after = |run| (run.seq == 2).then_some(1300);
    w.run(2000);
    w.now = crate::app::Moment(Duration::from_secs(2));
    let db = w.instance("db.1");
    w.ask(ResolvedRequest::Restart(vec![db]));
    w.run(9000);
    assert_eq!(
        w.lines(&["spawn web", "spawn db", "blocked"]),
        ["0 spawn db.1#1", "500 web.1 blocked by db.1", "2000 spawn db.1#2", "3300 spawn web.1#1"]
    );
}

#[test]
fn a_dependency_that_dies_later_costs_its_dependents_nothing() {
    let lives = vec![FakeChild::ExitsAfter(5000, FAILED), FakeChild::Forever];
    let mut w = db_and_web(ExitOn::Failure, on_failure(), lives, on_failure());
    w.run(60_000);
    assert_eq!(w.lines(&["spawn web", "SIG"]), ["1300 spawn web.1#1"]);
}

#[test]
fn a_dependent_that_dies_with_its_dependency_waits_and_crashes_no_more() {
    let db = TypeRow {
        children: vec![FakeChild::ExitsAfter(5000, FAILED), FakeChild::Forever],
        ..row("db", with_ready(on_failure()), FakeChild::Forever)
    };
    let web = TypeRow {
        children: vec![FakeChild::ExitsAfter(3700, FAILED), FakeChild::Forever],
        ..row("web", needing(on_failure(), &[(0, Milestone::Ready)]), FakeChild::Forever)
    };
    let mut w = World::new(ExitOn::Failure, vec![db, web]);
    w.ready_after = |run| (run.instance.process_type == 0).then_some(1300);
    w.run(60_000);
    assert_eq!(
        w.lines(&["spawn", "; again", "waits"]),
        [
            "0 web.1 waits for db.1",
            "0 spawn db.1#1",
            "1300 spawn web.1#1",
            "5000 db.1 exited with code 1; again in 500ms (1/5)",
            "5000 web.1 exited with code 1; again in 500ms (1/5)",
            "5500 web.1 waits for db.1",
            "5500 spawn db.1#2",
            "6800 spawn web.1#2",
        ]
    );
}

#[test]
fn a_dependent_that_wants_it_is_restarted_once_when_its_dependency_is_back() {
    let web = Policy { on_dependency_restart: OnDependencyRestart::Restart, ..on_failure() };
    let lives = vec![FakeChild::ExitsAfter(5000, FAILED), FakeChild::Forever];
    let mut w = db_and_web(ExitOn::Failure, on_failure(), lives, web);
    w.run(60_000);
    assert_eq!(
        w.lines(&["spawn", "SIGTERM", "web.1 terminated", "follows"]),
        [
            "0 spawn db.1#1",
            "1300 spawn web.1#1",
            "5500 spawn db.1#2",
            "6800 web.1 follows db.1",
            "6800 SIGTERM web.1#1",
            "6801 web.1 terminated by SIGTERM; again",
            "6801 spawn web.1#2",
        ]
    );
}

#[test]
fn a_dependent_that_wants_it_is_restarted_when_all_of_its_dependency_are_back() {
    let db = TypeRow { count: 2, ..row("db", with_ready(on_failure()), FakeChild::Polite) };
    let web = Policy { on_dependency_restart: OnDependencyRestart::Restart, ..on_failure() };
    let web = row("web", needing(web, &[(0, Milestone::Ready)]), FakeChild::Polite);
    let mut w = World::new(ExitOn::Failure, vec![db, web]);
    w.ready_after = |run| match (run.instance.process_type, run.instance.number) {
        (0, 1) => Some(300),
        (0, _) => Some(4_000),
        _ => None,
    };
    w.run(10_000);
    let both = vec![w.instance("db.1"), w.instance("db.2")];
    w.now = crate::app::Moment(Duration::from_secs(10));
    w.ask(ResolvedRequest::Restart(both));
    w.run(30_000);
    assert_eq!(w.lines(&["follows"]), ["14001 web.1 follows db.2"], "{}", w.trace());
}

#[test]
fn a_dependent_that_wants_it_is_restarted_when_what_runs_once_was_done_again() {
    let migrate = row("migrate", once(never()), FakeChild::ExitsAfter(700, Exit::Code(0)));
    let web = Policy { on_dependency_restart: OnDependencyRestart::Restart, ..on_failure() };
    let web = row("web", needing(web, &[(0, Milestone::Done)]), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![migrate, web]);
    w.run(5000);
    let migrate = w.instance("migrate.1");
    w.ask(ResolvedRequest::Restart(vec![migrate]));
    w.run(60_000);
    assert_eq!(
        w.lines(&[" spawn ", "follows"]),
        [
            "0 spawn migrate.1#1",
            "700 spawn web.1#1",
            "700 spawn migrate.1#2",
            "1400 web.1 follows migrate.1",
            "1401 spawn web.1#2",
        ]
    );
}

#[test]
fn a_dependency_that_was_stopped_by_request_is_waited_for_and_others_go_on() {
    let mut w = healthy();
    w.run(100);
    let db = w.instance("db.1");
    w.ask(ResolvedRequest::Stop(vec![db]));
    w.run(30_000);
    assert_eq!(w.lines(&["spawn", "slow"]), ["0 spawn db.1#1"]);
    w.now = crate::app::Moment(Duration::from_secs(30));
    w.ask(ResolvedRequest::Start(vec![db]));
    w.run(60_000);
    assert_eq!(
        w.lines(&["spawn"]),
        ["0 spawn db.1#1", "30000 spawn db.1#2", "31300 spawn web.1#1"]
    );
}

#[test]
fn requests_reach_one_that_waits_at_once() {
    let db = || row("db", with_ready(on_failure()), FakeChild::Forever);
    let web = || row("web", needing(on_failure(), &[(0, Milestone::Ready)]), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![db(), web()]);
    w.run(100);
    let id = w.instance("web.1");
    for request in [
        ResolvedRequest::Restart(vec![id]),
        ResolvedRequest::Start(vec![id]),
        ResolvedRequest::Scale(vec![(1, 3)]),
        ResolvedRequest::Stop(vec![id]),
    ] {
        let asked = w.ask(request.clone());
        assert!(w.replies.contains_key(&asked), "{request:?} waits\n{}", w.trace());
    }
    w.deliver(Event::Signalled(Signal::TERM));
    assert_eq!(w.run(60_000), Some(0));
    assert_eq!(w.lines(&["spawn"]), ["0 spawn db.1#1"]);
}

/// An acyclic graph of many types, each of which needs some of those before it in a shuffled order.
fn graph(random: &mut super::storm::Random, size: u16) -> Vec<Vec<u16>> {
    let mut order: Vec<u16> = (0..size).collect();
    for at in (1..order.len()).rev() {
        let other = random.below(at as u64 + 1);
        order.swap(at, usize::try_from(other).unwrap());
    }
    let mut needs = vec![Vec::new(); usize::from(size)];
    for (at, own) in order.iter().enumerate().skip(1) {
        for _ in 0..random.below(4) {
            let below = order[usize::try_from(random.below(at as u64)).unwrap()];
            needs[usize::from(*own)].push(below);
        }
    }
    needs
}

#[test]
fn in_random_graphs_every_start_follows_its_needs_and_every_stop_its_dependents() {
    let mut random = super::storm::Random(0x2545_F491_4F6C_DD1D);
    for size in [3, 10, 40, 300] {
        let needs = graph(&mut random, size);
        let names: Vec<&'static str> =
            (0..size).map(|at| &*Box::leak(format!("t{at}").into_boxed_str())).collect();
        let rows = needs.iter().zip(&names).map(|(own, name)| {
            let needs: Vec<_> = own.iter().map(|at| (*at, Milestone::Ready)).collect();
            row(name, needing(with_ready(on_failure()), &needs), FakeChild::Master(5))
        });
        let mut w = World::new(ExitOn::Failure, rows.collect());
        w.ready_after = |run| Some(1 + u64::from(run.instance.process_type) % 7);
        w.run(50_000);
        w.after(0, Event::Signalled(Signal::TERM));
        assert_eq!(w.run(200_000), Some(0));
        let lines = w.lines(&[""]);
        let place = |wanted: String| {
            let ends = |line: &&str| line.split_once(' ').is_some_and(|(_, rest)| rest == wanted);
            lines.iter().position(ends).unwrap_or_else(|| panic!("no `{wanted}`"))
        };
        for (own, name) in needs.iter().zip(&names) {
            for need in own {
                let need = names[usize::from(*need)];
                let after = 1 + need[1..].parse::<u64>().unwrap() % 7;
                let ready = place(format!("{need}.1 ready after {after}ms"));
                assert!(ready < place(format!("spawn {name}.1#1")), "{name} before {need}");
                let gone = place(format!("sweep {name}.1#1"));
                assert!(gone < place(format!("SIGTERM {need}.1#1")), "{need} went before {name}");
            }
        }
    }
}

#[test]
fn who_was_blocked_is_free_when_a_reload_takes_its_dependencies_away() {
    let db = row("db", with_ready(never()), FakeChild::ExitsAfter(500, FAILED));
    let child = FakeChild::ExitsAfter(100, Exit::Code(0));
    let web = row("web", needing(never(), &[(0, Milestone::Ready)]), child);
    let other = row("other", never(), FakeChild::Forever);
    let mut w = World::new(ExitOn::All, vec![db, web, other]);
    w.run(1000);
    assert_eq!(w.lines(&["blocked"]), ["500 web.1 blocked by db.1"]);
    let mut app = (**w.sup.app()).clone();
    app.types[1].policy.depends_on.clear();
    w.ask(ResolvedRequest::Reload { app: app.into(), gone: vec![], rolling: None });
    assert_eq!(w.run(60_000), None, "other.1 runs");
    assert_eq!(w.lines(&["spawn web"]), ["500 spawn web.1#1"]);
}
