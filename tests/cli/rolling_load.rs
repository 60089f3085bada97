//! What clients see of the proxy and of a shared socket while instances are replaced, killed and restarted: the wiring,
//! with real servers. What the core orders is tested in `src/supervisor/tests/`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::control::{app, done, refused};
use crate::sandbox::http::{free_base, free_port, get};
use crate::sandbox::{Sandbox, cases, eventually, has_program};

/// Says its name, process id and first argument to whoever asks, and dies at a signal; with `broken` it is never ready. It
/// listens when it can read from the file `go`, where there is one.
const SERVER: &str = r#"
import os, socket, sys, threading
print("boots", flush=True)
if os.path.exists("go"):
    open("go").read()
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
        is_bad = head.startswith(b"GET /up ") and "broken" in sys.argv
        code = b"503 Not Yet" if is_bad else b"200 OK"
        body = " ".join([os.environ["PS"], str(os.getpid()), *sys.argv[1:]]).encode()
        client.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (code, len(body), body))
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
"#;

/// Answers on the socket that it was given, and at SIGTERM finishes the connection that it has.
const GRACEFUL: &str = r#"
import os, select, signal, socket
listener = socket.socket(fileno=3)
listener.setblocking(False)
told, tells = socket.socketpair()
tells.setblocking(False)
signal.set_wakeup_fd(tells.fileno())
signal.signal(signal.SIGTERM, lambda *_: None)
print("serves", flush=True)
while True:
    ready, _, _ = select.select([listener, told], [], [])
    if told in ready:
        break
    try:
        client, _ = listener.accept()
    except BlockingIOError:
        continue
    client.setblocking(True)
    client.recv(65536)
    body = os.environ["PS"].encode()
    client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    client.close()
"#;

/// Clients that ask one request after the other until they are told to stop.
struct Load {
    is_over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Answers>>,
}

/// What one client has got: the bodies of its answers, and what else came.
#[derive(Debug, Default)]
struct Answers {
    bodies: Vec<String>,
    errors: Vec<String>,
}

impl Load {
    fn begin(port: u16, clients: usize) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let one = |_| {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || {
                let mut answers = Answers::default();
                while !is_over.load(Ordering::Relaxed) {
                    answers.take(get(port, "/"));
                }
                // One more, of what there is by now.
                answers.take(get(port, "/"));
                answers
            })
        };
        let clients = (0..clients).map(one).collect();
        Self { is_over, clients }
    }

    fn end(self) -> Vec<Answers> {
        self.is_over.store(true, Ordering::Relaxed);
        self.clients.into_iter().map(|client| client.join().expect("a client ends well")).collect()
    }
}

impl Answers {
    fn take(&mut self, answer: std::io::Result<String>) {
        match answer {
            Ok(text) if text.starts_with("HTTP/1.1 200 ") => {
                self.bodies.push(text.lines().last().unwrap_or_default().to_owned());
            }
            Ok(text) => self.errors.push(text),
            Err(error) => self.errors.push(format!("{error:?}")),
        }
    }
}

/// Asserts that each client was answered, and always with 200. Returns the last answers.
#[track_caller]
fn all_well(answers: Vec<Answers>) -> BTreeSet<String> {
    let errors: Vec<_> = answers.iter().flat_map(|of| &of.errors).collect();
    assert!(errors.is_empty(), "{errors:?}");
    answers.into_iter().filter_map(|of| of.bodies.into_iter().next_back()).collect()
}

/// Returns an application behind a proxy, and its first port; `None` without Python.
fn behind_proxy(toml: &str) -> Option<(Sandbox, u16)> {
    if !has_program("python3") {
        return None;
    }
    let app = app("web: exec python3 server.py\n").write("server.py", SERVER);
    let app = app.write("pm.toml", format!("[process.web]\nproxy = true\n{toml}"));
    // Those of four instances, and of what replaces them.
    Some((app, free_base((1..=4).chain(51..=54))))
}

fn report(app: &Sandbox) -> Value {
    serde_json::from_str(&done(app, "ps --json")).expect("an object")
}

/// Returns the process ids of all instances.
fn pids(app: &Sandbox) -> Vec<i64> {
    let report = report(app);
    let instances = report["instances"].as_array().expect("a list").iter();
    instances.filter_map(|it| it["pid"].as_i64()).collect()
}

#[test]
fn a_rollout_whose_new_one_is_never_ready_leaves_the_old_ones_and_the_reload_of_a_fixed_file_rolls_on()
 {
    let toml = "ready = \"http:/up\"\nupdate = \"rolling\"\n";
    let Some((app, base)) = behind_proxy(toml) else { return };
    let usual = app.read("pm.toml").expect("it is written");
    done(&app, &format!("start --daemon --wait -p {base} web=4"));
    let old = pids(&app);
    let load = Load::begin(base, 3);
    let app = app
        .write("Procfile", "web: exec python3 server.py broken\n")
        .write("pm.toml", format!("{usual}ready-timeout = 1\n"));
    let said = refused(&app, "reload");
    let cause = "`web.1`: the new instance was not ready in time; the old one keeps running";
    assert!(said.contains(cause), "{said}");
    assert_eq!(pids(&app), old);
    let app = app.write("Procfile", "web: exec python3 server.py fixed\n").write("pm.toml", usual);
    done(&app, "reload");
    let new = pids(&app);
    assert!(new.len() == 4 && old.iter().all(|pid| !new.contains(pid)), "{old:?} {new:?}");
    let last = all_well(load.end());
    assert!(last.iter().all(|body| body.ends_with(" fixed")), "{last:?}");
    done(&app, "quit");
}

#[test]
fn of_one_that_is_killed_each_client_loses_one_request_at_most_and_nobody_is_refused() {
    let Some((app, base)) = behind_proxy("ready = \"port\"\n") else { return };
    done(&app, &format!("start --daemon --wait -p {base} web=4"));
    let killed = pids(&app)[1];
    let load = Load::begin(base, 4);
    let by = |pid: i64| get(base, "/").is_ok_and(|text| text.contains(&format!(" {pid}")));
    eventually("it has requests", || by(killed).then_some(()));
    let pid = i32::try_from(killed).expect("it is a process id");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
    eventually("another run of it answers", || {
        let pids = pids(&app);
        (pids.len() == 4 && !pids.contains(&killed) && by(pids[1])).then_some(())
    });
    for answers in load.end() {
        let Answers { bodies, errors } = &answers;
        assert!(errors.len() <= 1 && !bodies.is_empty(), "{errors:?}");
        assert!(errors.iter().all(|error| !error.contains("ConnectionRefused")), "{errors:?}");
    }
    done(&app, "quit");
}

#[test]
fn a_restart_of_the_only_one_is_a_wait_and_over_when_it_listens() {
    let Some((app, base)) = behind_proxy("") else { return };
    done(&app, &format!("start --daemon -p {base} web=1"));
    eventually("it listens", || app.read("pm.log").filter(|log| log.contains("listens")));
    let load = Load::begin(base, 2);
    for _ in 0..3 {
        done(&app, "restart web");
    }
    all_well(load.end());
    let log = app.read("pm.log").expect("there is one");
    assert_eq!(log.matches("listens").count(), 4, "each run was let to listen: {log}");
    done(&app, "quit");
}

#[test]
fn pm_ps_says_what_the_second_run_of_an_instance_does() {
    let Some((app, base)) = behind_proxy("") else { return };
    done(&app, &format!("start --daemon -p {base} web=1"));
    eventually("it listens", || app.read("pm.log").filter(|log| log.contains("listens")));
    assert_eq!(app.sh("mkfifo go").run().code(), 0);
    let old = pids(&app)[0];
    let rollout = app.pm(["restart", "--rolling", "web"]).spawn();
    let second = eventually("it is looked at", || {
        let report = report(&app);
        let second = report["instances"][0]["replacement"].clone();
        (second["last_answer"] == "has no listener").then_some((report, second))
    });
    let (report, second) = second;
    let web = &report["instances"][0];
    assert_eq!((&web["pid"], &web["port"]), (&old.into(), &(base + 1).into()), "{report}");
    assert_eq!((&second["run"], &second["state"]), (&"new".into(), &"starting".into()));
    assert_eq!((&second["port"], &second["probe"]), (&(base + 51).into(), &"port".into()));
    assert_ne!(second["pid"], old);
    let table = done(&app, "ps");
    assert!(table.contains("up, new one starting port "), "{table}");
    assert_eq!(app.sh("echo > go").run().code(), 0);
    drop(rollout);
    eventually("it is over", || self::report(&app)["instances"][0]["replacement"].as_null());
    done(&app, "quit");
}

#[test]
fn rolling_restarts_refuse_nobody_on_a_shared_socket_and_wait_for_each_to_serve() {
    if !has_program("python3") {
        return;
    }
    let app = app("web: exec python3 graceful.py\n").write("graceful.py", GRACEFUL);
    let app = app.write("pm.toml", "[process.web]\nshare-port = true\n");
    let base = free_port(1);
    done(&app, &format!("start --daemon -p {base} web=2"));
    let log = || app.read("pm.log").unwrap_or_default();
    eventually("both serve", || (log().matches("| serves").count() == 2).then_some(()));
    let load = Load::begin(base, 2);
    let restarts = usize::try_from(cases(1)).expect("a few");
    for _ in 0..restarts {
        done(&app, "restart --rolling web");
    }
    all_well(load.end());
    let served = log().matches("| serves").count();
    assert_eq!(served, 2 + 2 * restarts, "none was ended before: {}", log());
    done(&app, "quit");
}
