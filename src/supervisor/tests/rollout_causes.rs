//! What replaces an instance without being asked for a rollout: a restart, its memory, its life, its files.

use std::time::Duration;

use super::file_changes::with_action;
use super::rollout::{WEB, a_session, later, rolling};
use crate::app::file_watch::WatchAction;
use crate::app::readiness::{Liveness, Probe};
use crate::app::{Budget, Exit, MemoryAction, Moment, Policy, Size};
use crate::supervisor::sim::{FakeChild, World, on_failure};
use crate::supervisor::{Event, FileChanges, ResolvedRequest};

#[test]
fn with_update_rolling_a_restart_memory_life_and_files_replace_it_too() {
    let budget = Budget { size: Size::from_bytes(100).unwrap(), action: MemoryAction::Restart };
    let live = Liveness { probe: Probe::Port(None), interval: Duration::from_secs(1), failures: 1 };
    let policy = Policy { budget: Some(budget), live: Some(live), ..rolling(on_failure()) };
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
    let crash = FakeChild::ExitsAfter(50, Exit::Code(7));
    let mut w = a_session(1, policy, vec![FakeChild::Forever, crash]);
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
        let changes = FileChanges { file: "a.py".to_owned(), others: 0, since: Moment::default() };
        w.at(at, Event::FilesChanged { process_type: 0, changes });
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
