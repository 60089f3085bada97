//! Behind a front and without `ready`, who asks for a start is answered when the new run listens.

use std::time::Duration;

use super::ToRequest;
use crate::app::readiness::{Liveness, Probe};
use crate::app::{Exit, ExitOn, InstanceId, Moment, Policy, RunId, Update};
use crate::supervisor::sim::{FakeChild, TypeRow, World, on_failure, row};
use crate::supervisor::{Event, Reply, RequestId, ResolvedRequest, WaitMode};

const WEB: InstanceId = InstanceId { process_type: 0, number: 1 };

/// A session of `web` behind a front, after a second. Runs listen after 400 ms.
fn a_web(policy: Policy, children: Vec<FakeChild>) -> World {
    let web = TypeRow { children, ..row("web", policy, FakeChild::Forever) };
    let mut w = World::new(ExitOn::Failure, vec![web.behind_front()]);
    w.ready_after = |_| Some(400);
    w.run(1000);
    w.now = Moment(Duration::from_secs(1));
    w
}

#[test]
fn a_restart_is_answered_when_the_new_run_listens_which_serves_from_its_start() {
    let mut w = a_web(on_failure(), vec![FakeChild::Forever]);
    assert_eq!(w.lines(&["probe"]), Vec::<&str>::new(), "nobody waits for the first start");
    w.ask(ResolvedRequest::Restart(vec![WEB]));
    w.run(10_000);
    assert_eq!(
        w.lines(&["SIGTERM web", "spawn web.1#2", "probe", "serve web.1#2", "ready", "reply"]),
        [
            "1000 SIGTERM web.1#1",
            "1001 spawn web.1#2",
            "1001 probe-port web.1#2",
            "1001 serve web.1#2",
            "1401 web.1 ready after 400ms",
            "1401 reply 1 done"
        ]
    );
}

#[test]
fn so_are_a_start_and_a_larger_count() {
    let starts: [(ToRequest, &str); 2] = [
        (|ids| ResolvedRequest::Start(ids), "1402 reply 2 done"),
        (|_| ResolvedRequest::Scale(vec![(0, 2)]), "1402 reply 2 done"),
    ];
    for (start, expected) in starts {
        let mut w = a_web(on_failure(), vec![FakeChild::Forever]);
        w.ask(ResolvedRequest::Stop(vec![WEB]));
        w.run(1002);
        w.now = Moment(Duration::from_millis(1002));
        w.ask(start(vec![WEB]));
        w.run(10_000);
        assert_eq!(w.lines(&["reply 2"]), [expected]);
    }
}

#[test]
fn one_that_never_listens_goes_on_and_who_waits_for_it_is_answered_after_a_minute() {
    let live = Liveness { probe: Probe::Port(None), interval: Duration::from_secs(1), failures: 1 };
    for (live, probes) in [
        (None, vec!["1001 probe-port web.1#2", "61001 end-probe-port web.1#2"]),
        (
            Some(live),
            vec!["1001 probe-port web.1#2", "1001 watch web.1#2", "61001 end-probe-port web.1#2"],
        ),
    ] {
        let mut w = a_web(Policy { live, ..on_failure() }, vec![FakeChild::Forever]);
        w.ready_after = |_| None;
        let asked = w.ask(ResolvedRequest::Restart(vec![WEB]));
        w.run(1_000_000);
        assert_eq!(w.lines(&["probe web.1#2", "probe-port web.1#2", " watch "]), probes);
        assert_eq!(w.lines(&["reply", "TERM web"]), ["1000 SIGTERM web.1#1", "61001 reply 1 done"]);
        assert_eq!(w.replies[&asked], Reply::Done);
    }
}

#[test]
fn one_that_is_not_alive_before_it_listens_is_restarted_and_waited_for() {
    let live = Liveness { probe: Probe::Port(None), interval: Duration::from_secs(1), failures: 1 };
    for update in [Update::StopStart, Update::Rolling] {
        let policy = Policy { live: Some(live.clone()), update, ..on_failure() };
        let mut w = a_web(policy, vec![FakeChild::Forever]);
        // The second run never listens.
        w.ready_after = |run| (run.seq != 2).then_some(400);
        w.ask(ResolvedRequest::Scale(vec![(0, 0)]));
        w.run(1500);
        w.now = Moment(Duration::from_millis(1500));
        w.ask(ResolvedRequest::Scale(vec![(0, 1)]));
        let run = RunId { instance: WEB, seq: 2 };
        w.at(5000, Event::NotAlive { run, why: "no answer".to_owned() });
        w.run(30_000);
        assert!(w.lines(&["1500 watch web.1#2"]).len() == 1, "{}", w.trace());
        let third = w.lines(&["spawn web.1#3", "reply 2"]);
        let at = if update == Update::Rolling { (5000, 5400) } else { (5001, 5401) };
        assert!(third[0].starts_with(&format!("{} spawn web.1#3", at.0)), "{}", w.trace());
        assert_eq!(third[1..], [format!("{} reply 2 done", at.1)], "{}", w.trace());
    }
}

#[test]
fn one_that_crashes_before_it_listens_is_waited_for_until_another_run_does() {
    let crash = FakeChild::ExitsAfter(50, Exit::Code(7));
    let mut w = a_web(on_failure(), vec![FakeChild::Forever, crash, FakeChild::Forever]);
    w.ask(ResolvedRequest::Restart(vec![WEB]));
    w.run(10_000);
    assert_eq!(
        w.lines(&["spawn web.1#", "reply"]),
        ["0 spawn web.1#1", "1001 spawn web.1#2", "1551 spawn web.1#3", "1951 reply 1 done"]
    );
}

#[test]
fn for_nobody_who_waits_no_port_is_asked() {
    let mut w = a_web(on_failure(), vec![FakeChild::Forever]);
    let (id, wait) = (RequestId(99), WaitMode::Never);
    let request = ResolvedRequest::Restart(vec![WEB]);
    w.deliver(Event::Requested { id, request, wait, grace: None });
    w.run(10_000);
    assert_eq!(w.lines(&["probe", "spawn web.1#2"]), ["1001 spawn web.1#2"]);
}

#[test]
fn a_later_restart_overrules_one_whose_run_does_not_listen_yet() {
    let mut w = a_web(on_failure(), vec![FakeChild::Forever]);
    w.ask(ResolvedRequest::Restart(vec![WEB]));
    w.run(1100);
    w.now = Moment(Duration::from_millis(1100));
    w.ask(ResolvedRequest::Restart(vec![WEB]));
    w.run(10_000);
    assert_eq!(
        w.lines(&["spawn web.1#3", "reply"]),
        ["1101 spawn web.1#3", "1501 reply 1 done", "1501 reply 2 done"]
    );
}
