//! `pm up` and `pm down`: the session that is wanted is there, however often it is said.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::control::{READY, app, done, pm, refused, sockets, started, states};
use crate::sandbox::{End, Sandbox, Session, eventually};

/// Returns the process id of the only session, and of each of its instances by name.
#[track_caller]
fn pids(app: &Sandbox) -> (i32, Vec<(String, i64)>) {
    let json: serde_json::Value =
        serde_json::from_str(&done(app, "status --json")).expect("it is JSON");
    let instances = json["instances"].as_array().expect("there are instances").iter();
    let one = |it: &serde_json::Value| {
        (it["name"].as_str().unwrap_or_default().to_owned(), it["pid"].as_i64().unwrap_or(0))
    };
    let instances = instances.map(one).collect();
    let socket = sockets(app).pop().expect("a session runs");
    let name = socket.file_stem().and_then(|name| name.to_str()).expect("pm named it").to_owned();
    let pid = name.rsplit_once('-').and_then(|(_, pid)| pid.parse().ok());
    (pid.expect("the name ends with a pid"), instances)
}

fn two_types() -> Sandbox {
    app(&format!("web: {READY}\nworker: {READY}\n"))
}

#[test]
fn it_starts_a_session_in_the_background_and_says_so_when_all_is_ready() {
    let app = app("web: until test -e go; do sleep 0.02; done; echo now up; exec cat\n")
        .write("pm.toml", "[process.web]\nready = 'log:now up'\n");
    let mut up = app.pm(["up"]).spawn();
    eventually("the session", || (sockets(&app).len() == 1).then_some(()));
    up.wait_for("waiting: not ready: web.1 (log:now up)");
    let app = app.write("go", "");
    assert_eq!(up.wait(), End::Code(0));
    assert_eq!(states(&app), "web.1 ready");
    assert!(up.stdout_so_far().contains("runs in the background"), "{}", up.stdout_so_far());
    done(&app, "down");
    app.assert_nothing_left();
    assert!(refused(&app, "down").contains("no session runs in"));
}

#[test]
fn where_all_runs_already_nothing_happens() {
    let app = two_types();
    done(&app, "up");
    let before = pids(&app);
    for line in ["up", "up web", "up worker=1 web", "up web.1", "up w*"] {
        assert_eq!(done(&app, line), format!("already running (pid {})\n", before.0), "{line}");
    }
    assert_eq!(pids(&app), before);
    // Also where a person has started it.
    done(&app, "down");
    let session = started(&app, &[], 2);
    assert_eq!(done(&app, "up"), format!("already running (pid {})\n", session.pid()));
    assert!(pm(&app, "up nobody").stderr.contains("error: "));
}

#[test]
fn what_is_stopped_or_missing_is_started_and_the_rest_is_left_alone() {
    let app = two_types();
    done(&app, "up web=2");
    let (pid, before) = pids(&app);
    assert_eq!(states(&app), "web.1 up, web.2 up");
    done(&app, "stop web.2");
    assert_eq!(
        done(&app, "up"),
        format!("worker=1, web.2: brought up in the session of pid {pid}\n")
    );
    assert_eq!(states(&app), "web.1 up, web.2 up, worker.1 up");
    assert_eq!(pids(&app).1[0], before[0]);
    done(&app, "stop worker");
    done(&app, "up web");
    assert_eq!(states(&app), "web.1 up, web.2 up, worker.1 stopped");
    done(&app, "up worker.1");
    done(&app, "up web=1");
    assert_eq!(states(&app), "web.1 up, worker.1 up");
    assert_eq!(sockets(&app).len(), 1);
}

#[test]
fn a_file_that_has_changed_is_said_and_not_applied() {
    let app = two_types();
    done(&app, "up");
    let before = pids(&app);
    assert_eq!(pm(&app, "up").stderr, "");
    let app = app.procfile(&format!("web: true; {READY}\nnew: {READY}\n"));
    let output = pm(&app, "up");
    assert_eq!(output.code(), 0, "{output:#?}");
    let wanted = "the files have changed since the session read them (`web` is different, `worker` is gone, \
                  `new` is new); `pm reload` applies that";
    assert!(output.stderr.contains(wanted), "{output:#?}");
    assert_eq!(pids(&app), before);
    let said = refused(&app, "up new");
    assert!(said.contains("error: `new` is not in the Procfile that the session"), "{said}");
    assert!(said.contains("hint: `pm reload`"), "{said}");
    done(&app, "reload");
    let output = pm(&app, "up");
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""), "{output:#?}");
    let app = app.write(".env", "COLOR=red\n");
    let said = pm(&app, "up").stderr;
    assert!(said.contains("(`web` is different, `new` is different)"), "{said}");
}

#[test]
fn what_fails_is_an_error_and_a_second_try_starts_it_again() {
    let app = app("web: test -e good && exec cat; echo because; exit 7\nworker: exec cat\n")
        .write("pm.toml", "[process.web]\nrestart = 'never'\n[defaults]\nexit-on = 'all'\n");
    done(&app, "up worker");
    let output = pm(&app, "up");
    assert_eq!(output.code(), 1, "{output:#?}");
    assert!(output.stderr.contains("error: web.1 failed"), "{output:#?}");
    assert!(output.stderr.contains("| because"), "{output:#?}");
    let app = app.write("good", "");
    assert!(done(&app, "up").starts_with("web.1: brought up"));
    assert_eq!(states(&app), "web.1 up, worker.1 up");
}

#[test]
fn of_many_at_once_one_starts_the_session_and_all_succeed_when_it_is_ready() {
    let app = app("web: echo x >>starts; sleep 0.3; echo now up; exec cat\nworker: exec cat\n")
        .write("pm.toml", "[process.web]\nready = 'log:now up'\n");
    let mut ups: Vec<Session> = (0..20).map(|_| app.pm(["up"]).spawn()).collect();
    for up in &mut ups {
        assert_eq!(up.wait(), End::Code(0), "{}", up.stderr_so_far());
    }
    assert_eq!(sockets(&app).len(), 1);
    assert_eq!(states(&app), "web.1 ready, worker.1 up");
    assert_eq!(app.read("starts").as_deref(), Some("x\n"));

    // Killed, it leaves nothing behind that the next one would fall over.
    let (pid, old) = pids(&app);
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
    done(&app, "up");
    let (again, new) = pids(&app);
    assert_ne!(pid, again);
    assert!(new.iter().all(|instance| !old.contains(instance)), "{old:?} {new:?}");
    assert_eq!(sockets(&app).len(), 1);
    eventually("the end of what the killed one had started", || {
        let is_old = |pid| old.iter().any(|(_, old)| *old == i64::from(pid));
        app.leftover().iter().all(|left| !is_old(left.pid.as_raw())).then_some(())
    });
    done(&app, "down");
    app.assert_nothing_left_within(Duration::from_secs(5));
}

#[test]
fn what_an_instance_is_told_of_its_session_is_no_option_there() {
    let app = app(&format!("web: {READY}\n"));
    let _session = started(&app, &[], 1);
    let told = |app: &Sandbox| {
        let pm = app.pm(["ps"]).env("PM_ROOT", "/no/such/folder").env("PM_SESSION", "1");
        pm.env("PM_NAME", "app").run()
    };
    assert!(told(&app).stdout.contains("web.1  up"), "{:#?}", told(&app));
    let root = app.pm(["ps"]).env("PM_ROOT", "/no/such/folder").run();
    assert_eq!(root.code(), 1, "a person may say it: {root:#?}");
}

#[test]
fn a_line_that_is_written_over_is_for_somebody_who_sits_at_all_three_streams() {
    let app = app("web: exec cat\n").write("pm.toml", "[process.web]\nready = 'log:never'\n");
    let _session = app.pm(["start"]).spawn();
    eventually("the session", || (sockets(&app).len() == 1).then_some(()));
    let wait = format!("{} wait --timeout 2.5", crate::sandbox::PM);
    for (line, is_drawn) in [
        (wait.clone(), true),
        (format!("{wait} </dev/null"), false),
        (format!("{wait} >out"), false),
    ] {
        let mut session = app.sh(&format!("{line}; exit 3")).spawn_pty();
        assert_eq!(session.wait(), End::Code(3));
        let seen = session.stdout_so_far();
        assert!(seen.contains("waiting: not ready"), "{seen}");
        assert_eq!(seen.contains("\x1b[K"), is_drawn, "{line}: {seen}");
    }
}
