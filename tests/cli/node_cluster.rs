//! A real application: a clustered web server and a worker in Node, and a real Redis.

use nix::sys::signal::{Signal, kill};

use crate::sandbox::http::{free_port, get, post};
use crate::sandbox::{End, Sandbox, eventually, has_program};

#[test]
fn the_node_cluster_serves_works_restarts_and_ends_without_a_trace() {
    if !has_program("node") || !has_program("redis-server") {
        return;
    }
    let (web, redis) = (free_port(2), free_port(1));
    let app = Sandbox::of_example("node-cluster");
    // The example's .env has a port for Redis, and beats the environment; `--set` beats both.
    let (redis, url) =
        (format!("REDIS_PORT={redis}"), format!("REDIS_URL=redis://127.0.0.1:{redis}"));
    let args = ["start", "web=2", "worker", "redis", "-t", "60", "-p", &web.to_string()];
    let sets = ["--set", &redis, "--set", &url, "--set", "WEB_CONCURRENCY=2"];
    let mut session = app.pm(args.iter().chain(&sets)).spawn();
    session.wait_for(&format!("web.1 listening on port {web} with 2 cluster workers"));
    session.wait_for(&format!("web.2 listening on port {} with 2 cluster workers", web + 1));
    session.wait_for("waiting for jobs at");

    for (port, name) in [(web, "web.1"), (web + 1, "web.2")] {
        let answer = get(port, "/").expect("the server answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(&format!("Hello from {name}, cluster worker ")), "{answer}");
    }
    let config = get(web + 1, "/config").expect("the server answers");
    for part in ["--max_old_space_size=460", "\"WEB_CONCURRENCY\":\"2\"", "\"PS\":\"web.2\""] {
        assert!(config.contains(part), "{config}");
    }
    do_a_job(web, "1", "hello", "olleh");

    let family = session.descendants();
    let worker = family.iter().find(|p| p.command == "node worker.js").expect("the worker runs");
    kill(worker.pid, Signal::SIGKILL).expect("the worker runs");
    // Whether the shell is between pm and the program is the shell's choice, and so is the word for it.
    session.wait_until("the worker's restart", |output| {
        let mut lines = output.lines().filter(|line| line.contains("worker.1 | "));
        lines.any(|l| {
            l.contains("; restart 1 of 5 in 0.5s; ") && (l.contains("137") || l.contains("SIGKILL"))
        })
    });
    session.wait_for_times("waiting for jobs at", 2);
    do_a_job(web + 1, "2", "again", "niaga");

    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    for words in
        ["web.1    | stopping", "web.2    | stopping", "finishing, then stopping", "bye bye"]
    {
        assert_eq!(output.matches(words).count(), 1, "{words}: {output}");
    }
    assert!(!output.contains("killed: "), "{output}");
    app.assert_nothing_left();
}

#[test]
fn behind_a_proxy_the_node_cluster_is_replaced_without_a_lost_request() {
    if !has_program("node") {
        return;
    }
    let base = free_port(10);
    let app = Sandbox::of_example("node-cluster");
    let args = ["start", "--proxy", "web=2", "-p", &base.to_string()].map(str::to_owned);
    let mut session =
        app.pm(args.iter().chain(&["--set".into(), "WEB_CONCURRENCY=1".into()])).spawn();
    session.wait_for("-- started with pid");
    let ask = || get(base, "/").expect("nobody is refused");
    // The first one waits until an instance listens.
    assert!(ask().contains("Hello from web."));
    session.wait_for_times("listening on port", 2);
    let mut restart = app.pm(["restart", "--rolling", "web"]).spawn();
    while restart.is_running() {
        let answer = ask();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(restart.wait(), End::Code(0));
    session.wait_for_times("; replaced", 2);
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[track_caller]
fn do_a_job(port: u16, id: &str, text: &str, result: &str) {
    let answer = post(port, "/jobs", text).expect("the server answers");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(answer.ends_with(&format!("{{\"id\":{id}}}\n")), "{answer}");
    let wanted = format!("{{\"id\":{id},\"result\":\"{result}\"}}\n");
    eventually(&wanted, || {
        get(port, &format!("/jobs/{id}")).ok()?.ends_with(&wanted).then_some(())
    });
}
