//! An instance is its whole process group, and pm has no zombies.

use nix::sys::signal::{Signal, kill};

use crate::sandbox::{End, Sandbox, eventually, state_of, zombies_of};

#[test]
fn a_process_tree_of_an_instance_ends_with_it() {
    let app = Sandbox::with_procfile("web: sh tree.sh\n").write(
        "tree.sh",
        "(sleep 1000 & (sleep 1001 & sleep 1002 & wait) & wait) & echo ready; wait\n",
    );
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for("| ready");
    eventually("the tree", || (session.running("sleep 100").len() == 3).then_some(()));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn a_crash_takes_its_group_along_before_the_restart() {
    let app = Sandbox::with_procfile(
        "web: sh -c \"trap '' TERM; echo ready; exec sleep 1000\" & exec cat\n",
    );
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for("| ready");
    let helper = eventually("the helper", || session.running("sleep 1000").pop());
    let leader = eventually("the leader", || session.running("cat").pop());
    kill(leader, Signal::SIGKILL).expect("the leader runs");
    session.wait_for_times("| ready", 2);
    assert!(state_of(helper).is_none_or(|state| state == 'Z'));
    let output = session.stdout_so_far();
    assert!(output.contains("terminated by SIGKILL; restart 1 of 5"), "{output}");
    // The new run's helper does not die of TERM: the second request ends it.
    session.signal(Signal::SIGTERM);
    session.wait_for("waiting for web.1");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn a_restart_of_one_instance_leaves_the_others_alone() {
    let app = Sandbox::with_procfile("web: exec cat\nother: echo up $$; exec sleep 1000\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| up");
    for times in 1..=2 {
        let web = eventually("web.1", || session.running("cat").pop());
        kill(web, Signal::SIGKILL).expect("web.1 runs");
        session.wait_for(&format!("terminated by SIGKILL; restart {times} of 5"));
        session.wait_for_times("web.1   | -- started with pid", times + 1);
    }
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(session.stdout_so_far().matches("| up").count(), 1);
}

#[test]
fn short_lived_double_forks_leave_no_zombie_at_pm() {
    let forks = "i=0; while [ $i -lt 100 ]; do (true &); i=$((i+1)); done; echo done; exec cat\n";
    let app = Sandbox::with_procfile("web: sh forks.sh\n").write("forks.sh", forks);
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| done");
    // The last may have ended at this instant; none may stay.
    eventually("no zombie", || zombies_of(session.pid()).is_empty().then_some(()));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn a_killed_instance_is_no_zombie_while_it_waits_for_its_restart() {
    let app = Sandbox::with_procfile("web: kill -9 $$\nother: exec cat\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("restart 2 of 5");
    assert_eq!(zombies_of(session.pid()), []);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn a_stopped_child_is_woken_to_hear_the_request() {
    let app = Sandbox::with_procfile(
        "web: trap 'echo got TERM; exit 0' TERM; echo ready; while :; do read -r _; done\n",
    );
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for("| ready");
    let child = eventually("web.1", || session.running("got TERM").pop());
    kill(child, Signal::SIGSTOP).expect("web.1 runs");
    eventually("a stopped child", || (state_of(child) == Some('T')).then_some(()));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert!(session.stdout_so_far().contains("got TERM"));
}
