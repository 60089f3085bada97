//! `pm wait` and `pm start --daemon --wait`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;

use nix::sys::signal::Signal;

use crate::control::{app, done, pm, refused, started, states};
use crate::sandbox::{CTRL_C, End, Sandbox, eventually};

/// db is ready when the file `go` is there, and fails when `fail` is. web needs it.
fn db_and_web() -> Sandbox {
    let db = "n=0; while [ $n -lt 15 ]; do n=$((n+1)); echo line $n; done; echo ready; \
        while :; do [ -e fail ] && exit 41; [ -e go ] && echo now up; sleep 0.02; done";
    app(&format!("db: {db}\nweb: exec cat\n")).write(
        "pm.toml",
        "[process.db]\nready = 'log:now up'\nrestart = 'never'\n[process.web]\ndepends-on = ['db']\n",
    )
}

#[test]
fn it_returns_when_all_is_ready_and_names_who_is_late() {
    let app = db_and_web();
    let _session = started(&app, &[], 1);
    for (line, late) in [
        ("wait --timeout 0.2", "not ready: db.1 (log:now up), web.1 (waits for db.1)"),
        ("wait db:ready --timeout 0.2", "not ready: db.1 (log:now up)"),
        ("wait web:started --timeout 0.2", "not started: web.1 (waits for db.1)"),
        ("wait d*:done web.1 --timeout 0.2", "not done: db.1 (log:now up); not ready: web.1"),
    ] {
        let output = pm(&app, line);
        assert_eq!(output.code(), 124, "pm {line}: {output:#?}");
        assert!(output.stderr.contains(&format!("error: {late}")), "pm {line}: {output:#?}");
    }
    done(&app, "wait db:started");
    let mut all = app.pm(["wait"]).spawn();
    let mut named = app.pm(["wait", "db", "web:started"]).spawn();
    all.wait_for("waiting: not ready: db.1 (log:now up), web.1 (waits for db.1)");
    let app = app.write("go", "");
    assert_eq!((all.wait(), named.wait()), (End::Code(0), End::Code(0)));
    assert_eq!(states(&app), "db.1 ready, web.1 up");
}

#[test]
fn what_fails_is_told_with_its_cause_and_its_last_ten_lines() {
    let expected = |who: &str| {
        let lines = (7..=15).map(|n| format!("db.1   | line {n}\n"));
        format!("{}db.1   | ready\nerror: {who}\n", lines.collect::<String>())
    };
    for (exit_on, web) in [
        ("all", "web.1 not started: db.1 failed (exit 41)"),
        // The session ends by it.
        ("failure", "web.1 did not get there: the session ends, since db.1 exited with code 41"),
    ] {
        let app = db_and_web();
        let mut session = started(&app, &["--exit-on", exit_on], 1);
        let on_db = app.pm(["wait", "db"]).spawn();
        let on_web = app.pm(["wait", "web:started"]).spawn();
        let on_all = app.pm(["wait"]).spawn();
        let waits = [
            (on_db, "db.1 failed: exited with code 41"),
            (on_web, web),
            (on_all, "db.1 failed: exited with code 41"),
        ];
        waits.iter().for_each(|(wait, _)| wait.wait_for("waiting: "));
        let app = app.write("fail", "");
        for (mut wait, who) in waits {
            assert_eq!(wait.wait(), End::Code(1), "{who}");
            let said = wait.stderr_so_far();
            let (_, said) = said.split_once('\n').expect("it said whom it waits for");
            assert_eq!(said, expected(who), "{exit_on}");
        }
        assert_eq!(session.wait(), End::Code(41));
        app.assert_nothing_left();
    }
}

#[test]
fn it_hangs_on_nothing_that_is_stopped_done_failed_or_absent() {
    let app = app("web: echo ready; exec cat\njob: exit 0\nbad: exit 3\noff: exec cat\nlate: exec cat\n").write(
        "pm.toml",
        "[process.job]\nonce = true\n[process.bad]\nrestart = 'never'\n[process.late]\ndepends-on = ['web']\n",
    );
    let mut session = started(&app, &["--exit-on", "all", "-m", "all=1,off=0"], 1);
    done(&app, "wait job:done bad:stopped off:stopped web late:started");
    done(&app, "wait job");
    done(&app, "stop late");
    for (line, said) in [
        ("wait bad", "error: bad.1 failed: exited with code 3"),
        ("wait bad:done --timeout 9", "error: bad.1 failed: exited with code 3"),
        ("wait late", "error: late.1 was stopped by request"),
        ("wait off", "error: no instance `off` in this session"),
        ("wait wbe", "hint: did you mean `web`?"),
        ("wait wbe:stopped", "hint: did you mean `web`?"),
        ("wait web:ready", "error: `web:ready` can never be, since `web` has no `ready`"),
    ] {
        let text = refused(&app, line);
        assert!(text.contains(said), "pm {line}: {text}");
    }
    done(&app, "stop web");
    done(&app, "restart late");
    let text = refused(&app, "wait late");
    assert!(text.contains("error: late.1 not started: web.1 was stopped by request"), "{text}");
    let waits =
        ["web:done", "web:started", "late:stopped"].map(|name| app.pm(["wait", name]).spawn());
    for (mut wait, end) in waits.into_iter().zip([1, 1, 0]) {
        assert_eq!(wait.wait(), End::Code(end), "{}", wait.stderr_so_far());
    }
    done(&app, "quit");
    session.wait();
    let output = pm(&app, "wait web:up");
    assert_eq!(output.code(), 2);
    assert!(output.stderr.contains("`:up` is none of :ready, :done, :started and :stopped"));
}

#[test]
fn the_end_of_the_session_ends_every_wait() {
    let app = app("web: echo ready; exec cat\njob: echo ready; exec cat\n");
    let mut session = started(&app, &[], 2);
    let mut done = app.pm(["wait", "web:done", "job:done"]).spawn();
    let mut stopped = app.pm(["wait", "*:stopped"]).spawn();
    done.wait_for("waiting: not done: web.1 (up), job.1 (up)");
    stopped.wait_for("waiting: not stopped: web.1 (up), job.1 (up)");
    session.signal(Signal::SIGTERM);
    assert_eq!((done.wait(), stopped.wait()), (End::Code(1), End::Code(0)));
    let said = done.stderr_so_far();
    assert!(said.ends_with("error: web.1 did not get there: the session ends\n"), "{said}");
    session.wait();
}

#[test]
fn without_a_session_it_waits_for_one() {
    let app = app("web: echo ready; exec cat\n");
    let mut wait = app.pm(["wait", "web"]).spawn();
    let output = pm(&app, "wait --timeout 0.1");
    assert_eq!(output.code(), 124, "{output:#?}");
    assert!(output.stderr.contains("error: no session runs in"), "{output:#?}");
    assert!(output.stderr.contains("\nhint: start one with `pm start`"), "{output:#?}");
    let session = started(&app, &[], 1);
    assert_eq!(wait.wait(), End::Code(0));
    drop(session);
    let text = refused(&app, "wait");
    assert!(text.contains("error: no session runs in"), "after 5 s: {text}");
}

#[test]
fn a_session_of_an_older_pm_is_named_as_the_reason() {
    let app = app("web: echo ready; exec cat\n");
    let _session = started(&app, &[], 1);
    let socket = crate::control::sockets(&app).pop().expect("a session has a socket");
    std::fs::remove_file(&socket).expect("it is ours");
    let listener = UnixListener::bind(&socket).expect("its place is free");
    let mut wait = app.pm(["wait", "web"]).spawn();
    // It is asked what it runs, and then to wait.
    for answer in [
        r#"{"pm":1,"is":"status","session":1,"root":"/","types":[],"instances":[]}"#,
        r#"{"pm":1,"is":"refused","reason":"invalid request: unknown variant `wait`, expected one of `status`","hint":null}"#,
    ] {
        let (stream, _) = listener.accept().expect("a client comes");
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).expect("it asks");
        writeln!(&stream, "{answer}").expect("it reads");
    }
    assert_eq!(wait.wait(), End::Code(1));
    let said = wait.stderr_so_far();
    assert!(
        said.contains("is of an older pm, which cannot be waited for\nhint: end it with `pm quit`"),
        "{said}"
    );
}

#[test]
fn a_start_in_the_background_that_waits_returns_when_all_is_ready() {
    let app = app("db: echo booting; until [ -e go ]; do sleep 0.02; done; echo now up; exec cat\n\
        job: exit 0\nweb: exec cat\n")
    .write(
        "pm.toml",
        "[process.db]\nready = 'log:now up'\n[process.job]\nonce = true\n[process.web]\ndepends-on = ['db', 'job']\n",
    );
    let mut start = app.pm(["start", "--daemon", "--wait"]).spawn();
    eventually("the session", || {
        let output = pm(&app, "status");
        output.stdout.contains("db.1   starting").then_some(())
    });
    assert!(start.is_running());
    let app = app.write("go", "");
    assert_eq!(start.wait(), End::Code(0), "{}", start.stderr_so_far());
    assert!(start.stdout_so_far().contains("runs in the background"));
    assert_eq!(states(&app), "db.1 ready, job.1 done, web.1 up");
    done(&app, "stop web");
    // In the session that runs it waits for what it has started alone.
    done(&app, "start --daemon --wait web");
    done(&app, "quit");
    app.assert_nothing_left();
}

#[test]
fn a_start_that_waits_in_vain_stops_the_session_and_fails_as_it_did() {
    let toml = "[process.db]\nready = 'log:never'\nrestart = 'never'\n";
    for (options, code, said) in [
        ("--exit-on failure --wait", 41, "ended by db.1: exited with code 41 after"),
        (
            "--exit-on all --wait",
            41,
            "error: db.1 failed: exited with code 41; the session has ended",
        ),
        ("--exit-on all --wait=9", 41, "last words\n"),
    ] {
        let app = app("db: echo last words; sleep 0.3; exit 41\nweb: trap 'echo asked; exit 0' TERM; while :; do sleep 0.05; done\n")
            .write("pm.toml", toml);
        let output = pm(&app, &format!("start --daemon {options}"));
        assert_eq!(output.code(), code, "{options}: {output:#?}");
        assert!(output.stderr.contains(said), "{options}: {output:#?}");
        app.assert_nothing_left();
        assert!(app.read("pm.log").unwrap_or_default().contains("| asked"), "{options}");
    }
    let app = app("db: exec cat\n").write("pm.toml", toml);
    let output = pm(&app, "start --daemon --wait=0.5");
    assert_eq!(output.code(), 124, "{output:#?}");
    assert!(output.stderr.contains("error: not ready: db.1 (log:never); the session has ended"));
    app.assert_nothing_left();
    let output = pm(&app, "start --wait");
    assert_eq!(output.code(), 2, "{output:#?}");
    assert!(output.stderr.contains("hint: add `--daemon`, or use `pm wait`"), "{output:#?}");
}

#[test]
fn ctrl_c_ends_a_start_that_waits_and_leaves_the_session_running() {
    let app =
        app("db: echo booting; exec cat\n").write("pm.toml", "[process.db]\nready = 'log:never'\n");
    let mut start = app.pm(["start", "--daemon", "--wait"]).spawn_pty();
    start.wait_for("waiting: not ready: db.1 (log:never)");
    start.type_keys(CTRL_C);
    assert_eq!(start.wait(), End::Signal(Signal::SIGINT));
    assert_eq!(states(&app), "db.1 starting");
    done(&app, "quit");
    app.assert_nothing_left();
}

#[test]
fn a_start_that_waits_sees_what_crashes_at_once() {
    let app = app("web: exit 7\nother: exec cat\n")
        .write("pm.toml", "[process.web]\nrestart = 'never'\n");
    for exit_on in ["failure", "all"] {
        let output = pm(&app, &format!("start --daemon --wait --exit-on {exit_on}"));
        assert_eq!(output.code(), 7, "{output:#?}");
        assert!(output.stderr.contains("web.1"), "{output:#?}");
        app.assert_nothing_left();
    }
}

#[test]
fn a_session_that_has_ended_before_it_could_be_asked_is_judged_by_its_code() {
    let app = app("job: exit 0\n").write("pm.toml", "[process.job]\nonce = true\n");
    assert_eq!(pm(&app, "start --daemon --wait").code(), 0);
    app.assert_nothing_left();
    let app = app.write("Procfile", "job: exit 7\n");
    let output = pm(&app, "start --daemon --wait");
    assert_eq!(output.code(), 7, "{output:#?}");
    assert!(output.stderr.contains("job.1"), "{output:#?}");
    app.assert_nothing_left();
}
