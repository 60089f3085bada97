//! Which end of an instance ends the session, and with which code.

use std::time::Duration;

use crate::app::{Exit, ExitOn, Moment, Policy, Signal};
use crate::supervisor::sim::{FakeChild, TypeRow, World, always, never, on_failure, row};
use crate::supervisor::{Culprit, Event, Reply, ResolvedRequest};

const FOREVER: u64 = 1_000_000_000;

#[test]
fn first_ends_with_the_code_of_whatever_ends_first() {
    let rows = vec![
        row("web", never(), FakeChild::ExitsAfter(50, Exit::Code(3))),
        row("api", never(), FakeChild::Forever),
    ];
    let mut w = World::new(ExitOn::First, rows);
    assert_eq!(w.run(FOREVER), Some(3));
    w.assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        50 sweep web.1#1
        50 web.1 exited with code 3
        50 stopping: web.1 ended
        50 SIGTERM api.1#1
        51 sweep api.1#1
        51 api.1 terminated by SIGTERM
        51 orphans SIGTERM",
    );
}

#[test]
fn first_takes_a_clean_exit_too_and_blames_nobody() {
    let rows = vec![
        row("web", never(), FakeChild::ExitsAfter(50, Exit::Code(0))),
        row("api", never(), FakeChild::ExitsAfter(60, Exit::Code(9))),
    ];
    let mut w = World::new(ExitOn::First, rows);
    assert_eq!(w.run(FOREVER), Some(0));
    assert!(w.trace().contains("50 stopping: web.1 ended\n50 SIGTERM api.1#1"));
    assert_eq!(w.sup.verdict().culprit, None);
}

#[test]
fn first_is_the_first_end_whatever_would_be_restarted() {
    for policy in [on_failure as fn() -> Policy, always] {
        for exit in [Exit::Code(3), Exit::Code(0)] {
            let rows = vec![
                row("web", policy(), FakeChild::ExitsAfter(50, exit)),
                row("api", policy(), FakeChild::Forever),
            ];
            let mut w = World::new(ExitOn::First, rows);
            assert_eq!(w.run(FOREVER), Some(exit.code()));
            assert_eq!(w.lines(&["spawn"]).len(), 2);
        }
    }
}

#[test]
fn failure_lets_the_others_go_on_after_a_clean_exit() {
    let rows = vec![
        row("web", on_failure(), FakeChild::ExitsAfter(50, Exit::Code(0))),
        row("api", on_failure(), FakeChild::ExitsAfter(90, Exit::Code(0))),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    assert_eq!(w.run(FOREVER), Some(0));
    w.assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        50 sweep web.1#1
        50 web.1 exited with code 0
        90 sweep api.1#1
        90 api.1 exited with code 0
        90 orphans SIGTERM",
    );
}

#[test]
fn failure_ends_all_with_the_code_of_the_first_that_failed_for_good() {
    let rows = vec![
        row("web", on_failure(), FakeChild::Forever),
        row("api", never(), FakeChild::ExitsAfter(70, Exit::Signal(Signal::KILL))),
        row("job", never(), FakeChild::LeavesDeafJob(69, Exit::Code(2))),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    assert_eq!(w.run(FOREVER), Some(137));
    w.assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        0 spawn job.1#1
        69 SIGTERM job.1#1 group
        70 sweep api.1#1
        70 api.1 terminated by SIGKILL
        70 stopping: api.1 ended
        70 SIGTERM web.1#1
        71 sweep web.1#1
        71 web.1 terminated by SIGTERM
        269 sweep job.1#1
        269 job.1 exited with code 2
        269 orphans SIGTERM",
    );
}

#[test]
fn all_ends_when_all_have_ended_with_the_first_code_that_is_not_zero() {
    let rows = vec![
        row("web", never(), FakeChild::ExitsAfter(50, Exit::Code(0))),
        row("api", never(), FakeChild::ExitsAfter(60, Exit::Signal(Signal::HUP))),
        row("job", never(), FakeChild::ExitsAfter(70, Exit::Code(2))),
    ];
    let mut w = World::new(ExitOn::All, rows);
    assert_eq!(w.run(FOREVER), Some(129));
    w.assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        0 spawn job.1#1
        50 sweep web.1#1
        50 web.1 exited with code 0
        60 sweep api.1#1
        60 api.1 terminated by SIGHUP; stays failed
        70 sweep job.1#1
        70 job.1 exited with code 2
        70 orphans SIGTERM",
    );
    let culprit = w.sup.verdict().culprit.unwrap();
    assert_eq!(culprit.instance, w.instance("api.1"));
}

#[test]
fn all_with_clean_exits_alone_ends_with_zero() {
    let rows = vec![row("web", never(), FakeChild::ExitsAfter(50, Exit::Code(0)))];
    let mut w = World::new(ExitOn::All, rows);
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(w.sup.verdict(), &Default::default());
}

#[test]
fn an_asked_stop_ends_with_zero_even_where_an_instance_had_failed_under_all() {
    let rows = vec![
        row("web", never(), FakeChild::ExitsAfter(50, Exit::Code(3))),
        row("api", never(), FakeChild::Forever),
    ];
    let mut w = World::new(ExitOn::All, rows);
    w.at(100, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(w.sup.verdict().culprit, None);
}

#[test]
fn the_code_and_the_culprit_belong_together_under_all_also_of_a_failed_start() {
    let missing = row("api", on_failure(), FakeChild::Missing);
    let crash = |after| row("web", never(), FakeChild::ExitsAfter(after, Exit::Code(3)));
    let late = TypeRow {
        children: vec![FakeChild::ExitsAfter(50, Exit::Code(1)), FakeChild::Missing],
        ..missing.clone()
    };
    for (rows, code, culprit) in [
        (vec![missing, crash(50)], 1, "api.1"),
        (vec![late.clone(), crash(100)], 3, "web.1"),
        (vec![late, crash(900)], 1, "api.1"),
    ] {
        let mut w = World::new(ExitOn::All, rows);
        assert_eq!(w.run(FOREVER), Some(code));
        assert_eq!(w.sup.verdict().culprit.unwrap().instance, w.instance(culprit));
    }
}

#[test]
fn under_all_a_failed_one_stays_failed_and_says_so_while_the_others_go_on() {
    let gives_up = Policy { max_restarts: 1, ..on_failure() };
    let rows = vec![
        row("web", never(), FakeChild::ExitsAfter(50, Exit::Code(3))),
        row("api", on_failure(), FakeChild::Missing),
        row("job", gives_up, FakeChild::ExitsAfter(10, Exit::Code(4))),
        row("good", on_failure(), FakeChild::ExitsAfter(9000, Exit::Code(0))),
    ];
    let mut w = World::new(ExitOn::All, rows);
    assert_eq!(w.run(FOREVER), Some(1));
    w.assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        0 api.1 cannot start: no such file; stays failed
        0 spawn job.1#1
        0 spawn good.1#1
        10 sweep job.1#1
        10 job.1 exited with code 4; again in 500ms (1/1)
        50 sweep web.1#1
        50 web.1 exited with code 3; stays failed
        510 spawn job.1#2
        520 sweep job.1#2
        520 job.1 exited with code 4; gave up at 2; stays failed
        9000 sweep good.1#1
        9000 good.1 exited with code 0
        9000 orphans SIGTERM",
    );
}

#[test]
fn the_last_to_fail_does_not_say_how_to_start_it_in_a_session_that_ends() {
    let rows = vec![row("web", never(), FakeChild::ExitsAfter(50, Exit::Code(3)))];
    for exit_on in [ExitOn::First, ExitOn::Failure, ExitOn::All] {
        let mut w = World::new(exit_on, rows.clone());
        assert_eq!(w.run(FOREVER), Some(3));
        assert_eq!(w.lines(&["exited"]), ["50 web.1 exited with code 3"]);
    }
}

#[test]
fn a_failure_that_was_repaired_and_started_again_is_none_at_the_end() {
    for then in [Exit::Code(0), Exit::Code(7)] {
        let rows = vec![
            TypeRow {
                children: vec![
                    FakeChild::ExitsAfter(50, Exit::Code(127)),
                    FakeChild::ExitsAfter(5000, then),
                ],
                ..row("web", never(), FakeChild::Missing)
            },
            row("api", never(), FakeChild::ExitsAfter(60, Exit::Code(5))),
            row("job", never(), FakeChild::ExitsAfter(9000, Exit::Code(0))),
        ];
        let mut w = World::new(ExitOn::All, rows);
        w.run(100);
        let id = w.ask(ResolvedRequest::Restart(vec![w.instance("web.1")]));
        w.run(200);
        assert_eq!(w.replies.get(&id), Some(&Reply::Done));
        assert_eq!(w.run(FOREVER), Some(5));
        assert_eq!(w.sup.verdict().culprit.unwrap().instance, w.instance("api.1"));
    }
}

#[test]
fn the_verdict_names_who_ended_the_session_how_when_and_after_how_many_restarts() {
    let policy = Policy { max_restarts: 2, ..on_failure() };
    let rows = vec![
        row("web", on_failure(), FakeChild::Deaf),
        row("api", policy, FakeChild::ExitsAfter(250, Exit::Code(7))),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    assert_eq!(w.run(FOREVER), Some(7));
    let at = Moment(Duration::from_millis(250 + 500 + 250 + 1000 + 250));
    let culprit = Culprit {
        instance: w.instance("api.1"),
        exit: Exit::Code(7),
        uptime: Duration::from_millis(250),
        restarts: 2,
        at,
    };
    assert_eq!(w.sup.verdict().culprit, Some(culprit));
    assert_eq!(w.killed(), [w.instance("web.1")]);
    assert_eq!(w.lost(), []);
    assert_eq!(at.to_string(), "2.250s");
}

#[test]
fn ends_have_the_codes_and_the_words_of_a_shell() {
    let table = [
        (Exit::Code(0), 0, "exited with code 0"),
        (Exit::Code(3), 3, "exited with code 3"),
        (Exit::Signal(Signal::TERM), 143, "terminated by SIGTERM"),
        (Exit::OutOfMemory, 137, "killed by the kernel: out of memory"),
        (Exit::NotStarted, 1, "could not be started"),
        (Exit::Lost, 1, "did not end"),
    ];
    for (exit, code, words) in table {
        assert_eq!((exit.code(), exit.to_string().as_str()), (code, words));
        assert_eq!(exit.is_success(), code == 0);
    }
}

#[test]
fn a_failure_drops_an_instance_that_waits_for_its_restart_without_a_word() {
    let rows = vec![
        row("web", on_failure(), FakeChild::ExitsAfter(10, Exit::Code(1))),
        row("api", never(), FakeChild::ExitsAfter(50, Exit::Code(3))),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    assert_eq!(w.run(FOREVER), Some(3));
    w.assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        10 sweep web.1#1
        10 web.1 exited with code 1; again in 500ms (1/5)
        50 sweep api.1#1
        50 api.1 exited with code 3
        50 orphans SIGTERM",
    );
}

#[test]
fn a_failure_says_that_it_stops_an_instance_that_still_drains() {
    let rows = vec![
        row("web", never(), FakeChild::Leaky(10, Exit::Code(0))),
        row("api", never(), FakeChild::ExitsAfter(50, Exit::Code(3))),
    ];
    let mut w = World::new(ExitOn::Failure, rows);
    assert_eq!(w.run(FOREVER), Some(3));
    w.assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        50 sweep api.1#1
        50 api.1 exited with code 3
        50 stopping: api.1 ended
        210 sweep web.1#1
        210 web.1 exited with code 0
        210 orphans SIGTERM",
    );
}
