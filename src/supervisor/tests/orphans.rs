//! Descendants outside of the groups, at the end of the session.

use std::time::Duration;

use crate::app::{ExitOn, Policy, Signal};
use crate::supervisor::Event;
use crate::supervisor::sim::{FakeChild, World, on_failure, row};

const FOREVER: u64 = 1_000_000_000;

fn stopped(child: FakeChild) -> World {
    let longest = Policy { grace: Duration::from_secs(7), ..on_failure() };
    let rows = vec![row("web", on_failure(), child), row("api", longest, FakeChild::Forever)];
    let mut w = World::new(ExitOn::Failure, rows);
    w.at(0, Event::Signalled(Signal::INT));
    w
}

fn end_of(w: &World) -> Vec<&str> {
    w.lines(&["orphan"])
}

#[test]
fn an_orphan_is_asked_when_no_instance_is_left() {
    let mut w = stopped(FakeChild::Daemonises);
    w.start_takes = 0;
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(end_of(&w), ["1 orphans SIGTERM"]);
    assert_eq!(w.now.0, Duration::from_millis(2));
}

/// What is said and done about an orphan that does not heed SIGTERM.
const WAITED_FOR_AND_KILLED: [&str; 5] = [
    "1 orphans SIGTERM",
    "1001 waiting for orphans, 6000 ms left",
    "6001 waiting for orphans, 1000 ms left",
    "7001 killing orphans",
    "7001 orphans SIGKILL",
];

#[test]
fn a_deaf_orphan_is_killed_after_the_longest_grace() {
    let mut w = stopped(FakeChild::DaemonisesDeaf);
    // What happens meanwhile changes nothing, and is no reason to speak.
    w.at(500, Event::Ticked);
    w.at(3_000, Event::Signalled(Signal::USR1));
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(end_of(&w), WAITED_FOR_AND_KILLED);
    assert_eq!(w.now.0, Duration::from_millis(7002));
}

#[test]
fn an_orphan_that_does_not_even_end_when_killed_is_left() {
    let mut w = stopped(FakeChild::DaemonisesImmortal);
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(end_of(&w), WAITED_FOR_AND_KILLED);
    assert_eq!(w.now.0, Duration::from_millis(9001));
}

#[test]
fn a_second_request_kills_the_orphans() {
    let mut w = stopped(FakeChild::DaemonisesDeaf);
    w.at(300, Event::Signalled(Signal::INT));
    w.at(301, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(end_of(&w), ["1 orphans SIGTERM", "300 orphans SIGKILL"]);
    assert_eq!(w.now.0, Duration::from_millis(301));
}

#[test]
fn orphans_get_a_moment_even_where_there_is_no_grace() {
    let policy = Policy { grace: Duration::ZERO, ..on_failure() };
    let mut w = World::new(ExitOn::Failure, vec![row("web", policy, FakeChild::DaemonisesDeaf)]);
    w.at(10, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(end_of(&w), ["11 orphans SIGTERM", "12 killing orphans", "12 orphans SIGKILL"]);
}

#[test]
fn the_session_is_not_over_before_the_orphans_are_gone_and_a_lie_about_them_is_nothing() {
    let mut w = stopped(FakeChild::Deaf);
    w.at(500, Event::OrphansGone);
    assert_eq!(w.run(1_000), None);
    assert!(end_of(&w).is_empty());
}
