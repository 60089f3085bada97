//! `ready`, `live` and `depends-on` in a session that runs: what only real processes, ports and sockets show.
//! What is refused before a start is in `depends_on.rs`; every order of events is in `src/supervisor/tests/needs.rs`.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::control::{app, done, states};
use crate::sandbox::http::free_port;
use crate::sandbox::{CTRL_C, End, Sandbox, Session, Stopwatch, cases, eventually, has_program};

/// db is ready when the file `go` is there, and web needs it.
const DB_AND_WEB: &str = "db: echo $$ >> db.pids; while [ ! -e go ]; do sleep 0.05; done; echo now up; exec cat\n\
                          web: echo $$ >> web.pids; echo serving; exec cat\n";
const WEB_NEEDS_DB: &str = "[process.db]\nready = 'log:now up'\n[process.web]\ndepends-on = 'db'\n";

/// Starts pm, and returns when every type that depends on nothing has been started.
#[track_caller]
fn start(app: &Sandbox, args: &[&str]) -> Session {
    let session = app.pm(["start", "-t", "60"].iter().chain(args)).spawn();
    session.wait_for("| -- started with pid");
    session
}

/// Returns the pids that an instance has written, one per run.
fn pids(app: &Sandbox, file: &str) -> Vec<Pid> {
    let text = app.read(file).unwrap_or_default();
    text.lines().map(|pid| Pid::from_raw(pid.parse().expect("a pid"))).collect()
}

/// Returns an instance of `pm ps --json`.
#[track_caller]
fn row(app: &Sandbox, name: &str) -> serde_json::Value {
    let report: serde_json::Value =
        serde_json::from_str(&done(app, "ps --json")).expect("it is JSON");
    let rows = report["instances"].as_array().expect("a list of instances");
    rows.iter().find(|row| row["name"] == name).expect("it is one of them").clone()
}

/// Waits until an instance is in this state.
#[track_caller]
fn becomes(app: &Sandbox, name: &str, state: &str) {
    eventually(&format!("{name} {state}"), || (row(app, name)["state"] == state).then_some(()));
}

/// Returns how often the threads of a process have waited, with the name of each.
pub(crate) fn waits(pid: Pid) -> Vec<(String, String)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("pm runs");
    let mut waits: Vec<_> = tasks
        .map(|task| {
            let path = task.expect("its threads can be listed").path().join("status");
            let text = fs::read_to_string(path).expect("none of its threads ends");
            let field = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().trim().to_owned()
            };
            (field("Name:"), field("voluntary_ctxt_switches:"))
        })
        .collect();
    waits.sort();
    waits
}

/// Waits until the threads of a process have come to rest, and fails where one of them wakes in the next 2 s.
#[track_caller]
pub(crate) fn never_wakes(app: &Sandbox, pid: Pid) {
    let mut before = Vec::new();
    eventually("rest", || {
        assert_eq!(app.sh("sleep 0.5").run().code(), 0);
        let now = waits(pid);
        let rests = now == before;
        before = now;
        rests.then_some(())
    });
    assert_eq!(app.sh("sleep 2").run().code(), 0);
    assert_eq!(waits(pid), before);
}

#[test]
fn after_all_are_ready_nobody_is_asked_and_pm_never_wakes() {
    let app = app("web: touch up; echo serving; exec cat\napi: exec cat\n").write(
        "pm.toml",
        "[process.web]\nready = ['cmd:echo asked >> asks; test -e up', 'log:serving', 'delay:0.1s']\n\
         [process.api]\ndepends-on = 'web'\n",
    );
    let session = start(&app, &[]);
    session.wait_for("web.1  | -- ready after");
    session.wait_for("api.1  | -- started with pid");
    let asks = app.read("asks").expect("it was asked");
    // The thread that asked has ended, and what is left has come to rest.
    let mut before = Vec::new();
    eventually("rest", || {
        assert_eq!(app.sh("sleep 0.2").run().code(), 0);
        let now = waits(session.pid());
        let rests = now == before && now.iter().all(|(name, _)| name != "probes");
        before = now;
        rests.then_some(())
    });
    assert_eq!(app.sh("sleep 2").run().code(), 0);
    assert_eq!(waits(session.pid()), before);
    assert_eq!(app.read("asks").as_deref(), Some(&*asks));
}

#[test]
fn liveness_wakes_pm_about_once_an_interval() {
    let app = app("web: echo serving; exec cat\n").write(
        "pm.toml",
        "[process.web]\nlive = 'cmd:echo asked >> asks'\nlive-interval = '0.2s'\n",
    );
    let session = start(&app, &[]);
    let asks = || app.read("asks").unwrap_or_default().lines().count();
    eventually("the first question", || (asks() > 0).then_some(()));
    let watch = Stopwatch::start();
    assert_eq!(app.sh("sleep 1").run().code(), 0);
    let (asked, elapsed) = (asks(), watch.elapsed());
    let most = 2 + elapsed.as_millis() / 200;
    assert!((2..=most).contains(&(asked as u128)), "{asked} questions in {elapsed:?}");
    assert!(!session.stdout_so_far().contains("not alive"), "{}", session.stdout_so_far());
}

#[test]
fn a_port_that_a_stranger_holds_is_named_at_once_and_makes_nobody_ready() {
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = stranger.local_addr().expect("it is bound").port();
    let app = app("web: echo serving; exec cat\nfront: exec cat\n")
        .write("pm.toml", "[process.web]\nready = 'port'\n[process.front]\ndepends-on = 'web'\n");
    let session = start(&app, &["-p", &port.to_string()]);
    // Nothing else happens that could bring the line out.
    session.wait_for(&format!("(pid {}), not by web.1", std::process::id()));
    let output = session.stdout_so_far();
    assert!(output.contains(&format!("web.1   | !! port {port} is held by ")), "{output}");
    assert_eq!(states(&app), "web.1 starting, front.1 waiting");
    stranger.set_nonblocking(true).expect("a socket can be set so");
    assert!(stranger.accept().is_err(), "pm connected to a stranger");
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children_and_its_last_line_is_in_the_verdict() {
    let app = app("web: exec cat\n").write(".env", "COLOUR=green\n").write(
        "pm.toml",
        "[process.web]\nready = 'cmd:echo $PORT $COLOUR; sleep 1001 & echo $! >> child; wait'\nready-timeout = 5.5\n",
    );
    let mut session = start(&app, &["-p", "7100", "--max-restarts", "0", "--exit-on", "failure"]);
    assert_ne!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert!(output.contains("not ready in 5.5 s: cmd:"), "{output}");
    assert!(output.contains("timed out: 7100 green"), "{output}");
    assert!(!pids(&app, "child").is_empty());
    app.assert_nothing_left();
}

#[test]
fn what_pm_has_no_descriptor_to_ask_for_is_no_failure_of_a_life() {
    if !has_program("node") || !has_program("prlimit") {
        return;
    }
    let serve = "node -e \"require('http').createServer((q, r) => r.end()).listen(process.env.PORT, () => console.log('up'))\"";
    let live = |name, probe| {
        format!(
            "[process.{name}]\nready = 'log:up'\nlive = '{probe}'\nlive-interval = '0.2s'\nlive-failures = 1\n"
        )
    };
    let app = app(&format!("http: {serve}\nport: {serve}\ncmd: echo up; exec cat\n")).write(
        "pm.toml",
        [live("http", "http:/"), live("port", "port"), live("cmd", "cmd:echo asked >> asks")]
            .concat(),
    );
    let base = free_port(300);
    let session = start(&app, &["-p", &base.to_string()]);
    session.wait_for_times("| -- ready after", 3);
    eventually("a question", || app.read("asks"));
    let limit = |files: &str| {
        let (pid, files) = (session.pid().to_string(), format!("--nofile={files}"));
        let set = app.command("prlimit", ["--pid", &pid, &files]).run();
        assert_eq!(set.code(), 0, "{set:#?}");
    };
    // The numbers below are all in use.
    limit("4:20000");
    session.wait_for_times("!! cannot ask whether it is alive: ", 3);
    // Every one is asked several times more.
    assert_eq!(app.sh("sleep 1").run().code(), 0);
    let output = session.stdout_so_far();
    assert_eq!(output.matches("cannot ask whether").count(), 3, "{output}");
    assert!(!output.contains("not alive"), "{output}");
    limit("1000:20000");
    let before = app.read("asks");
    eventually("another question", || (app.read("asks") != before).then_some(()));
    assert_eq!(states(&app), "http.1 ready, port.1 ready, cmd.1 ready");
}

#[test]
fn a_reload_that_corrects_ready_starts_who_waits_for_it() {
    let app = app("db: echo $$ >> db.pids; echo now up; exec cat\nweb: echo serving; exec cat\n")
        .write("pm.toml", "[process.db]\nready = 'log:never'\n[process.web]\ndepends-on = 'db'\n");
    let session = start(&app, &[]);
    becomes(&app, "web.1", "waiting");
    let app = app.write("pm.toml", WEB_NEEDS_DB);
    done(&app, "reload");
    session.wait_for("web.1  | serving");
    assert_eq!(pids(&app, "db.pids").len(), 2);
    // It is ready: another way to see that is for its next run.
    let app = app.write("pm.toml", WEB_NEEDS_DB.replace("now up", "never"));
    done(&app, "reload");
    assert_eq!((pids(&app, "db.pids").len(), &*states(&app)), (2, "db.1 ready, web.1 up"));
}

#[test]
fn a_reload_asks_from_outside_for_what_it_makes_a_dependency_and_says_what_cannot_be_asked() {
    let outside = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = outside.local_addr().expect("it is bound").port();
    drop(outside);
    let toml = format!("[process.db]\nready = 'port:{port}'\n");
    let app =
        app("db: exec cat\nlogs: exec cat\nweb: echo serving; exec cat\n").write("pm.toml", &toml);
    let session = start(&app, &["-x", "db,logs"]);
    session.wait_for("web.1  | serving");
    let needs = "[process.web]\ndepends-on = ['db', 'logs']\n[process.web.env]\nA = '1'\n";
    let app = app.write("pm.toml", toml + needs);
    done(&app, "reload");
    session.wait_for("`logs` is not started here and cannot be asked: `web` takes it as ready");
    becomes(&app, "web.1", "waiting");
    assert_eq!(row(&app, "web.1")["waits_for"], serde_json::json!(["db.1"]));
    let _outside = TcpListener::bind(("127.0.0.1", port)).expect("nobody has taken it");
    session.wait_for_times("web.1  | serving", 2);
}

#[test]
fn all_dependents_start_within_a_second_of_what_they_wait_for() {
    let count = usize::try_from(cases(50)).expect("it is no large number");
    let app = app("db: sleep 1.3; echo now up; exec cat\nweb: exec cat\n")
        .write("pm.toml", "[process.db]\nready = 'log:now up'\n[process.web]\ndepends-on = 'db'\n");
    let formation = format!("db=1,web={count}");
    let session = app.pm(["start", "--json", "-m", &formation]).spawn();
    let events = |output: &str, event: &str| {
        let lines = output.lines().filter_map(|line| serde_json::from_str(line).ok());
        let of_event = lines.filter(|line: &serde_json::Value| line["event"] == event);
        let times = of_event.filter_map(|line| line["time"].as_str()?.parse().ok());
        times.collect::<Vec<jiff::Timestamp>>()
    };
    let is_started = |output: &str| output.matches("\"event\":\"started\"").count() > count;
    session.wait_until("all starts", is_started);
    let output = session.stdout_so_far();
    let (ready, starts) = (events(&output, "ready")[0], events(&output, "started"));
    let last = starts.iter().max().expect("they have started");
    let late = last.duration_since(ready);
    assert!(starts[1..].iter().all(|start| *start >= ready), "{ready} {starts:?}");
    // Where the machine itself takes longer for so many shells, pm cannot be faster.
    let limit = (2 * time_of_shells(count)).max(Duration::from_secs(1));
    assert!(
        late.as_millis() <= i128::try_from(limit.as_millis()).expect("it is seconds"),
        "{count} have started {late:?} after what they wait for; the limit is {limit:?}"
    );
}

/// Returns how long so many shells take to start, one after the other.
fn time_of_shells(count: usize) -> Duration {
    let watch = Stopwatch::start();
    let shell = |_| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "exec cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
        shell.spawn().expect("a shell can be started")
    };
    let shells: Vec<_> = (0..count).map(shell).collect();
    let time = watch.elapsed();
    for mut shell in shells {
        // Its input ends.
        drop(shell.stdin.take());
        shell.wait().expect("it is ours");
    }
    time
}

#[test]
fn a_command_that_asks_ends_with_its_session_also_where_pm_is_killed() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let app = app("web: exec cat\n")
            .write("pm.toml", "[process.web]\nready = 'cmd:touch asked; sleep 1001'\n");
        let mut session = start(&app, &[]);
        eventually("the question", || app.read("asked"));
        session.signal(signal);
        session.wait_for_end();
        app.assert_nothing_left();
    }
}

#[test]
fn a_command_that_asks_for_what_nobody_starts_here_ends_with_the_session() {
    let app = app("db: exec cat\nother: exec cat\nweb: exec cat\n").write(
        "pm.toml",
        "[process.db]\nready = 'cmd:touch asked; sleep 1001'\n[process.web]\ndepends-on = 'db'\n",
    );
    let mut session = start(&app, &["-m", "db=0,other=1,web=1"]);
    eventually("the question", || app.read("asked"));
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn a_grandchild_says_that_it_is_ready_and_a_stranger_cannot() {
    if !has_program("python3") {
        return;
    }
    let say = "import os, socket, sys\n\
               s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
               s.sendto(sys.argv[1].encode(), os.environ['NOTIFY_SOCKET'])\n\
               sys.stdin.read()\n";
    let app = app("web: sh -c 'echo $NOTIFY_SOCKET > socket.new; mv socket.new socket; while [ ! -e go ]; do sleep 0.05; done; python3 say.py READY=1 && true'; true\n\
                   front: exec cat\n")
        .write("say.py", say)
        .write("pm.toml", "[process.web]\nready = 'notify'\n[process.front]\ndepends-on = 'web'\n");
    let session = start(&app, &[]);
    let socket = eventually("its socket", || app.read("socket"));
    let stranger = UnixDatagram::unbound().expect("a socket can be made");
    // Both in one datagram: the words show that it was read.
    for _ in 0..3 {
        stranger.send_to(b"READY=1\nSTATUS=hijacked", socket.trim()).expect("it is there");
    }
    assert_eq!(states(&app), "web.1 starting, front.1 waiting");
    fs::write(app.path("go"), "").expect("files can be written in the sandbox");
    session.wait_for("web.1   | -- ready after");
    session.wait_for("front.1 | -- started with pid");
    assert_eq!(row(&app, "web.1")["status"], serde_json::Value::Null);
}

#[test]
fn a_dead_dependency_costs_its_dependents_nothing_and_who_dies_with_it_waits() {
    let app = app(DB_AND_WEB).write("pm.toml", WEB_NEEDS_DB).write("go", "");
    let session = start(&app, &["--restart", "always"]);
    session.wait_for("web.1  | serving");
    becomes(&app, "web.1", "up");
    let (db, web) = (pids(&app, "db.pids")[0], pids(&app, "web.pids")[0]);
    kill(db, Signal::SIGKILL).expect("it runs");
    session.wait_for_times("db.1   | -- ready after", 2);
    assert_eq!(
        (pids(&app, "web.pids"), &row(&app, "web.1")["pid"]),
        (vec![web], &web.as_raw().into())
    );

    fs::remove_file(app.path("go")).expect("it was written above");
    kill(pids(&app, "db.pids")[1], Signal::SIGKILL).expect("it runs");
    eventually("the third db", || (pids(&app, "db.pids").len() == 3).then_some(()));
    kill(web, Signal::SIGKILL).expect("it runs");
    becomes(&app, "web.1", "waiting");
    let before = row(&app, "web.1")["restarts"].clone();
    fs::write(app.path("go"), "").expect("files can be written in the sandbox");
    session.wait_for_times("web.1  | serving", 2);
    becomes(&app, "web.1", "up");
    assert_eq!(pids(&app, "web.pids").len(), 2);
    // Its own crash counts; the wait adds none.
    let after = row(&app, "web.1")["restarts"].clone();
    assert_eq!((before, after), (1.into(), 1.into()));
}

#[test]
fn what_starts_is_asked_once_more_when_pm_was_stopped_until_it_was_too_late() {
    let app = app("web: echo booting; exec cat\n");
    let app = app.write(
        "pm.toml",
        "[process.web]\nready = 'cmd:sleep 0.3; test -e go'\nready-timeout = 2\n",
    );
    let session = app.pm(["start"]).spawn();
    session.wait_for("booting");
    session.signal(Signal::SIGSTOP);
    assert_eq!(app.sh("sleep 3.5; touch go").run().code(), 0);
    session.signal(Signal::SIGCONT);
    session.wait_for("ready after");
    assert!(!session.stdout_so_far().contains("not ready"));
}

#[test]
fn one_that_is_never_started_is_named_in_the_output() {
    let app = app("db: exit 1\nweb: exec cat\nother: exec cat\n").write(
        "pm.toml",
        "[process.db]\nready = 'port'\nrestart = 'never'\n[process.web]\ndepends-on = 'db'\n",
    );
    let session = start(&app, &["--exit-on", "all"]);
    session.wait_for("web.1   | !! not started: db.1 failed (exit 1)");
    done(&app, "scale web=2");
    session.wait_for("web.2   | !! not started: db.1 failed (exit 1)");
}

#[test]
fn what_is_asked_of_one_that_waits_is_done_at_once_and_starts_nothing_twice() {
    let app = app(DB_AND_WEB).write("pm.toml", WEB_NEEDS_DB);
    let mut session = start(&app, &[]);
    becomes(&app, "web.1", "waiting");
    done(&app, "restart web");
    done(&app, "stop web");
    assert_eq!(states(&app), "db.1 starting, web.1 stopped");
    done(&app, "start web");
    done(&app, "scale web=3");
    assert_eq!(states(&app), "db.1 starting, web.1 waiting, web.2 waiting, web.3 waiting");
    done(&app, "scale web=2");
    fs::write(app.path("go"), "").expect("files can be written in the sandbox");
    session.wait_for_times("| serving", 2);
    becomes(&app, "web.2", "up");
    assert_eq!(pids(&app, "web.pids").len(), 2);
    done(&app, "quit");
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn quit_and_ctrl_c_end_a_session_of_which_half_waits() {
    for is_quit in [true, false] {
        let app = app(DB_AND_WEB).write("pm.toml", WEB_NEEDS_DB);
        let mut session = app.pm(["start", "-t", "60", "--color", "never"]).spawn_pty();
        session.wait_for("db.1   | -- started with pid");
        becomes(&app, "web.1", "waiting");
        if is_quit {
            done(&app, "quit");
        } else {
            session.type_keys(CTRL_C);
        }
        assert_eq!(session.wait(), End::Code(0));
        assert_eq!(pids(&app, "web.pids"), []);
        app.assert_nothing_left();
    }
}

/// Three types, each of which needs the next, and takes its time to end.
const CHAIN: &str = "web: trap 'sleep 0.3; echo ended; exit 0' TERM; echo ready; while :; do read -r _; done\n\
                     api: trap 'sleep 0.3; echo ended; exit 0' TERM; echo ready; while :; do read -r _; done\n\
                     db: trap 'sleep 0.3; echo ended; exit 0' TERM; echo ready; while :; do read -r _; done\n";
const CHAIN_NEEDS: &str = "[process.web]\ndepends-on = 'api'\n[process.api]\ndepends-on = 'db'\n";

#[test]
fn a_session_stops_in_the_other_order() {
    let app = app(CHAIN).write("pm.toml", CHAIN_NEEDS);
    let mut session = start(&app, &[]);
    session.wait_for_times("| ready", 3);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    let ends = output.lines().filter(|line| line.ends_with("| ended"));
    let names: Vec<_> = ends.filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(names, ["web.1", "api.1", "db.1"], "{output}");
    app.assert_nothing_left();
}

#[test]
fn the_second_ctrl_c_ends_all_at_once_whoever_waits_for_whom() {
    let app =
        app(&CHAIN.replace("sleep 0.3", "echo deaf; sleep 1001")).write("pm.toml", CHAIN_NEEDS);
    let mut session = app.pm(["start", "-t", "60", "--color", "never"]).spawn_pty();
    session.wait_for_times("| ready", 3);
    session.type_keys(CTRL_C);
    session.wait_for("web.1  | deaf");
    // An interrupt right after the first counts as the same.
    session.wait_for("to stop; killing in");
    session.type_keys(CTRL_C);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert!(!output.contains("api.1  | deaf") && !output.contains("db.1   | deaf"), "{output}");
    app.assert_nothing_left_within(Duration::from_secs(2));
}

#[test]
fn a_half_line_makes_ready_and_its_colour_is_no_part_of_it() {
    let app = app("web: printf '\\033[32mser\\033[0mving> '; exec cat\n")
        .write("pm.toml", "[process.web]\nready = 'log:^serving> $'\n");
    let session = start(&app, &["--pty", "always"]);
    session.wait_for("web.1  | -- ready after");
}

#[test]
fn who_is_asked_otherwise_whether_it_is_alive_can_still_say_how_it_is() {
    if !has_program("python3") {
        return;
    }
    let say = "import os, socket\n\
               s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
               say = lambda text: s.sendto(text, os.environ['NOTIFY_SOCKET'])\n\
               say(b'READY=1')\n\
               open('go').read()\n\
               say(b'STATUS=heard')\n\
               print('said', flush=True)\n\
               open('go').read()\n";
    let ready = "[process.web]\nready = 'notify'\n";
    let app = app("web: exec python3 say.py\n").write("say.py", say).write("pm.toml", ready);
    app.sh("mkfifo go").run();
    let session = start(&app, &[]);
    session.wait_for("ready after");
    let app = app.write("pm.toml", format!("{ready}live = 'cmd:true'\n"));
    done(&app, "reload");
    app.sh("echo > go").run();
    session.wait_for("web.1  | said");
    eventually("the status", || (row(&app, "web.1")["status"] == "heard").then_some(()));
}
