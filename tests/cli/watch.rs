//! Files that are watched in a session that runs: what only the built program shows. What counts as a change is in
//! `src/watch/tests.rs`; what follows from one in `src/supervisor/tests/file_changes.rs`.

use std::fs;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::control::done;
use crate::readiness::waits;
use crate::sandbox::{End, Sandbox, cases, eventually, has, has_program};

const PROCFILE: &str = "web: cat src/app.txt; exec sleep 1000\nworker: exec sleep 1000\n";

/// An application of two types, of which `web` watches `src`.
fn app(pm_toml: &str) -> Sandbox {
    let app = Sandbox::with_procfile(PROCFILE).write("pm.toml", pm_toml);
    fs::create_dir(app.path("src")).expect("a folder");
    app.write("src/app.txt", "first version\n")
}

/// Waits until the first look at the files is over.
#[track_caller]
fn is_watched(app: &Sandbox, files: &str) {
    eventually("the files are watched", || done(app, "ps").contains(files).then_some(()));
}

#[test]
fn a_save_restarts_its_type_and_says_which_file_it_was() {
    let app = app("[process.web]\nwatch = ['src/**']\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("first version");
    is_watched(&app, "watching 1 file ");
    fs::write(app.path("src/app.txt"), "second version\n").expect("a file");
    session.wait_for("-- restarting: src/app.txt changed");
    session.wait_for("second version");
    assert_eq!(session.stdout_so_far().matches("-- restarting:").count(), 1);
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn what_pm_writes_below_the_root_is_not_watched() {
    let app = app("[defaults]\nlog-dir = '.'\n[process.web]\nwatch = true\n");
    let state = app.path("state");
    let app = app.env("PM_TRACE", "trace").env("XDG_STATE_HOME", state).write("pm.log", "");
    let check = app.pm(["check"]).run().stderr;
    assert!(check.contains("`web` watches 3 files in 2 folders"), "{check}");
    let mut session = app.pm(["start", "--keep", "1M"]).spawn();
    session.wait_for("first version");
    is_watched(&app, "watching 3 files");
    fs::write(app.path("src/app.txt"), "second version\n").expect("a file");
    session.wait_for("second version");
    is_watched(&app, "watching 3 files");
    let kept = ["web.log", "trace", "state/pm"].map(|name| app.path(name).exists());
    assert_eq!(kept, [true; 3]);
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(session.stdout_so_far().matches("-- restarting:").count(), 1);
}

#[test]
fn flags_say_what_is_watched_and_that_nothing_is() {
    let app = app("[process.worker]\nwatch = true\n");
    let session = app.pm(["start", "--watch", "web=src/*.txt,lib/**", "--no-watch"]).spawn();
    session.wait_for("first version");
    assert!(!done(&app, "ps").contains("watching"));
    drop(session);
    let session = app.pm(["start", "--watch", "web=src/*.txt,lib/**"]).spawn();
    session.wait_for("no file matches `lib/**`, which `web` watches");
    is_watched(&app, "watching 1 file ");
}

#[test]
fn a_program_that_writes_as_it_stops_is_restarted_a_few_times_and_no_more() {
    let program = "#!/bin/sh\ntrap 'date +%N > src/state.txt; exit 0' TERM\necho serving\n\
                   while :; do sleep 1000 & wait $!; done\n";
    let app = app("[process.web]\nwatch = ['src/**']\nwatch-debounce = '20ms'\n");
    let app = app.write("Procfile", "web: exec sh program\n").write("program", program);
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("serving");
    is_watched(&app, "watching 1 file");
    fs::write(app.path("src/app.txt"), "second version\n").expect("a file");
    session.wait_for("watching is suspended: src/state.txt changes at each start");
    eventually("the state", || done(&app, "ps").contains("watching suspended").then_some(()));
    let restarts = session.stdout_so_far().matches("-- restarting:").count();
    assert!((5..=8).contains(&restarts), "{restarts}");
    let toml = "[process.web]\nwatch = ['src/**', '!src/state.txt']\nwatch-debounce = '20ms'\n";
    fs::write(app.path("pm.toml"), toml).expect("a file");
    done(&app, "reload");
    is_watched(&app, "watching 1 file");
    fs::write(app.path("src/app.txt"), "third version\n").expect("a file");
    session.wait_for("-- restarting: src/app.txt changed");
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn a_signal_for_a_change_reaches_the_program_behind_a_shell_and_does_not_end_the_shell() {
    let program = "trap 'echo told' HUP\necho serving\nwhile :; do sleep 1000 & wait $!; done\n";
    let app = app("[process.web]\nwatch = ['src/**']\nwatch-action = 'signal:HUP'\n");
    let app = app.write("Procfile", "web: cd . && sh program && :\n").write("program", program);
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("serving");
    is_watched(&app, "watching 1 file");
    for (times, text) in [(1, "second"), (2, "third")] {
        fs::write(app.path("src/app.txt"), text).expect("a file");
        session.wait_for_times("told", times);
    }
    session.signal(Signal::SIGINT);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(session.stdout_so_far().matches("serving").count(), 1);
}

#[test]
fn the_folder_of_a_type_may_go_and_come_again_and_the_root_too() {
    let app = Sandbox::with_procfile("web: cat app.txt; exec sleep 1000\n");
    let app = app.write("pm.toml", "[process.web]\ndirectory = 'front'\nwatch = true\n");
    fs::create_dir(app.path("front")).expect("a folder");
    let app = app.write("front/app.txt", "first version\n");
    let session = app.pm(["start"]).spawn();
    session.wait_for("first version");
    is_watched(&app, "watching 1 file");
    fs::rename(app.path("front"), app.path("old")).expect("renamed");
    session.wait_for("-- restarting: app.txt changed");
    fs::create_dir(app.path("front")).expect("a folder");
    fs::write(app.path("front/app.txt"), "second version\n").expect("a file");
    session.wait_for("second version");
    fs::write(app.path("front/app.txt"), "third version\n").expect("a file");
    session.wait_for("third version");
}

#[test]
fn what_is_no_glob_or_no_action_is_refused_with_its_place() {
    for (line, error) in [
        ("watch = ['src', '../x']", "pm.toml:2:17: `../x` leaves the folder of the process type"),
        ("watch-action = 'reload'", "`reload` is not `restart`, `rolling` or `signal:NAME`"),
    ] {
        let app = app(&format!("[process.web]\n{line}\n"));
        let run = app.pm(["start"]).run();
        assert_eq!(run.code(), 1, "{line}");
        assert!(run.stderr.contains(error), "{line}: {}", run.stderr);
    }
}

#[test]
fn check_says_how_many_files_are_watched_and_which_glob_has_none() {
    let app = app("[process.web]\nwatch = ['src/**', 'lib/**']\n");
    let run = app.pm(["check"]).run();
    assert_eq!(run.code(), 0);
    assert!(
        run.stderr.contains("`web` watches 1 file in 2 folders: src/**, lib/**"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("no file matches `lib/**`"), "{}", run.stderr);
}

#[test]
fn a_reload_that_begins_to_watch_restarts_nothing_that_was_written_before() {
    let app = app("");
    let session = app.pm(["start"]).spawn();
    session.wait_for("first version");
    fs::write(app.path("src/app.txt"), "second version\n").expect("a file");
    fs::write(app.path("pm.toml"), "[process.web]\nwatch = ['src/**']\n").expect("a file");
    done(&app, "reload");
    is_watched(&app, "watching 1 file ");
    fs::write(app.path("src/app.txt"), "third version\n").expect("a file");
    session.wait_for("third version");
    assert_eq!(session.stdout_so_far().matches("-- restarting:").count(), 1);
}

#[test]
fn what_is_ignored_costs_no_watch_and_watching_wakes_nobody() {
    let ignored = cases(3_000);
    let app = app("[process.web]\nwatch = true\n[process.worker]\nwatch = ['lib/**']\n");
    for folder in 0..ignored {
        let path = app.path(&format!("node_modules/p{}/l{folder}", folder % 30));
        fs::create_dir_all(path).expect("a folder");
    }
    // Its home is the sandbox.
    let state = app.path("node_modules/state");
    let app = app.env("XDG_STATE_HOME", state);
    let folders = 60;
    for file in 0..5_000 {
        let folder = app.path(&format!("lib/m{}", file % folders));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("f{file}")), "x").expect("a file");
    }
    let session = app.pm(["start"]).spawn();
    session.wait_for("first version");
    is_watched(&app, "watching 5000 files");
    // The root, src, lib and what is in it, for both types.
    assert_eq!(watches(session.pid()), folders + 3);
    let mut before = Vec::new();
    eventually("rest", || {
        assert_eq!(app.sh("sleep 0.2").run().code(), 0);
        let now = waits(session.pid());
        let rests = now == before;
        before = now;
        rests.then_some(())
    });
    assert_eq!(app.sh("sleep 1").run().code(), 0);
    assert_eq!(waits(session.pid()), before);
}

/// Returns how many watches of inotify a process has that tell of files which were written: `IN_CLOSE_WRITE` is in the
/// mask (proc_pid_fdinfo(5), inotify(7)). The others are for the end of the root.
fn watches(pid: Pid) -> usize {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("pm runs");
    let texts = entries.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let tells = |line: &&str| {
        let mask = line.split("mask:").nth(1).and_then(|rest| rest.split(' ').next());
        let mask = mask.and_then(|mask| u32::from_str_radix(mask, 16).ok());
        line.starts_with("inotify ") && mask.is_some_and(|mask| mask & 0x8 != 0)
    };
    texts.map(|text| text.lines().filter(tells).count()).sum()
}

/// Runs a command where a user may have so many watches of inotify.
fn with_watches(count: u32) -> Option<[String; 6]> {
    let limit = format!("echo {count} > /proc/sys/user/max_inotify_watches && exec \"$@\"");
    let words = ["unshare", "-Ur", "sh", "-c", &limit, "sh"].map(str::to_owned);
    let permits = || {
        let run = Sandbox::new()
            .command(&words[0], words[1..].iter().map(String::as_str).chain(["true"]));
        has("right to limit inotify watches", run.run().end == End::Code(0))
    };
    (has_program("unshare") && permits()).then_some(words)
}

#[test]
fn a_type_that_finds_no_watch_left_leaves_the_others_theirs() {
    let Some(unshare) = with_watches(12) else { return };
    let app = app("[process.web]\nwatch = ['src/**']\n[process.worker]\nwatch = ['lib/**']\n");
    let app = app.write("lib/one/a", "");
    let pm = env!("CARGO_BIN_EXE_pm");
    let words = unshare[1..].iter().map(String::as_str).chain([pm, "start"]);
    let session = app.command(&unshare[0], words).spawn();
    session.wait_for("first version");
    is_watched(&app, "watching 1 file ");
    for folder in 0..20 {
        fs::create_dir(app.path(&format!("lib/f{folder}"))).expect("a folder");
    }
    session.wait_for("no inotify watch is left for its");
    fs::write(app.path("src/app.txt"), "second version\n").expect("a file");
    session.wait_for("second version");
    assert!(done(&app, "ps web").contains("watching 1 file "));
}
