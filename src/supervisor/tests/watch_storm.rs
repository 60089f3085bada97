//! Random histories of changed files: whom a change reaches, and how often it leads to a restart.

use std::time::Duration;

use super::file_changes::with_action;
use super::storm::{Random, child, pick};
use crate::app::file_watch::WatchAction;
use crate::app::{ExitOn, Moment, Policy, Restart, Signal};
use crate::long::cases;
use crate::supervisor::sim::{FakeChild, TypeRow, World, on_failure, row};
use crate::supervisor::{Event, FileChanges};

fn changed(process_type: u16, since: u64) -> Event {
    let since = Moment(Duration::from_millis(since));
    let changes = FileChanges { file: "a".to_owned(), others: 0, since };
    Event::FilesChanged { process_type, changes }
}

/// A type whose files are watched, with whatever children.
fn watched(random: &mut Random, name: &'static str) -> TypeRow {
    let policy = Policy {
        restart: pick(random, &[Restart::Never, Restart::OnFailure, Restart::Always]),
        max_restarts: u32::try_from(random.below(4)).unwrap(),
        grace: Duration::from_millis(pick(random, &[0, 1, 200, 1000, 5000])),
        ..Policy::default()
    };
    let actions = [WatchAction::Restart, WatchAction::Rolling, WatchAction::Signal(Signal::HUP)];
    let policy = with_action(policy, pick(random, &actions));
    let children = (0..=random.below(3)).map(|_| child(random)).collect();
    let count = u16::try_from(1 + random.below(3)).unwrap();
    TypeRow { name, count, policy, children, front: None }
}

#[test]
fn a_change_to_a_file_of_one_type_never_touches_another() {
    let mut reached = 0;
    for seed in 1..=u64::from(cases(200)) {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let rows = vec![watched(&mut random, "web"), watched(&mut random, "worker")];
        // One is started after the other: a start that took time would delay those of others.
        let mut untouched = World::new(ExitOn::Failure, rows);
        let mut w = untouched.clone();
        let mut at = 0;
        for _ in 0..=random.below(20) {
            at += pick(&mut random, &[1, 50, 300, 2000]);
            w.at(at, changed(1, at));
        }
        at += pick(&mut random, &[0, 500, 20_000]);
        untouched.run(at);
        w.run(at);
        // A start is told with its process id, which counts all.
        let of_web = |w: &World| {
            let lines = w.lines(&["web."]).into_iter();
            lines.filter(|line| !line.contains(" started ")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(of_web(&w), of_web(&untouched), "history {seed}\n{}", w.trace());
        reached += w.lines(&["worker.1 restart for", "SIGHUP worker.1"]).len();
    }
    assert!(reached > 100, "the changes reach next to nothing: {reached}");
}

/// A life of one instance that stops when it is asked to: how often changes restart it.
struct WatchedLife {
    /// How long it takes from the request to stop until the next one is up.
    renewal: u64,
    /// When it is up.
    up: u64,
    /// Something changed before it was.
    is_due: bool,
    restarts: usize,
}

impl WatchedLife {
    /// What has changed before a start is answered by one more restart as soon as it is up.
    fn advance(&mut self, until: u64) {
        while self.is_due && self.up < until {
            self.restart(self.up);
        }
    }

    fn restart(&mut self, at: u64) {
        self.restarts += 1;
        self.up = at + self.renewal;
        self.is_due = false;
    }

    fn change(&mut self, at: u64) {
        self.advance(at);
        if at < self.up {
            self.is_due = true;
        } else {
            self.restart(at);
        }
    }
}

#[test]
fn changes_while_it_stops_or_starts_are_exactly_one_more_restart_whenever_they_come() {
    for seed in 1..=u64::from(cases(200)) {
        let mut random = Random(seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
        let drain = pick(&mut random, &[0, 9, 150, 1200]);
        let start_takes = pick(&mut random, &[3, 40, 700]);
        let policy = with_action(on_failure(), WatchAction::Restart);
        let mut w = World::new(ExitOn::Failure, vec![row("web", policy, FakeChild::Master(drain))]);
        w.start_takes = start_takes;
        let renewal = 1 + drain + start_takes;
        let mut life = WatchedLife { renewal, up: start_takes, is_due: false, restarts: 0 };
        let mut at = 0;
        for _ in 0..=random.below(30) {
            at += 1 + pick(&mut random, &[0, 1, 5, 60, 400, 3000]);
            life.advance(at);
            // What comes in the moment in which one ends or is up may be read by either.
            while at == life.up || at + start_takes == life.up {
                at += 1;
                life.advance(at);
            }
            // What was seen before the first start is not its own.
            w.at(at, changed(0, 0));
            life.change(at);
        }
        life.advance(u64::MAX);
        w.run(1_000_000);
        let restarts = w.lines(&["spawn web.1"]).len() - 1;
        assert_eq!(restarts, life.restarts, "history {seed}\n{}", w.trace());
    }
}
