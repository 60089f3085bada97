//! A reload that changes where the instances of a type listen together.

use std::time::Duration;

use super::rollout::later;
use crate::app::{ExitOn, Moment};
use crate::supervisor::sim::{FakeChild, TypeRow, World, on_failure, row};
use crate::supervisor::{Reply, RequestId, ResolvedRequest};

/// Reads another application, in which `web` listens together on this host.
fn reload(w: &mut World, host: Option<&str>, command: &str) -> RequestId {
    let mut app = (**w.sup.app()).clone();
    app.types[0].share_port = host.map(str::to_owned);
    command.clone_into(&mut app.types[1].command);
    w.ask(ResolvedRequest::Reload { app: app.into(), gone: vec![], rolling: None })
}

/// Restarts the second of `web` after a second, and lets another pass.
fn restart_the_second(w: &mut World) {
    w.run(1000);
    w.now = Moment(Duration::from_secs(1));
    let second = w.instance("web.2");
    w.ask(ResolvedRequest::Restart(vec![second]));
    w.run(2000);
    w.now = Moment(Duration::from_secs(2));
}

/// A session of two of `web`, of which the second takes 500 ms to stop, and of `job`, after two seconds.
fn a_session(host: Option<&str>) -> World {
    let children = vec![FakeChild::Forever, FakeChild::Master(500), FakeChild::Forever];
    let web = TypeRow { count: 2, children, ..row("web", on_failure(), FakeChild::Forever) };
    let job = row("job", on_failure(), FakeChild::Forever);
    let mut w = World::new(ExitOn::Failure, vec![web, job]);
    // Nothing has been started yet.
    reload(&mut w, host, "");
    restart_the_second(&mut w);
    w
}

#[test]
fn nobody_starts_while_one_from_before_has_the_port_and_other_types_do() {
    for (before, after) in
        [(Some("127.0.0.1"), Some("0.0.0.0")), (Some("127.0.0.1"), None), (None, Some("127.0.0.1"))]
    {
        let mut w = a_session(before);
        let asked = reload(&mut w, after, "another");
        w.run(10_000);
        assert_eq!(
            later(&w, &["SIGTERM web", "spawn"])[2..],
            [
                "2000 SIGTERM web.2#2",
                "2000 SIGTERM web.1#1",
                "2001 spawn job.1#2",
                "2501 spawn web.1#2",
                "2501 spawn web.2#3",
            ],
            "{before:?} {after:?}\n{}",
            w.trace()
        );
        assert_eq!(w.replies[&asked], Reply::Done);
    }
}

#[test]
fn one_that_not_even_a_kill_ends_holds_up_nobody_for_ever() {
    let web = TypeRow {
        count: 2,
        children: vec![FakeChild::Forever, FakeChild::Immortal, FakeChild::Forever],
        ..row("web", on_failure(), FakeChild::Forever)
    };
    let mut w = World::new(ExitOn::All, vec![web, row("job", on_failure(), FakeChild::Forever)]);
    restart_the_second(&mut w);
    reload(&mut w, Some("0.0.0.0"), "");
    w.run(60_000);
    // The grace period, and what a kill may take.
    assert_eq!(w.lines(&["spawn web.1#2", "spawn web.2#3"]), ["9000 spawn web.1#2"]);
}
