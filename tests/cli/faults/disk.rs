//! No room on the disk: for an export, for the log of a session in the background.

use nix::sys::resource::Resource;

use crate::control::{app, refused};
use crate::faults::with_mounts;
use crate::sandbox::{Sandbox, eventually};

/// A unit of this application is longer than 2 KiB.
fn shop() -> Sandbox {
    let long = "x".repeat(2000);
    Sandbox::with_procfile("web: ./serve\nworker: ./work\n").write(".env", format!("LONG={long}\n"))
}

#[test]
fn an_export_that_finds_no_room_leaves_nothing_and_names_the_file() {
    for (format, file) in [("systemd", "shop-web-1.service"), ("runit", "shop-web-1/run")] {
        let app = shop();
        let words = ["export", format, "deep/out", "-a", "shop", "-u", "root"];
        let output = app.pm(words).limit(Resource::RLIMIT_FSIZE, 1500).run();
        assert_eq!(output.code(), 1, "{output:#?}");
        let path = app.path("deep/out").join(file);
        let error = format!("error: cannot write `{}`: File too large", path.display());
        assert!(output.stderr.contains(&error), "{output:#?}");
        assert!(!app.path("deep").exists(), "{format}");
    }
}

#[test]
fn an_export_onto_a_full_disk_leaves_what_was_there() {
    let app = shop();
    let script = "mkdir disk; mount -t tmpfs -o size=16k tmpfs disk; head -c 8000 /dev/zero > disk/mine
        ! \"$PM\" export systemd disk/out -a shop -u root -m web=9; find disk -type f; find disk -type d";
    let Some(invocation) = with_mounts(&app, script) else { return };
    let output = invocation.run();
    assert_eq!(output.stdout, "disk/mine\ndisk\n", "{output:#?}");
    assert!(output.stderr.contains(".service`: No space left on device"), "{output:#?}");
    assert_eq!(output.code(), 0);
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    for words in ["export systemd --print -u root", "check", "env web", "schema", "version"] {
        let app = Sandbox::with_procfile("web: true\n");
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let output = app.pm(words.split(' ')).stdout_to(full).run();
        assert_eq!(output.code(), 1, "{words}: {output:#?}");
        let error = "error: cannot write to standard output: No space left on device";
        assert!(output.stderr.contains(error), "{words}: {output:#?}");
    }
}

#[test]
fn a_log_that_fills_up_says_so_at_its_end_and_the_session_ends_in_order() {
    let app = app("web: echo ready; seq 20000; echo over > over; exec sleep 1000\n");
    let pm = app.pm(["start", "--daemon", "--keep", "0"]);
    let output = pm.limit(Resource::RLIMIT_FSIZE, 10_000).run();
    assert_eq!(output.code(), 0, "{output:#?}");
    let log = eventually("the last words", || {
        app.read("pm.log").filter(|log| log.ends_with("the session has ended\n"))
    });
    app.assert_nothing_left();
    let (before, last) = log.trim_end().rsplit_once('\n').expect("there are lines before");
    assert!(last.starts_with("error: cannot write this log: File too large"), "{last}");
    let whole = |(number, line): (u32, &str)| line.ends_with(&format!("web.1  | {number}"));
    assert!(
        before.lines().skip(2).zip(1..).all(|(line, number)| whole((number, line))),
        "{before}"
    );
    assert!(log.len() <= 10_000 && log.len() > 9_000);
    assert!(refused(&app, "status").contains("no session runs in"));
}

#[test]
fn a_session_whose_log_has_no_room_does_not_begin() {
    let app = app("web: echo started > started; exec cat\n");
    let script =
        "mkdir disk; mount -t tmpfs -o size=8k tmpfs disk; head -c 8192 /dev/zero > disk/mine
        \"$PM\" start --daemon --log disk/log";
    let Some(invocation) = with_mounts(&app, script) else { return };
    let output = invocation.run();
    assert_eq!(output.code(), 1, "{output:#?}");
    assert!(output.stderr.contains("error: cannot write the log `"), "{output:#?}");
    assert!(output.stderr.contains("disk/log`: no storage space"), "{output:#?}");
    assert_eq!(app.read("started"), None);
    app.assert_nothing_left();
}
