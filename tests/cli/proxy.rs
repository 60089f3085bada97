//! `proxy`: one address for all instances of a process type.

mod framing;
mod passed;
mod waiting;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::control::{READY, app, done, refused as refused_by};
use crate::log::printed_by;
use crate::sandbox::http::{free_port, get};
use crate::sandbox::{LIMIT, Sandbox, eventually, has_program};

/// What `pm start` says that it refuses.
fn refused(app: &Sandbox, args: &[&str]) -> String {
    let output = app.pm(["start"].iter().chain(args)).run();
    assert_ne!(output.code(), 0, "{output:?}");
    output.stderr
}

#[test]
fn what_cannot_have_a_proxy_is_refused_with_what_to_do() {
    for (toml, args, expected) in [
        (
            "",
            &["--proxy=wbe"][..],
            "no process type `wbe` in the Procfile\nhint: did you mean `web`?",
        ),
        ("", &["--proxy=web=0"], "`0` is not a port number (for `web`)"),
        (
            "[process.web]\nproxy = false\n",
            &["--proxy"],
            "`--proxy` applies to no process type: none is called `web`, and none has its own port or a path as `ready`\n\
             hint: name it: `--proxy=TYPE`",
        ),
        (
            "",
            &["--proxy=web", "web=50"],
            "`web` cannot have 50 instances behind `proxy`\nhint: at most 49 instances of a type fit behind `proxy`",
        ),
        (
            "",
            &["--proxy=web=5101,api"],
            "the proxy of `web` and `api.1` have the same port, 5101\nhint: choose another port for `proxy`",
        ),
        (
            "",
            &["--proxy=web=7000,api=7000"],
            "the proxy of `api` and that of `web` have the same port, 7000",
        ),
        (
            "[process.web]\nproxy = true\nshare-port = true\n",
            &[],
            "`web` has both `proxy` and `share-port`",
        ),
        (
            "[process.job]\nproxy = true\nonce = true\n",
            &[],
            "`job` cannot have `proxy`: it runs once, to its end",
        ),
    ] {
        let app =
            Sandbox::with_procfile("web: true\napi: true\njob: true\n").write("pm.toml", toml);
        let stderr = refused(&app, args);
        assert!(stderr.contains(expected), "{toml} {args:?}: {stderr}");
    }
}

/// A session in the background behind a front, with `base` as its first port.
fn behind_a_front(base: u16, more: &str) -> Sandbox {
    let app = app(&format!("web: {READY}\nworker: {READY}\n"));
    done(&app, &format!("start --daemon --wait -p {base} {more}"));
    app
}

#[test]
fn instances_leave_the_first_port_to_the_front_and_everybody_knows_its_address() {
    let base = free_port(10);
    let app = Sandbox::with_procfile(
        "web: echo $PORT $PM_URL_WEB $PM_PORT_WEB\nworker: echo $PORT $PM_URL_WEB\n",
    );
    let start = |more: &[&str]| {
        let port = base.to_string();
        let args = ["start", "--restart", "never", "-p", &port].into_iter();
        app.pm(args.chain(more.iter().copied())).run().stdout
    };
    let stdout = start(&["--proxy", "web=2", "worker"]);
    let url = format!("http://localhost:{base}");
    assert_eq!(printed_by(&stdout, "web.1"), [format!("{} {url} {base}", base + 1)]);
    assert_eq!(printed_by(&stdout, "web.2"), [format!("{} {url} {base}", base + 2)]);
    assert_eq!(printed_by(&stdout, "worker.1"), [format!("{} {url}", base + 100)]);
    assert!(!stdout.contains("--proxy"), "{stdout}");
    // On a port of its own the front leaves theirs to the instances all the same.
    let other = free_port(1);
    let stdout = start(&[&format!("--proxy=web={other}"), "web=1"]);
    let expected = format!("{} http://localhost:{other} {other}", base + 1);
    assert_eq!(printed_by(&stdout, "web.1"), [expected]);
    // Without it nothing is different, and once it is said what it would do.
    let stdout = start(&["web=2", "worker"]);
    assert_eq!(printed_by(&stdout, "web.1"), [format!("{base} {url} {base}")]);
    let notice =
        format!("`web` has 2 addresses, ports {base} to {}; `--proxy` gives it one", base + 1);
    assert_eq!(stdout.matches("--proxy").count(), 1, "{stdout}");
    assert!(stdout.contains(&notice), "{stdout}");
}

#[test]
fn a_front_whose_port_another_has_is_an_error_that_names_who_and_nothing_starts() {
    let other = TcpListener::bind(("127.0.0.1", free_port(1))).unwrap();
    let port = other.local_addr().unwrap().port();
    let app = Sandbox::with_procfile("web: echo started >web.log\n");
    for args in [&["start"][..], &["start", "--daemon"]] {
        let port = port.to_string();
        let output = app.pm(args.iter().chain(&["--proxy", "-p", &port])).run();
        assert_eq!(output.code(), 1, "{output:?}");
        let begin = format!("error: port {port}, of the proxy of `web`, is in use by ");
        assert!(output.stderr.contains(&begin), "{output:?}");
        assert!(output.stderr.contains(&format!("(pid {})", std::process::id())), "{output:?}");
        assert!(output.stderr.contains("hint: stop it, or choose another base"), "{output:?}");
    }
    assert_eq!(app.read("web.log"), None);
}

#[test]
fn url_port_and_ps_say_the_address_of_all_and_that_of_each() {
    let base = free_port(10);
    let app = behind_a_front(base, "--proxy web=2 worker");
    let url = format!("http://localhost:{base}");
    assert_eq!(done(&app, "url"), format!("{url}\n"));
    assert_eq!(done(&app, "port web"), format!("{base}\n"));
    assert_eq!(done(&app, "url web.2"), format!("http://localhost:{}\n", base + 2));
    assert_eq!(done(&app, "port worker"), format!("{}\n", base + 100));
    let table = done(&app, "ps");
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert!(rows.contains(&vec!["web", &url, "2/2"]), "{table}");
    let web = rows.iter().find(|row| row.first() == Some(&"web.2")).unwrap();
    let port = (base + 2).to_string();
    assert_eq!(web[3], port, "{table}");
    assert_eq!(web[web.len() - 3..], ["0", "0", "0"], "{table}");
    let ps: Value = serde_json::from_str(&done(&app, "ps --json")).unwrap();
    assert_eq!(
        ps["proxy"]["web"],
        json!({ "url": url, "port": base, "ready": 2, "instances": 2, "in_flight": 0 })
    );
    assert_eq!(ps["session"]["urls"]["web"], url.as_str());
    assert_eq!(ps["instances"][0]["requests"], 0);
    assert_eq!(ps["instances"][2]["requests"], Value::Null, "a worker has no proxy");
    done(&app, "quit");
    app.assert_nothing_left();
}

#[test]
fn a_front_listens_on_this_machine_alone_and_no_instance_has_it() {
    let base = free_port(10);
    let app = app("web: ls -l /proc/self/fd; exec sleep 1000\n");
    done(&app, &format!("start --daemon -p {base} --proxy"));
    for address in ["127.0.0.1", "::1"] {
        TcpStream::connect((address, base)).unwrap();
    }
    assert!(TcpStream::connect(("127.0.0.2", base)).is_err(), "it is open to the network");
    let log = eventually("the descriptors of the instance", || {
        app.read("pm.log").filter(|log| log.contains("/proc/"))
    });
    assert!(!log.contains("socket:"), "{log}");
    done(&app, "quit");
    assert!(TcpStream::connect(("127.0.0.1", base)).is_err(), "it outlives its session");
}

#[test]
fn when_pm_is_killed_nobody_listens_any_more() {
    let base = free_port(10);
    let app = behind_a_front(base, "--proxy web=2");
    let ps: Value = serde_json::from_str(&done(&app, "ps --json")).unwrap();
    let pid = ps["session"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    for address in ["127.0.0.1", "::1"] {
        eventually("nobody listens", || TcpStream::connect((address, base)).is_err().then_some(()));
    }
    app.assert_nothing_left_within(LIMIT);
}

#[test]
fn a_front_stays_open_over_a_reload_and_at_no_instances_and_moves_where_the_settings_say() {
    let (base, other) = (free_port(10), free_port(1));
    let app = behind_a_front(base, "--proxy web=2");
    let client = TcpStream::connect(("127.0.0.1", base)).unwrap();
    client.set_nonblocking(true).unwrap();
    done(&app, "scale web=0");
    let app = app.write(".env", "A=1\n");
    done(&app, "reload");
    // It has neither bytes nor an end.
    assert_eq!(client.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    TcpStream::connect(("127.0.0.1", base)).unwrap();
    assert_eq!(done(&app, "url web"), format!("http://localhost:{base}\n"));
    done(&app, "quit");
    let app = app.write("pm.toml", "[process.web]\nproxy = true\n");
    done(&app, &format!("start --daemon --wait -p {base} web"));
    let app = app.write("pm.toml", format!("[process.web]\nproxy = {other}\n"));
    done(&app, "reload");
    TcpStream::connect(("127.0.0.1", other)).unwrap();
    assert!(TcpStream::connect(("127.0.0.1", base)).is_err(), "it listens where it was");
    assert_eq!(done(&app, "url"), format!("http://localhost:{other}\n"));
    let app = app.write("pm.toml", "");
    done(&app, "reload");
    assert!(TcpStream::connect(("127.0.0.1", other)).is_err(), "it is not wanted any more");
    let ps: Value = serde_json::from_str(&done(&app, "ps --json")).unwrap();
    assert_eq!((&ps["proxy"], &ps["instances"][0]["port"]), (&json!({}), &json!(base)));
    done(&app, "quit");
}

#[test]
fn a_reload_opens_a_front_to_the_network_or_fails_and_leaves_it_where_it_was() {
    let base = free_port(10);
    let app = behind_a_front(base, "--proxy web=1");
    let bind = |address: &str| format!("[process.web]\nproxy-bind = \"{address}\"\n");
    let app = app.write("pm.toml", bind("0.0.0.0"));
    done(&app, "reload");
    TcpStream::connect(("127.0.0.2", base)).unwrap();
    let app = app.write("pm.toml", bind("192.0.2.1"));
    let said = refused_by(&app, "reload");
    let reason = format!("`web`: cannot listen on 192.0.2.1:{base} for the proxy of `web`: ");
    assert!(said.contains(&reason), "{said}");
    TcpStream::connect(("127.0.0.2", base)).unwrap();
    let app = app.write("pm.toml", "");
    done(&app, "reload");
    TcpStream::connect(("127.0.0.1", base)).unwrap();
    assert!(TcpStream::connect(("127.0.0.2", base)).is_err(), "it is open to the network");
    done(&app, "quit");
}

#[test]
fn a_front_that_is_open_to_the_network_is_warned_of() {
    let base = free_port(10);
    let toml = "[process.web]\nproxy = true\nproxy-bind = \"0.0.0.0\"\n";
    let app = Sandbox::with_procfile("web: true\n").write("pm.toml", toml);
    let stdout = app.pm(["start", "--restart", "never", "-p", &base.to_string()]).run().stdout;
    let text = format!(
        "warning: `proxy-bind` opens `web` to the network: its proxy listens on 0.0.0.0, port {base}"
    );
    assert!(stdout.contains(&text), "{stdout}");
    let checked = app.pm(["check", "-p", &base.to_string()]).run();
    let text = "the proxy of `web` listens on 0.0.0.0: other machines can reach it";
    assert!((checked.stdout + &checked.stderr).contains(text));
    let app = app.write("pm.toml", "[process.web]\nupdate = \"rolling\"\n");
    let checked = app.pm(["check", "-p", &base.to_string()]).run();
    let text = "`web` has `update = \"rolling\"` and neither `proxy` nor `share-port`";
    assert!((checked.stdout + &checked.stderr).contains(text));
}

/// A server of a few lines: `/hold` answers when the file `go` is there, all else at once, with name and port.
const SERVER: &str = r#"
import os, socket, sys, threading, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(os.environ["PORT"])))
listener.listen(64)
print("listens", flush=True)
def serve(client):
    while True:
        head = b""
        while b"\r\n\r\n" not in head:
            got = client.recv(65536)
            if not got:
                return
            head += got
        path = head.split(b" ")[1]
        print("asked", path.decode(), flush=True)
        while path == b"/hold" and not os.path.exists("go"):
            time.sleep(0.01)
        code = b"500 X" if path == b"/500" else b"200 OK"
        body = (os.environ["PS"] + " " + os.environ["PORT"]).encode()
        client.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (code, len(body), body))
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
"#;

/// A session of such servers behind a front; `None` without Python.
fn servers(base: u16, more: &str) -> Option<Sandbox> {
    if !has_program("python3") {
        return None;
    }
    let app = app("web: exec python3 server.py\n").write("server.py", SERVER);
    done(&app, &format!("start --daemon -p {base} {more}"));
    Some(app)
}

/// The last line of an answer: the instance that has given it, and its port.
fn answerer(base: u16, path: &str) -> String {
    let answer = get(base, path).expect("it is answered");
    answer.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn requests_are_answered_behind_the_front_and_counted() {
    let base = free_port(10);
    let Some(app) = servers(base, "--proxy web=2") else { return };
    // The first one waits until an instance listens.
    let seen: BTreeSet<String> = (0..6).map(|_| answerer(base, "/")).collect();
    let expected = [format!("web.1 {}", base + 1), format!("web.2 {}", base + 2)];
    assert!(seen.iter().all(|one| expected.contains(one)), "{seen:?}");
    assert!(get(base, "/500").unwrap().starts_with("HTTP/1.1 500"));
    let ps: Value = serde_json::from_str(&done(&app, "ps --json")).unwrap();
    let sum = |key: &str| -> u64 {
        ps["instances"].as_array().unwrap().iter().filter_map(|it| it[key].as_u64()).sum()
    };
    assert_eq!((sum("requests"), sum("in_flight"), sum("errors_5xx")), (7, 0, 1), "{ps}");
    let metrics = done(&app, "metrics");
    let of_web = format!("{{root=\"{}\",type=\"web\"", app.dir().display());
    for (name, labels, value) in [
        ("requests_total", ",code=\"200\"", 6),
        ("requests_total", ",code=\"500\"", 1),
        ("in_flight", "", 0),
        ("request_seconds_bucket", ",le=\"+Inf\"", 7),
        ("request_seconds_count", "", 7),
    ] {
        let line = format!("pm_proxy_{name}{of_web}{labels}}} {value}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    done(&app, "quit");
}

#[test]
fn a_front_that_could_not_be_opened_serves_those_that_run_when_a_reload_opens_it() {
    let base = free_port(10);
    let Some(app) = servers(base, "web=2") else { return };
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let toml = format!("[process.web]\nproxy = {port}\n");
    let app = app.write("pm.toml", &toml);
    let reason = format!("`web`: cannot listen on 127.0.0.1:{port} for the proxy of `web`");
    assert!(refused_by(&app, "reload").contains(&reason));
    // Both have been started again, and listen.
    let said = app.read("pm.log").unwrap();
    assert_eq!(said.matches("cannot listen on ").count(), 1, "{said}");
    drop(stranger);
    let app = app.write("pm.toml", format!("{toml}proxy-wait = 1\n"));
    done(&app, "reload");
    let seen: BTreeSet<String> = (0..6).map(|_| answerer(port, "/")).collect();
    assert_eq!(seen.len(), 2, "{seen:?}");
    done(&app, "quit");
}

#[test]
fn a_stop_waits_for_the_answers_that_are_due() {
    let base = free_port(10);
    let Some(app) = servers(base, "--proxy web=1") else { return };
    let held = thread::spawn(move || get(base, "/hold"));
    eventually("the request is with the instance", || {
        app.read("pm.log").filter(|log| log.contains("asked /hold"))
    });
    let restart = app.pm(["restart", "web"]).spawn();
    eventually("it is stopping", || {
        let ps: Value = serde_json::from_str(&done(&app, "ps --json")).ok()?;
        (ps["instances"][0]["state"] == "stopping").then_some(())
    });
    assert!(!held.is_finished());
    let app = app.write("go", "");
    assert!(held.join().unwrap().unwrap().ends_with(&format!("web.1 {}", base + 1)));
    drop(restart);
    assert!(answerer(base, "/").starts_with("web.1 "));
    done(&app, "quit");
}

#[test]
fn a_front_whose_type_a_reload_finds_gone_refuses_and_its_instance_answers_what_it_has() {
    if !has_program("python3") {
        return;
    }
    let base = free_port(110);
    let app = app("web: exec python3 server.py\n").write("server.py", SERVER);
    let app = app.write("pm.toml", "[process.web]\nproxy = true\n");
    done(&app, &format!("start --daemon -p {base}"));
    let held = thread::spawn(move || get(base, "/hold"));
    eventually("the request is with the instance", || {
        app.read("pm.log").filter(|log| log.contains("asked /hold"))
    });
    let app = app.write("Procfile", format!("other: {READY}\n")).write("pm.toml", "");
    let reload = app.pm(["reload"]).spawn();
    eventually("nobody listens", || TcpStream::connect(("127.0.0.1", base)).is_err().then_some(()));
    assert!(!held.is_finished());
    let ps: Value = serde_json::from_str(&done(&app, "ps --json")).unwrap();
    assert_eq!(ps["proxy"], json!({}));
    let app = app.write("go", "");
    assert!(held.join().unwrap().unwrap().ends_with(&format!("web.1 {}", base + 1)));
    drop(reload);
    eventually("it has ended", || (!done(&app, "ps").contains("web.1")).then_some(()));
    done(&app, "quit");
}

#[test]
fn who_asks_when_all_have_failed_is_told_why_with_the_last_lines() {
    let base = free_port(10);
    let app = app("web: echo first; echo cannot start; exit 73\nworker: exec sleep 1000\n");
    done(&app, &format!("start --daemon -p {base} --proxy --restart never --exit-on all"));
    let answer = get(base, "/").unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("web.1 failed: exited with code 73"), "{answer}");
    assert!(answer.contains("first\ncannot start"), "{answer}");
    done(&app, "quit");
}
