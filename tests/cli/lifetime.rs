//! What ends a session from outside: the end of the process that it was started `--with`, and of its root.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::control::{READY, app, done, pm, sockets, started, states};
use crate::sandbox::{End, Sandbox, eventually};

#[test]
fn a_session_ends_gracefully_with_the_shell_that_it_was_started_with() {
    let app =
        app("web: trap 'echo bye >bye; exit 0' TERM; echo ready; while :; do sleep 0.02; done\n");
    let script = format!(
        "{} start --daemon --with $$ >said; echo started; exec sleep 1000",
        crate::sandbox::PM
    );
    let mut shell = app.sh(&script).spawn();
    shell.wait_for("started");
    eventually("the instance", || (states(&app) == "web.1 up").then_some(()));
    eventually("its trap", || app.read("pm.log").filter(|log| log.contains("| ready")));
    let pid = shell.pid();
    shell.signal(Signal::SIGKILL);
    shell.wait();
    app.assert_nothing_left_within(Duration::from_secs(2));
    assert_eq!(app.read("bye").as_deref(), Some("bye\n"));
    let log = app.read("pm.log").unwrap_or_default();
    assert!(log.contains(&format!("process {pid} (`--with`) has ended, sending SIGTERM")), "{log}");
    assert_eq!(sockets(&app).len(), 0);
}

#[test]
fn it_takes_the_id_of_a_process_that_runs() {
    let app = app("web: touch started; exec cat\n");
    let mut ended = Command::new("true").spawn().expect("it is there");
    let pid = ended.id();
    ended.wait().expect("it is ours");
    for (value, code) in [(pid.to_string().as_str(), 1), ("0", 2), ("-1", 2), ("me", 2)] {
        for daemon in [&[][..], &["--daemon"]] {
            let output = app.pm(["start", &format!("--with={value}")].iter().chain(daemon)).run();
            assert_eq!(output.code(), code, "{value}: {output:#?}");
            assert!(output.stderr.contains("error: "), "{output:#?}");
        }
    }
    let said = pm(&app, &format!("start --with {pid}")).stderr;
    assert!(said.contains(&format!("error: cannot wait for the end of process {pid}: ")), "{said}");
    assert!(said.contains("hint: ") && said.contains("`--with $$`"), "{said}");
    assert_eq!((app.read("started"), app.read("pm.log")), (None, None));
}

#[test]
fn a_session_that_runs_already_is_not_tied_to_another_process() {
    let app = app(&format!("web: {READY}\n"));
    let _session = started(&app, &[], 1);
    let output = pm(&app, &format!("up --with {}", std::process::id()));
    assert_eq!(output.code(), 0, "{output:#?}");
    assert!(
        output.stderr.contains("warning: the session runs already, and does not end with process")
    );
    assert!(output.stdout.starts_with("already running"), "{output:#?}");
}

/// Wakes a session in the foreground, which looks at its root whenever something happens.
const LOOK: Signal = Signal::SIGWINCH;

/// A root that is not the sandbox's own folder, and a log outside of it.
fn root() -> Sandbox {
    app("").write("app/Procfile", format!("web: trap '' HUP; {READY}\n"))
}

#[test]
fn a_session_ends_when_its_root_is_removed_and_not_made_again() {
    let app = root();
    let mut session = started(&app, &["-d", "app"], 1);
    fs::remove_dir_all(app.path("app")).expect("it is ours");
    session.signal(LOOK);
    let root = app.path("app").display().to_string();
    session.wait_for(&format!(
        "`{root}` was removed; the session ends in 10s unless it is created again"
    ));
    app.assert_nothing_left_within(Duration::from_secs(20));
    assert_eq!(session.wait(), End::Code(0));
    session.wait_for(&format!("`{root}` was removed, sending SIGTERM to all processes"));
    assert_eq!(sockets(&app).len(), 0);
}

#[test]
fn a_session_goes_on_whose_root_is_made_again() {
    let app = root();
    let mut session = started(&app, &["-d", "app"], 1);
    fs::rename(app.path("app"), app.path("moved")).expect("it is ours");
    session.signal(LOOK);
    session.wait_for("was removed; the session ends in 10s");
    fs::rename(app.path("moved"), app.path("app")).expect("it is ours");
    session.wait_for("is back; the session continues");
    fs::remove_dir_all(app.path("app")).expect("it is ours");
    session.signal(LOOK);
    session.wait_for_times("was removed; the session ends in 10s", 2);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn the_log_of_a_session_may_be_removed_with_its_root() {
    let app = app("").write("app/Procfile", "web: while :; do echo line; sleep 0.02; done\n");
    done(&app, "start --daemon -d app");
    // The session may write into it meanwhile.
    eventually("its end", || fs::remove_dir_all(app.path("app")).ok());
    // It is there and can be asked; `pm quit` by the name of the folder that is gone works, too.
    let _app = app.write("app/note", "");
    assert_eq!(done(&_app, "status -d app").lines().count(), 2);
    fs::remove_dir_all(_app.path("app")).expect("it is ours");
    done(&_app, "quit -d app");
    _app.assert_nothing_left_within(Duration::from_secs(10));
}
