//! `pm wait`: it is answered when all have reached their state, and at once when one no longer can.

use std::time::Duration;

use super::needs::{needing, with_ready};
use super::storm::{Random, pick};
use crate::app::{Exit, ExitOn, InstanceId, Milestone, Policy, Role, Signal};
use crate::supervisor::sim::{FakeChild, TypeRow, World, never, on_failure, release, row};
use crate::supervisor::{Doing, Event, Failure, Reply, RequestId, ResolvedRequest, Until};

const FOREVER: u64 = 1_000_000_000;
const FAILED: Exit = Exit::Code(41);

/// db, which is ready after 1 s, and web, which needs that.
fn db_and_web(exit_on: ExitOn, db: Policy, life: FakeChild) -> World {
    let web = needing(on_failure(), &[(0, Milestone::Ready)]);
    let rows = vec![row("db", with_ready(db), life), row("web", web, FakeChild::Forever)];
    let mut w = World::new(exit_on, rows);
    w.ready_after = |run| (run.instance.process_type == 0).then_some(1000);
    w
}

fn wait(w: &mut World, targets: &[(&str, Until)]) -> RequestId {
    let one = |(name, until): &(&str, Until)| (w.instance(name), *until);
    let targets = targets.iter().map(one).collect();
    w.ask(ResolvedRequest::Wait(targets))
}

fn at(w: &mut World, time: u64) {
    w.run(time);
    w.now = crate::app::Moment(Duration::from_millis(time));
}

/// Returns why a wait was in vain.
#[track_caller]
fn failures(w: &World, id: RequestId) -> Vec<(InstanceId, Failure)> {
    match w.replies.get(&id) {
        Some(Reply::Failed(failures)) => failures.clone(),
        other => panic!("{other:?}\n{}", w.trace()),
    }
}

#[test]
fn it_is_answered_when_all_is_so_and_at_once_where_it_is_so_already() {
    let mut w = db_and_web(ExitOn::Failure, on_failure(), FakeChild::Forever);
    w.run(10);
    wait(&mut w, &[("db.1", Until::Started)]);
    wait(&mut w, &[("db.1", Until::Ready), ("db.1", Until::Started)]);
    wait(&mut w, &[("db.1", Until::Settled), ("web.1", Until::Settled)]);
    at(&mut w, 5000);
    wait(&mut w, &[("web.1", Until::Ready)]);
    let stopped = wait(&mut w, &[("db.1", Until::Stopped)]);
    w.run(9000);
    let db = w.instance("db.1");
    w.ask(ResolvedRequest::Stop(vec![db]));
    w.run(10_000);
    assert_eq!(
        w.lines(&["reply"]),
        [
            "0 reply 1 done",
            "1000 reply 2 done",
            "1250 reply 3 done",
            "5000 reply 4 done",
            "5001 reply 5 done",
            "5001 reply 6 done",
        ]
    );
    assert!(w.replies.contains_key(&stopped));
}

#[test]
fn one_without_ready_has_settled_when_it_has_run_for_a_moment_and_not_when_it_crashes_at_once() {
    let rows = vec![
        row("web", Policy { max_restarts: 2, ..on_failure() }, FakeChild::ExitsAfter(249, FAILED)),
        row("job", never(), FakeChild::Forever),
    ];
    let mut w = World::new(ExitOn::All, rows);
    let web = w.instance("web.1");
    let [on_job, on_all] = [&["job.1"][..], &["job.1", "web.1"]].map(|names| {
        let targets: Vec<_> = names.iter().map(|name| (*name, Until::Settled)).collect();
        wait(&mut w, &targets)
    });
    let started = wait(&mut w, &[("web.1", Until::Started), ("job.1", Until::Started)]);
    w.run(FOREVER);
    assert_eq!(w.replies.get(&on_job), Some(&Reply::Done));
    assert_eq!(w.replies.get(&started), Some(&Reply::Done));
    assert_eq!(failures(&w, on_all), [(web, Failure::Failed(FAILED))]);
    // It has crashed after 249, 998 and 2247 ms.
    let expected = ["0 reply 3 done", "250 reply 1 done"];
    assert_eq!(w.lines(&["done"]), expected);
    assert!(w.lines(&["reply 2"])[0].starts_with("2247 "), "{}", w.trace());
    assert_eq!(w.sup.next_deadline(), None, "nothing is left to wait for");
}

#[test]
fn a_wait_for_several_is_answered_when_all_are_so_at_the_same_time() {
    let lives = vec![FakeChild::ExitsAfter(500, FAILED), FakeChild::Forever];
    let policy = Policy { max_restarts: 2, ..on_failure() };
    let early = TypeRow { children: lives, ..row("early", with_ready(policy), FakeChild::Forever) };
    let rows = vec![early, row("late", with_ready(never()), FakeChild::Forever)];
    let mut w = World::new(ExitOn::All, rows);
    // early is ready until it crashes at 500 ms, and again when late has been for long.
    w.ready_after = |run| match (run.instance.process_type, run.seq) {
        (0, 1) => Some(100),
        (0, _) => Some(3000),
        _ => Some(700),
    };
    wait(&mut w, &[("early.1", Until::Ready), ("late.1", Until::Ready)]);
    wait(&mut w, &[("early.1", Until::Settled), ("late.1", Until::Settled)]);
    w.run(10_000);
    assert_eq!(w.lines(&["reply"]), ["4000 reply 1 done", "4000 reply 2 done"]);
}

#[test]
fn one_that_was_so_and_fails_before_the_others_are_is_told() {
    let policy = with_ready(never());
    let rows = vec![
        row("early", policy.clone(), FakeChild::ExitsAfter(500, FAILED)),
        row("late", policy, FakeChild::Forever),
    ];
    let mut w = World::new(ExitOn::All, rows);
    w.ready_after = |run| Some(if run.instance.process_type == 0 { 100 } else { 700 });
    let early = w.instance("early.1");
    let both = wait(&mut w, &[("early.1", Until::Ready), ("late.1", Until::Ready)]);
    w.run(600);
    assert_eq!(failures(&w, both), [(early, Failure::Failed(FAILED))]);
}

#[test]
fn what_has_ended_well_is_no_failure_when_its_session_ends_with_it() {
    let ends = |after| FakeChild::ExitsAfter(after, Exit::Code(0));
    let once = Policy { role: Role::Once, ..never() };
    let rows = vec![row("web", never(), ends(300)), row("job", once, ends(700))];
    let mut w = World::new(ExitOn::All, rows);
    wait(&mut w, &[("web.1", Until::Settled), ("job.1", Until::Done)]);
    wait(&mut w, &[("web.1", Until::Started), ("job.1", Until::Done)]);
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(w.lines(&["reply"]), ["700 reply 1 done", "700 reply 2 done"]);
}

#[test]
fn done_is_what_has_ended_well_and_what_has_failed_never_is() {
    let once = |child| {
        let policy = Policy { role: Role::Once, ..never() };
        World::new(
            ExitOn::All,
            vec![row("job", policy, child), row("web", never(), FakeChild::Forever)],
        )
    };
    let mut w = once(FakeChild::ExitsAfter(700, Exit::Code(0)));
    let done = wait(&mut w, &[("job.1", Until::Done)]);
    w.run(5000);
    assert_eq!(w.lines(&["reply"]), ["700 reply 1 done"]);
    let again = wait(&mut w, &[("job.1", Until::Done), ("job.1", Until::Stopped)]);
    assert_eq!(
        (w.replies.get(&done), w.replies.get(&again)),
        (Some(&Reply::Done), Some(&Reply::Done))
    );
    let mut w = once(FakeChild::ExitsAfter(700, FAILED));
    let (job, asked) =
        (w.instance("job.1"), wait(&mut w, &[("web.1", Until::Done), ("job.1", Until::Done)]));
    w.run(5000);
    assert_eq!(failures(&w, asked), [(job, Failure::Failed(FAILED))]);
    assert_eq!(w.lines(&["reply"]).len(), 1);
    assert!(w.lines(&["reply"])[0].starts_with("700 "), "at once, while web goes on");
}

#[test]
fn a_failure_for_good_is_told_with_its_exit_and_a_restart_is_none() {
    let crash = FakeChild::ExitsAfter(100, FAILED);
    let policy = Policy { max_restarts: 2, ..on_failure() };
    let mut w = db_and_web(ExitOn::Failure, policy, crash);
    let (db, web) = (w.instance("db.1"), w.instance("web.1"));
    let on_db = wait(&mut w, &[("db.1", Until::Ready)]);
    let on_web = wait(&mut w, &[("web.1", Until::Started)]);
    let on_both = wait(&mut w, &[("db.1", Until::Ready), ("web.1", Until::Started)]);
    assert_eq!(w.run(FOREVER), Some(41));
    assert_eq!(failures(&w, on_db), [(db, Failure::Failed(FAILED))]);
    assert_eq!(failures(&w, on_web), [(web, Failure::EndedWith { by: db, exit: FAILED })]);
    assert_eq!(failures(&w, on_both), [(db, Failure::Failed(FAILED))]);
    assert!(w.lines(&["reply"]).iter().all(|line| line.starts_with("1800 ")), "{}", w.trace());
}

#[test]
fn one_that_is_not_ready_in_time_has_failed_also_where_it_stops_well() {
    // It exits with 0 when it is asked to stop.
    let row = row("db", with_ready(never()), FakeChild::Polite);
    let mut w = World::new(
        ExitOn::All,
        vec![row, super::super::sim::row("web", never(), FakeChild::Forever)],
    );
    let (db, asked) = (w.instance("db.1"), wait(&mut w, &[("db.1", Until::Settled)]));
    w.run(100_000);
    assert_eq!(failures(&w, asked), [(db, Failure::NotReady)]);
    assert_eq!(w.sup.status(w.now)[0].doing, Doing::GivenUp);
    assert!(w.lines(&["reply"])[0].starts_with("60001 "));
}

#[test]
fn what_is_blocked_or_held_back_is_told_by_whom() {
    let mut w = db_and_web(ExitOn::All, never(), FakeChild::ExitsAfter(100, FAILED));
    let (db, web) = (w.instance("db.1"), w.instance("web.1"));
    let on_web = wait(&mut w, &[("web.1", Until::Started)]);
    w.run(50);
    assert!(!w.replies.contains_key(&on_web));
    w.run(1000);
    assert_eq!(failures(&w, on_web), [(web, Failure::Blocked { by: db, exit: FAILED })]);
    let mut w = db_and_web(ExitOn::Failure, on_failure(), FakeChild::Forever);
    w.run(50);
    let on_web = wait(&mut w, &[("web.1", Until::Started)]);
    w.ask(ResolvedRequest::Stop(vec![db]));
    w.run(500);
    assert_eq!(failures(&w, on_web), [(web, Failure::Held { by: db })]);
    let after = wait(&mut w, &[("web.1", Until::Started)]);
    assert_eq!(failures(&w, after), [(web, Failure::Held { by: db })]);
    let on_db = wait(&mut w, &[("db.1", Until::Ready)]);
    assert_eq!(failures(&w, on_db), [(db, Failure::Stopped)]);
}

#[test]
fn a_release_that_is_stopped_holds_all_others_back() {
    let rows = vec![
        row("release", release(), FakeChild::Forever),
        row("web", never(), FakeChild::Forever),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    let (release, web) = (w.instance("release.1"), w.instance("web.1"));
    w.run(50);
    let asked = wait(&mut w, &[("web.1", Until::Started)]);
    w.ask(ResolvedRequest::Stop(vec![release]));
    w.run(500);
    assert_eq!(failures(&w, asked), [(web, Failure::Held { by: release })]);
}

#[test]
fn one_that_is_scaled_away_is_stopped_and_nothing_else() {
    let mut w = World::new(
        ExitOn::Failure,
        vec![TypeRow { count: 2, ..row("web", on_failure(), FakeChild::Deaf) }],
    );
    w.run(10);
    let two = w.instance("web.2");
    let stopped = wait(&mut w, &[("web.2", Until::Stopped)]);
    let done = wait(&mut w, &[("web.2", Until::Done)]);
    w.ask(ResolvedRequest::Scale(vec![(0, 1)]));
    assert_eq!(failures(&w, done), [(two, Failure::Gone)], "without waiting for its end");
    w.run(60_000);
    assert_eq!(w.replies.get(&stopped), Some(&Reply::Done));
}

#[test]
fn the_end_of_the_session_ends_a_wait_at_once_but_for_a_stop() {
    let rows = vec![
        row("web", on_failure(), FakeChild::Deaf),
        row("api", needing(on_failure(), &[(0, Milestone::Done)]), FakeChild::Forever),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(10);
    let (web, api) = (w.instance("web.1"), w.instance("api.1"));
    let done = wait(&mut w, &[("web.1", Until::Done), ("api.1", Until::Started)]);
    let stopped = wait(&mut w, &[("web.1", Until::Stopped), ("api.1", Until::Stopped)]);
    w.after(0, Event::Signalled(Signal::TERM));
    w.run(20);
    assert_eq!(failures(&w, done), [(web, Failure::SessionEnds)], "said once");
    let late = wait(&mut w, &[("api.1", Until::Started)]);
    assert_eq!(failures(&w, late), [(api, Failure::SessionEnds)]);
    assert!(!w.replies.contains_key(&stopped));
    w.run(FOREVER);
    assert_eq!(w.replies.get(&stopped), Some(&Reply::Done));
}

/// Types of which each may need the one before, that live long, short or badly.
fn a_history(random: &mut Random) -> World {
    let names = ["a", "b", "c", "d"];
    let rows = (0_u16..).zip(names).map(|(position, name)| {
        let is_once = random.below(4) == 0;
        let base = Policy { max_restarts: 1, ..pick(random, &[never, on_failure])() };
        let base = match is_once {
            true => Policy { role: Role::Once, ..base },
            false if random.below(2) == 0 => with_ready(base),
            false => base,
        };
        let policy = match position.checked_sub(1) {
            Some(before) if random.below(3) > 0 => {
                needing(base, &[(before, pick(random, &[Milestone::Started, Milestone::Ready]))])
            }
            _ => base,
        };
        let exit = pick(random, &[Exit::Code(0), FAILED]);
        let ends = FakeChild::ExitsAfter(random.below(3000), exit);
        let child = match is_once {
            true => ends,
            false => {
                pick(random, &[FakeChild::Forever, FakeChild::Polite, FakeChild::Missing, ends])
            }
        };
        TypeRow { count: u16::try_from(1 + random.below(2)).unwrap(), ..row(name, policy, child) }
    });
    let rows = rows.collect();
    let mut w = World::new(pick(random, &[ExitOn::All, ExitOn::All, ExitOn::Failure]), rows);
    // `a` never is.
    w.ready_after = |run| (run.instance.process_type > 0).then_some(200 * u64::from(run.seq));
    w
}

#[test]
fn in_random_histories_no_wait_hangs_on_what_can_never_be() {
    for seed in 1..=200_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut w = a_history(&mut random);
        let mut waits = Vec::new();
        let mut time = 0;
        for _ in 0..8 {
            time += pick(&mut random, &[0, 1, 100, 700, 3000, 61_000]);
            if w.run(time).is_some() {
                break;
            }
            let ids: Vec<_> = w.sup.instances().collect();
            let Some(id) = ids.get(usize::try_from(random.below(8)).unwrap()).copied() else {
                continue;
            };
            let until = pick(
                &mut random,
                &[Until::Started, Until::Ready, Until::Settled, Until::Done, Until::Stopped],
            );
            match random.below(5) {
                0 => drop(w.ask(ResolvedRequest::Stop(vec![id]))),
                1 if random.below(2) == 0 => drop(w.ask(ResolvedRequest::Start(vec![id]))),
                1 => drop(w.ask(ResolvedRequest::Scale(vec![(id.process_type, 1)]))),
                _ => waits.push((w.ask(ResolvedRequest::Wait(vec![(id, until)])), id, until)),
            }
        }
        w.run(FOREVER);
        // Nothing more happens: who still waits does so for the end of one that lives.
        let states = w.sup.status(w.now);
        for (request, id, until) in waits {
            if w.replies.contains_key(&request) {
                continue;
            }
            let doing = states.iter().find(|status| status.id == id).map(|status| status.doing);
            let lives = matches!(doing, Some(Doing::Up | Doing::Ready));
            let is_legitimate = lives && matches!(until, Until::Done | Until::Stopped);
            assert!(is_legitimate, "history {seed}: {doing:?} {until:?}\n{}", w.trace());
        }
        if w.sup.finished().is_none() {
            w.after(0, Event::Signalled(Signal::TERM));
            assert!(w.run(2 * FOREVER).is_some(), "history {seed}\n{}", w.trace());
        }
    }
}
