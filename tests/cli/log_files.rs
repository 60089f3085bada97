//! The logs that a session writes to files: `--log-size` and `--log-keep`, `--log-dir`.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::control::{app, done, refused};
use crate::sandbox::{Sandbox, eventually};

/// Returns the logs that there are, the oldest first, as one.
fn all_logs(app: &Sandbox, most: u32) -> String {
    let renamed = (1..=most).rev().filter_map(|n| app.read(&format!("pm.log.{n}")));
    renamed.chain(app.read("pm.log")).collect()
}

/// Returns the numbers of the lines `web.1  | line N`.
fn numbers(log: &str) -> Vec<u32> {
    let number = |line: &str| line.split_once("web.1  | line ")?.1.parse().ok();
    log.lines().filter_map(number).collect()
}

#[test]
fn the_log_of_a_session_in_the_background_is_renamed_when_it_is_full_and_no_line_is_lost() {
    let app = app("web: for n in $(seq 5000); do echo line $n; done; exec cat\n");
    done(&app, "start --daemon --log-size 32K --log-keep 100");
    let log = eventually("the last line", || {
        Some(all_logs(&app, 100)).filter(|log| log.contains("| line 5000\n"))
    });
    assert!(numbers(&log).into_iter().eq(1..=5000), "lost or doubled");
    let size = |name| app.read(name).map_or(0, |log: String| log.len());
    assert!((31 << 10..=32 << 10).contains(&size("pm.log.1")), "{}", size("pm.log.1"));
    done(&app, "quit");
    app.assert_nothing_left();
    // What comes last stands in the log that is open last.
    assert!(app.read("pm.log").unwrap_or_default().contains("`pm quit` received"));
}

#[test]
fn so_many_renamed_logs_are_kept() {
    let app = app("web: for n in $(seq 5000); do echo line $n; done; exec cat\n");
    done(&app, "start --daemon --log-size 32K --log-keep 2");
    eventually("the last line", || {
        Some(all_logs(&app, 9)).filter(|log| log.contains("| line 5000\n"))
    });
    assert_eq!((app.read("pm.log.3"), app.read("pm.log.0")), (None, None));
    let kept = numbers(&all_logs(&app, 2));
    assert!(kept[0] > 1 && kept.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn a_log_that_another_program_renames_is_begun_again() {
    let app = app("web: n=0; trap 'n=$((n+1)); echo line $n' USR1; echo ready; \
        while :; do read -r _; done\n");
    done(&app, "start --daemon");
    eventually("the instance", || app.read("pm.log").filter(|log| log.contains("| ready")));
    fs::rename(app.path("pm.log"), app.path("old.log")).expect("it can be renamed");
    done(&app, "signal USR1 web");
    let log = eventually("a new log", || app.read("pm.log").filter(|log| log.contains("line 1")));
    assert_eq!(numbers(&log), [1]);
    assert!(!app.read("old.log").unwrap_or_default().contains("line 1"));
    let mode = fs::metadata(app.path("pm.log")).expect("it is there").mode();
    assert_eq!(mode & 0o777, 0o600);
    done(&app, "quit");
    app.assert_nothing_left();
    assert!(app.read("pm.log").unwrap_or_default().contains("`pm quit` received"));
}

#[test]
fn each_type_has_its_lines_in_a_log_of_its_own() {
    let app = app("web: echo line of $PS; echo ready; exec cat\nworker: echo work; exec cat\n");
    let app = app.write("pm.toml", "[defaults]\nlog-dir = \"a/logs\"\n");
    let mut session = app.pm(["start", "web=2,worker=1", "-q", "worker"]).spawn();
    session.wait_for_times("| ready", 2);
    let web = eventually("both instances", || {
        app.read("a/logs/web.log").filter(|log| log.lines().count() == 4)
    });
    let mut lines: Vec<_> = web.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["line of web.1", "line of web.2", "ready", "ready"]);
    eventually("the quiet one", || app.read("a/logs/worker.log").filter(|log| log == "work\n"));
    for name in ["web", "worker"] {
        let mode =
            fs::metadata(app.path(&format!("a/logs/{name}.log"))).expect("it is there").mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // On the command line, it is a folder from here.
    let app = app.write("sub/note", "");
    done(&app, "quit");
    session.wait();
    let session = app.pm(["start", "-d", "..", "--log-dir", "here"]).in_folder("sub").spawn();
    session.wait_for("| ready");
    eventually("the log", || app.read("sub/here/web.log"));
}

#[test]
fn a_folder_for_logs_that_cannot_be_made_is_an_error_before_anything_starts() {
    let app = app("web: echo started > started; exec cat\n");
    for words in ["start --log-dir Procfile/logs", "start --daemon --log-dir Procfile/logs"] {
        let said = refused(&app, words);
        assert!(said.contains("error: cannot write the log `"), "{said}");
    }
    assert_eq!(app.read("started"), None);
}
