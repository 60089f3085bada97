//! A run behind a front gets no more requests before it is asked to stop.

use std::time::Duration;

use super::ToRequest;
use super::needs::with_ready;
use crate::app::readiness::{Liveness, Probe};
use crate::app::{Budget, Exit, ExitOn, MemoryAction, Policy, Signal, Size};
use crate::supervisor::sim::{FakeChild, World, on_failure, row};
use crate::supervisor::{Event, ResolvedRequest};

const FOREVER: u64 = 1_000_000_000;

fn a_web(policy: Policy, child: FakeChild) -> World {
    let mut w = World::new(ExitOn::Failure, vec![row("web", policy, child).behind_front()]);
    w.in_flight = |_| Some(300);
    w
}

#[test]
fn the_stop_signal_goes_out_when_no_request_is_in_flight() {
    let mut w = a_web(on_failure(), FakeChild::Forever);
    w.at(100, Event::Signalled(Signal::TERM));
    w.run(FOREVER);
    w.assert(
        "0 spawn web.1#1
        0 serve web.1#1
        100 stopping: SIGTERM
        100 withdraw web.1#1
        400 SIGTERM web.1#1
        401 sweep web.1#1
        401 web.1 terminated by SIGTERM
        401 orphans SIGTERM",
    );
}

#[test]
fn or_when_the_drain_is_over_and_the_grace_period_begins_then() {
    let policy = Policy { drain: Duration::from_secs(2), ..on_failure() };
    let scale: ToRequest = |_| ResolvedRequest::Scale(vec![(0, 0)]);
    for ask in [ResolvedRequest::Stop, ResolvedRequest::Restart, scale] {
        let mut w = a_web(policy.clone(), FakeChild::Deaf);
        w.in_flight = |_| None;
        w.run(1000);
        w.now = w.now + Duration::from_secs(1);
        w.ask(ask(vec![w.instance("web.1")]));
        w.run(8_500);
        assert_eq!(
            w.lines(&["withdraw", "TERM web", "KILL web"]),
            ["1000 withdraw web.1#1", "3000 SIGTERM web.1#1", "8000 SIGKILL web.1#1"]
        );
    }
}

#[test]
fn no_drain_asks_it_to_stop_at_once() {
    let mut w = a_web(Policy { drain: Duration::ZERO, ..on_failure() }, FakeChild::Forever);
    w.at(100, Event::Signalled(Signal::TERM));
    w.run(FOREVER);
    assert_eq!(
        w.lines(&["withdraw", "SIGTERM web"]),
        ["100 withdraw web.1#1", "100 SIGTERM web.1#1"]
    );
}

#[test]
fn a_second_interrupt_kills_it_at_once() {
    let mut w = a_web(on_failure(), FakeChild::Forever);
    w.in_flight = |_| None;
    w.at(100, Event::Signalled(Signal::INT));
    w.at(300, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(
        w.lines(&["withdraw", "KILL web", "sweep", "orphans"]),
        ["100 withdraw web.1#1", "300 SIGKILL web.1#1", "301 sweep web.1#1", "301 orphans SIGKILL"]
    );
}

#[test]
fn one_that_ends_meanwhile_was_stopped_and_has_not_crashed() {
    for (child, lines) in [
        (FakeChild::ExitsAfter(200, Exit::Code(3)), vec!["200 web.1 exited with code 3"]),
        (
            FakeChild::LeavesJob(200, Exit::Code(3)),
            vec!["200 SIGTERM web.1#1 group", "201 web.1 exited with code 3"],
        ),
    ] {
        let mut w = a_web(on_failure(), child);
        w.run(100);
        let asked = w.ask(ResolvedRequest::Stop(vec![w.instance("web.1")]));
        w.run(10_000);
        assert_eq!(w.lines(&["TERM web", "exited"]), lines);
        assert_eq!(w.replies[&asked], crate::supervisor::Reply::Done);
    }
}

#[test]
fn one_that_crashes_gets_no_request_either_until_its_next_run() {
    let mut w = a_web(on_failure(), FakeChild::ExitsAfter(1000, Exit::Code(3)));
    w.run(1600);
    assert_eq!(
        w.lines(&["serve", "withdraw", "sweep"]),
        ["0 serve web.1#1", "1000 withdraw web.1#1", "1000 sweep web.1#1", "1500 serve web.1#2"]
    );
}

#[test]
fn one_that_is_not_ready_was_never_given_a_request() {
    let mut w = a_web(with_ready(on_failure()), FakeChild::Forever);
    w.run(100);
    w.ask(ResolvedRequest::Stop(vec![w.instance("web.1")]));
    w.run(1000);
    assert_eq!(w.lines(&["serve", "withdraw", "TERM web", "KILL web"]), ["0 SIGTERM web.1#1"]);
}

#[test]
fn a_restart_for_memory_or_for_its_life_withdraws_it_too() {
    let budget = Budget { size: Size::from_bytes(100).unwrap(), action: MemoryAction::Restart };
    let live = Liveness { probe: Probe::Port(None), interval: Duration::from_secs(1), failures: 1 };
    let policy = Policy { budget: Some(budget), live: Some(live), ..on_failure() };
    let expected =
        |at: u64| [format!("{at} withdraw web.1#1"), format!("{} SIGTERM web.1#1", at + 300)];
    let mut w = a_web(policy.clone(), FakeChild::Forever);
    w.memory = |_, _| 101;
    w.run(3500);
    assert_eq!(w.lines(&["withdraw", "TERM web", "KILL web"]), expected(3000));
    let mut w = a_web(policy, FakeChild::Forever);
    w.run(100);
    let run = w.live_runs()[0];
    w.at(500, Event::NotAlive { run, why: "no answer".to_owned() });
    w.run(900);
    assert_eq!(w.lines(&["withdraw", "TERM web", "KILL web"]), expected(500));
}
