//! Live control: a second terminal asks the running session, and its exit code says whether it came true.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::sandbox::{End, Output, Sandbox, Session, eventually};

/// A folder with its own runtime folder, so that its sockets are no one else's.
pub(crate) fn app(procfile: &str) -> Sandbox {
    let app = Sandbox::with_procfile(procfile);
    let runtime = app.dir();
    app.env("XDG_RUNTIME_DIR", runtime)
}

/// Starts pm with these types, and waits until each of so many instances has said `ready`.
#[track_caller]
pub(crate) fn started(app: &Sandbox, args: &[&str], instances: usize) -> Session {
    let words = ["start", "-t", "60"].iter().chain(args);
    let session = app.pm(words).spawn();
    session.wait_for_times("| ready", instances);
    session
}

/// Runs pm for the running session.
#[track_caller]
pub(crate) fn pm(app: &Sandbox, line: &str) -> Output {
    app.pm(line.split(' ')).run()
}

/// The same, and it must come true.
#[track_caller]
pub(crate) fn done(app: &Sandbox, line: &str) -> String {
    let output = pm(app, line);
    assert_eq!(output.code(), 0, "pm {line}: {output:#?}");
    output.stdout
}

/// The same, and it must not come true. Returns what is said.
#[track_caller]
pub(crate) fn refused(app: &Sandbox, line: &str) -> String {
    let output = pm(app, line);
    assert_eq!(output.code(), 1, "pm {line}: {output:#?}");
    output.stderr
}

/// Returns the name and state of each instance, in one line.
#[track_caller]
pub(crate) fn states(app: &Sandbox) -> String {
    let table = done(app, "status");
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().take(2).collect::<Vec<_>>());
    rows.map(|words| words.join(" ")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn sockets(app: &Sandbox) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(app.path("pm")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.filter(|path| path.extension().is_some_and(|it| it == "sock")).collect()
}

pub(crate) const READY: &str = "echo ready; exec cat";

#[test]
fn status_says_what_every_instance_does() {
    let app = app(&format!("web: {READY}\nworker: {READY}\n"));
    let mut session = started(&app, &["-p", "7000", "web=2"], 2);
    for command in ["status", "ps"] {
        let table = done(&app, command);
        assert!(table.starts_with("NAME"), "{table}");
        assert!(table.contains("web.1  up") && table.contains("7001"), "{table}");
        assert!(!table.contains("worker"), "{table}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&done(&app, "status --json web.2")).expect("it is JSON");
    assert_eq!(json["v"], 1);
    assert_eq!(json["session"]["pid"], session.pid().as_raw());
    assert_eq!(json["types"], serde_json::json!(["web", "worker"]));
    assert_eq!(json["instances"].as_array().map(Vec::len), Some(1));
    assert_eq!(json["instances"][0]["name"], "web.2");
    assert!(json["instances"][0]["rss"].as_u64() > Some(0), "{json}");
    done(&app, "quit");
    assert_eq!(session.wait(), End::Code(0));
    assert!(session.stdout_so_far().contains("`pm quit` received"));
    assert!(sockets(&app).is_empty());
    app.assert_nothing_left();
}

#[test]
fn a_restart_is_over_when_it_is_up_again_and_reads_the_env_file() {
    let app = app("web: echo \"ready $COLOR $PORT\"; exec cat\nworker: echo ready; exec cat\n")
        .write(".env", "COLOR=red\n");
    let session = started(&app, &["-p", "7000"], 2);
    session.wait_for("ready red 7000");
    let app = app.write(".env", "COLOR=blue\n");
    done(&app, "restart web");
    session.wait_for("ready blue 7000");
    assert_eq!(states(&app), "web.1 up, worker.1 up");
    let output = session.stdout_so_far();
    assert_eq!(output.matches("terminated by").count(), 1, "{output}");
    assert!(
        output.contains("web.1    | -- terminated by SIGTERM; restarting, as requested"),
        "{output}"
    );
}

#[test]
fn what_is_stopped_stays_stopped_until_it_is_started() {
    let app = app(&format!("web: {READY}\nworker: echo ready\n"));
    let mut session = started(&app, &[], 2);
    done(&app, "stop web");
    session.wait_for("web.1    | -- terminated by SIGTERM");
    eventually("the worker's end", || {
        (states(&app) == "web.1 stopped, worker.1 done").then_some(())
    });
    assert!(refused(&app, "signal USR1 web").contains("`web.1`: does not run"));
    done(&app, "start web");
    session.wait_for_times("web.1    | ready", 2);
    assert_eq!(states(&app), "web.1 up, worker.1 done");
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn a_signal_reaches_those_that_are_named() {
    let trap = "trap 'echo got it' USR1; echo ready; while :; do read -r _; done";
    let app = app(&format!("web: {trap}\nworker: {trap}\n"));
    let session = started(&app, &["web=2,worker"], 3);
    done(&app, "signal usr1 web.*");
    session.wait_for_times("got it", 2);
    let output = session.stdout_so_far();
    assert!(!output.contains("worker.1 | got it"), "{output}");
    let output = pm(&app, "signal NOPE web");
    assert!(output.stderr.starts_with("error: `NOPE` is not a signal\nhint: "), "{output:?}");
    assert_eq!(output.code(), 2);
}

#[test]
fn who_waits_in_vain_is_told_for_whom() {
    let app = app("web: trap '' TERM; echo ready; while :; do read -r _; done\n");
    let session = started(&app, &[], 1);
    let output = pm(&app, "stop web --wait 1.2");
    assert_eq!(output.code(), 1);
    assert!(output.stderr.contains("waiting for web.1 (stopping)\n"), "{output:#?}");
    assert!(
        output.stderr.contains("error: not complete after 1.2s: waiting for web.1 (stopping)"),
        "{output:#?}"
    );
    done(&app, "stop web --no-wait");
    assert_eq!(states(&app), "web.1 stopping");
    drop(session);
}

#[test]
fn a_stop_and_a_restart_may_have_a_timeout_of_their_own() {
    let slow =
        "trap 'sleep 1; echo at an end; exit 0' TERM; echo ready; while :; do read -r _; done";
    let app = app(&format!("web: {slow}\n"));
    let session = started(&app, &["-t", "0.3"], 1);
    done(&app, "restart web -t 60");
    session.wait_for_times("ready\n", 2);
    done(&app, "stop web --timeout 60");
    assert_eq!(session.stdout_so_far().matches("at an end").count(), 2);
    assert!(!session.stdout_so_far().contains("killing"), "{}", session.stdout_so_far());
    done(&app, "start web");
    session.wait_for_times("ready\n", 3);
    done(&app, "stop web");
    assert!(session.stdout_so_far().contains("did not stop within 0.3s, killing it"));
}

#[test]
fn a_name_that_is_nowhere_and_a_session_that_is_nowhere_are_errors() {
    let app = app(&format!("web: {READY}\n"));
    assert!(refused(&app, "status").contains("no session runs in"));
    assert!(refused(&app, "restart web").contains("hint: start one with `pm start`"));
    let _session = started(&app, &[], 1);
    let said = refused(&app, "restart wbe");
    assert!(said.contains("no instance `wbe` in this session"), "{said}");
    assert!(said.contains("hint: did you mean `web`?"), "{said}");
    assert_eq!(states(&app), "web.1 up");
}

#[test]
fn a_name_goes_to_the_session_that_runs_it() {
    let app = app(&format!("web: {READY}\nworker: {READY}\n"));
    let one = started(&app, &["web"], 1);
    let two = started(&app, &["worker"], 1);
    done(&app, "restart web");
    one.wait_for("restarting, as requested");
    done(&app, "restart worker");
    two.wait_for("restarting, as requested");
    let said = refused(&app, "quit");
    assert!(said.contains("2 sessions run in"), "{said}");
    assert!(said.contains(&format!("{} runs worker.1", two.pid())), "{said}");
    assert!(said.contains("--session PID"), "{said}");
    done(&app, &format!("quit --session {}", two.pid()));
    done(&app, "quit");
    app.assert_nothing_left();
}

#[test]
fn a_name_that_none_of_several_sessions_knows_is_unknown_and_asks_for_no_choice() {
    let app = app(&format!("web: {READY}\nworker: {READY}\nclock: {READY}\n"));
    let one = started(&app, &["web"], 1);
    let two = started(&app, &["worker"], 1);
    for line in
        ["scale nope=1", "signal USR2 web.9", "logs nope", "port nope", "restart nope", "ps nope"]
    {
        let said = refused(&app, line);
        let name = line.split([' ', '=']).find(|word| ["nope", "web.9"].contains(word));
        let name = name.expect("it is in the line");
        let expected = format!("no process type or instance `{name}` in the 2 sessions of `");
        assert!(said.contains(&expected), "{line}: {said}");
        assert!(said.contains("\nhint: "), "{line}: {said}");
    }
    assert!(refused(&app, "restart wbe").contains("hint: did you mean `web`?"));
    // One that all could have is to be chosen for.
    assert!(refused(&app, "scale clock=1").contains("2 sessions run in"));
    done(&app, &format!("stop worker --session {}", two.pid()));
    let said = refused(&app, "quit");
    let expected = format!("{} runs nothing (not running: worker.1)", two.pid());
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains(&format!("{} runs web.1", one.pid())), "{said}");
}

#[test]
fn what_a_killed_session_left_is_harmless() {
    let app = app(&format!("web: {READY}\n"));
    let mut session = started(&app, &[], 1);
    session.signal(Signal::SIGKILL);
    session.wait_for_end();
    assert_eq!(sockets(&app).len(), 1);
    assert!(refused(&app, "status").contains("no session runs in"));
    assert!(sockets(&app).is_empty());
    let _again = started(&app, &[], 1);
    assert_eq!(states(&app), "web.1 up");
}

#[test]
fn the_socket_is_for_this_user_alone_and_garbage_on_it_disturbs_nobody() {
    let app = app(&format!("web: {READY}\n"));
    let session = started(&app, &[], 1);
    let mode =
        |path: PathBuf| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(app.path("pm")), 0o700);
    let socket = sockets(&app).pop().expect("a session has a socket");
    assert_eq!(mode(socket.clone()), 0o600);
    let _hanging = UnixStream::connect(&socket).expect("it listens");
    for garbage in [&b"\n"[..], b"{\"pm\":1}\n", b"\xff\xfe\n", b"{\"pm\":9,\"do\":\"quit\"}\n"] {
        let mut stream = UnixStream::connect(&socket).expect("it listens");
        stream.write_all(garbage).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.contains("\"is\":\"refused\""), "{answer}");
    }
    assert_eq!(states(&app), "web.1 up");
    assert!(session.is_running());
}

#[test]
fn nothing_listens_on_tcp() {
    let app = app(&format!("web: {READY}\n"));
    let session = started(&app, &[], 1);
    let listening = |table: &str| -> Vec<String> {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        text.lines().filter_map(|row| row.split_whitespace().nth(9).map(str::to_owned)).collect()
    };
    let tcp = [listening("tcp"), listening("tcp6")].concat();
    let folder = fs::read_dir(format!("/proc/{}/fd", session.pid())).expect("it runs");
    let links = folder.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets: Vec<_> = links
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    assert!(!sockets.is_empty(), "the session has its own socket");
    assert!(sockets.iter().all(|inode| !tcp.contains(inode)), "{sockets:?}");
}

#[test]
fn without_a_runtime_folder_the_session_runs_and_says_so() {
    let app = Sandbox::with_procfile(&format!("web: {READY}\n")).write("run/pm", "a file");
    let runtime = app.path("run");
    let app = app.env("XDG_RUNTIME_DIR", runtime);
    let mut session = started(&app, &[], 1);
    session.wait_for("cannot create a socket in");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn a_reload_touches_only_what_is_different() {
    let app = app(&format!("web: {READY}\nworker: {READY}\nold: {READY}\n"));
    let session = started(&app, &[], 3);
    let app = app.procfile(&format!("new: {READY}\nworker: echo other; {READY}\nweb: {READY}\n"));
    done(&app, "reload");
    session.wait_for("other");
    session.wait_for("new.1");
    let output = session.stdout_so_far();
    assert_eq!(output.matches("terminated").count(), 2, "{output}");
    assert_eq!(states(&app), "web.1 up, worker.1 up, new.1 up");
    let app = app.write("Procfile", "junk without a name");
    assert!(refused(&app, "reload").contains("hint: nothing was changed"));
    assert_eq!(states(&app), "web.1 up, worker.1 up, new.1 up");
}

#[test]
fn what_is_new_and_passed_over_is_said_to_who_asked_and_in_the_session() {
    let app = app(&format!("web: {READY}\n")).write(".env", "junk\nA=1\n");
    let mut session = started(&app, &[], 1);
    assert_eq!(pm(&app, "restart web").stderr, "", "it was said at the start");
    let app = app.write(".env", "junk\nA=1\nmore junk\n");
    let warned = pm(&app, "restart web").stderr;
    assert!(warned.starts_with("warning: .env:3: "), "{warned}");
    session.wait_for("| !! warning: .env:3: ");
    assert_eq!(pm(&app, "reload").stderr, "", "it has been said");
    done(&app, "quit");
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(session.stdout_so_far().matches("| !! warning").count(), 1);
}

#[test]
fn a_session_whose_root_is_said_in_dot_foreman_is_found() {
    let app = app("").write("sub/Procfile", format!("web: {READY}\n"));
    let app = app.write(".foreman", "root: sub\n");
    let _session = started(&app, &[], 1);
    assert_eq!(states(&app), "web.1 up");
}

#[test]
fn a_type_that_is_scaled_up_from_nothing_has_its_budget() {
    let app = app(&format!(
        "web: {READY}\nworker: echo \"budget $MEMORY_AVAILABLE\"; x=$(head -c 60000000 /dev/zero | tr '\\0' x); sleep 1000; true\n"
    ));
    let session = started(&app, &["-m", "web=1", "--memory", "worker=16M"], 1);
    done(&app, "scale worker=1");
    session.wait_for("budget 16");
    session.wait_for("over its budget of");
}

#[test]
fn a_reload_reads_pm_toml_again_and_restarts_whom_it_concerns() {
    let app = app(&format!("web: {READY}\nworker: {READY}\n"));
    let app = app.write("pm.toml", "[process.web]\nnice = 1\n");
    let session = started(&app, &[], 2);
    let app = app.write("pm.toml", "[process.web]\nnice = 2\n");
    done(&app, "reload");
    let output = session.stdout_so_far();
    assert_eq!(output.matches("terminated").count(), 1, "{output}");
    assert_eq!(states(&app), "web.1 up, worker.1 up");
    let app = app.write("pm.toml", "[process.web]\nnice = \"loud\"\n");
    assert!(refused(&app, "reload").contains("hint: nothing was changed"));
}

#[test]
fn watch_shows_the_table_again_until_the_session_ends() {
    let app = app(&format!("web: {READY}\n"));
    let _session = started(&app, &[], 1);
    let mut watch = app.pm(["ps", "--watch"]).spawn();
    watch.wait_for_times("web.1  up", 2);
    done(&app, "quit");
    assert_eq!(watch.wait(), End::Code(0));
}

#[test]
fn a_restart_without_a_name_restarts_all_but_the_release() {
    let app =
        app(&format!("release: echo released\nweb: {READY}\nworker: {READY}\njob: echo ready\n"));
    let session = started(&app, &["--release"], 3);
    session.wait_for("job.1     | -- exited with code 0");
    done(&app, "stop worker");
    done(&app, "restart");
    session.wait_for_times("web.1     | ready", 2);
    session.wait_for_times("worker.1  | ready", 2);
    session.wait_for_times("job.1     | ready", 2);
    assert_eq!(session.stdout_so_far().matches("| released").count(), 1);
}
