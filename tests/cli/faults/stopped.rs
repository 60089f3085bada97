//! pm is stopped and goes on: by signals that race each other, and by force.

use std::fs;
use std::io::{self, Read};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::log::printed_by;
use crate::sandbox::{End, Sandbox, Session, Stopwatch, eventually, state_of};

/// Says what it hears, and goes on.
const ANSWERS: &str = "web: trap 'echo got USR1' USR1; echo ready; while :; do sleep 0.02; done\n";

/// Returns the pid that pm has said for its one instance.
fn leader(session: &Session) -> Pid {
    let output = session.stdout_so_far();
    let pid = output.split("started with pid ").nth(1).and_then(|rest| rest.lines().next());
    Pid::from_raw(pid.and_then(|pid| pid.parse().ok()).expect("pm says the pid of an instance"))
}

#[test]
fn a_continue_that_follows_a_stop_at_once_always_wins() {
    let app = Sandbox::with_procfile(ANSWERS);
    let mut session = app.pm(["start", "web=2", "-t", "60"]).spawn();
    session.wait_for_times("| ready", 2);
    for times in 1..=20 {
        for _ in 0..20 {
            session.signal(Signal::SIGTSTP);
            session.signal(Signal::SIGCONT);
        }
        session.signal(Signal::SIGUSR1);
        session.wait_for_times("| got USR1", 2 * times);
    }
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn a_continue_that_follows_a_stop_at_once_wins_for_pm_run_too() {
    let app = Sandbox::new();
    let script = "trap 'echo got USR1' USR1; echo ready; while :; do sleep 0.02; done";
    let mut session = app.pm(["run", "-c", script]).spawn();
    session.wait_for("ready");
    for times in 1..=20 {
        for _ in 0..20 {
            session.signal(Signal::SIGTSTP);
            session.signal(Signal::SIGCONT);
        }
        session.signal(Signal::SIGUSR1);
        session.wait_for_times("got USR1", times);
    }
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(143));
}

#[test]
fn a_stop_that_is_the_last_word_stops_pm_and_its_instances() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for("| ready");
    let both = [session.pid(), eventually("web.1", || session.running("cat").pop())];
    let are = |is_stopped: bool| {
        let fits = |pid: &Pid| state_of(*pid).is_some_and(|state| (state == 'T') == is_stopped);
        both.iter().all(fits).then_some(())
    };
    for _ in 0..10 {
        session.signal(Signal::SIGTSTP);
        session.signal(Signal::SIGCONT);
        session.signal(Signal::SIGTSTP);
        eventually("two stopped processes", || {
            // One that comes in the microseconds in which pm obeys the SIGCONT is lost with it.
            session.signal(Signal::SIGTSTP);
            are(true)
        });
        session.signal(Signal::SIGCONT);
        eventually("two processes that go on", || are(false));
    }
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn what_is_written_while_pm_is_stopped_by_force_waits_and_is_not_lost() {
    let app = Sandbox::with_procfile(
        "web: echo ready; until test -e go; do sleep 0.01; done; seq 1000; touch begun; seq 1001 50000; \
         touch over; exec sleep 1000\n",
    );
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGSTOP);
    eventually("a stopped pm", || (state_of(session.pid()) == Some('T')).then_some(()));
    let app = app.write("go", "");
    eventually("the first thousand lines", || app.read("begun"));
    let writer = eventually("a writer", || session.running("seq").pop());
    eventually("a writer that waits", || (state_of(writer) == Some('S')).then_some(()));
    assert_eq!(app.read("over"), None);
    session.signal(Signal::SIGCONT);
    eventually("the last line", || app.read("over"));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    let printed = printed_by(&output, "web.1");
    assert_eq!(printed.len(), 50_001);
    assert!((1..).zip(&printed[1..]).all(|(number, line)| *line == number.to_string()));
}

#[test]
fn who_ended_in_time_is_not_killed_for_the_time_that_pm_was_stopped_by_force() {
    let app = Sandbox::with_procfile(
        "web: trap 'echo got TERM; until test -e end; do sleep 0.01; done; exit 0' TERM; echo ready; \
         while :; do sleep 0.02; done\n",
    );
    let mut session = app.pm(["start", "-t", "1.2"]).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGTERM);
    session.wait_for("| got TERM");
    let child = leader(&session);
    kill(session.pid(), Signal::SIGSTOP).expect("pm runs");
    eventually("a stopped pm", || (state_of(session.pid()) == Some('T')).then_some(()));
    let app = app.write("end", "");
    eventually("its end", || (state_of(child) == Some('Z')).then_some(()));
    let watch = Stopwatch::start();
    eventually("more time than the grace", || {
        (watch.elapsed() > Duration::from_millis(1300)).then_some(())
    });
    session.signal(Signal::SIGCONT);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert_eq!(output.matches("exited with code 0").count(), 1, "{output}");
    assert!(!output.contains("did not stop") && !output.contains("kill"), "{output}");
    app.assert_nothing_left();
}

#[test]
fn one_thread_alone_hears_what_stops_pm_and_what_lets_it_go_on() {
    // A helper that hears nothing outlives its leader.
    let app =
        Sandbox::with_procfile("web: (trap '' TERM; echo ready; exec sleep 1000) & read nothing\n");
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for("| ready");
    let mut follower = app.pm(["logs", "-f"]).spawn();
    follower.wait_for("ready");
    session.signal(Signal::SIGTERM);
    session.wait_for("waiting for web.1");
    let tasks = fs::read_dir(format!("/proc/{}/task", session.pid())).expect("pm runs");
    let statuses = tasks.map(|task| {
        let path = task.expect("pm runs").path().join("status");
        fs::read_to_string(path).expect("the thread runs")
    });
    let hears = |status: &String| {
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t"));
        let blocked = u64::from_str_radix(blocked.expect("Linux says it"), 16).expect("a number");
        [Signal::SIGTSTP, Signal::SIGCONT].iter().any(|it| blocked >> (*it as i32 - 1) & 1 == 0)
    };
    let (hearing, deaf): (Vec<_>, Vec<_>) = statuses.partition(hears);
    // Those for output, for signals, and two for the follower.
    assert!(deaf.len() >= 4, "{deaf:?}");
    assert_eq!(hearing.len(), 1, "{hearing:?}");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(follower.wait(), End::Code(0));
}

#[test]
fn the_last_lines_wait_for_a_reader_as_long_as_ever_after_pm_was_stopped_by_force() {
    let app = Sandbox::with_procfile("web: seq 30000; exec cat\n");
    let (mut reader, writer) = io::pipe().expect("a pipe can be made");
    let mut session = app.pm(["start", "-t", "60"]).stdout_to(writer).spawn();
    let seq = eventually("a writer", || session.running("seq").pop());
    eventually("a writer that waits", || (state_of(seq) == Some('S')).then_some(()));
    session.signal(Signal::SIGTERM);
    eventually("nobody but the guard", || (session.descendants().len() == 1).then_some(()));
    // pm waits for a reader, and for no more than five seconds.
    kill(session.pid(), Signal::SIGSTOP).expect("pm runs");
    let watch = Stopwatch::start();
    eventually("more time than that", || {
        (watch.elapsed() > Duration::from_millis(5500)).then_some(())
    });
    let text = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
    });
    session.signal(Signal::SIGCONT);
    assert_eq!(session.wait_for_end(), End::Code(0));
    let text = text.join().expect("it does not panic").expect("a pipe can be read");
    assert!(text.ends_with("terminated by SIGTERM\n"), "{text}");
    assert!(!session.stderr_so_far().contains("takes nothing"), "{}", session.stderr_so_far());
}
