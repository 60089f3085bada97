//! `proxy` under load: nothing is lost, doubled or cut while instances are replaced, and little when one is killed.
//!
//! `PM_CI_LONG=1 cargo test --test cli proxy_load -- --nocapture` prints the table of the loads.

pub(crate) mod client;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::control::{app, done};
use crate::sandbox::http::free_port;
use crate::sandbox::{Sandbox, cases, eventually, has_program};
use client::{Clients, Seen};

/// Ports of a front and of its instances, also of those that replace others.
pub(crate) const PORTS: u16 = 60;
const TOML: &str = "[process.web]\nproxy = true\nready = \"port\"\n";

/// A server, and what it needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    name: &'static str,
    program: &'static str,
    command: &'static str,
}

const NODE: Server = Server { name: "node", program: "node", command: "exec node server.js" };
const PYTHON: Server =
    Server { name: "http.server", program: "python3", command: "exec python3 server.py" };
pub(crate) const C: Server = Server { name: "C, resets", program: "cc", command: "exec ./server" };

impl Server {
    /// Returns a folder whose Procfile runs it; `None` where that cannot be.
    pub(crate) fn app(self, toml: &str) -> Option<Sandbox> {
        if !has_program(self.program) {
            return None;
        }
        let app = app(&format!("web: {}\n", self.command))
            .write("pm.toml", toml)
            .write("server.c", include_str!("proxy_load/server.c"))
            .write("server.js", include_str!("proxy_load/server.js"))
            .write("server.py", include_str!("proxy_load/server.py"));
        if self.program == "cc" {
            let built = app.command("cc", ["-O2", "-pthread", "-o", "server", "server.c"]).run();
            assert_eq!(built.code(), 0, "{built:#?}");
        }
        Some(app)
    }
}

/// Adds up what all clients have seen.
fn sum(all: Vec<Seen>) -> Seen {
    let mut sum = Seen::default();
    for seen in all {
        sum.requests += seen.requests;
        sum.posted.extend(seen.posted);
        sum.refused.extend(seen.refused);
        sum.errors.extend(seen.errors);
    }
    sum
}

/// Replaces two instances, as often as it is a long run or not, under each load of the table in
/// docs/one-address.md; in a short run under the last alone, which is the hardest.
#[expect(clippy::print_stdout, reason = "the table is for who asks for it")]
fn is_replaced_under_load(server: Server) {
    let is_long = cases(1) > 1;
    let loads = [(false, false), (false, true), (true, false), (true, true)];
    for (dies, keeps) in loads.into_iter().skip(if is_long { 0 } else { 3 }) {
        let Some(app) = server.app(TOML) else { return };
        let app = app.write(".env", if dies { "DIES=1\n" } else { "" });
        let base = free_port(PORTS);
        done(&app, &format!("start --daemon --wait -p {base} web=2"));
        let clients = Clients { port: base, count: if is_long { 32 } else { 8 }, keeps };
        let seen = clients.ask_during(|_| {
            for _ in 0..cases(1).div_ceil(2) {
                done(&app, "restart --rolling web");
            }
        });
        done(&app, "quit");
        let seen = sum(seen);
        let of = format!(
            "| {} | {} | {} |",
            server.name,
            if dies { "dies on TERM" } else { "graceful" },
            if keeps { "keep-alive" } else { "connection a request" },
        );
        assert_eq!((seen.refused, seen.errors), (vec![], vec![]), "{of}");
        let posts = app.read("posts").unwrap_or_default();
        let taken: BTreeSet<&str> = posts.lines().collect();
        let doubled = posts.lines().count() - taken.len();
        assert_eq!(doubled, 0, "{of}");
        assert_eq!(taken, seen.posted.iter().map(String::as_str).collect(), "{of}");
        assert!(seen.requests > 0, "{of}");
        println!(
            "{of} {} requests, {} of them POST | 0 errors | 0 doubled |",
            seen.requests,
            taken.len()
        );
    }
}

#[test]
fn node_is_replaced_and_no_request_fails_is_doubled_or_cut() {
    is_replaced_under_load(NODE);
}

#[test]
fn http_server_is_replaced_and_no_request_fails_is_doubled_or_cut() {
    is_replaced_under_load(PYTHON);
}

#[test]
fn a_server_that_resets_is_replaced_and_no_request_fails_is_doubled_or_cut() {
    is_replaced_under_load(C);
}

#[test]
fn one_of_four_is_killed_and_only_what_was_in_flight_on_it_is_lost() {
    let Some(app) = C.app(TOML) else { return };
    let base = free_port(PORTS);
    done(&app, &format!("start --daemon --wait -p {base} web=4"));
    let clients = Clients { port: base, count: 8, keeps: true };
    let all = clients.ask_during(|answers| {
        let more = |count: u64| {
            let until = answers.load(Relaxed) + count;
            eventually("answers", || (answers.load(Relaxed) >= until).then_some(()));
        };
        more(100);
        let ps: Value = serde_json::from_str(&done(&app, "ps --json")).expect("an object");
        let pid = ps["instances"][1]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        kill(Pid::from_raw(pid.expect("web.2 runs")), Signal::SIGKILL).expect("it is ours");
        more(100);
    });
    for seen in &all {
        assert!(seen.refused.is_empty() && seen.errors.len() <= 1, "{seen:?}");
    }
    let posts = app.read("posts").expect("some were posted");
    let taken: BTreeSet<&str> = posts.lines().collect();
    assert_eq!(posts.lines().count(), taken.len(), "a POST was sent twice");
    done(&app, "quit");
}
