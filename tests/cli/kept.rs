//! What is kept of a session's output, and what is there of it when pm has been killed.

use std::path::PathBuf;

use nix::sys::resource::Resource;
use nix::sys::signal::{Signal, kill};

use pm::state::runs::{Run, What, list};

use crate::sandbox::{End, Sandbox, Session, eventually};

/// Returns the runs that are kept of the only application of a sandbox, the oldest first.
fn runs(app: &Sandbox) -> Vec<Run> {
    let Ok(state) = std::fs::read_dir(state(app)) else { return Vec::new() };
    let mut folders =
        state.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir());
    let runs =
        folders.next().map(|folder| list(&folder).expect("runs can be listed")).unwrap_or_default();
    assert_eq!(folders.next(), None, "there is one application");
    runs
}

fn state(app: &Sandbox) -> PathBuf {
    app.path(".local/state/pm")
}

/// Returns the lines that are kept of a run: those of instances after their name, those of pm after `--`.
fn lines(run: &Run) -> Vec<String> {
    let mut reader = run.read(|_| true, i64::MAX).expect("a run can be read");
    let mut lines = Vec::new();
    while let Some(entry) = reader.next().expect("a run can be read") {
        match &entry.what {
            What::Line(line) => {
                lines.push(format!("{} {}", entry.name, line.bytes.escape_ascii()));
            }
            What::Notice(notice) => lines.push(format!("-- {}", notice.text)),
            What::Started(_) | What::Ended(_) => {}
            What::Gap(_) => lines.push("gap".to_owned()),
        }
    }
    lines
}

fn of<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).collect()
}

/// An application that writes numbers until a file is there.
fn counting() -> Sandbox {
    Sandbox::with_procfile(
        "web: n=0; while ! test -e stop; do n=$((n+1)); echo \"line $n\"; done; exec sleep 1000\n",
    )
}

#[track_caller]
fn assert_shown_is_kept(app: &Sandbox, shown: &str) {
    let runs = runs(app);
    let [run] = &runs[..] else { panic!("{runs:?}") };
    assert!(!run.is_alive);
    let shown: Vec<_> =
        shown.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).collect();
    let shown: Vec<_> = shown.iter().filter_map(|line| line.split_once("web.1  | line ")).collect();
    let kept = lines(run);
    let kept = of(&kept, "web.1");
    let count = kept.len();
    assert!(count >= shown.len(), "{count} kept, {} shown", shown.len());
    let expected: Vec<_> = (1..=count).map(|n| format!("line {n}")).collect();
    assert_eq!(kept, expected);
}

#[test]
fn whoever_is_killed_what_was_shown_is_kept() {
    let victims: [fn(&Session); 3] = [
        |session| session.signal(Signal::SIGKILL),
        |session| {
            kill(session.guard(), Signal::SIGKILL).expect("the guard runs");
            session.signal(Signal::SIGKILL);
        },
        |session| {
            // As a power cut: pm last, so that it may write of the others' ends.
            for process in session.descendants() {
                let _ = kill(process.pid, Signal::SIGKILL);
            }
            session.signal(Signal::SIGKILL);
        },
    ];
    for kill_them in victims {
        let app = counting();
        let mut session = app.pm(["start", "--keep", "64M"]).spawn();
        session.wait_for("| line 500");
        kill_them(&session);
        assert_eq!(session.wait_for_end(), End::Signal(Signal::SIGKILL));
        eventually("the end of the run", || {
            runs(&app).iter().all(|run| !run.is_alive).then_some(())
        });
        assert_shown_is_kept(&app, &session.stdout_so_far());
        assert_eq!(runs(&app)[0].end, None);
    }
}

#[test]
fn a_session_whose_terminal_goes_away_has_kept_everything_and_how_it_ended() {
    let app = Sandbox::with_procfile("web: printf '\\033[31mred\\033[m\\n'; exec cat\n");
    let mut session = app.pm(["start"]).spawn_pty();
    session.wait_for("red");
    // What the kernel sends when a terminal is closed.
    session.signal(Signal::SIGHUP);
    session.wait_for_end();
    let run = runs(&app).pop().expect("a session on a terminal is kept");
    let kept = lines(&run);
    assert_eq!(of(&kept, "web.1"), [r"\x1b[31mred\x1b[m"], "{kept:?}");
    assert!(!run.is_alive && run.end.is_some(), "{run:?}");
}

#[test]
fn the_verdict_of_a_run_is_kept_with_what_was_typed() {
    let app = Sandbox::with_procfile("web: echo last words; exit 3\n");
    let args = ["start", "--keep", "1M", "--restart", "never"];
    assert_eq!(app.pm(args).run().code(), 3);
    let runs = runs(&app);
    let [run] = &runs[..] else { panic!("{runs:?}") };
    let end = run.end.as_ref().expect("pm said how it ended");
    let verdict = end.verdict.as_deref().unwrap_or_default();
    assert_eq!(end.code, 3);
    assert!(verdict.starts_with("ended by web.1: exited with code 3"), "{verdict}");
    assert_eq!(run.start.command[1..], args);
    let kept = lines(run);
    assert_eq!(of(&kept, "web.1"), ["last words"]);
    let own = of(&kept, "--");
    assert!(own[0].starts_with("started with pid"), "{own:?}");
    let last = own[own.len() - 2..].iter().filter_map(|line| line.split(';').next());
    assert_eq!(last.collect::<Vec<_>>(), ["exited with code 3", verdict]);
}

#[test]
fn nothing_is_kept_in_a_pipe_nor_where_that_is_said() {
    let app = Sandbox::with_procfile("web: echo a\n").write("pm.toml", "[defaults]\nkeep = '1M'\n");
    assert_eq!(app.pm(["start"]).run().code(), 0);
    assert_eq!(runs(&app).len(), 0, "its reader has it");
    let mut session = app.pm(["start", "--keep", "0"]).spawn_pty();
    session.wait_for_end();
    assert_eq!(runs(&app).len(), 0, "it is not wanted");
    let mut session = app.pm(["start"]).spawn_pty();
    session.wait_for_end();
    assert_eq!(runs(&app).len(), 1);
}

#[test]
fn as_many_runs_are_kept_as_pm_toml_says() {
    let app = Sandbox::with_procfile("web: echo a\n")
        .write("pm.toml", "[defaults]\nkeep = '1M'\nkeep-runs = 2\n")
        .env("PM_KEEP", "1M");
    for _ in 0..3 {
        assert_eq!(app.pm(["start"]).run().code(), 0);
    }
    assert_eq!(runs(&app).iter().map(|run| run.number).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn what_cannot_be_kept_is_said_once_and_the_session_goes_on() {
    let web = "web: n=0; while test $n -lt 2000; do n=$((n+1)); echo line $n; done\n";
    let app = Sandbox::with_procfile(web);
    // No file may be longer than the record of a run.
    let output = app.pm(["start", "--keep", "1M"]).limit(Resource::RLIMIT_FSIZE, 8192).run();
    assert_eq!(output.code(), 0, "{output:#?}");
    assert!(output.stdout.contains("web.1  | line 2000\n"));
    let said = output.stdout.matches("will miss a part of it").count();
    assert_eq!(said, 1, "{}", output.stdout);
    // Nor where there is no folder for it.
    let app = Sandbox::with_procfile(web).write("state", "").env("XDG_STATE_HOME", "/dev/null");
    let output = app.pm(["start", "--keep", "1M"]).run();
    assert_eq!(output.code(), 0, "{output:#?}");
    assert!(output.stdout.contains("web.1  | line 2000\n"));
    assert_eq!(output.stdout.matches("this session is not kept for `pm logs`").count(), 1);
}

#[test]
fn purge_leaves_nothing_of_this_application_but_what_runs() {
    let app = Sandbox::with_procfile("web: echo secret; exec cat\n").env("PM_KEEP", "1M");
    let other = Sandbox::with_procfile("web: echo other\n")
        .env("PM_KEEP", "1M")
        .env("XDG_STATE_HOME", app.path(".local/state"));
    assert_eq!(other.pm(["start"]).run().code(), 0);
    let mut first = app.pm(["start"]).spawn();
    first.wait_for("| secret");
    first.signal(Signal::SIGTERM);
    first.wait_for_end();
    let mut second = app.pm(["start"]).spawn();
    second.wait_for("| secret");
    let purge = || app.pm(["logs", "--purge"]).run().stdout;
    assert_eq!(purge(), "removed 1 run; the running session keeps its own\n");
    second.signal(Signal::SIGTERM);
    second.wait_for_end();
    assert_eq!(
        app.pm(["logs", "--purge", "--json"]).run().stdout,
        "{\"v\":1,\"removed\":1,\"running\":0}\n"
    );
    assert_eq!(purge(), "removed 0 runs\n");
    assert!(app.pm(["logs"]).run().stderr.contains("error: "));
    assert!(runs(&app)[0].start.command.contains(&"start".to_owned()), "the other's is left");
}
