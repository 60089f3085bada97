//! How one instance is stopped: politely, then not.

use std::time::Duration;

use super::ToRequest;
use crate::app::{Budget, Exit, ExitOn, MemoryAction, Moment, Policy, Reach, RunId, Signal, Size};
use crate::supervisor::sim::{FakeChild, TypeRow, World, on_failure, row};
use crate::supervisor::{Event, Group, ResolvedRequest};

const FOREVER: u64 = 1_000_000_000;

fn stopped_at(at: u64, rows: Vec<TypeRow>) -> World {
    let mut w = World::new(ExitOn::Failure, rows);
    w.at(at, Event::Signalled(Signal::TERM));
    assert_eq!(w.run(FOREVER), Some(0));
    w
}

#[test]
fn each_group_gets_its_own_stop_signal_once() {
    let policy = Policy { stop_signal: Signal::INT, ..on_failure() };
    let rows =
        vec![row("web", on_failure(), FakeChild::Forever), row("api", policy, FakeChild::Forever)];
    stopped_at(100, rows).assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1
        100 SIGINT api.1#1
        101 sweep web.1#1
        101 web.1 terminated by SIGTERM
        101 sweep api.1#1
        101 api.1 terminated by SIGINT
        101 orphans SIGTERM",
    );
}

#[test]
fn who_does_not_stop_is_announced_and_killed_after_its_grace() {
    let policy = Policy { grace: Duration::from_secs(12), ..on_failure() };
    let rows = vec![row("web", on_failure(), FakeChild::Deaf), row("api", policy, FakeChild::Deaf)];
    let w = stopped_at(100, rows);
    w.assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1
        100 SIGTERM api.1#1
        1100 waiting 4s on web.1 api.1
        5100 web.1 killed after 5s
        5100 SIGKILL web.1#1
        5101 sweep web.1#1
        5101 web.1 terminated by SIGKILL
        6100 waiting 6s on api.1
        11100 waiting 1s on api.1
        12100 api.1 killed after 12s
        12100 SIGKILL api.1#1
        12101 sweep api.1#1
        12101 api.1 terminated by SIGKILL
        12101 orphans SIGTERM",
    );
    assert_eq!(w.killed(), [w.instance("web.1"), w.instance("api.1")]);
    assert_eq!((w.sup.verdict().culprit, w.lost().len()), (None, 0));
}

#[test]
fn the_rest_of_a_group_may_use_the_grace_after_its_leader() {
    stopped_at(100, vec![row("web", on_failure(), FakeChild::LeavesGroup(3000))]).assert(
        "0 spawn web.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1
        101 SIGTERM web.1#1 group
        1100 waiting 4s on web.1
        3102 sweep web.1#1
        3102 web.1 terminated by SIGTERM
        3102 orphans SIGTERM",
    );
}

#[test]
fn the_rest_of_a_group_is_killed_after_the_grace() {
    let w = stopped_at(100, vec![row("web", on_failure(), FakeChild::LeavesGroupDeaf)]);
    w.assert(
        "0 spawn web.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1
        101 SIGTERM web.1#1 group
        1100 waiting 4s on web.1
        5100 web.1 killed after 5s
        5100 SIGKILL web.1#1
        5101 sweep web.1#1
        5101 web.1 terminated by SIGTERM
        5101 orphans SIGTERM",
    );
    assert_eq!(w.killed(), [w.instance("web.1")]);
}

#[test]
fn no_grace_kills_with_the_first_request() {
    let policy = Policy { grace: Duration::ZERO, ..on_failure() };
    let rows = vec![row("web", policy.clone(), FakeChild::Deaf)];
    stopped_at(100, rows).assert(
        "0 spawn web.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1
        100 SIGKILL web.1#1
        101 sweep web.1#1
        101 web.1 terminated by SIGKILL
        101 orphans SIGTERM",
    );
}

#[test]
fn who_does_not_even_end_when_killed_is_lost_and_left() {
    let w = stopped_at(100, vec![row("web", on_failure(), FakeChild::Immortal)]);
    w.assert(
        "0 spawn web.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1
        1100 waiting 4s on web.1
        5100 web.1 killed after 5s
        5100 SIGKILL web.1#1
        7100 sweep web.1#1
        7100 web.1 did not end
        7100 orphans SIGTERM",
    );
    assert_eq!(w.killed(), [w.instance("web.1")]);
    assert_eq!(w.lost(), [w.instance("web.1")]);
}

#[test]
fn a_pipe_kept_open_delays_a_stopped_instance_by_the_drain_alone() {
    let rows = vec![row("web", on_failure(), FakeChild::Leaky(10_000, Exit::Code(0)))];
    stopped_at(100, rows).assert(
        "0 spawn web.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1
        301 sweep web.1#1
        301 web.1 terminated by SIGTERM
        301 orphans SIGTERM",
    );
}

#[test]
fn a_crash_that_drains_when_the_stop_begins_is_not_asked_again_nor_restarted() {
    let rows = vec![row("web", on_failure(), FakeChild::LeavesDeafJob(10, Exit::Code(1)))];
    stopped_at(100, rows).assert(
        "0 spawn web.1#1
        10 SIGTERM web.1#1 group
        100 stopping: SIGTERM
        210 sweep web.1#1
        210 web.1 exited with code 1
        210 orphans SIGTERM",
    );
}

#[test]
fn a_group_that_does_not_even_end_when_killed_is_left_after_the_drain() {
    let w = stopped_at(100, vec![row("web", on_failure(), FakeChild::LeavesGroupImmortal)]);
    let expected = [
        "100 SIGTERM web.1#1",
        "101 SIGTERM web.1#1 group",
        "5100 SIGKILL web.1#1",
        "5300 sweep web.1#1",
    ];
    assert_eq!(w.lines(&["SIGTERM web.1#1", "SIGKILL", "sweep"]), expected);
    assert_eq!(w.killed(), [w.instance("web.1")]);
    assert_eq!(w.lost(), []);
}

#[test]
fn one_that_ends_in_the_moment_in_which_its_grace_ends_is_not_killed() {
    let rows = vec![row("web", on_failure(), FakeChild::Deaf)];
    let mut w = World::new(ExitOn::Failure, rows);
    w.at(100, Event::Signalled(Signal::TERM));
    let run = RunId { instance: w.instance("web.1"), seq: 1 };
    w.at(5100, Event::Exited { run, exit: Exit::Code(0), group: Group::Gone });
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(w.lines(&["killed", "SIGKILL web", "sweep"]), ["5300 sweep web.1#1"]);
    assert_eq!(w.killed(), []);
}

/// A stop at 100 whose leader ends at 101 and whose group has ended by 200.
fn group_gone_at_200() -> (World, RunId) {
    let rows = vec![row("web", on_failure(), FakeChild::LeavesGroupDeaf)];
    let mut w = World::new(ExitOn::Failure, rows);
    w.at(100, Event::Signalled(Signal::TERM));
    let run = RunId { instance: w.instance("web.1"), seq: 1 };
    w.at(200, Event::GroupGone { run });
    (w, run)
}

#[test]
fn the_last_lines_after_a_group_is_gone_are_waited_for() {
    let (mut w, run) = group_gone_at_200();
    w.at(250, Event::OutputClosed { run });
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(w.lines(&["sweep"]), ["250 sweep web.1#1"]);
}

#[test]
fn a_pipe_kept_open_after_a_group_is_gone_delays_the_end_by_the_drain_alone() {
    let (mut w, _) = group_gone_at_200();
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(w.lines(&["sweep"]), ["400 sweep web.1#1"]);
}

#[test]
fn the_end_of_a_leader_counts_once_while_its_group_lives() {
    for group in [Group::Left, Group::Gone] {
        let rows = vec![row("web", on_failure(), FakeChild::LeavesGroup(500))];
        let mut w = World::new(ExitOn::Failure, rows);
        w.at(100, Event::Signalled(Signal::TERM));
        let run = RunId { instance: w.instance("web.1"), seq: 1 };
        w.at(200, Event::Exited { run, exit: Exit::Code(9), group });
        assert_eq!(w.run(FOREVER), Some(0));
        let expected = ["602 sweep web.1#1", "602 web.1 terminated by SIGTERM"];
        assert_eq!(w.lines(&["sweep", "terminated"]), expected, "{group:?}");
    }
}

#[test]
fn workers_are_left_to_their_master_while_it_drains() {
    stopped_at(100, vec![row("web", on_failure(), FakeChild::Master(2000))]).assert(
        "0 spawn web.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1
        1100 waiting 4s on web.1
        2101 sweep web.1#1
        2101 web.1 terminated by SIGTERM
        2101 orphans SIGTERM",
    );
}

#[test]
fn what_a_shell_has_started_gets_no_second_signal_when_the_shell_has_ended() {
    stopped_at(100, vec![row("web", on_failure(), FakeChild::Shell(500))]).assert(
        "0 spawn web.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1
        601 sweep web.1#1
        601 web.1 terminated by SIGTERM
        601 orphans SIGTERM",
    );
}

#[test]
fn the_second_wave_waits_for_all_of_the_first_and_the_kill_is_counted_from_the_start() {
    let rows = vec![
        row("web", on_failure(), FakeChild::ShellOfMaster(500, 700)),
        row("api", on_failure(), FakeChild::ShellOfMaster(4000, 7000)),
    ];
    stopped_at(100, rows).assert(
        "0 spawn web.1#1
        0 spawn api.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1
        100 SIGTERM api.1#1
        601 SIGTERM web.1#1 group
        1100 waiting 4s on web.1 api.1
        1302 sweep web.1#1
        1302 web.1 terminated by SIGTERM
        4101 SIGTERM api.1#1 group
        5100 api.1 killed after 5s
        5100 SIGKILL api.1#1
        5101 sweep api.1#1
        5101 api.1 terminated by SIGTERM
        5101 orphans SIGTERM",
    );
}

#[test]
fn the_first_wave_goes_to_the_whole_group_where_that_is_asked_for() {
    let policy = Policy { stop_signal_to: Reach::Group, ..on_failure() };
    let row_of = |child| row("web", policy.clone(), child);
    stopped_at(100, vec![row_of(FakeChild::LeavesGroup(500))]).assert(
        "0 spawn web.1#1
        100 stopping: SIGTERM
        100 SIGTERM web.1#1 group
        601 sweep web.1#1
        601 web.1 terminated by SIGTERM
        601 orphans SIGTERM",
    );
}

#[test]
fn a_second_request_kills_all_in_the_middle_of_the_first_wave() {
    let mut w =
        World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Master(3000))]);
    w.at(100, Event::Signalled(Signal::INT));
    w.at(300, Event::Signalled(Signal::INT));
    assert_eq!(w.run(FOREVER), Some(0));
    assert_eq!(w.lines(&["web.1#1"])[3..], ["300 SIGKILL web.1#1", "301 sweep web.1#1"]);
}

#[test]
fn a_restart_and_a_budget_stop_in_two_waves() {
    let rows = vec![row("web", on_failure(), FakeChild::LeavesGroup(500))];
    let mut w = World::new(ExitOn::Failure, rows.clone());
    w.run(100);
    w.ask(ResolvedRequest::Restart(vec![w.instance("web.1")]));
    w.run(1000);
    let second = ["0 SIGTERM web.1#1", "1 SIGTERM web.1#1 group", "502 spawn web.1#2"];
    assert_eq!(w.lines(&["SIGTERM web", "spawn web.1#2"]), second);
    let size = Size::from_bytes(1).unwrap();
    let budget = Some(Budget { size, action: MemoryAction::Restart });
    let policy = Policy { budget, ..on_failure() };
    let mut w = World::new(ExitOn::Failure, vec![row("web", policy, FakeChild::LeavesGroup(500))]);
    w.memory = |_, _| 2;
    w.run(3400);
    assert_eq!(w.lines(&["SIGTERM"]), ["3000 SIGTERM web.1#1", "3001 SIGTERM web.1#1 group"]);
}

#[test]
fn who_asks_for_a_stop_or_a_restart_may_say_how_long_it_takes() {
    for (ask, next) in
        [(ResolvedRequest::Stop as ToRequest, ""), (ResolvedRequest::Restart, "; again")]
    {
        let rows = vec![row("web", on_failure(), FakeChild::Deaf)];
        let mut w = World::new(ExitOn::Failure, rows);
        w.run(100);
        w.grace = Some(Duration::from_secs(60));
        w.ask(ask(vec![w.instance("web.1")]));
        w.run(70_000);
        let end = format!("60001 web.1 terminated by SIGKILL{next}");
        let expected = ["60000 web.1 killed after 60s", &end];
        assert_eq!(w.lines(&["killed", "terminated"]), expected);
        // The next stop is by the policy again.
        w.after(0, Event::Signalled(Signal::INT));
        w.run(FOREVER);
        assert_eq!(w.lines(&["killed after 5s"]).len(), usize::from(next == "; again"));
    }
}

#[test]
fn a_later_request_gives_more_time_or_less_from_then_on_or_leaves_it_as_it_is() {
    for (then, killed) in [
        (Some(20_000), "1000 + 20000"),
        (Some(500), "1000 + 500"),
        (Some(0), "1000 + 0"),
        (None, "0 + 5000"),
    ] {
        let mut w = World::new(ExitOn::Failure, vec![row("web", on_failure(), FakeChild::Deaf)]);
        w.run(0);
        w.ask(ResolvedRequest::Stop(vec![w.instance("web.1")]));
        w.now = Moment(Duration::from_secs(1));
        w.grace = then.map(Duration::from_millis);
        w.ask(ResolvedRequest::Stop(vec![w.instance("web.1")]));
        w.run(30_000);
        let at: u64 = killed.split(" + ").map(|ms| ms.parse::<u64>().unwrap()).sum();
        assert_eq!(w.lines(&["SIGKILL web"]), [format!("{at} SIGKILL web.1#1")], "{killed}");
    }
}
