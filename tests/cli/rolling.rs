//! `--rolling` with real processes: the wiring. What a rollout does, and what may come between, is tested in
//! `src/supervisor/tests/rollout.rs`.

use nix::sys::signal::Signal;

use crate::control::{app, done, refused};
use crate::sandbox::{End, Sandbox, Session};

/// A run is ready when the file `go` is there, and fails where its `.env` said so.
const JOB: &str = "echo up $MARK; [ $MARK = broken ] && echo no luck && exit 41; \
    until [ -e go ]; do sleep 0.02; done; echo now ready; exec sleep 1000";
const PM_TOML: &str = "[process.job]\nready = 'log:now ready'\n";

/// Returns a session of so many of them that are ready.
fn jobs(count: u16) -> (Sandbox, Session) {
    let app = app(&format!("job: {JOB}\nweb: exec sleep 1000\n")).write("pm.toml", PM_TOML);
    let app = app.write("go", "").write(".env", "MARK=one\n");
    let session = app.pm(["start", &format!("job={count},web=1")]).spawn();
    session.wait_for_times("ready after", usize::from(count));
    (app, session)
}

/// Returns the process ids of the instances of `job`, in their order.
fn pids(app: &Sandbox) -> Vec<String> {
    let table = done(app, "ps --json");
    let report: serde_json::Value = serde_json::from_str(&table).expect("an object");
    let instances = report["instances"].as_array().expect("instances");
    let jobs = instances
        .iter()
        .filter(|it| it["name"].as_str().is_some_and(|name| name.starts_with("job")));
    jobs.map(|it| it["pid"].to_string()).collect()
}

#[test]
fn a_restart_replaces_each_with_the_environment_of_the_files() {
    let (app, session) = jobs(2);
    let old = pids(&app);
    let app = app.write(".env", "MARK=two\n");
    done(&app, "restart --rolling job");
    let new = pids(&app);
    assert!(new.len() == 2 && old.iter().all(|pid| !new.contains(pid)), "{old:?} {new:?}");
    let said = session.stdout_so_far();
    let at = |text: &str, nth: usize| {
        said.match_indices(text).nth(nth).unwrap_or_else(|| panic!("no {text}: {said}")).0
    };
    // The third and the fourth run: each is ready before the one before it stops, and the next begins after that.
    assert!(at("ready after", 2) < at("; replaced", 0), "{said}");
    assert!(at("; replaced", 0) < at("up two", 1), "{said}");
    assert!(at("ready after", 3) < at("; replaced", 1), "{said}");
    let app = app.write(".env", "MARK=three\n");
    done(&app, "reload --rolling --batch 2");
    session.wait_for_times("up three", 2);
    assert_eq!(session.stdout_so_far().matches("; replaced").count(), 4);
}

#[test]
fn one_that_fails_is_told_with_its_last_lines_and_the_old_ones_go_on() {
    let (app, session) = jobs(2);
    let old = pids(&app);
    let app = app.write(".env", "MARK=broken\n");
    let said = refused(&app, "restart --rolling job");
    let cause = "`job.1`: the new instance exited with code 41 before it was ready; the old one keeps running";
    assert!(said.contains(cause) && said.contains("no luck"), "{said}");
    session.wait_for("exited with code 41; the instance that it was to replace keeps running");
    assert_eq!(pids(&app), old);
    let app = app.write(".env", "MARK=mended\n");
    done(&app, "restart --rolling job");
    session.wait_for_times("; replaced", 2);
}

#[test]
fn when_the_client_is_interrupted_the_step_under_way_is_finished() {
    let (app, session) = jobs(2);
    let old = pids(&app);
    std::fs::remove_file(app.path("go")).expect("it is there");
    let mut client = app.pm(["restart", "--rolling", "job"]).spawn();
    session.wait_for_times("up one", 3);
    client.signal(Signal::SIGINT);
    client.wait();
    let app = app.write("go", "");
    session.wait_for("; replaced");
    done(&app, "wait job:ready");
    let new = pids(&app);
    assert!(new[0] != old[0] && new[1] == old[1], "{old:?} {new:?}");
}

#[test]
fn a_stop_meanwhile_wins() {
    let (app, session) = jobs(1);
    std::fs::remove_file(app.path("go")).expect("it is there");
    let mut client = app.pm(["restart", "--rolling", "job"]).spawn();
    session.wait_for_times("up one", 2);
    done(&app, "stop job");
    client.wait_for("a later request wanted something else");
    assert_eq!(client.wait(), End::Code(1));
    assert_eq!(pids(&app), ["null"]);
}

#[test]
fn what_cannot_be_replaced_is_named_or_restarted_with_the_rest() {
    let (app, session) = jobs(1);
    let output = refused(&app, "restart --rolling web");
    assert!(output.contains("`web` cannot have two runs of an instance at a time"), "{output}");
    done(&app, "restart --rolling");
    let said = session.stdout_so_far();
    assert!(said.contains("restarting, as requested") && said.contains("; replaced"), "{said}");
}
