//! Requests over the socket at moments that are not the usual ones: during a start, in back-off, before
//! the first turn.

use std::sync::Arc;
use std::time::Duration;

use super::ToRequest;
use crate::app::{App, Exit, ExitOn, InstanceId, Signal, Source, Stdio};
use crate::supervisor::sim::{FakeChild, TypeRow, World, never, on_failure, release, row};
use crate::supervisor::{Doing, Event, Failure, Reply, RequestId, ResolvedRequest};

const FOREVER: u64 = 1_000_000_000;

fn done(w: &World, ids: &[RequestId]) -> bool {
    ids.iter().all(|id| w.replies.get(id) == Some(&Reply::Done))
}

#[test]
fn a_restart_during_a_start_comes_true_although_someone_asks_for_a_start_then() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
    w.start_takes = 100;
    w.run(50);
    let web = w.instance("web.1");
    let asked =
        [w.ask(ResolvedRequest::Restart(vec![web])), w.ask(ResolvedRequest::Start(vec![web]))];
    w.run(1_000);
    w.assert(
        "0 spawn web.1#1
        100 SIGTERM web.1#1
        101 sweep web.1#1
        101 web.1 terminated by SIGTERM; again
        101 spawn web.1#2
        201 reply 1 done
        201 reply 2 done",
    );
    assert!(done(&w, &asked));
}

#[test]
fn a_stop_during_a_start_is_taken_back_by_a_start() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
    w.start_takes = 100;
    w.run(50);
    let web = w.instance("web.1");
    let stop = w.ask(ResolvedRequest::Stop(vec![web]));
    let start = w.ask(ResolvedRequest::Start(vec![web]));
    w.run(1_000);
    assert_eq!(w.lines(&["spawn", "SIG"]), ["0 spawn web.1#1"]);
    assert_eq!(w.replies[&stop], Reply::Failed(vec![(web, Failure::Overruled)]));
    assert!(done(&w, &[start]));
}

#[test]
fn a_signal_reaches_who_runs_and_who_is_stopping() {
    let rows = vec![row("web", never(), FakeChild::Deaf), row("api", never(), FakeChild::Forever)];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(100);
    let (web, api) = (w.instance("web.1"), w.instance("api.1"));
    w.ask(ResolvedRequest::Stop(vec![web]));
    let asked = w.ask(ResolvedRequest::Signal(vec![web, api], Signal::USR1));
    assert_eq!(w.lines(&["SIGUSR1"]), ["0 SIGUSR1 web.1#1", "0 SIGUSR1 api.1#1"]);
    assert!(done(&w, &[asked]));
}

#[test]
fn a_stop_is_answered_when_it_has_come_true_and_not_before() {
    let scale: fn(_) -> _ = |_| ResolvedRequest::Scale(vec![(0, 0)]);
    for ask in [ResolvedRequest::Stop, scale] {
        let rows =
            vec![row("web", never(), FakeChild::Deaf), row("api", never(), FakeChild::Forever)];
        let mut w = World::new(ExitOn::Failure, rows);
        w.run(100);
        w.ask(ask(vec![w.instance("web.1")]));
        w.run(60_000);
        assert_eq!(w.lines(&["sweep", "reply"]), ["5001 sweep web.1#1", "5001 reply 1 done"]);
    }
}

#[test]
fn a_stop_of_one_that_has_ended_by_itself_is_done_and_it_stays_what_it_is() {
    let rows = vec![
        row("web", never(), FakeChild::ExitsAfter(10, Exit::Code(0))),
        row("api", never(), FakeChild::Forever),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(100);
    let asked = w.ask(ResolvedRequest::Stop(vec![w.instance("web.1")]));
    assert!(done(&w, &[asked]));
    assert_eq!(w.sup.status(w.now)[0].doing, Doing::Ended(Exit::Code(0)));
    let said = w.lines(&["left", "reply"]);
    assert_eq!(said, ["10 SIGTERM to what web.1#1 left", "10 reply 1 done"]);
}

#[test]
fn who_asked_for_a_stop_that_not_even_a_kill_brings_is_told() {
    let scale: fn(_) -> _ = |_| ResolvedRequest::Scale(vec![(0, 0)]);
    for ask in [ResolvedRequest::Stop, scale] {
        let rows =
            vec![row("web", never(), FakeChild::Immortal), row("api", never(), FakeChild::Forever)];
        let mut w = World::new(ExitOn::Failure, rows);
        w.run(100);
        let web = w.instance("web.1");
        let asked = w.ask(ask(vec![web]));
        assert_eq!(w.run(60_000), None);
        assert_eq!(w.replies[&asked], Reply::Failed(vec![(web, Failure::Lost)]));
    }
}

/// A session of `web`, whose first life ends as said and whose next start fails, and of `api`.
fn second_start_fails(first: FakeChild) -> World {
    let children = vec![first, FakeChild::Missing];
    let rows = vec![
        TypeRow { children, ..row("web", on_failure(), first) },
        row("api", on_failure(), FakeChild::Forever),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(100);
    w
}

#[test]
fn a_start_that_someone_asked_for_and_that_fails_does_not_end_the_session() {
    let crash = FakeChild::ExitsAfter(10, Exit::Code(3));
    let clean = FakeChild::ExitsAfter(10, Exit::Code(0));
    // In back-off; stopped in back-off; ended for good.
    let table: [(FakeChild, &[ToRequest]); 4] = [
        (crash, &[ResolvedRequest::Restart]),
        (crash, &[ResolvedRequest::Start]),
        (crash, &[ResolvedRequest::Stop, ResolvedRequest::Start]),
        (clean, &[ResolvedRequest::Start]),
    ];
    for (first, asks) in table {
        let mut w = second_start_fails(first);
        let web = w.instance("web.1");
        for ask in asks {
            w.ask(ask(vec![web]));
        }
        assert_eq!(w.run(60_000), None, "{}", w.trace());
        assert_eq!(w.lines(&["cannot start"]).len(), 1, "{}", w.trace());
    }
}

#[test]
fn a_further_instance_that_cannot_be_started_concerns_only_who_asked() {
    let rows = vec![
        TypeRow { count: 0, ..row("web", on_failure(), FakeChild::Missing) },
        row("api", on_failure(), FakeChild::Forever),
        row("job", on_failure(), FakeChild::Deaf),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(100);
    let other = w.ask(ResolvedRequest::Stop(vec![w.instance("job.1")]));
    let asked = w.ask(ResolvedRequest::Scale(vec![(0, 1)]));
    assert_eq!(w.run(60_000), None);
    let web = InstanceId { process_type: 0, number: 1 };
    let failure = Failure::NotStarted("no such file".to_owned());
    assert_eq!(w.replies[&asked], Reply::Failed(vec![(web, failure)]));
    assert!(done(&w, &[other]), "who waits for something else is not told of it");
}

#[test]
fn the_first_start_is_the_sessions_own_whoever_asks_for_it_meanwhile() {
    let rows = vec![
        row("release", release(), FakeChild::ExitsAfter(500, Exit::Code(0))),
        row("web", on_failure(), FakeChild::Missing),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(100);
    let web = w.instance("web.1");
    w.ask(ResolvedRequest::Start(vec![web]));
    assert_eq!(w.run(FOREVER), Some(1));
}

#[test]
fn when_the_session_ends_every_wish_but_that_is_refused() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Deaf)]);
    w.at(100, Event::Signalled(Signal::INT));
    w.run(200);
    let web = w.instance("web.1");
    let app = Arc::clone(w.sup.app());
    let third = InstanceId { number: 3, ..web };
    let table = [
        (ResolvedRequest::Start(vec![web]), web),
        (ResolvedRequest::Restart(vec![web]), web),
        (ResolvedRequest::Stop(vec![web]), web),
        (ResolvedRequest::Signal(vec![web], Signal::USR1), web),
        (ResolvedRequest::Scale(vec![(0, 3)]), third),
        (ResolvedRequest::Scale(vec![(0, 0)]), web),
        (ResolvedRequest::Reload { app, gone: vec![], rolling: None }, web),
    ];
    for (request, id) in table {
        let asked = w.ask(request.clone());
        let refusal = Reply::Failed(vec![(id, Failure::SessionEnds)]);
        assert_eq!(w.replies.get(&asked), Some(&refusal), "{request:?}");
    }
    let quit = w.ask(ResolvedRequest::Quit);
    assert_eq!(w.replies.get(&quit), None);
    assert_eq!(w.run(FOREVER), Some(0));
    assert!(done(&w, &[quit]));
}

#[test]
fn a_reload_renews_what_would_be_started_in_another_way_and_nothing_else() {
    type Edit = fn(&mut App);
    let table: [(&str, bool, Edit); 8] = [
        ("command", true, |app| app.types[0].command.push('x')),
        ("directory", true, |app| app.types[0].directory = Some("/srv".into())),
        ("limits", true, |app| app.types[0].limits.open_files = Some(9)),
        ("terminal", true, |app| app.types[0].stdio = Stdio::Terminal),
        ("port", true, |app| app.base_port += 1),
        ("variable", true, |app| app.environment.set("A", "1", Source::Caller)),
        ("own variable", true, |app| app.types[0].environment.set("A", "1", Source::Caller)),
        ("grace", false, |app| app.types[0].policy.grace = Duration::from_secs(9)),
    ];
    for (name, renews, change) in table {
        let rows = vec![row("web", on_failure(), FakeChild::Forever)];
        let mut w = World::new(ExitOn::Failure, rows);
        w.run(100);
        let mut app = (**w.sup.app()).clone();
        change(&mut app);
        let asked =
            w.ask(ResolvedRequest::Reload { app: Arc::new(app), gone: vec![], rolling: None });
        w.run(1_000);
        assert_eq!(w.lines(&["spawn"]).len(), if renews { 2 } else { 1 }, "{name}");
        assert!(done(&w, &[asked]), "{name}");
    }
}
