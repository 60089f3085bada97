//! What follows the end of an instance: wait, new start, or none.

use crate::app::{Exit, ExitOn, Policy, Signal};
use crate::supervisor::sim::{FakeChild, TypeRow, World, always, never, on_failure, row};
use crate::supervisor::{Event, Group};

const FOREVER: u64 = 1_000_000_000;

#[test]
fn a_start_is_answered_then_read() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
    assert_eq!(w.run(FOREVER), None);
    assert_eq!(w.trace(), "0 spawn web.1#1\n0 web.1 started 101\n0 read web.1#1");
}

#[test]
fn crashes_wait_twice_as_long_each_time_and_the_sixth_in_a_row_is_final() {
    let child = FakeChild::ExitsAfter(10, Exit::Code(3));
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), child)]);
    assert_eq!(w.run(FOREVER), Some(3));
    w.assert(
        "0 spawn web.1#1
        10 sweep web.1#1
        10 web.1 exited with code 3; again in 500ms (1/5)
        510 spawn web.1#2
        520 sweep web.1#2
        520 web.1 exited with code 3; again in 1s (2/5)
        1520 spawn web.1#3
        1530 sweep web.1#3
        1530 web.1 exited with code 3; again in 2s (3/5)
        3530 spawn web.1#4
        3540 sweep web.1#4
        3540 web.1 exited with code 3; again in 4s (4/5)
        7540 spawn web.1#5
        7550 sweep web.1#5
        7550 web.1 exited with code 3; again in 8s (5/5)
        15550 spawn web.1#6
        15560 sweep web.1#6
        15560 web.1 exited with code 3; gave up at 6
        15560 orphans SIGTERM",
    );
}

#[test]
fn the_wait_grows_to_thirty_seconds_and_no_further() {
    let policy = Policy { max_restarts: 100, ..on_failure() };
    let child = FakeChild::ExitsAfter(0, Exit::Code(1));
    let mut w = World::new(ExitOn::Failure, vec![row("web", policy, child)]);
    w.run(2_000_000);
    let waits: Vec<_> = w.lines(&["again"]).iter().map(|line| wait_of(line)).take(9).collect();
    assert_eq!(waits, ["500ms", "1s", "2s", "4s", "8s", "16s", "30s", "30s", "30s"]);
    assert!(w.lines(&["again"])[40].contains("again in 30s"));
}

#[test]
fn a_restart_waits_until_the_output_of_the_life_before_is_shown_and_a_stop_does_not() {
    let child = FakeChild::ExitsAfter(10, Exit::Code(0));
    let mut w = World::new(ExitOn::Failure, vec![row("web", always(), child)]);
    w.has_reader = false;
    assert_eq!(w.run(1_000_000), None);
    let before = "0 spawn web.1#1
        210 sweep web.1#1
        210 web.1 exited with code 0; again in 500ms (0/5)";
    w.assert(before);
    let mut stopped = w.clone();
    stopped.deliver(Event::Signalled(Signal::INT));
    assert_eq!(stopped.run(FOREVER), Some(0));
    let run = w.past_run(0).unwrap();
    w.at(1_000_000, Event::OutputClosed { run });
    assert_eq!(w.run(1_000_005), None);
    w.assert(&format!("{before}\n1000000 spawn web.1#2"));
}

fn wait_of(line: &str) -> String {
    line.split_once("again in ").unwrap().1.split(' ').next().unwrap().to_owned()
}

#[test]
fn ten_seconds_of_uptime_forget_earlier_crashes_and_a_little_less_does_not() {
    for (uptime, expected) in [(10_000, ["500ms"; 3]), (9_999, ["500ms", "1s", "2s"])] {
        let child = FakeChild::ExitsAfter(uptime, Exit::Code(1));
        let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), child)]);
        w.run(40_000);
        let waits: Vec<_> = w.lines(&["again"]).iter().map(|line| wait_of(line)).collect();
        assert_eq!(waits, expected, "{uptime}");
        let is_first = w.lines(&["again"])[2].ends_with("(1/5)");
        assert_eq!(is_first, uptime == 10_000);
    }
}

#[test]
fn a_long_uptime_after_five_crashes_gives_five_more_chances() {
    let short = FakeChild::ExitsAfter(0, Exit::Code(1));
    let mut children = vec![short; 5];
    children.extend([FakeChild::ExitsAfter(10_000, Exit::Code(1)), short]);
    let web = TypeRow { children, ..row("web", on_failure(), short) };
    let mut w = World::new(ExitOn::Failure, vec![web]);
    assert_eq!(w.run(FOREVER), Some(1));
    assert_eq!(w.lines(&["spawn"]).len(), 11);
    assert!(w.lines(&["again"])[5].ends_with("again in 500ms (1/5)"));
}

#[test]
fn a_signal_that_pm_did_not_send_is_a_crash() {
    let child = FakeChild::ExitsAfter(10, Exit::Signal(crate::app::Signal::KILL));
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), child)]);
    assert_eq!(w.run(400), None);
    w.assert(
        "0 spawn web.1#1
        10 sweep web.1#1
        10 web.1 terminated by SIGKILL; again in 500ms (1/5)",
    );
}

#[test]
fn always_restarts_clean_exits_which_are_no_crashes_but_wait_longer_each_time() {
    let child = FakeChild::ExitsAfter(10, Exit::Code(0));
    let policy = Policy { max_restarts: 1, ..always() };
    let mut w = World::new(ExitOn::All, vec![row("web", policy, child)]);
    assert_eq!(w.run(5_000), None);
    w.assert(
        "0 spawn web.1#1
        10 sweep web.1#1
        10 web.1 exited with code 0; again in 500ms (0/1)
        510 spawn web.1#2
        520 sweep web.1#2
        520 web.1 exited with code 0; again in 1s (0/1)
        1520 spawn web.1#3
        1530 sweep web.1#3
        1530 web.1 exited with code 0; again in 2s (0/1)
        3530 spawn web.1#4
        3540 sweep web.1#4
        3540 web.1 exited with code 0; again in 4s (0/1)",
    );
}

#[test]
fn a_clean_exit_under_always_ends_the_row_of_crashes() {
    let crash = FakeChild::ExitsAfter(0, Exit::Code(1));
    let clean = FakeChild::ExitsAfter(0, Exit::Code(0));
    let web = TypeRow { children: vec![crash, clean, crash], ..row("web", always(), crash) };
    let mut w = World::new(ExitOn::Failure, vec![web]);
    w.run(3_000);
    let counts: Vec<_> = w.lines(&["again"]).iter().map(|l| l[l.len() - 5..].to_owned()).collect();
    assert_eq!(counts, ["(1/5)", "(0/5)", "(1/5)"]);
}

#[test]
fn never_restarts_nothing() {
    for (exit, code) in [(Exit::Code(0), 0), (Exit::Code(4), 4)] {
        let child = FakeChild::ExitsAfter(10, exit);
        let mut w = World::new(ExitOn::Failure, vec![row("web", never(), child)]);
        assert_eq!(w.run(FOREVER), Some(code));
        assert_eq!(w.lines(&["spawn"]).len(), 1);
        assert!(w.lines(&["again", "gave up"]).is_empty());
    }
}

#[test]
fn no_restarts_at_all_gives_up_at_the_first_crash() {
    let policy = Policy { max_restarts: 0, ..on_failure() };
    let child = FakeChild::ExitsAfter(10, Exit::Code(3));
    let mut w = World::new(ExitOn::Failure, vec![row("web", policy, child)]);
    assert_eq!(w.run(FOREVER), Some(3));
    assert!(w.trace().contains("10 web.1 exited with code 3; gave up at 1"));
}

#[test]
fn one_instances_restart_does_not_disturb_another() {
    let crash = FakeChild::ExitsAfter(10, Exit::Code(1));
    let rows = vec![row("web", on_failure(), crash), row("api", on_failure(), FakeChild::Forever)];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(3_000);
    assert_eq!(w.lines(&["api.1"]), ["0 spawn api.1#1", "0 api.1 started 102", "0 read api.1#1"]);
}

#[test]
fn a_grandchild_that_keeps_the_pipe_delays_the_end_by_the_drain_alone() {
    let child = FakeChild::Leaky(10, Exit::Code(1));
    let mut w = World::new(ExitOn::Failure, vec![row("web", never(), child)]);
    assert_eq!(w.run(FOREVER), Some(1));
    w.assert(
        "0 spawn web.1#1
        210 sweep web.1#1
        210 web.1 exited with code 1
        210 orphans SIGTERM",
    );
}

#[test]
fn what_a_crash_leaves_in_its_group_is_asked_to_stop_and_swept() {
    let rows = vec![row("web", on_failure(), FakeChild::LeavesJob(10, Exit::Code(1)))];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(400);
    w.assert(
        "0 spawn web.1#1
        10 SIGTERM web.1#1 group
        11 sweep web.1#1
        11 web.1 exited with code 1; again in 500ms (1/5)",
    );
    let rows = vec![row("web", on_failure(), FakeChild::LeavesDeafJob(10, Exit::Code(1)))];
    let mut w = World::new(ExitOn::Failure, rows);
    w.run(400);
    w.assert(
        "0 spawn web.1#1
        10 SIGTERM web.1#1 group
        210 sweep web.1#1
        210 web.1 exited with code 1; again in 500ms (1/5)",
    );
}

#[test]
fn facts_about_an_older_life_change_nothing() {
    // The second life is up at 600, or is being started.
    for start_takes in [0, 90] {
        let children = vec![FakeChild::ExitsAfter(10, Exit::Code(1)), FakeChild::Forever];
        let web = TypeRow { children, ..row("web", on_failure(), FakeChild::Forever) };
        let mut w = World::new(ExitOn::Failure, vec![web]);
        w.start_takes = start_takes;
        w.run(600);
        let run = w.past_run(0).unwrap();
        let (exit, error) = (Exit::Code(1), String::new());
        let facts = [
            Event::Exited { run, exit, group: Group::Gone },
            Event::OutputClosed { run },
            Event::GroupGone { run },
            Event::Spawned { run, pid: 1 },
            Event::SpawnFailed { run, error },
        ];
        let before = format!("{:?}", w.sup);
        for fact in facts {
            assert_eq!(w.sup.handle(fact, w.now), []);
            assert_eq!(format!("{:?}", w.sup), before, "{start_takes}");
        }
    }
}

#[test]
fn a_fact_told_twice_changes_nothing() {
    let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Forever)]);
    w.run(10);
    let run = crate::app::RunId { instance: w.instance("web.1"), seq: 1 };
    let before = format!("{:?}", w.sup);
    assert_eq!(w.sup.handle(Event::Spawned { run, pid: 1 }, w.now), []);
    let error = String::new();
    assert_eq!(w.sup.handle(Event::SpawnFailed { run, error }, w.now), []);
    assert_eq!(format!("{:?}", w.sup), before);
}

#[test]
fn a_job_that_writes_elsewhere_still_gets_the_drain_to_end() {
    let rows = vec![row("web", on_failure(), FakeChild::LeavesDeafJob(10, Exit::Code(1)))];
    let mut w = World::new(ExitOn::Failure, rows);
    let run = crate::app::RunId { instance: w.instance("web.1"), seq: 1 };
    w.at(11, Event::OutputClosed { run });
    w.run(400);
    assert_eq!(w.lines(&["sweep"]), ["210 sweep web.1#1"]);
}

#[test]
fn output_closed_while_running_ends_nothing_and_needs_no_drain_later() {
    let child = FakeChild::Leaky(500, Exit::Code(1));
    let mut w = World::new(ExitOn::Failure, vec![row("web", never(), child)]);
    let run = crate::app::RunId { instance: w.instance("web.1"), seq: 1 };
    w.at(10, Event::OutputClosed { run });
    assert_eq!(w.run(FOREVER), Some(1));
    assert_eq!(w.lines(&["sweep"]), ["500 sweep web.1#1"]);
}
