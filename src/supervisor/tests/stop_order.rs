//! Stops in the order of the dependencies: whoever depends on another stops before it.

use super::needs::{needing, with_ready};
use crate::app::{ExitOn, Milestone, Signal};
use crate::supervisor::Event;
use crate::supervisor::sim::{FakeChild, World, on_failure, row};

#[test]
fn a_type_stops_when_nothing_that_depends_on_it_is_left() {
    let up = |name, policy| row(name, policy, FakeChild::Master(100));
    let db = up("db", on_failure());
    let api = up("api", needing(on_failure(), &[(0, Milestone::Started)]));
    let web = up("web", needing(on_failure(), &[(1, Milestone::Started)]));
    let lone = up("lone", on_failure());
    let mut w = World::new(ExitOn::Failure, vec![db, api, web, lone]);
    w.run(1000);
    w.after(0, Event::Signalled(Signal::TERM));
    assert_eq!(w.run(60_000), Some(0));
    assert_eq!(
        w.lines(&[" SIGTERM ", "orphans"]),
        [
            "0 SIGTERM web.1#1",
            "0 SIGTERM lone.1#1",
            "101 SIGTERM api.1#1",
            "202 SIGTERM db.1#1",
            "303 orphans SIGTERM",
        ]
    );
}

#[test]
fn a_deaf_dependent_delays_a_stop_by_one_grace_and_a_second_request_kills_all() {
    let db = || row("db", on_failure(), FakeChild::Deaf);
    let web = || row("web", needing(on_failure(), &[(0, Milestone::Started)]), FakeChild::Deaf);
    let mut w = World::new(ExitOn::Failure, vec![db(), web()]);
    w.run(10);
    w.after(0, Event::Signalled(Signal::INT));
    w.run(60_000);
    assert_eq!(
        w.lines(&[" SIGTERM ", " SIGKILL "]),
        [
            "0 SIGTERM web.1#1",
            "5000 SIGKILL web.1#1",
            "5001 SIGTERM db.1#1",
            "10001 SIGKILL db.1#1",
        ]
    );
    let mut w = World::new(ExitOn::Failure, vec![db(), web()]);
    w.run(10);
    w.after(0, Event::Signalled(Signal::INT));
    w.after(1000, Event::Signalled(Signal::INT));
    w.run(60_000);
    assert_eq!(
        w.lines(&[" SIGTERM web", " SIGKILL "]),
        ["0 SIGTERM web.1#1", "1000 SIGKILL db.1#1", "1000 SIGKILL web.1#1"]
    );
}

#[test]
fn in_a_stop_a_dependency_that_is_not_ready_still_goes_behind_its_dependents() {
    let db = row("db", with_ready(on_failure()), FakeChild::Forever);
    let web =
        row("web", needing(on_failure(), &[(0, Milestone::Started)]), FakeChild::Master(3000));
    let mut w = World::new(ExitOn::Failure, vec![db, web]);
    w.at(58_000, Event::Signalled(Signal::TERM));
    assert_eq!(w.run(100_000), Some(0));
    let stops = w.lines(&[" SIGTERM ", "not ready", "sweep"]);
    assert_eq!(
        stops[..3],
        ["58000 SIGTERM web.1#1", "61001 sweep web.1#1", "61001 SIGTERM db.1#1"]
    );
}
