//! `pm start --daemon`: a session in the background.

use nix::sys::resource::Resource;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::control::{READY, app, done, pm, refused, states};
use crate::sandbox::{Sandbox, eventually, has_program};

/// Returns the process id of the only session.
#[track_caller]
fn session(app: &Sandbox) -> Pid {
    let json: serde_json::Value =
        serde_json::from_str(&done(app, "status --json")).expect("it is JSON");
    let pid = json["session"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
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
    eventually("the instance", || (states(&app) == "web.1 up").then_some(()));
    eventually("its line in the log", || {
        app.read("pm.log").filter(|log| log.contains("web.1  | ready red"))
    });
    assert!(done(&app, "status").contains("7000"));
    done(&app, "quit");
    app.assert_nothing_left();
    let log = app.read("pm.log").unwrap_or_default();
    assert!(log.contains("`pm quit` received"), "{log}");
    assert!(refused(&app, "status").contains("no session runs in"));
}

#[test]
fn what_is_wrong_is_said_where_it_was_typed() {
    let app = app("web: true\n");
    assert!(refused(&app, "start --daemon wbe").contains("did you mean `web`?"));
    assert!(refused(&app, "start --daemon --log no/such/file").contains("cannot write the log"));
    assert_eq!(app.read("pm.log"), None);
    let said = pm(&app, "start --daemon --timestamp-format %").stderr;
    assert!(said.contains("`%` is not a valid time format"), "{said}");
    // What only the session itself finds out.
    let output = app.pm(["start", "--daemon"]).limit(Resource::RLIMIT_NOFILE, 16).run();
    assert_eq!(output.code(), 1);
    assert!(output.stderr.contains("open files"), "{output:#?}");
    assert!(output.stderr.contains("the session did not start; its log is"), "{output:#?}");
    app.assert_nothing_left();
}

#[test]
fn an_option_of_a_session_in_the_background_is_refused_without_one() {
    let app = app("web: touch ran\n");
    for (option, hint) in [("--log=x.log", "redirect the output"), ("--wait", "use `pm wait`")] {
        let output = pm(&app, &format!("start {option}"));
        let option = option.split('=').next().unwrap_or_default();
        let said = format!(
            "error: `{option}` is for a session in the background\nhint: add `--daemon`, or {hint}"
        );
        assert!(output.stderr.starts_with(&said), "{output:?}");
        assert_eq!((output.code(), app.read("ran")), (2, None), "{option}");
    }
    let output = app.pm(["start"]).env("PM_LOG_FILE", "x.log").run();
    assert_eq!((output.code(), app.read("x.log")), (0, None), "a variable is for all: {output:?}");
}

#[test]
fn it_outlives_the_terminal_that_it_was_started_from() {
    let app = app("web: echo ready; exec cat\n");
    let mut terminal = app.pm(["start", "--daemon", "--log", "my.log"]).spawn_pty();
    terminal.wait();
    drop(terminal);
    let pid = session(&app);
    eventually("the instance", || (states(&app) == "web.1 up").then_some(()));
    kill(pid, Signal::SIGTERM).expect("it runs");
    app.assert_nothing_left();
    assert!(app.read("my.log").unwrap_or_default().contains("SIGTERM received"));
}

#[test]
fn it_keeps_nothing_open_that_its_caller_had_open() {
    let app = app(&format!("web: {READY}\n"));
    let pm = crate::sandbox::PM;
    let script =
        format!("exec 9>lock; flock 9; {pm} start --daemon; exec 9>&-; flock -n lock true");
    if has_program("flock") {
        assert_eq!(app.sh(&script).run().code(), 0, "the caller's lock is free");
    }
    let script = format!("exec 7<Procfile 8>mine; {pm} start --daemon --another");
    assert_eq!(app.sh(&script).run().code(), 0);
    let open = |pid: Pid| {
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
        fds.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok()).collect::<Vec<_>>()
    };
    for process in app.leftover() {
        let open = open(process.pid);
        for name in ["lock", "Procfile", "mine"] {
            assert!(!open.contains(&app.path(name)), "{}: {open:?}", process.command);
        }
    }
}

#[test]
fn a_session_that_nobody_could_control_is_not_started() {
    use std::os::unix::fs::PermissionsExt;
    let app = app("web: touch started; exec cat\n");
    std::fs::create_dir(app.path("pm")).expect("a folder can be made");
    std::fs::set_permissions(app.path("pm"), PermissionsExt::from_mode(0o755)).expect("it is ours");
    let said = refused(&app, "start --daemon");
    assert!(said.contains("error: a background session needs a socket"), "{said}");
    assert!(said.contains("others can access it") && said.contains("hint: "), "{said}");
    // One that finds out by itself, as it would of a full disk.
    let output = app.pm(["start", "--daemonised"]).run();
    assert_eq!(output.code(), 1);
    assert!(output.stderr.contains("needs a socket"), "{output:#?}");
    app.assert_nothing_left();
    assert_eq!((app.read("started"), app.read("pm.log")), (None, None));
    // In the foreground its terminal controls it.
    let session = app.pm(["start"]).spawn();
    session.wait_for("cannot find this session");
}
