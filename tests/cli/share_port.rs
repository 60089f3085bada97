//! `share-port`: one listening socket for all instances of a type, open before they run and over their restarts.

mod servers;

use std::io::{Read, Write};
use std::net::TcpStream;

use nix::sys::signal::{Signal, kill};

use crate::log::printed_by;
use crate::sandbox::http::{free_port, get};
use crate::sandbox::{End, Sandbox, eventually, has_program};

/// Answers each connection with its own name and process id, and what it was told of the socket.
const SERVER: &str = r#"
import os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
keys = ["PS", "PORT", "LISTEN_FDS", "LISTEN_FDNAMES", "PM_LISTEN_FD"]
told = " ".join(os.environ.get(key, "?") for key in keys)
own = "own" if os.environ.get("LISTEN_PID") == str(os.getpid()) else "other"
listener = socket.socket(fileno=3)
if "go" in sys.argv:
    open("go").read()
print("serving", flush=True)
while True:
    client, _ = listener.accept()
    client.recv(65536)
    client.sendall(f"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{os.getpid()} {told} {own}\n".encode())
    client.close()
"#;

fn app(procfile: &str, toml: &str) -> Sandbox {
    Sandbox::with_procfile(procfile).write("server.py", SERVER).write("pm.toml", toml)
}

/// Returns the words of the server's answer.
fn asked(port: u16) -> Vec<String> {
    let answer = get(port, "/").expect("the socket is open");
    let body = answer.split("\r\n\r\n").nth(1).expect("it is an answer");
    body.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn each_instance_has_the_socket_as_descriptor_3_and_its_own_process_id() {
    if !has_program("python3") {
        return;
    }
    for command in ["python3 server.py", "cd . && A=1 exec python3 server.py"] {
        let app = app(&format!("web: {command}\n"), "[process.web]\nshare-port = true\n");
        let port = free_port(1);
        let mut session = app.pm(["start", "web=2", "-p", &port.to_string()]).spawn();
        session.wait_for_times("serving", 2);
        let answer = asked(port);
        assert!(answer[1].starts_with("web."), "{answer:?}");
        assert_eq!(answer[2..], [&port.to_string(), "1", "web", "3", "own"], "{command}");
        session.signal(Signal::SIGTERM);
        assert_eq!(session.wait(), End::Code(0));
    }
}

#[test]
fn a_client_waits_while_the_program_boots_and_over_a_restart_and_a_scale_to_0() {
    if !has_program("python3") {
        return;
    }
    let app = app("web: python3 server.py go\n", "[process.web]\nshare-port = true\n");
    app.sh("mkfifo go").run();
    let port = free_port(1);
    let mut session = app.pm(["start", "-p", &port.to_string()]).spawn();
    let connect = || {
        let mut client = eventually("the socket", || TcpStream::connect(("127.0.0.1", port)).ok());
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it is connected");
        client
    };
    let told = |mut client: TcpStream| {
        app.sh("echo > go").run();
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("it is answered");
        answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()
    };
    let first = told(connect());
    let pid = first.split(' ').next().and_then(|pid| pid.parse().ok()).expect("a process id");
    kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
    session.wait_for("terminated by SIGKILL");
    let second = told(connect());
    assert!(second.contains("web.1") && first != second, "{first}{second}");
    assert_eq!(app.pm(["scale", "web=0"]).run().code(), 0);
    let waiting = connect();
    assert_eq!(app.pm(["scale", "web=1"]).run().code(), 0);
    assert!(told(waiting).contains("web.1"));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn nobody_listens_after_pm_was_killed_and_no_other_type_has_the_socket() {
    if !has_program("python3") {
        return;
    }
    let app = app(
        "web: python3 server.py\nother: ls -l /proc/self/fd\n",
        "[process.web]\nshare-port = true\n",
    );
    let port = free_port(101);
    let mut session = app.pm(["start", "-p", &port.to_string()]).spawn();
    session.wait_for("serving");
    session.wait_for("other.1 | -- exited");
    let said = printed_by(&session.stdout_so_far(), "other.1").join("\n");
    assert!(said.contains(" 2 -> ") && !said.contains("socket:"), "{said}");
    kill(session.pid(), Signal::SIGKILL).expect("it runs");
    assert_eq!(session.wait(), End::Signal(Signal::SIGKILL));
    app.assert_nothing_left();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_command_before_which_a_shell_stays_is_refused_with_the_exec_to_write() {
    let toml = "[process.web]\nshare-port = true\n";
    for (command, hint) in [
        (
            "touch ran; cd . && cat",
            "write `exec` before the program: `touch ran; cd . && exec cat`",
        ),
        (
            "touch ran | cat",
            "let the command end with `exec` and the program, as in `cd web && exec node server.js`",
        ),
    ] {
        let app = Sandbox::with_procfile(&format!("web: {command}\n")).write("pm.toml", toml);
        let output = app.pm(["start"]).run();
        assert_eq!(
            output.stderr,
            format!(
                "error: `share-port` of `web` needs the process id of its program, for LISTEN_PID: a shell stays \
                 before it\nhint: {hint}\n"
            )
        );
        assert_eq!((output.code(), app.read("ran")), (1, None));
    }
}

#[test]
fn a_port_that_somebody_has_is_an_error_before_anything_starts() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = held.local_addr().expect("it is bound").port();
    let app = Sandbox::with_procfile("web: touch ran\n")
        .write("pm.toml", "[process.web]\nshare-port = true\n");
    let output = app.pm(["start", "-p", &port.to_string()]).run();
    let reason = format!("error: cannot listen on 127.0.0.1, port {port}, for `web`: ");
    assert!(output.stderr.contains(&reason), "{}", output.stderr);
    let holder = format!("(pid {}) has the port\n", std::process::id());
    assert!(output.stderr.contains(&holder), "{}", output.stderr);
    let hint = "hint: stop it, or choose another base with `-p`\n";
    assert!(output.stderr.contains(hint), "{}", output.stderr);
    assert_eq!((output.code(), app.read("ran")), (1, None));
    let app = app.write("pm.toml", "[process.web]\nshare-port = \"192.0.2.1\"\n");
    let output = app.pm(["start", "-p", &free_port(1).to_string()]).run();
    let hint = "hint: `share-port` is `true`, or an address of this machine\n";
    assert!(output.stderr.contains(hint), "{}", output.stderr);
}

#[test]
fn an_instance_that_does_not_take_the_socket_is_named_and_one_that_does_is_not() {
    if !has_program("python3") {
        return;
    }
    let app = app(
        "web: python3 server.py\nodd: sh -c 'echo started; exec cat' 3<&-\nlate: cat 3<&-\n",
        "[process]\nweb = { share-port = true }\nodd = { share-port = true, ready = \"log:started\" }\n\
         late = { share-port = true }\n",
    );
    let mut session = app.pm(["start", "-p", &free_port(201).to_string()]).spawn();
    let words = "does not listen on the socket it was given; write fd://3, or use --proxy";
    session.wait_for(&format!("odd.1 {words}"));
    session.wait_for(&format!("late.1 {words}"));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert_eq!(output.matches(words).count(), 2, "{output}");
}

#[test]
fn ready_by_its_port_waits_until_the_program_accepts() {
    if !has_program("python3") {
        return;
    }
    // A shell and a Python that boots have the socket, and nobody accepts.
    let app = app(
        "web: sh -c 'read line < go; exec python3 server.py go'\n",
        "[process.web]\nshare-port = true\nready = \"port\"\n",
    );
    app.sh("mkfifo go").run();
    let mut session = app.pm(["start", "-p", &free_port(1).to_string()]).spawn();
    let is_looked_at = || {
        let table = app.pm(["ps", "--json"]).run().stdout;
        let status: serde_json::Value = serde_json::from_str(&table).ok()?;
        let web = &status["instances"][0];
        (web["last_answer"] == "is not served by web.1").then(|| web["state"] == "starting")
    };
    assert!(eventually("the shell was looked at", is_looked_at));
    for _ in 0..2 {
        app.sh("echo > go").run();
    }
    session.wait_for("ready after");
    let output = session.stdout_so_far();
    assert!(output.find("serving") < output.find("ready after"), "{output}");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn a_program_is_ready_that_has_taken_a_client_who_was_there_before_it() {
    if !has_program("python3") {
        return;
    }
    let app = app(
        "web: python3 server.py go\n",
        "[process.web]\nshare-port = true\nready = \"port\"\nready-timeout = 10\n",
    );
    app.sh("mkfifo go").run();
    let port = free_port(1);
    let mut session = app.pm(["start", "-p", &port.to_string()]).spawn();
    let mut client = eventually("the socket", || TcpStream::connect(("127.0.0.1", port)).ok());
    app.sh("echo > go").run();
    // It waits for what this client says, and for no other.
    session.wait_for("ready after");
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it is connected");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.contains("web.1"), "{answer}");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn check_warns_of_what_closes_the_socket() {
    let app = Sandbox::with_procfile("web: npx -c 'vite'\napi: npm start\n")
        .write("pm.toml", "[process]\nweb = { share-port = true }\napi = { share-port = true }\n")
        .env("PORT", free_port(101).to_string());
    let output = app.pm(["check"]).run();
    for part in [
        "warning[closed-socket]: `npx -c` closes descriptor 3 in what it starts, so `web` does not get its socket",
        "Procfile:1:6",
    ] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    assert!(!output.stderr.contains("`api`"), "{}", output.stderr);
}

#[test]
fn a_reload_that_shares_the_port_starts_the_instances_again_with_the_socket() {
    if !has_program("python3") {
        return;
    }
    let app = app("web: python3 server.py\n", "[process.web]\nshare-port = true\n");
    let port = free_port(2);
    let app = app.write("pm.toml", "").write("Procfile", "web: exec cat\n");
    let mut session = app.pm(["start", "web=2", "-p", &port.to_string()]).spawn();
    session.wait_for("web.2  | -- started");
    let app = app
        .write("pm.toml", "[process.web]\nshare-port = true\n")
        .write("Procfile", "web: python3 server.py\n");
    assert_eq!(app.pm(["reload"]).run().code(), 0);
    session.wait_for_times("serving", 2);
    assert_eq!(asked(port)[2], port.to_string());
    let app = app.write("pm.toml", "[process.web]\nshare-port = \"127.0.0.2\"\n");
    assert_eq!(app.pm(["reload"]).run().code(), 0);
    session.wait_for_times("serving", 4);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(TcpStream::connect(("127.0.0.2", port)).is_ok());
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn a_reload_to_another_host_waits_for_the_last_one_that_has_the_port() {
    if !has_program("python3") {
        return;
    }
    // The second stops when somebody writes into `stop`.
    let server = SERVER.replace(
        "lambda *_: os._exit(0)",
        "lambda *_: (os.environ['PS'] == 'web.1' or open('stop').read()) and os._exit(0)",
    );
    let host = |host: &str| format!("[process.web]\nshare-port = \"{host}\"\n");
    let app = app("web: python3 server.py\n", &host("127.0.0.1")).write("server.py", server);
    app.sh("mkfifo stop").run();
    let port = free_port(1);
    let mut session = app.pm(["start", "web=2", "-t", "60", "-p", &port.to_string()]).spawn();
    session.wait_for_times("serving", 2);
    let app = app.write("pm.toml", host("0.0.0.0"));
    let mut reload = app.pm(["reload"]).spawn();
    session.wait_for("web.1  | -- exited");
    app.sh("echo > stop").run();
    session.wait_for_times("serving", 4);
    assert_eq!(reload.wait(), End::Code(0));
    assert!(TcpStream::connect(("127.0.0.2", port)).is_ok());
    let writer = app.sh("echo > stop").spawn();
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    drop(writer);
}
