//! `proxy` and what takes long: large bodies, streams, many connections, and nothing at all.
//!
//! `PM_CI_LONG=1 cargo test --test cli proxy_streams -- --nocapture` prints the figures.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;

use crate::control::done;
use crate::proxy_load::client::{Connection, pattern};
use crate::proxy_load::{C, PORTS};
use crate::readiness::waits;
use crate::sandbox::http::{free_port, get};
use crate::sandbox::{End, LIMIT, Sandbox, cases, eventually, status};

const TOML: &str = "[process.web]\nproxy = true\nready = \"port\"\ndrain = 1\nstop-timeout = 1\n";
const MIB: usize = 1 << 20;

/// Returns the process id of a session in the background.
fn pid_of(app: &Sandbox) -> Pid {
    let ps: Value = serde_json::from_str(&done(app, "ps --json")).expect("an object");
    let pid = ps["session"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    Pid::from_raw(pid.expect("a session has a process"))
}

/// Returns a field of /proc/PID/status in KiB.
fn kib(pid: Pid, field: &str) -> u64 {
    let text = status(pid, field).expect("pm runs");
    text.trim_end_matches(" kB").parse().expect("a number of KiB")
}

fn write_pattern(mut stream: &TcpStream, length: usize) {
    let bytes = pattern(MIB + 16);
    let mut sent = 0;
    while sent < length {
        let from = (sent + length) % 16;
        let count = MIB.min(length - sent);
        stream.write_all(&bytes[from..from + count]).expect("it goes on");
        sent += count;
    }
}

/// Passes so much each way, at the same time, through a connection that was upgraded.
fn echo(port: u16, length: usize) {
    let mut client = Connection::new(port).expect("a front");
    client.send("GET /echo", "Connection: Upgrade\r\nUpgrade: echo\r\n").expect("it is sent");
    assert!(client.head().expect("an answer").starts_with("HTTP/1.1 101 "));
    let stream = client.stream().try_clone().expect("a descriptor can be duplicated");
    let writer = thread::spawn(move || write_pattern(&stream, length));
    client.pattern(length).expect("the same comes back");
    writer.join().expect("all is taken");
}

fn download(port: u16, length: usize) {
    let mut client = Connection::new(port).expect("a front");
    client.send(&format!("GET /{length}"), "").expect("it is sent");
    client.head().expect("an answer");
    client.pattern(length).expect("it is whole");
}

fn upload(port: u16, length: usize) {
    let mut client = Connection::new(port).expect("a front");
    client.send("POST /large", &format!("Content-Length: {length}\r\n")).expect("it is sent");
    write_pattern(client.stream(), length);
    client.head().expect("an answer");
    let right = client.take(length.to_string().len()).expect("an answer");
    assert_eq!(
        String::from_utf8_lossy(&right),
        length.to_string(),
        "of so many bytes that came right"
    );
}

#[expect(clippy::disallowed_methods, reason = "the server tells the time of the same clock")]
/// Reads events, and returns how long each has taken: figures for who asks for them. That none waits for anything is a
/// test of the proxy's own, with a clock that stands still.
fn ticks(port: u16, count: u32) -> Vec<Duration> {
    let mut client = Connection::new(port).expect("a front");
    client.send("GET /ticks", "").expect("it is sent");
    client.head().expect("an answer");
    let mut tick = || {
        let chunk = client.up_to("\n\n\r\n").expect("an event");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
        let (_, sent) = chunk.trim_end().rsplit_once("data: ").expect("a time");
        now.saturating_sub(Duration::from_micros(sent.parse().expect("a number")))
    };
    let mut delays: Vec<Duration> = (0..count).map(|_| tick()).collect();
    delays.sort();
    delays
}

#[test]
fn large_bodies_and_streams_pass_whole_and_pm_does_not_grow() {
    let Some(app) = C.app(TOML) else { return };
    let base = free_port(PORTS);
    done(&app, &format!("start --daemon --wait -p {base} web=2"));
    let pm = pid_of(&app);
    let pass = |mib: usize| {
        let ticks = thread::spawn(move || ticks(base, cases(3)));
        // In a long run 1 GiB and twice 4 GiB.
        echo(base, mib * MIB);
        let after_echo = kib(pm, "VmRSS");
        download(base, 4 * mib * MIB);
        let after_download = kib(pm, "VmRSS");
        upload(base, 4 * mib * MIB);
        let delays = ticks.join().expect("events");
        println!(
            "delays of {} ticks: median {:?}, most {:?}",
            delays.len(),
            delays[delays.len() / 2],
            delays[delays.len() - 1]
        );
        [after_echo, after_download, kib(pm, "VmRSS")]
    };
    let before = pass(2).into_iter().max().expect("three");
    let after = pass(usize::try_from(cases(52)).expect("few"));
    println!("pm's memory: {before} KiB after the first, small ones, then {after:?} KiB");
    assert!(after.iter().all(|after| after.saturating_sub(before) <= 1024), "{before} {after:?}");
    done(&app, "quit");
}

#[test]
fn a_front_whose_clients_are_idle_never_wakes() {
    let Some(app) = C.app(TOML) else { return };
    let base = free_port(PORTS);
    done(&app, &format!("start --daemon --wait -p {base} web=2"));
    let pm = pid_of(&app);
    let mut client = Connection::new(base).expect("a front");
    client.send("GET /100", "").expect("it is sent");
    client.head().expect("an answer");
    client.pattern(100).expect("it is whole");
    // The connection to the instance is closed a second after, and a silent client is passed on after five.
    let mut before = Vec::new();
    eventually("rest", || {
        assert_eq!(app.sh("sleep 1.2").run().code(), 0);
        let now = waits(pm);
        let rests = now == before;
        before = now;
        rests.then_some(())
    });
    assert_eq!(app.sh("sleep 2").run().code(), 0);
    assert_eq!(waits(pm), before);
    client.send("GET /100", "").expect("the connection is still open");
    client.head().expect("an answer");
    done(&app, "quit");
}

#[test]
fn open_connections_and_slow_clients_hold_up_nothing_and_leave_nothing() {
    let Some(app) = C.app(TOML) else { return };
    let base = free_port(PORTS);
    let (idle, slow) = (cases(100).to_string(), cases(25).to_string());
    let mut session = app.pm(["start", "-p", &base.to_string(), "web=2"]).spawn();
    session.wait_for_times("ready after", 2);
    let pm = session.pid();
    let open = || fs::read_dir(format!("/proc/{pm}/fd")).expect("pm runs").count();
    let before = open();
    // It would be made larger with all threads held up for milliseconds.
    let table = status(pm, "FDSize");
    let hold = || {
        let held = app.command("./server", ["hold", &base.to_string(), &idle, &slow]).spawn();
        held.wait_for("held");
        held
    };
    let mut held = hold();
    assert!(open() - before > usize::try_from(cases(125)).expect("few"), "{before} {}", open());
    assert_eq!(status(pm, "FDSize"), table);
    // Each has less than the limit of a wait here, with a drain of 1 s and as much for the stop.
    done(&app, "scale web=3");
    done(&app, "scale web=2");
    done(&app, "restart web.1");
    assert!(
        get(base, "/10").expect("an answer").ends_with("abcdef0123"),
        "somebody else is held up"
    );
    held.signal(Signal::SIGKILL);
    assert_eq!(held.wait_for_end(), End::Signal(Signal::SIGKILL));
    eventually("no descriptor is left", || (open() == before).then_some(()));
    let held = hold();
    done(&app, "stop web.1");
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait_for_end(), End::Code(0));
    drop(held);
    app.assert_nothing_left_within(LIMIT);
}
