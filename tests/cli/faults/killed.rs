//! pm is killed by SIGKILL at the worst times: the guard leaves nothing.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::sandbox::{End, Sandbox, eventually, state_of};

/// SPEC.md section 5.
const GONE_WITHIN: Duration = Duration::from_secs(2);

#[test]
fn pm_killed_in_the_middle_of_a_stop_leaves_nothing() {
    let app = Sandbox::with_procfile(
        "deaf: trap '' TERM; echo ready; while :; do sleep 1000; done\nweb: echo ready; exec cat\n",
    );
    let mut session = app.pm(["start", "-m", "deaf=10,web=40", "-t", "60"]).spawn();
    session.wait_for_times("| ready", 50);
    session.signal(Signal::SIGTERM);
    session.wait_for("terminated by SIGTERM");
    session.signal(Signal::SIGKILL);
    assert_eq!(session.wait_for_end(), End::Signal(Signal::SIGKILL));
    app.assert_nothing_left_within(GONE_WITHIN);
}

#[test]
fn pm_killed_while_it_waits_for_a_restart_or_is_stopped_leaves_nothing() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\ncrash: exit 3\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| ready");
    session.wait_for("restart 2 of 5");
    kill(session.pid(), Signal::SIGSTOP).expect("pm runs");
    eventually("a stopped pm", || (state_of(session.pid()) == Some('T')).then_some(()));
    session.signal(Signal::SIGKILL);
    session.wait_for_end();
    app.assert_nothing_left_within(GONE_WITHIN);
}
