//! What replaces an instance without being asked for a rollout: a restart, its memory, its life, its files.

use std::time::Duration;

use super::file_changes::with_action;
use super::needs::with_ready;
use super::rollout::{WEB, a_session, later, rolling};
use crate::app::file_watch::WatchAction;
use crate::app::readiness::{Liveness, Probe};
use crate::app::{Budget, Exit, ExitOn, MemoryAction, Moment, Policy, RunId, Size};
use crate::supervisor::sim::{FakeChild, TypeRow, World, on_failure, row};
use crate::supervisor::{Event, FileChanges, RequestId, ResolvedRequest, RolloutOrder, WaitMode};

const CRASH: FakeChild = FakeChild::ExitsAfter(50, Exit::Code(7));

/// Replaced when it is not alive, as one look says.
fn living(policy: Policy) -> Policy {
    let live = Liveness { probe: Probe::Port(None), interval: Duration::from_secs(1), failures: 1 };
    Policy { live: Some(live), ..rolling(policy) }
}

/// The first run of an instance of a type is found not to be alive at this time.
fn not_alive(w: &mut World, at: u64, name: &str) {
    let run = RunId { instance: w.instance(name), seq: 1 };
    w.at(at, Event::NotAlive { run, why: "no answer".to_owned() });
}

fn changed(w: &mut World, at: u64) {
    let changes = FileChanges { file: "a.py".to_owned(), others: 0, since: Moment::default() };
    w.at(at, Event::FilesChanged { process_type: 0, changes });
}

#[test]
fn with_update_rolling_a_restart_memory_life_and_files_replace_it_too() {
    let budget = Budget { size: Size::from_bytes(100).unwrap(), action: MemoryAction::Restart };
    let policy = Policy { budget: Some(budget), ..living(on_failure()) };
    let policy = with_action(policy, WatchAction::Restart);
    type Trigger = fn(&mut World);
    let causes: [(Trigger, &str); 4] = [
        (
            |w| {
                w.ask(ResolvedRequest::Restart(WEB[..1].to_vec()));
            },
            "1000",
        ),
        (|w| w.memory = |run, _| if run.seq == 1 { 101 } else { 99 }, "4000"),
        (
            |w| {
                let run = w.live_runs()[0];
                w.after(0, Event::NotAlive { run, why: "no answer".to_owned() });
            },
            "1000",
        ),
        (
            |w| {
                let changes =
                    FileChanges { file: "a.py".to_owned(), others: 0, since: Moment::default() };
                w.after(0, Event::FilesChanged { process_type: 0, changes });
            },
            "1000",
        ),
    ];
    for (cause, at) in causes {
        let mut w = a_session(1, policy.clone(), vec![FakeChild::Forever]);
        cause(&mut w);
        w.run(20_000);
        let at: u64 = at.parse().unwrap();
        assert_eq!(
            later(&w, &["spawn", "TERM web", "KILL web", "TERM api"]),
            [
                format!("{at} spawn web.1#2 on its other port"),
                format!("{} SIGTERM web.1#1", at + 150)
            ],
            "{}",
            w.trace()
        );
    }
}

#[test]
fn who_cannot_be_replaced_for_its_memory_is_tried_more_and_more_rarely() {
    let budget = Budget { size: Size::from_bytes(100).unwrap(), action: MemoryAction::Restart };
    let policy = Policy { budget: Some(budget), ..rolling(on_failure()) };
    let mut w = a_session(1, policy, vec![FakeChild::Forever, CRASH]);
    w.memory = |_, _| 101;
    w.run(30_000);
    let starts = later(&w, &["spawn"]);
    let at: Vec<_> = starts.iter().map(|line| line.split(' ').next().unwrap()).collect();
    // After three samples, then after six, twelve, ...
    assert_eq!(at, ["4000", "10000", "22000"]);
    assert!(w.lines(&["TERM web"]).is_empty());
}

#[test]
fn files_that_change_while_it_is_replaced_replace_it_again() {
    let policy = with_action(on_failure(), WatchAction::Rolling);
    let mut w = a_session(1, policy, vec![FakeChild::Forever]);
    for at in [1000, 1050] {
        changed(&mut w, at);
    }
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
}

#[test]
fn one_type_neither_waits_for_the_replacement_of_another_nor_ends_with_it() {
    let a_row = |name, second| {
        let children = vec![FakeChild::Forever, second];
        let policy = with_ready(living(on_failure()));
        TypeRow { children, ..row(name, policy, FakeChild::Forever) }.behind_front()
    };
    for second in [CRASH, FakeChild::Forever] {
        let rows = vec![a_row("a", second), a_row("b", FakeChild::Forever)];
        let mut w = World::new(ExitOn::Failure, rows);
        // The one that does not crash is not ready for a long time.
        w.ready_after = |run| match (run.instance.process_type, run.seq) {
            (0, 2) => Some(30_000),
            _ => Some(100),
        };
        not_alive(&mut w, 1000, "a.1");
        not_alive(&mut w, 1000, "b.1");
        w.run(20_000);
        assert_eq!(
            later(&w, &["spawn b", "serve b", "SIGTERM b"]),
            ["1000 spawn b.1#2 on its other port", "1100 serve b.1#2", "1100 SIGTERM b.1#1"],
            "{}",
            w.trace()
        );
    }
}

#[test]
fn whose_turn_had_not_come_when_a_replacement_failed_is_asked_again_whether_it_is_alive() {
    let children = vec![FakeChild::Forever, CRASH, FakeChild::Forever];
    let mut w = a_session(2, living(on_failure()), children);
    not_alive(&mut w, 1000, "web.1");
    not_alive(&mut w, 1000, "web.2");
    w.run(2000);
    assert_eq!(
        later(&w, &["spawn", " watch ", "not replaced,"]),
        [
            "1000 spawn web.1#2 on its other port",
            "1050 watch web.2#1",
            "1050 not replaced, as web.1: web.2",
            "1050 watch web.1#1",
        ]
    );
    not_alive(&mut w, 3000, "web.2");
    w.run(10_000);
    assert_eq!(w.lines(&["spawn web.2#2"]), ["3000 spawn web.2#2 on its other port"]);
}

#[test]
fn so_is_who_was_not_alive_while_a_client_waited_who_has_left() {
    let mut w = a_session(2, living(on_failure()), vec![FakeChild::Forever]);
    let asked = w.ask(ResolvedRequest::Roll(WEB[..2].to_vec(), RolloutOrder::default()));
    not_alive(&mut w, 1050, "web.2");
    w.run(1050);
    w.leave(asked);
    w.run(10_000);
    assert_eq!(w.lines(&[" watch "]), ["1050 watch web.2#1"]);
    not_alive(&mut w, 11_000, "web.2");
    w.run(20_000);
    assert_eq!(w.lines(&["spawn web.2#2"]), ["11000 spawn web.2#2 on its other port"]);
}

#[test]
fn who_keeps_old_code_since_the_replacement_of_another_failed_is_named() {
    let policy = with_action(on_failure(), WatchAction::Rolling);
    let mut w = a_session(3, policy, vec![FakeChild::Forever, CRASH]);
    changed(&mut w, 1000);
    w.run(10_000);
    assert_eq!(
        later(&w, &["spawn", "restart for", "not replaced"]),
        [
            "1000 web.1 restart for a.py and 0",
            "1000 web.2 restart for a.py and 0",
            "1000 web.3 restart for a.py and 0",
            "1000 spawn web.1#2 on its other port",
            "1050 web.1 exited with code 7; not replaced",
            "1050 not replaced, as web.1: web.2 web.3",
        ]
    );
}

#[test]
fn what_the_session_replaces_by_itself_has_nothing_of_the_order_that_a_client_has_asked_for() {
    let policy = with_action(on_failure(), WatchAction::Rolling);
    let mut w = a_session(3, policy, vec![FakeChild::Forever]);
    let order = RolloutOrder { stop_first: true, ..RolloutOrder::default() };
    let request = ResolvedRequest::Roll(WEB[..3].to_vec(), order);
    let (id, wait) = (RequestId(99), WaitMode::Never);
    w.deliver(Event::Requested { id, request, wait, grace: None });
    changed(&mut w, 1010);
    w.run(10_000);
    assert_eq!(
        later(&w, &["spawn web.2", "spawn web.3", "SIGTERM web.2", "SIGTERM web.3"]),
        [
            "1010 spawn web.2#2 on its other port",
            "1160 SIGTERM web.2#1",
            "1161 spawn web.3#2 on its other port",
            "1311 SIGTERM web.3#1",
        ]
    );
}
