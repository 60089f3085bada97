//! Requests over the socket: what each does, what it answers, and that none ever goes unanswered.

use std::sync::Arc;

use super::forks::{reachable, some_of};
use super::storm::{Random, a_world, pick};
use crate::app::{Exit, ExitOn, InstanceId, RunId, Signal};
use crate::long::cases;
use crate::supervisor::sim::{FakeChild, TypeRow, World, always, never, on_failure, release, row};
use crate::supervisor::{
    Action, Doing, Event, Failure, Group, Reply, RequestId, ResolvedRequest, Until, WaitMode,
};

const FOREVER: u64 = 1_000_000_000;

fn world(rows: Vec<TypeRow>) -> World {
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(100);
    w
}

fn doing(w: &World, name: &str) -> Doing {
    let id = w.instance(name);
    w.sup.status(w.now).iter().find(|status| status.id == id).unwrap().doing
}

#[test]
fn a_restart_is_no_crash_and_is_answered_when_it_is_up_again() {
    let mut w = world(vec![
        row("web", never(), FakeChild::Forever),
        row("api", never(), FakeChild::Forever),
    ]);
    let web = w.instance("web.1");
    w.ask(ResolvedRequest::Restart(vec![web]));
    w.run(5_000);
    w.assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        0 SIGTERM web.1#1
        1 sweep web.1#1
        1 web.1 terminated by SIGTERM; again
        1 spawn web.1#2
        1 reply 1 done",
    );
    assert_eq!(doing(&w, "web.1"), Doing::Up);
    assert_eq!(w.sup.status(w.now)[0].restarts, 0);
}

#[test]
fn a_restart_in_back_off_is_at_once_and_forgets_the_crashes() {
    let crash = FakeChild::ExitsAfter(10, Exit::Code(3));
    let children = vec![crash, crash, crash, FakeChild::Forever];
    let mut w =
        World::new(ExitOn::Failure, vec![TypeRow { children, ..row("web", on_failure(), crash) }]);
    w.run(1_000);
    assert!(matches!(doing(&w, "web.1"), Doing::BackingOff(_)));
    let web = w.instance("web.1");
    w.ask(ResolvedRequest::Restart(vec![web]));
    w.run(1_700);
    assert_eq!(
        w.lines(&["again in"]).last(),
        Some(&"530 web.1 exited with code 3; again in 500ms (1/5)")
    );
    assert_eq!(w.replies.len(), 1, "{}", w.trace());
}

#[test]
fn one_that_is_stopped_stays_stopped_and_the_session_goes_on() {
    let quick = FakeChild::ExitsAfter(500, Exit::Code(0));
    let mut w =
        world(vec![row("web", always(), FakeChild::Forever), row("api", on_failure(), quick)]);
    let web = w.instance("web.1");
    w.ask(ResolvedRequest::Stop(vec![web]));
    assert_eq!(w.run(60_000), None);
    assert_eq!(doing(&w, "web.1"), Doing::Stopped);
    assert_eq!(doing(&w, "api.1"), Doing::Ended(Exit::Code(0)));
    w.ask(ResolvedRequest::Start(vec![web]));
    w.run(61_000);
    assert_eq!(doing(&w, "web.1"), Doing::Up);
    assert!(w.replies.values().all(|reply| *reply == Reply::Done));
    w.ask(ResolvedRequest::Quit);
    assert_eq!(w.run(FOREVER), Some(0));
}

#[test]
fn scaling_goes_on_with_the_numbers_and_takes_the_highest_away_first() {
    let mut w = world(vec![row("web", on_failure(), FakeChild::Forever)]);
    w.ask(ResolvedRequest::Scale(vec![(0, 3)]));
    w.run(1_000);
    w.ask(ResolvedRequest::Scale(vec![(0, 1)]));
    w.run(2_000);
    w.ask(ResolvedRequest::Scale(vec![(0, 2)]));
    w.run(3_000);
    let starts: Vec<_> =
        w.lines(&["spawn"]).iter().map(|line| line.replace("spawn ", "")).collect();
    assert_eq!(starts, ["0 web.1#1", "0 web.2#1", "0 web.3#1", "1 web.2#2"]);
    assert_eq!(w.replies.values().filter(|reply| **reply == Reply::Done).count(), 3);
    assert!(w.trace().find("SIGTERM web.3#1") < w.trace().find("SIGTERM web.2#1"));
}

#[test]
fn scaling_by_a_number_counts_from_what_is_wanted_and_not_from_what_still_runs() {
    let mut w = world(vec![row("web", on_failure(), FakeChild::Deaf)]);
    w.ask(ResolvedRequest::ScaleBy(0, 1));
    w.ask(ResolvedRequest::ScaleBy(0, 1));
    w.run(1_000);
    assert_eq!(w.sup.count_of(0), 3);
    // The third is on its way out for as long as its grace.
    w.ask(ResolvedRequest::ScaleBy(0, -1));
    w.run(1_500);
    assert_eq!((w.sup.instances().count(), w.sup.count_of(0)), (3, 2));
    w.ask(ResolvedRequest::ScaleBy(0, -1));
    w.run(60_000);
    assert_eq!((w.sup.instances().count(), w.sup.count_of(0)), (1, 1));
    w.ask(ResolvedRequest::ScaleBy(0, -2));
    w.run(61_000);
    assert_eq!(w.sup.count_of(0), 1, "there is nothing less than none");
    assert!(w.replies.values().all(|reply| *reply == Reply::Done), "{:?}", w.replies);
}

#[test]
fn scaled_to_nothing_the_session_waits() {
    let mut w = world(vec![row("web", on_failure(), FakeChild::Forever)]);
    w.ask(ResolvedRequest::Scale(vec![(0, 0)]));
    assert_eq!(w.run(60_000), None);
    w.ask(ResolvedRequest::Scale(vec![(0, 1)]));
    w.run(61_000);
    assert_eq!(w.replies.values().filter(|reply| **reply == Reply::Done).count(), 2);
    w.after(0, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
}

#[test]
fn a_count_that_does_not_fit_behind_a_front_is_refused_for_that() {
    let mut w = world(vec![row("web", on_failure(), FakeChild::Forever).behind_front()]);
    let id = w.ask(ResolvedRequest::Scale(vec![(0, 50)]));
    w.run(1_000);
    let last = InstanceId { process_type: 0, number: 50 };
    assert_eq!(w.replies[&id], Reply::Failed(vec![(last, Failure::NoRoomBehindFront)]));
}

#[test]
fn a_count_without_a_port_is_refused() {
    let mut w = world(vec![row("web", on_failure(), FakeChild::Forever)]);
    let id = w.ask(ResolvedRequest::Scale(vec![(0, 65_000)]));
    w.run(1_000);
    let last = InstanceId { process_type: 0, number: 65_000 };
    assert_eq!(w.replies[&id], Reply::Failed(vec![(last, Failure::NoPort)]));
    assert_eq!(w.sup.instances().count(), 1);
}

#[test]
fn a_requested_start_that_fails_concerns_only_who_asked() {
    let children = vec![FakeChild::Forever, FakeChild::Missing];
    let mut w = world(vec![
        TypeRow { children, ..row("web", on_failure(), FakeChild::Forever) },
        row("api", on_failure(), FakeChild::Forever),
    ]);
    let web = w.instance("web.1");
    let id = w.ask(ResolvedRequest::Restart(vec![web]));
    assert_eq!(w.run(60_000), None);
    let failure = Failure::NotStarted("no such file".to_owned());
    assert_eq!(w.replies[&id], Reply::Failed(vec![(web, failure)]));
    assert_eq!(doing(&w, "web.1"), Doing::Stopped);
}

#[test]
fn a_later_request_overrules_an_earlier_one_and_both_are_answered() {
    let mut w = world(vec![
        row("web", on_failure(), FakeChild::Deaf),
        row("api", never(), FakeChild::Forever),
    ]);
    let web = w.instance("web.1");
    let first = w.ask(ResolvedRequest::Restart(vec![web]));
    let second = w.ask(ResolvedRequest::Stop(vec![web]));
    w.run(20_000);
    assert_eq!(w.replies[&first], Reply::Failed(vec![(web, Failure::Overruled)]));
    assert_eq!(w.replies[&second], Reply::Done);
    let third = w.ask(ResolvedRequest::Start(vec![web]));
    let fourth = w.ask(ResolvedRequest::Signal(vec![web], Signal::USR1));
    w.run(21_000);
    assert_eq!(w.replies[&third], Reply::Done);
    assert_eq!(w.replies[&fourth], Reply::Failed(vec![(web, Failure::NotRunning)]));
}

#[test]
fn what_not_even_a_kill_ends_is_not_started_again() {
    let mut w = world(vec![
        row("web", on_failure(), FakeChild::Immortal),
        row("a", never(), FakeChild::Forever),
    ]);
    let web = w.instance("web.1");
    let id = w.ask(ResolvedRequest::Restart(vec![web]));
    w.run(20_000);
    assert_eq!(w.replies[&id], Reply::Failed(vec![(web, Failure::Lost)]));
    assert!(!w.trace().contains("web.1#2"));
}

#[test]
fn nobody_starts_before_a_release_that_was_stopped_by_request() {
    let mut w = world(vec![
        row("web", never(), FakeChild::Forever),
        row("release", release(), FakeChild::Forever),
    ]);
    let one = w.instance("release.1");
    w.ask(ResolvedRequest::Stop(vec![one]));
    assert_eq!(w.run(60_000), None);
    assert_eq!(doing(&w, "web.1"), Doing::Waiting);
}

#[test]
fn a_restart_that_the_end_of_the_session_overtakes_starts_nothing_again() {
    let mut w = world(vec![row("web", on_failure(), FakeChild::Deaf)]);
    let web = w.instance("web.1");
    let id = w.ask(ResolvedRequest::Restart(vec![web]));
    w.at(1_000, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(w.lines(&["terminated"]), ["5001 web.1 terminated by SIGKILL"]);
    assert_eq!(w.replies[&id], Reply::Failed(vec![(web, Failure::SessionEnds)]));
}

#[test]
fn a_crash_whose_stop_was_asked_for_while_it_drained_ends_nothing() {
    let child = FakeChild::Leaky(50, Exit::Code(3));
    let mut w = world(vec![row("web", never(), child), row("api", never(), FakeChild::Forever)]);
    let web = w.instance("web.1");
    w.ask(ResolvedRequest::Stop(vec![web]));
    assert_eq!(w.run(60_000), None);
    assert_eq!(w.lines(&["exited"]), ["250 web.1 exited with code 3"]);
    assert_eq!(doing(&w, "web.1"), Doing::Stopped);
}

#[test]
fn a_reload_renews_what_is_different_and_nothing_else() {
    let names = ["web", "api", "job"];
    let mut w = world(names.map(|name| row(name, on_failure(), FakeChild::Forever)).to_vec());
    let mut app = (**w.sup.app()).clone();
    app.types[1].command = "other".to_owned();
    let id = w.ask(ResolvedRequest::Reload { app: Arc::new(app), gone: vec![2], rolling: None });
    w.run(60_000);
    assert_eq!(w.replies[&id], Reply::Done);
    assert_eq!(w.lines(&["spawn"]).len(), 4);
    assert!(w.trace().contains("spawn api.1#2") && w.trace().contains("forget job.1"));
    let same = Arc::clone(w.sup.app());
    w.ask(ResolvedRequest::Reload { app: same, gone: vec![], rolling: None });
    w.run(61_000);
    assert_eq!(w.lines(&["spawn"]).len(), 4);
}

#[test]
fn an_answer_that_nobody_waits_for_is_at_once() {
    let mut w = world(vec![row("web", on_failure(), FakeChild::Deaf)]);
    let web = w.instance("web.1");
    let (id, request) = (RequestId(9), ResolvedRequest::Restart(vec![web]));
    let requested = Event::Requested { id, request, wait: WaitMode::Never, grace: None };
    let _ = w.sup.clone().handle(requested.clone(), w.now);
    let actions = w.sup.handle(requested, w.now);
    let reply = Action::Reply(RequestId(9), Reply::Done);
    assert!(actions.contains(&reply));
}

#[test]
fn who_waits_no_more_gets_no_answer_and_the_others_get_theirs() {
    let mut w = world(vec![row("web", on_failure(), FakeChild::Deaf)]);
    let web = w.instance("web.1");
    let ask = |n| {
        let (id, request) = (RequestId(n), ResolvedRequest::Stop(vec![web]));
        Event::Requested { id, request, wait: WaitMode::UntilDone, grace: None }
    };
    let mut actions = w.sup.handle(ask(1), w.now);
    actions.extend(w.sup.handle(ask(2), w.now));
    actions.extend(w.sup.handle(Event::Forgotten(RequestId(1)), w.now));
    let run = RunId { instance: web, seq: 1 };
    let exit = Exit::Code(0);
    actions.extend(w.sup.handle(Event::OutputClosed { run }, w.now));
    actions.extend(w.sup.handle(Event::Exited { run, exit, group: Group::Gone }, w.now));
    let replies = actions.iter().filter(|action| matches!(action, Action::Reply(..)));
    assert_eq!(replies.collect::<Vec<_>>(), [&Action::Reply(RequestId(2), Reply::Done)]);
}

fn some(ids: &[InstanceId], random: &mut Random) -> Vec<InstanceId> {
    ids.iter().filter(|_| random.below(2) == 0).copied().collect()
}

fn some_goals(ids: &[InstanceId], random: &mut Random) -> Vec<(InstanceId, Until)> {
    let all = [Until::Started, Until::Ready, Until::Done, Until::Settled, Until::Stopped];
    some(ids, random).into_iter().map(|id| (id, pick(random, &all))).collect()
}

fn a_request(random: &mut Random, w: &World) -> ResolvedRequest {
    let ids: Vec<_> = w.sup.instances().collect();
    let types = u64::try_from(w.sup.app().types.len()).unwrap();
    match random.below(10) {
        0 => ResolvedRequest::Start(some(&ids, random)),
        1 => ResolvedRequest::Stop(some(&ids, random)),
        2 | 3 => ResolvedRequest::Restart(some(&ids, random)),
        4 | 5 => {
            let at = u16::try_from(random.below(types)).unwrap();
            ResolvedRequest::Scale(vec![(at, u16::try_from(random.below(5)).unwrap())])
        }
        6 => ResolvedRequest::Signal(some(&ids, random), Signal::USR1),
        7 | 8 => ResolvedRequest::Wait(some_goals(&ids, random)),
        _ => {
            let mut app = (**w.sup.app()).clone();
            let at = usize::try_from(random.below(types)).unwrap();
            app.types[at].command.push('x');
            ResolvedRequest::Reload { app: Arc::new(app), gone: vec![], rolling: None }
        }
    }
}

#[test]
fn every_verb_in_every_state_is_answered_and_the_session_still_ends() {
    for (kinds, world) in some_of(&reachable()) {
        let ids: Vec<_> = world.sup.instances().collect();
        let mut app = (**world.sup.app()).clone();
        app.types[0].command.push('x');
        let app = Arc::new(app);
        let verbs = [
            ResolvedRequest::Start(ids.clone()),
            ResolvedRequest::Stop(ids.clone()),
            ResolvedRequest::Restart(ids.clone()),
            ResolvedRequest::Scale(vec![(0, 3), (1, 0)]),
            ResolvedRequest::Scale(vec![(0, 0)]),
            ResolvedRequest::ScaleBy(0, 1),
            ResolvedRequest::Signal(ids.clone(), Signal::USR2),
            ResolvedRequest::Reload { app, gone: vec![1], rolling: None },
            ResolvedRequest::Wait(ids.iter().map(|id| (*id, Until::Stopped)).collect()),
            ResolvedRequest::Wait(ids.iter().map(|id| (*id, Until::Done)).collect()),
            ResolvedRequest::Quit,
        ];
        for first in &verbs {
            for second in &verbs {
                for gap in [0, 1, 300] {
                    let mut w = world.clone();
                    let at = u64::try_from(w.now.0.as_millis()).unwrap();
                    w.ask(first.clone());
                    w.run(at + gap);
                    w.ask(second.clone());
                    w.after(30_000, Event::Signalled(Signal::TERM));
                    let end = w.run(at + gap + 30_000 + 20_000);
                    assert!(end.is_some(), "{kinds:?} {first:?} {second:?} {gap}\n{}", w.trace());
                }
            }
        }
    }
}

#[test]
fn storms_of_requests_end_with_every_one_answered() {
    for seed in 1..=u64::from(cases(150)) {
        let mut random = Random(seed.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let mut w = a_world(&mut random);
        let mut until = 0;
        for _ in 0..random.below(20) {
            until += pick(&mut random, &[0, 1, 50, 300, 2000, 9000]);
            if w.run(until).is_some() {
                break;
            }
            let request = a_request(&mut random, &w);
            w.ask(request);
        }
        if w.run(until).is_none() {
            w.after(0, Event::Signalled(Signal::TERM));
            let limit = until + 30 + 12_000 + 2_000 + 200 + 12_000 + 2_000;
            assert!(w.run(limit).is_some(), "storm {seed} did not end\n{}", w.trace());
        }
    }
}
