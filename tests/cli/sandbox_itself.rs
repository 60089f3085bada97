//! The sandbox keeps its promises: what tests stand on is tested too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::sys::resource::Resource;
use nix::sys::signal::Signal;

use crate::sandbox::{
    CTRL_C, CTRL_Z, End, LIMIT, Output, PM, Sandbox, Session, descendants, zombies_of,
};

#[test]
fn a_run_returns_both_streams_and_the_code() {
    let Output { stdout, stderr, end } = Sandbox::new().sh("echo out; echo err >&2; exit 3").run();
    assert_eq!((stdout.as_str(), stderr.as_str(), end), ("out\n", "err\n", End::Code(3)));
}

#[test]
fn a_program_sees_only_its_folder_and_a_clean_environment() {
    let app = Sandbox::new().write("sub/file", "text").env("A", "1");
    let output = app.command("/usr/bin/env", [] as [&str; 0]).env("B", "2").run();
    let mut names: Vec<_> =
        output.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "B", "HOME", "LANG", "PATH", "XDG_RUNTIME_DIR"]);
    assert_eq!(
        app.sh("cat file; pwd -P").in_folder("sub").run().stdout,
        format!("text{}/sub\n", app.dir().display())
    );
}

#[test]
fn input_name_limit_and_output_can_be_chosen() {
    let app = Sandbox::with_procfile("web: true\n");
    assert_eq!(app.command("cat", ["-"]).stdin("typed").run().stdout, "typed");
    assert_eq!(app.sh("ulimit -n").limit(Resource::RLIMIT_NOFILE, 32).run().stdout, "32\n");
    assert_eq!(
        app.command("/bin/sh", ["-c", "cat /proc/$$/cmdline"])
            .called("foreman")
            .run()
            .stdout
            .split('\0')
            .next(),
        Some("foreman")
    );
    let file = std::fs::File::create(app.path("log")).expect("the sandbox can be written");
    assert_eq!(app.sh("echo logged").stdout_to(file).run().stdout, "");
    assert_eq!(app.read("log").as_deref(), Some("logged\n"));
    assert_eq!(app.read("Procfile").as_deref(), Some("web: true\n"));
}

#[test]
fn a_session_is_seen_line_by_line_and_told_signals() {
    let app = Sandbox::new();
    let mut session =
        app.sh("trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.05; done").spawn();
    session.wait_for("ready\n");
    session.signal(Signal::SIGTERM);
    session.wait_until("the word", |output| output.contains("asked"));
    assert_eq!(session.wait(), End::Code(7));
    assert_eq!(session.stdout_so_far(), "ready\nasked\n");
    assert_eq!(session.stdout_bytes(), b"ready\nasked\n");
    assert_eq!(session.stderr_so_far(), "");
    session.signal(Signal::SIGTERM);
}

#[test]
fn a_signal_that_ends_a_program_is_named() {
    let mut session = Sandbox::new().sh("kill -9 $$").spawn();
    assert_eq!(session.wait(), End::Signal(Signal::SIGKILL));
}

#[test]
fn a_text_that_does_not_come_fails_with_all_that_was_seen() {
    // The session keeps its sandbox.
    let session = Sandbox::new().sh("echo something else; exit 4").spawn();
    let failure =
        catch_unwind(AssertUnwindSafe(|| session.wait_for("ready"))).expect_err("it cannot come");
    let message = failure.downcast_ref::<String>().expect("a failed assertion has a text");
    assert!(message.contains("ended without `ready`"), "{message}");
    assert!(message.contains("something else") && message.contains("Code(4)"), "{message}");
}

#[test]
fn a_group_is_signalled_as_a_whole() {
    let app = Sandbox::new();
    let mut session = app.sh("sleep 1000 & sleep 1000 & echo ready; wait").spawn();
    session.wait_for("ready");
    assert_eq!(session.descendants().len(), 2);
    session.signal_group(Signal::SIGKILL);
    assert_eq!(session.wait(), End::Signal(Signal::SIGKILL));
    app.assert_nothing_left();
}

#[test]
fn an_orphan_in_a_session_of_its_own_is_found_and_killed_at_the_end() {
    let app = Sandbox::new();
    let mut session =
        app.sh("setsid sh -c 'echo ready; exec sleep 1000' & wait $!; exit 0").spawn();
    session.wait_for("ready");
    session.signal(Signal::SIGKILL);
    assert_eq!(session.wait_for_end(), End::Signal(Signal::SIGKILL));
    let left = app.leftover();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].command.ends_with("sleep 1000"), "{left:?}");
    let still =
        catch_unwind(AssertUnwindSafe(|| app.assert_nothing_left_within(Duration::from_millis(1))));
    assert!(still.is_err());
    let orphan = left[0].clone();
    drop((session, app));
    orphan.wait_for_end(Duration::ZERO);
    assert!(
        !descendants(nix::unistd::getpid()).iter().any(|p| p.pid == orphan.pid && p.state != 'Z')
    );
}

#[test]
fn a_child_that_was_not_waited_for_is_a_zombie() {
    let app = Sandbox::new();
    assert_eq!(app.command("mkfifo", ["fifo"]).run().code(), 0);
    // The shell becomes a program that waits for nobody.
    let session: Session = app.sh("sh -c 'echo gone' & exec cat fifo").spawn();
    session.wait_for("gone");
    let child = session.descendants();
    for process in &child {
        process.wait_for_end(LIMIT);
    }
    assert_eq!(zombies_of(session.pid()).len(), 1, "{child:?}");
}

#[test]
fn a_terminal_is_a_terminal_and_passes_keys_on() {
    let app = Sandbox::new();
    let mut session = app
        .sh("test -t 1 && echo a terminal; read line; echo \"got $line\"; exec sleep 1000")
        .spawn_pty();
    session.wait_for("a terminal");
    session.type_keys("word\n");
    session.wait_for("got word");
    session.type_keys(CTRL_C);
    assert_eq!(session.wait(), End::Signal(Signal::SIGINT));
}

#[test]
fn a_shell_on_a_terminal_has_job_control() {
    let app = Sandbox::new();
    let session = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    session.wait_for("prompt> ");
    session.type_keys("sh -c 'echo rea''dy; exec sleep 1000'\n");
    session.wait_for("ready");
    session.type_keys(CTRL_Z);
    session.wait_for("Stopped");
    session.type_keys("kill %1; exit; exit\n");
    session.wait_until("the end", |output| output.matches("exit").count() >= 2);
}

#[test]
fn the_program_under_test_is_there() {
    assert!(std::path::Path::new(PM).is_file());
    assert_eq!(Sandbox::new().pm(["--version"]).run().code(), 0);
}
