//! Requests that come before an instance answers.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use super::{SERVER, answerer};
use crate::control::{app, done};
use crate::sandbox::http::free_port;
use crate::sandbox::{LIMIT, Sandbox, eventually, has_program};

/// A session whose only instance boots until the file `go` is there, and then does the rest of its command.
fn booting(base: u16, rest: &str, more: &str) -> Sandbox {
    let app = app(&format!("web: until [ -e go ]; do sleep 0.02; done; {rest}\n"));
    let app = app.write("server.py", SERVER);
    done(&app, &format!("start --daemon -p {base} --proxy {more}"));
    app
}

/// A client that has asked, and has no answer.
fn asked(base: u16) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", base)).expect("the front listens at once");
    client.set_read_timeout(Some(LIMIT)).expect("it is a socket");
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("it takes a request");
    client
}

fn answer(mut client: TcpStream) -> String {
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("it answers, and closes");
    answer
}

/// Waits until the front holds so many requests.
fn held(app: &Sandbox, count: u64) {
    eventually("the front holds the requests", || {
        let ps: serde_json::Value = serde_json::from_str(&done(app, "ps --json")).ok()?;
        (ps["proxy"]["web"]["in_flight"] == count).then_some(())
    });
}

#[test]
fn a_request_that_comes_while_the_only_instance_boots_is_answered_when_it_listens() {
    if !has_program("python3") {
        return;
    }
    let base = free_port(10);
    let app = booting(base, "exec python3 server.py", "");
    let clients = [asked(base), asked(base)];
    held(&app, 2);
    for client in &clients {
        client.set_nonblocking(true).expect("it is a socket");
        let early = client.peek(&mut [0]).expect_err("it has neither an answer nor an end");
        assert_eq!(early.kind(), ErrorKind::WouldBlock);
        client.set_nonblocking(false).expect("it is a socket");
    }
    let app = app.write("go", "");
    for client in clients {
        let answer = answer(client);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.ends_with(&format!("web.1 {}", base + 1)), "{answer}");
    }
    assert!(answerer(base, "/").starts_with("web.1 "));
    done(&app, "quit");
}

#[test]
fn who_has_waited_long_enough_is_told_what_the_instance_does_and_its_last_line() {
    let base = free_port(10);
    let toml = "[process.web]\nproxy = true\nproxy-wait = 1\nready = \"port\"\n";
    let app = app("web: echo 'loading <data>'; exec sleep 1000\n").write("pm.toml", toml);
    done(&app, &format!("start --daemon -p {base}"));
    eventually("it has said something", || app.read("pm.log").filter(|log| log.contains("<data>")));
    let told = answer(asked(base));
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("Retry-After: 1\r\n"), "{told}");
    assert!(told.contains("503: no instance of web is ready: web.1 is starting: port"), "{told}");
    assert!(told.trim_end().ends_with("\n\nloading <data>"), "{told}");
    let mut stranger = TcpStream::connect(("127.0.0.1", base)).expect("the front listens");
    stranger.set_read_timeout(Some(LIMIT)).expect("it is a socket");
    stranger
        .write_all(b"GET / HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n")
        .expect("it takes a request");
    let told = answer(stranger);
    assert!(told.contains("web.1 is starting") && !told.contains("loading"), "{told}");
    done(&app, "scale web=0");
    let told = answer(asked(base));
    assert!(told.contains("503: no instance of web is ready: it has no instances"), "{told}");
    done(&app, "quit");
}

#[test]
fn who_asks_a_type_that_was_scaled_to_nothing_waits_although_its_instances_had_failed() {
    let base = free_port(200);
    let toml = "[process.web]\nproxy = true\nproxy-wait = 1\nrestart = \"never\"\n";
    let app = app("web: exit 4\nother: exec sleep 1000\n").write("pm.toml", toml);
    done(&app, &format!("start --daemon -p {base} --exit-on all"));
    eventually("it has failed", || {
        answer(asked(base)).contains("web.1 failed: exited with code 4").then_some(())
    });
    done(&app, "scale web=0");
    let told = answer(asked(base));
    assert!(told.contains("503: no instance of web is ready: it has no instances"), "{told}");
    done(&app, "quit");
}

#[test]
fn who_waits_when_the_only_instance_fails_gets_the_cause_and_the_last_line_before_the_session_ends()
{
    let base = free_port(10);
    let app = booting(base, "echo 'no <database>'; exit 41", "--restart never");
    let client = asked(base);
    held(&app, 1);
    let app = app.write("go", "");
    let answer = answer(client);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("Retry-After: 1\r\n"), "{answer}");
    assert!(answer.contains("web.1 failed: exited with code 41"), "{answer}");
    assert!(answer.trim_end().ends_with("no <database>"), "{answer}");
    app.assert_nothing_left();
}
