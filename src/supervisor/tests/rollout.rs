//! Rollouts: a new run beside the old one, which stops when the new one is ready.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use super::needs::with_ready;
use crate::app::{Exit, ExitOn, InstanceId, Moment, Policy, Signal, Update};
use crate::supervisor::sim::{FakeChild, TypeRow, World, never, on_failure, row};
use crate::supervisor::{Event, Failure, Reply, RequestId, ResolvedRequest, RolloutOrder};

pub(super) const WEB: [InstanceId; 4] = [id(1), id(2), id(3), id(4)];

const fn id(number: u16) -> InstanceId {
    InstanceId { process_type: 0, number }
}

/// A session of so many of `web`, which are ready after 100 ms and behind a front, after a second.
pub(super) fn a_session(count: u16, policy: Policy, children: Vec<FakeChild>) -> World {
    let web = TypeRow { count, children, ..row("web", with_ready(policy), FakeChild::Forever) };
    let api = row("api", never(), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![web.behind_front(), api]);
    w.ready_after = |_| Some(100);
    w.in_flight = |_| Some(50);
    w.run(1000);
    w.now = Moment(Duration::from_secs(1));
    w
}

fn forever(count: u16) -> World {
    a_session(count, on_failure(), vec![FakeChild::Forever])
}

pub(super) fn rolling(policy: Policy) -> Policy {
    Policy { update: Update::Rolling, ..policy }
}

fn roll(w: &mut World, ids: &[InstanceId]) -> RequestId {
    w.ask(ResolvedRequest::Roll(ids.to_vec(), RolloutOrder::default()))
}

/// Returns what happened from the second second on.
pub(super) fn later<'a>(w: &'a World, words: &[&str]) -> Vec<&'a str> {
    let at = |line: &str| line.split(' ').next().and_then(|at| at.parse::<u64>().ok());
    w.lines(words).into_iter().filter(|line| at(line) >= Some(1000)).collect()
}

#[test]
fn each_new_run_is_ready_before_the_old_one_gets_no_more_requests_and_stops() {
    let mut w = forever(2);
    let asked = roll(&mut w, &WEB[..2]);
    w.run(10_000);
    assert_eq!(
        later(&w, &["spawn", "ready after", "serve", "withdraw", "SIG", "sweep", "term", "reply"]),
        [
            "1000 spawn web.1#2 on its other port",
            "1100 web.1 ready after 100ms",
            "1100 serve web.1#2",
            "1100 withdraw web.1#1",
            "1150 SIGTERM web.1#1",
            "1151 sweep web.1#1",
            "1151 web.1 terminated by SIGTERM; replaced",
            "1151 spawn web.2#2 on its other port",
            "1251 web.2 ready after 100ms",
            "1251 serve web.2#2",
            "1251 withdraw web.2#1",
            "1301 SIGTERM web.2#1",
            "1302 sweep web.2#1",
            "1302 web.2 terminated by SIGTERM; replaced",
            "1302 reply 1 done",
        ]
    );
    assert_eq!(w.replies[&asked], Reply::Done);
    // And back to the first port.
    w.now = Moment(Duration::from_secs(10));
    roll(&mut w, &WEB[..1]);
    w.run(20_000);
    assert_eq!(w.lines(&["spawn web.1#3"]), ["10000 spawn web.1#3"]);
}

#[test]
fn one_that_crashes_or_cannot_be_started_ends_the_rollout_and_the_old_ones_go_on() {
    let crash = FakeChild::ExitsAfter(50, Exit::Code(7));
    let table = [
        (
            crash,
            Failure::ReplacementEnded(Exit::Code(7)),
            "1050 web.1 exited with code 7; not replaced",
        ),
        (
            FakeChild::Missing,
            Failure::NotStarted("no such file".to_owned()),
            "1000 web.1 cannot start: no such file",
        ),
    ];
    for (child, failure, said) in table {
        let mut w = a_session(3, on_failure(), vec![FakeChild::Forever, child]);
        let asked = roll(&mut w, &WEB[..3]);
        w.run(60_000);
        let lines = later(&w, &["spawn", "exited", "cannot"]);
        assert_eq!(lines, ["1000 spawn web.1#2 on its other port", said]);
        assert_eq!(w.replies[&asked], Reply::Failed(vec![(WEB[0], failure)]));
        let old: Vec<_> = w.live_runs().iter().map(|run| run.seq).collect();
        assert_eq!(old, [1, 1, 1, 1]);
    }
}

#[test]
fn one_of_which_only_the_port_is_asked_has_the_time_that_its_type_says() {
    let policy = Policy { ready_timeout: Duration::from_secs(3), ..on_failure() };
    let web = row("web", policy, FakeChild::Forever).behind_front();
    let mut w = World::new(ExitOn::Failure, vec![web]);
    w.ready_after = |run| (run.seq != 2).then_some(100);
    w.run(1000);
    w.now = Moment(Duration::from_secs(1));
    let asked = roll(&mut w, &WEB[..1]);
    w.run(100_000);
    assert_eq!(later(&w, &["not ready"]), ["4000 web.1 not ready in 3s"]);
    assert_eq!(w.replies[&asked], Reply::Failed(vec![(WEB[0], Failure::ReplacementNotReady)]));
}

#[test]
fn one_that_is_not_ready_in_time_ends_it_too_and_is_stopped() {
    let mut w = forever(2);
    w.ready_after = |run| (run.seq != 2).then_some(100);
    let asked = roll(&mut w, &WEB[..2]);
    w.run(100_000);
    assert_eq!(
        later(&w, &["not ready", "TERM web", "KILL web", "TERM api", "sweep", "replaced"]),
        [
            "61000 web.1 not ready in 60s",
            "61000 SIGTERM web.1#2",
            "61001 sweep web.1#2",
            "61001 web.1 terminated by SIGTERM; not replaced"
        ]
    );
    assert_eq!(w.replies[&asked], Reply::Failed(vec![(WEB[0], Failure::ReplacementNotReady)]));
    // It is possible again.
    w.ready_after = |_| Some(100);
    let again = roll(&mut w, &WEB[..2]);
    w.run(200_000);
    assert_eq!(w.replies[&again], Reply::Done);
}

#[test]
fn a_batch_is_replaced_at_a_time() {
    let mut w = forever(4);
    let batch = NonZeroU16::new(2).unwrap();
    let order = RolloutOrder { batch, stop_first: false };
    w.ask(ResolvedRequest::Roll(WEB.to_vec(), order));
    w.run(10_000);
    assert_eq!(
        later(&w, &["spawn", "reply"]),
        [
            "1000 spawn web.1#2 on its other port",
            "1000 spawn web.2#2 on its other port",
            "1151 spawn web.3#2 on its other port",
            "1151 spawn web.4#2 on its other port",
            "1302 reply 1 done"
        ]
    );
}

#[test]
fn stopped_first_there_are_never_more_runs_than_instances() {
    let mut w = forever(2);
    let order = RolloutOrder { stop_first: true, ..RolloutOrder::default() };
    let asked = w.ask(ResolvedRequest::Roll(WEB[..2].to_vec(), order));
    w.run(10_000);
    assert_eq!(
        later(
            &w,
            &["spawn", "ready after", "withdraw", "TERM web", "KILL web", "TERM api", "reply"]
        ),
        [
            "1000 withdraw web.1#1",
            "1050 SIGTERM web.1#1",
            "1051 spawn web.1#2",
            "1151 web.1 ready after 100ms",
            "1151 withdraw web.2#1",
            "1201 SIGTERM web.2#1",
            "1202 spawn web.2#2",
            "1302 web.2 ready after 100ms",
            "1302 reply 1 done"
        ]
    );
    assert_eq!(w.replies[&asked], Reply::Done);
}

#[test]
fn stopped_first_a_new_one_that_crashes_ends_the_rollout() {
    let crash = FakeChild::ExitsAfter(50, Exit::Code(7));
    let children = vec![FakeChild::Forever, crash, FakeChild::Forever];
    let mut w = a_session(2, on_failure(), children);
    let order = RolloutOrder { stop_first: true, ..RolloutOrder::default() };
    let asked = w.ask(ResolvedRequest::Roll(WEB[..2].to_vec(), order));
    w.run(10_000);
    assert_eq!(later(&w, &["spawn"]), ["1051 spawn web.1#2", "1601 spawn web.1#3"]);
    assert_eq!(w.replies[&asked], Reply::Failed(vec![(WEB[0], Failure::Ended(Exit::Code(7)))]));
}

#[test]
fn the_newest_wish_wins_and_who_asked_for_the_rollout_is_told() {
    type NewerWish = fn(&World) -> ResolvedRequest;
    type Row = (NewerWish, Vec<(InstanceId, Failure)>, usize);
    let overruled = |ids: &[InstanceId]| ids.iter().map(|id| (*id, Failure::Overruled)).collect();
    let table: [Row; 5] = [
        (|_| ResolvedRequest::Stop(WEB[..2].to_vec()), overruled(&WEB[..2]), 0),
        (|_| ResolvedRequest::Scale(vec![(0, 1)]), overruled(&WEB[1..2]), 1),
        (|_| ResolvedRequest::Scale(vec![(0, 0)]), overruled(&WEB[..2]), 0),
        (|_| ResolvedRequest::Restart(WEB[..2].to_vec()), overruled(&WEB[..2]), 2),
        (
            |_| ResolvedRequest::Roll(WEB[..2].to_vec(), RolloutOrder::default()),
            overruled(&WEB[..2]),
            2,
        ),
    ];
    // While the new one starts; while the old one stops.
    for after in [50, 120] {
        for (wish, failures, left) in &table {
            let mut w = forever(2);
            let asked = roll(&mut w, &WEB[..2]);
            w.run(1000 + after);
            w.now = Moment(Duration::from_millis(1000 + after));
            let newer = w.ask(wish(&w));
            w.run(100_000);
            assert_eq!(w.replies[&asked], Reply::Failed(failures.clone()), "{}", w.trace());
            assert_eq!(w.replies[&newer], Reply::Done, "{}", w.trace());
            let webs = w.live_runs().iter().filter(|run| run.instance.process_type == 0).count();
            assert_eq!(webs, *left, "{}", w.trace());
        }
    }
}

#[test]
fn a_replacement_that_a_reload_would_start_otherwise_is_started_anew() {
    let mut w = forever(1);
    let asked = roll(&mut w, &WEB[..1]);
    w.run(1050);
    let mut app = (**w.sup.app()).clone();
    app.types[0].command.push('x');
    let app = Arc::new(app);
    let rolling = Some(RolloutOrder::default());
    w.now = Moment(Duration::from_millis(1050));
    let reloaded = w.ask(ResolvedRequest::Reload { app, gone: vec![], rolling });
    w.run(10_000);
    assert_eq!(
        later(&w, &["spawn", "TERM web", "KILL web", "TERM api", "serve"]),
        [
            "1000 spawn web.1#2 on its other port",
            "1050 SIGTERM web.1#2",
            "1051 spawn web.1#3 on its other port",
            "1151 serve web.1#3",
            "1201 SIGTERM web.1#1"
        ]
    );
    assert_eq!(w.replies[&asked], Reply::Failed(vec![(WEB[0], Failure::Overruled)]));
    assert_eq!(w.replies[&reloaded], Reply::Done);
}

#[test]
fn a_reload_replaces_what_has_changed_alone() {
    let mut w = forever(2);
    let mut app = (**w.sup.app()).clone();
    app.types[1].command.push('x');
    let app = Arc::new(app);
    let rolling = Some(RolloutOrder::default());
    let asked = w.ask(ResolvedRequest::Reload { app, gone: vec![], rolling });
    w.run(10_000);
    // `api` has nothing that shows that it is ready.
    assert_eq!(
        later(&w, &["spawn", "TERM web", "KILL web", "TERM api"]),
        ["1000 SIGTERM api.1#1", "1001 spawn api.1#2"]
    );
    assert_eq!(w.replies[&asked], Reply::Done);
}

#[test]
fn when_its_client_leaves_the_step_under_way_is_finished_and_no_other_begins() {
    let mut w = forever(3);
    let asked = roll(&mut w, &WEB[..3]);
    w.run(1050);
    w.leave(asked);
    w.run(60_000);
    assert_eq!(
        later(&w, &["spawn", "replaced"]),
        ["1000 spawn web.1#2 on its other port", "1151 web.1 terminated by SIGTERM; replaced"]
    );
}

#[test]
fn a_rollout_that_nobody_waits_for_goes_on() {
    let mut w = forever(3);
    let request = ResolvedRequest::Roll(WEB[..3].to_vec(), RolloutOrder::default());
    let (id, wait) = (RequestId(99), crate::supervisor::WaitMode::Never);
    w.deliver(Event::Requested { id, request, wait, grace: None });
    w.run(60_000);
    assert_eq!(later(&w, &["spawn"]).len(), 3);
}

#[test]
fn an_old_run_that_ends_meanwhile_is_replaced_at_once() {
    let children = vec![FakeChild::ExitsAfter(1050, Exit::Code(3)), FakeChild::Forever];
    let mut w = a_session(1, on_failure(), children);
    let asked = roll(&mut w, &WEB[..1]);
    w.run(10_000);
    assert_eq!(
        later(&w, &["spawn", "web.1 ", "serve", "reply"]),
        [
            "1000 spawn web.1#2 on its other port",
            "1000 web.1 started 103",
            "1050 web.1 exited with code 3; replaced",
            "1100 web.1 ready after 100ms",
            "1100 serve web.1#2",
            "1100 reply 1 done"
        ]
    );
    assert_eq!(w.replies[&asked], Reply::Done);
}

#[test]
fn without_ready_a_new_one_must_listen_and_a_type_that_cannot_show_it_is_restarted() {
    let web = row("web", on_failure(), FakeChild::Forever).behind_front();
    let mut w = World::new(ExitOn::Failure, vec![web, row("api", never(), FakeChild::Forever)]);
    w.ready_after = |_| Some(100);
    w.run(1000);
    w.now = Moment(Duration::from_secs(1));
    let api = w.instance("api.1");
    roll(&mut w, &[WEB[0], api]);
    w.run(10_000);
    assert_eq!(
        later(&w, &["spawn", "probe", "TERM web", "KILL web", "TERM api"]),
        [
            "1000 SIGTERM api.1#1",
            "1000 spawn web.1#2 on its other port",
            "1000 probe-port web.1#2",
            "1001 spawn api.1#2",
            "1100 SIGTERM web.1#1"
        ]
    );
}

#[test]
fn a_session_that_ends_stops_both_runs() {
    let mut w = forever(2);
    let asked = roll(&mut w, &WEB[..2]);
    w.at(1050, Event::Signalled(Signal::INT));
    assert_eq!(w.run(100_000), Some(0));
    let ends = WEB[..2].iter().map(|id| (*id, Failure::SessionEnds)).collect();
    assert_eq!(w.replies[&asked], Reply::Failed(ends));
    assert_eq!(
        later(&w, &["SIGTERM web"]),
        ["1050 SIGTERM web.1#2", "1100 SIGTERM web.1#1", "1100 SIGTERM web.2#1"]
    );
}

#[test]
fn an_old_run_that_not_even_a_kill_ends_is_told() {
    let mut w = a_session(2, on_failure(), vec![FakeChild::Immortal, FakeChild::Forever]);
    let asked = roll(&mut w, &WEB[..2]);
    w.run(60_000);
    assert_eq!(w.replies[&asked], Reply::Failed(vec![(WEB[0], Failure::Lost)]));
    assert_eq!(later(&w, &["spawn"]).len(), 1);
}

#[test]
fn a_signal_reaches_both_runs() {
    let mut w = forever(1);
    roll(&mut w, &WEB[..1]);
    w.run(1050);
    w.ask(ResolvedRequest::Signal(WEB[..1].to_vec(), Signal::USR1));
    assert_eq!(w.lines(&["SIGUSR1"]).len(), 2);
}

#[test]
fn a_client_that_waits_sees_the_run_that_counts() {
    let mut w = forever(1);
    roll(&mut w, &WEB[..1]);
    w.run(1050);
    let ready = ResolvedRequest::Wait(vec![(WEB[0], crate::supervisor::Until::Ready)]);
    let ready = w.ask(ready);
    assert_eq!(w.replies[&ready], Reply::Done);
    let stopped = w.ask(ResolvedRequest::Wait(vec![(WEB[0], crate::supervisor::Until::Stopped)]));
    w.ask(ResolvedRequest::Stop(vec![WEB[0]]));
    w.run(10_000);
    let swept = w.lines(&["sweep", &format!("reply {}", stopped.0)]);
    assert!(swept.last().is_some_and(|last| last.contains("reply")), "{swept:?}");
}
