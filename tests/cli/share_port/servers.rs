//! The table of servers in docs/one-address.md: each row with the real server, where it is installed.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::sandbox::http::{free_port, get};
use crate::sandbox::{End, Output, Sandbox, cases, eventually, has_program};

/// Between two requests of a client: the servers need the processor, too.
const PACE: Duration = Duration::from_millis(5);
/// What the documents say.
const TABLE: &str = include_str!("../../../docs/one-address.md");

/// An application with this command, which says `ready` on its output.
fn app(command: &str, ready: &str) -> Sandbox {
    let toml = format!("[process.web]\nshare-port = true\nready = 'log:{ready}'\n");
    Sandbox::with_procfile(&format!("web: {command}\n")).write("pm.toml", toml)
}

/// An instance answers on the shared socket, and nobody is refused while it is replaced.
#[track_caller]
fn takes_the_socket(app: &Sandbox, row: &str) {
    assert!(TABLE.contains(&format!("`{row}`")), "the table has no row `{row}`");
    let port = free_port(1);
    let mut session = app.pm(["start", "-p", &port.to_string()]).spawn();
    session.wait_for("-- ready after");
    let answers = || get(port, "/").is_ok_and(|answer| answer.contains("hello"));
    assert!(answers(), "{row}: {}", session.stdout_so_far());
    let (over, end) = mpsc::channel::<()>();
    let (replaced, refused) = thread::scope(move |scope| {
        let client = scope.spawn(move || {
            let mut refused = 0;
            while end.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                // One that meets a process at its end may be cut: only who is refused is counted.
                let error = get(port, "/").err().map(|error| error.kind());
                refused += usize::from(error == Some(ErrorKind::ConnectionRefused));
            }
            refused
        });
        let replace = |_| app.pm(["restart", "--rolling", "web"]).run();
        let replaced: Vec<Output> = (0..cases(1)).map(replace).collect();
        // Where a restart has failed, its panic drops it.
        drop(over);
        (replaced, client.join().expect("the client ends"))
    });
    for output in replaced {
        assert_eq!(output.code(), 0, "{row}: {output:?}");
    }
    assert_eq!(refused, 0, "{row}");
    eventually(&format!("an answer of `{row}`"), || answers().then_some(()));
    let said = session.stdout_so_far();
    assert!(!said.contains("does not listen on the socket"), "{said}");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0), "{row}");
}

const ASGI: &str = r#"
async def app(scope, receive, send):
    if scope["type"] == "http":
        length = (b"content-length", b"5")
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": b"hello"})
    while scope["type"] == "lifespan":
        kind = (await receive())["type"]
        await send({"type": kind + ".complete"})
        if kind == "lifespan.shutdown":
            return
"#;

const WSGI: &str = r#"
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
"#;

#[test]
fn uvicorn_takes_the_socket() {
    if has_program("uvicorn") {
        let row = "uvicorn app:app --fd 3";
        takes_the_socket(&app(row, "Uvicorn running").write("app.py", ASGI), row);
    }
}

#[test]
fn gunicorn_takes_the_socket() {
    if has_program("gunicorn") {
        let row = "gunicorn app:app";
        takes_the_socket(&app(row, "Booting worker").write("app.py", WSGI), row);
    }
}

#[test]
fn hypercorn_takes_the_socket() {
    if has_program("hypercorn") {
        let row = "hypercorn -b fd://3 app:app";
        takes_the_socket(&app(row, "Running on").write("app.py", ASGI), row);
    }
}

#[test]
fn puma_takes_the_socket() {
    if has_program("puma") {
        let row = "puma --bind-to-activated-sockets only";
        let rack = "run ->(env) { [200, { \"content-length\" => \"5\" }, [\"hello\"]] }\n";
        takes_the_socket(&app(row, "Use Ctrl-C to stop").write("config.ru", rack), row);
    }
}

#[test]
fn node_takes_the_socket_behind_a_shell_too() {
    if !has_program("node") {
        return;
    }
    let row = "server.listen({ fd: 3 })";
    let server = format!(
        "const server = require('http').createServer((q, r) => r.end('hello'));\n{row};\n\
         server.on('listening', () => console.log('listens'));\n\
         process.on('SIGTERM', () => process.exit(0));\n"
    );
    // /bin/sh is dash on Debian.
    for command in ["node server.js", "cd . && exec node server.js"] {
        takes_the_socket(&app(command, "listens").write("server.js", &server), row);
    }
}

#[test]
fn go_takes_the_socket() {
    if !has_program("go") {
        return;
    }
    let row = "net.FileListener(os.NewFile(3, \"web\"))";
    let server = format!(
        r#"package main
import ("net"; "os")
func main() {{
    listener, err := {row}
    if err != nil {{ panic(err) }}
    os.Stdout.WriteString("listens\n")
    for {{
        client, err := listener.Accept()
        if err != nil {{ panic(err) }}
        client.Read(make([]byte, 4096))
        client.Write([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"))
        client.Close()
    }}
}}
"#
    );
    let app = app("./server", "listens").write("server.go", server);
    // It compiles the standard library once, for as long as that takes.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
    let mut go = Command::new("go");
    go.args(["build", "-o", "server", "server.go"]).current_dir(app.dir()).env("GOCACHE", cache);
    let built = go.env("GO111MODULE", "off").env("CGO_ENABLED", "0").output().expect("go runs");
    assert!(built.status.success(), "{built:?}");
    takes_the_socket(&app, row);
}

/// node marks every descriptor that it has got as one that what it starts shall not have
/// (`uv_disable_stdio_inheritance`), and npm is a program of node.
#[test]
fn npm_start_closes_the_socket_as_the_documents_say() {
    if !has_program("npm") {
        return;
    }
    assert!(TABLE.contains("npm and npx close it"));
    let script = "test -e /proc/self/fd/3 && echo kept || echo closed; exec sleep 1000";
    let package = serde_json::json!({ "private": true, "scripts": { "start": script } });
    for (command, expected) in [("npm start --silent", "closed"), ("sh script", "kept")] {
        let app = Sandbox::with_procfile(&format!("web: exec {command}\n"))
            .write("package.json", package.to_string())
            .write("pm.toml", "[process.web]\nshare-port = true\n");
        let app = app.write("script", script);
        let session = app.pm(["start", "-p", &free_port(1).to_string()]).spawn();
        session.wait_until("what became of the socket", |said| {
            said.contains("| closed") || said.contains("| kept")
        });
        let said = session.stdout_so_far();
        assert!(said.contains(&format!("| {expected}")), "{command}: {said}");
    }
}
