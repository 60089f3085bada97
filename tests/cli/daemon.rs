//! `pm start --daemon`: a session in the background.

use nix::sys::resource::Resource;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::control::{app, done, refused, states};
use crate::sandbox::{Sandbox, eventually};

/// Returns the process id of the only session.
#[track_caller]
fn session(app: &Sandbox) -> Pid {
    let json: serde_json::Value =
        serde_json::from_str(&done(app, "status --json")).expect("it is JSON");
    let pid = json["session"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    Pid::from_raw(pid.expect("a session has a pid"))
}

#[test]
fn it_returns_when_the_session_can_be_asked_and_quit_ends_it() {
    let app = app("web: echo \"ready $COLOR\"; exec cat\n").write(".env", "COLOR=red\n");
    let said = done(&app, "-p 7000 start --daemon");
    let pid = session(&app);
    let log = app.path("pm.log");
    assert_eq!(
        said,
        format!("session {pid} runs in the background; its log is {}\n", log.display())
    );
    eventually("the instance", || (states(&app) == "web.1 running").then_some(()));
    eventually("its line in the log", || {
        app.read("pm.log").filter(|log| log.contains("web.1  | ready red"))
    });
    assert!(done(&app, "status").contains("7000"));
    done(&app, "quit");
    app.assert_nothing_left();
    let log = app.read("pm.log").unwrap_or_default();
    assert!(log.contains("`pm quit` asked for it"), "{log}");
    assert!(refused(&app, "status").contains("no session runs in"));
}

#[test]
fn what_is_wrong_is_said_where_it_was_typed() {
    let app = app("web: true\n");
    assert!(refused(&app, "start --daemon wbe").contains("did you mean `web`?"));
    assert!(refused(&app, "start --daemon --log no/such/file").contains("cannot write the log"));
    assert_eq!(app.read("pm.log"), None);
    let said = refused(&app, "start --daemon --timestamp-format %");
    assert!(said.starts_with("error: `%` is not a form of time"), "{said}");
    // What only the session itself finds out.
    let output = app.pm(["start", "--daemon"]).limit(Resource::RLIMIT_NOFILE, 16).run();
    assert_eq!(output.code(), 1);
    assert!(output.stderr.contains("open files"), "{output:#?}");
    assert!(output.stderr.contains("the session did not start; its log is"), "{output:#?}");
    app.assert_nothing_left();
}

#[test]
fn it_outlives_the_terminal_that_it_was_started_from() {
    let app = app("web: echo ready; exec cat\n");
    let mut terminal = app.pm(["start", "--daemon", "--log", "my.log"]).spawn_pty();
    terminal.wait();
    drop(terminal);
    let pid = session(&app);
    eventually("the instance", || (states(&app) == "web.1 running").then_some(()));
    kill(pid, Signal::SIGTERM).expect("it runs");
    app.assert_nothing_left();
    assert!(app.read("my.log").unwrap_or_default().contains("SIGTERM received"));
}
