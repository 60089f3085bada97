//! `pm ps --all`, `pm quit --all` and `pm quit --gone`: all sessions of the user.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::control::{READY, app, done, pm, sockets};
use crate::sandbox::{Sandbox, eventually};

/// Sessions in the background, each in a folder of its own.
fn sessions(names: &[&str]) -> Sandbox {
    let mut app = app("");
    for (name, port) in names.iter().zip((21000..).step_by(1000)) {
        app = app.write(&format!("{name}/Procfile"), format!("web: {READY}\nworker: {READY}\n"));
        done(&app, &format!("start --daemon --wait -d {name} --log {name}.log -p {port}"));
    }
    app
}

/// Returns each session that `pm ps --all --json` shows: root, process id, and the rest of it.
#[track_caller]
fn all(app: &Sandbox) -> Vec<(String, Pid, Value)> {
    let json: Value = serde_json::from_str(&done(app, "ps --all --json")).expect("it is JSON");
    let sessions = json["sessions"].as_array().expect("there is a list").iter();
    let one = |it: &Value| {
        let session = &it["session"];
        let root = session["root"].as_str().unwrap_or_default();
        let root = root.rsplit('/').next().unwrap_or_default().to_owned();
        let pid = session["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        (root, Pid::from_raw(pid.expect("it has a process id")), it.clone())
    };
    sessions.map(one).collect()
}

#[track_caller]
fn roots(app: &Sandbox) -> Vec<String> {
    all(app).into_iter().map(|(root, ..)| root).collect()
}

#[test]
fn every_session_is_shown_whether_it_answers_or_not_and_what_a_killed_one_left_is_swept() {
    let app = sessions(&["blue", "green", "red", "stopped"])
        .write("green/.git/HEAD", "ref: refs/heads/fix/login\n");
    let found = all(&app);
    let pid = |name: &str| found.iter().find(|(root, ..)| root == name).expect("it is shown").1;
    kill(pid("stopped"), Signal::SIGSTOP).expect("it runs");
    kill(pid("red"), Signal::SIGKILL).expect("it runs");
    eventually("the end of the one that was killed", || {
        (!roots(&app).contains(&"red".into())).then_some(())
    });
    assert_eq!(sockets(&app).len(), 3);
    assert_eq!(roots(&app), ["blue", "green", "stopped"]);
    done(&app, "stop -d blue worker");
    for line in ["ps --all", "status -A"] {
        let table = done(&app, line);
        let rows: Vec<Vec<&str>> =
            table.lines().map(|row| row.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["ROOT", "BRANCH", "BASE", "STATE", "UPTIME", "RSS", "PID", "BY"]);
        assert_eq!(rows[1][..6], ["~/blue", "-", "21000", "1/1", "ready,", "1"], "{table}");
        assert_eq!(rows[2][..5], ["~/green", "fix/login", "22000", "2/2", "ready"], "{table}");
        assert_eq!(
            rows[3],
            ["~/stopped", "-", "-", "suspended", "-", "-", &pid("stopped").to_string(), "-"]
        );
        assert_eq!(rows[2].last(), Some(&"daemon"), "{table}");
        assert_eq!(rows.len(), 4, "{table}");
    }
    let (_, _, green) = &all(&app)[1];
    assert_eq!(green["session"]["branch"], "fix/login");
    assert_eq!(green["session"]["base"], 22000);
    assert_eq!(green["types"], serde_json::json!(["web", "worker"]));
    assert_eq!(green["instances"].as_array().map(Vec::len), Some(2));

    // One that does not answer is named, and the others are ended all the same.
    let output = pm(&app, "quit --all");
    assert_eq!(output.code(), 1, "{output:#?}");
    let wanted =
        format!("suspended; `kill -CONT {0}` resumes it, `kill -KILL {0}` ends it", pid("stopped"));
    assert!(output.stderr.contains(&wanted), "{output:#?}");
    assert_eq!(roots(&app), ["stopped"]);
    kill(pid("stopped"), Signal::SIGCONT).expect("it runs");
    done(&app, "quit --all");
    app.assert_nothing_left_within(Duration::from_secs(5));
    assert_eq!(sockets(&app).len(), 0);
}

#[test]
fn those_are_ended_whose_root_is_gone_and_then_all_others() {
    let app = sessions(&["blue", "green", "red"]);
    assert_eq!(done(&app, "quit --gone"), "");
    assert_eq!(roots(&app).len(), 3);
    fs::remove_dir_all(app.path("green")).expect("it is ours");
    let table = done(&app, "ps -A");
    assert!(table.contains("2/2 ready, root is gone"), "{table}");
    let green = all(&app)[1].1;
    let root = app.path("green");
    assert_eq!(done(&app, "quit --gone"), format!("ended: {} (pid {green})\n", root.display()));
    assert_eq!(roots(&app), ["blue", "red"]);
    for line in ["quit --all -d blue", "quit --gone --session 1", "ps --all --procfile Procfile"] {
        let output = pm(&app, line);
        assert_eq!(output.code(), 2, "{line}: {output:#?}");
        assert!(
            output.stderr.contains("chooses one session, but the command is for many"),
            "{output:#?}"
        );
    }
    assert_eq!(roots(&app), ["blue", "red"]);
    done(&app, "quit -d red");
    assert_eq!(roots(&app), ["blue"]);
    let json: Value = serde_json::from_str(&done(&app, "quit --all --json")).expect("it is JSON");
    assert_eq!(json["sessions"][0]["root"], app.path("blue").display().to_string());
    assert_eq!((&json["v"], &json["ended"]), (&Value::from(1), &Value::from(true)));
    assert_eq!(roots(&app), [""; 0]);
    assert_eq!(done(&app, "quit --all"), "");
    app.assert_nothing_left_within(Duration::from_secs(5));
}
