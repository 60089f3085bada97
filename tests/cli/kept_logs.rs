//! `pm logs` of what is kept: the running session, those before it, and what comes.

use nix::sys::resource::Resource;
use nix::sys::signal::Signal;
use pm::state::{folder, runs};

use crate::control::{app, done, pm, refused};
use crate::sandbox::{End, PM, Sandbox, eventually};

/// Runs a session in the background until it has said `ready`, and then to its end.
#[track_caller]
fn past(app: &Sandbox) {
    done(app, "start --daemon");
    eventually("the instance", || done(app, "logs").contains("| ready").then_some(()));
    done(app, "quit");
    app.assert_nothing_left();
}

#[test]
fn without_a_session_the_last_run_is_shown_and_said_to_be_that() {
    let app = app("web: echo cause of it; exit 3\n");
    assert!(refused(&app, "logs").contains("no earlier output is kept"));
    done(&app, "start --daemon --restart never");
    eventually("its end", || refused_or_shown(&app).contains("this is its last run").then_some(()));
    let output = pm(&app, "logs");
    assert_eq!(output.code(), 0);
    assert!(output.stdout.contains("| cause of it\n"), "{output:#?}");
    let notice = output.stderr.trim_end();
    assert!(notice.starts_with("notice: no session runs in `"), "{notice}");
    assert!(notice.contains(": ended by web.1: exited with code 3"), "{notice}");
    // Where it is asked for, there is nothing to say.
    assert_eq!(pm(&app, "logs --last web").stderr, "");
    assert!(refused(&app, "logs wbe").contains("did you mean `web`?"));
}

/// Returns what `pm logs` says on stderr.
fn refused_or_shown(app: &Sandbox) -> String {
    pm(app, "logs").stderr
}

#[test]
fn runs_are_listed_and_chosen_by_their_number_or_from_the_end() {
    let app = app("web: cat n; echo ready; exec cat\n");
    let write =
        |n: &str| std::fs::write(app.path("n"), format!("{n}\n")).expect("it can be written");
    for n in ["one", "two"] {
        write(n);
        past(&app);
    }
    write("three");
    done(&app, "start --daemon");
    eventually("the instance", || done(&app, "logs").contains("| ready").then_some(()));
    let raw = |words: &str| done(&app, format!("logs -o raw {words}").trim_end());
    assert_eq!(raw(""), "three\nready\n");
    assert_eq!(raw("--last"), "two\nready\n");
    assert_eq!((raw("--run -1"), raw("--run -2")), ("two\nready\n".into(), "one\nready\n".into()));
    assert_eq!((raw("--run 1"), raw("--run 3")), ("one\nready\n".into(), "three\nready\n".into()));
    let said = refused(&app, "logs --run -3");
    assert!(said.contains("the kept runs are 1, 2, 3; `pm logs --runs`"), "{said}");
    let table = done(&app, "logs --runs");
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["RUN", "START", "END", "SIZE", "VERDICT"], "{table}");
    let is_ended = |row: &&Vec<&str>| row.ends_with(&["exit", "code", "0"]);
    assert_eq!(rows[1..].iter().filter(is_ended).count(), 2, "{table}");
    assert_eq!((rows[3][0], rows[3].last()), ("3", Some(&"running")), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&done(&app, "logs --runs --json")).expect("it is JSON");
    assert_eq!((&json["v"], json["runs"].as_array().map(Vec::len)), (&1.into(), Some(3)));
}

#[test]
fn a_follower_of_what_is_kept_sees_what_was_what_comes_and_prompts() {
    let app = app(
        "web: echo first; printf 'name: '; read -r name <go; echo \"$name\"; echo last; exec cat\n",
    );
    nix::unistd::mkfifo(&app.path("go"), nix::sys::stat::Mode::S_IRWXU)
        .expect("a pipe can be made");
    done(&app, "start --daemon");
    let mut log = app.pm(["logs", "-f", "--no-timestamp", "web"]).spawn();
    log.wait_for("web.1  | first\nweb.1  | name: ");
    let mut json = app.pm(["logs", "-f", "--grep", "name|last", "-o", "json"]).spawn();
    std::fs::write(app.path("go"), "Ada\n").expect("the instance reads");
    log.wait_for("web.1  | name: Ada\nweb.1  | last\n");
    json.wait_for("last");
    done(&app, "quit");
    assert_eq!((log.wait(), json.wait()), (End::Code(0), End::Code(0)));
    assert!(
        log.stdout_so_far().ends_with("| -- terminated by SIGTERM\n"),
        "{}",
        log.stdout_so_far()
    );
    let lines: Vec<String> = json
        .stdout_so_far()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("it is JSON"))
        .map(|line| line["line"].as_str().expect("it is a line").to_owned())
        .collect();
    assert_eq!(lines, ["name: Ada", "last"], "a line that silence has cut is one line");
}

#[test]
fn every_line_is_there_once_when_what_is_kept_is_followed() {
    let app = app("web: for n in $(seq 20000); do echo line $n; done; echo ready; exec cat\n");
    done(&app, "start --daemon");
    let mut log = app.pm(["logs", "-f", "-o", "raw"]).spawn();
    log.wait_for("ready\n");
    done(&app, "quit");
    assert_eq!(log.wait(), End::Code(0));
    let seen = log.stdout_so_far();
    let numbers = seen.lines().filter_map(|line| line.strip_prefix("line ")?.parse::<u32>().ok());
    assert!(numbers.eq(1..=20000), "a gap or a repetition");
}

#[test]
fn a_reader_that_has_enough_ends_a_follower_quietly() {
    let app = app("web: echo ready; while read -r line; do echo \"$line\"; done <go; exec cat\n");
    nix::unistd::mkfifo(&app.path("go"), nix::sys::stat::Mode::S_IRWXU)
        .expect("a pipe can be made");
    done(&app, "start --daemon");
    let mut log = app.sh(&format!("{{ {PM} logs -f web; echo $? >code; }} | head -n 1")).spawn();
    log.wait_for("| -- started");
    std::fs::write(app.path("go"), "more\n").expect("the instance reads");
    log.wait();
    assert_eq!(eventually("its end", || app.read("code")), "0\n");
    assert_eq!(log.stderr_so_far(), "");
    assert!(done(&app, "logs -n 1 -o raw").contains("more"));
}

#[test]
fn what_pm_says_of_a_crash_ends_with_how_to_see_more() {
    let app = app("web: echo it is over; exit 3\nworker: echo ready; exec cat\n");
    done(&app, "start --daemon --restart never --exit-on all");
    let command = "see `pm logs web.1 -n 50`";
    let log = eventually("the crash", || {
        app.read("pm.log").filter(|log| log.contains("!! exited with code 3"))
    });
    let crash = log.lines().find(|line| line.contains("!! exited")).expect("it is there");
    assert!(crash.ends_with(command), "{crash}");
    let table = done(&app, "ps");
    assert!(table.ends_with(&format!("web.1: exited with code 3; {command}\n")), "{table}");
    assert!(done(&app, "logs web.1 -n 50").contains("| it is over\n"));
    let before_ends = done(&app, "logs --exits --no-prefix");
    assert!(before_ends.starts_with("it is over\n!! exited with code 3"), "{before_ends}");
    assert!(!before_ends.contains("ready"), "worker.1 has not ended: {before_ends}");
    done(&app, "quit");
    app.assert_nothing_left();
    let verdict = app.read("pm.log").unwrap_or_default();
    let verdict = verdict.lines().find(|line| line.contains("!! ended by web.1"));
    assert!(verdict.is_none_or(|verdict| verdict.ends_with(command)), "{verdict:?}");
    assert!(done(&app, "logs web.1 -n 50").contains("| it is over\n"));
}

#[test]
fn a_session_that_ends_by_a_crash_says_how_to_see_more_where_it_is_kept() {
    let app = app("web: echo it is over; exit 3\n");
    let verdict = |keep: &[&str]| {
        let output = app.pm(["start", "--restart", "never"].iter().chain(keep)).run();
        assert_eq!(output.code(), 3);
        output.stdout.lines().last().expect("there is a verdict").to_owned()
    };
    assert!(!verdict(&[]).contains("pm logs"), "nobody could see more");
    let kept = verdict(&["--keep", "1M"]);
    assert!(
        kept.contains("!! ended by web.1") && kept.ends_with("see `pm logs web.1 -n 50`"),
        "{kept}"
    );
    // What is kept of the end is the end alone.
    let runs = done(&app, "logs --runs");
    assert!(!runs.contains("see `pm logs"), "{runs}");
}

#[test]
fn a_crash_repeats_the_last_lines_where_those_of_others_came_in_between() {
    let script = "web: printf 'one\\ntwo\\n\\033[31mthree\\033[0m\\nfour\\nfive\\nsix\\n'; read -r line <go; exit 3\n\
        other: read -r line <told; seq COUNT; echo ready; exec cat\n";
    for (count, is_repeated) in [("30", true), ("10", false)] {
        let app = app(&script.replace("COUNT", count));
        for name in ["go", "told"] {
            nix::unistd::mkfifo(&app.path(name), nix::sys::stat::Mode::S_IRWXU)
                .expect("a pipe can be made");
        }
        let session =
            app.pm(["start", "--no-timestamp", "--restart", "never", "--exit-on", "all"]).spawn();
        session.wait_for("web.1   | six\n");
        std::fs::write(app.path("told"), "go\n").expect("the instance reads");
        session.wait_for("other.1 | ready\n");
        std::fs::write(app.path("go"), "go\n").expect("the instance reads");
        session.wait_for("!! exited with code 3");
        let seen = session.stdout_so_far();
        let (_, end) = seen.split_once("other.1 | ready\n").expect("it was there");
        let repeated = "web.1   | -- its last lines:\nweb.1   | -- | two\nweb.1   | -- | three\n\
            web.1   | -- | four\nweb.1   | -- | five\nweb.1   | -- | six\nweb.1   | !! exited with code 3";
        assert_eq!(end.contains(repeated), is_repeated, "{count}: {seen}");
        assert_eq!(end.contains("its last lines"), is_repeated, "{count}: {seen}");
    }
}

/// Keeps a run of 24 MiB that has ended.
fn full_run(app: &Sandbox) {
    let state = app.dir().join(".local/state/pm");
    folder::make(&state).expect("it can be made");
    let root = folder::of_root(&state, &app.dir());
    let start = runs::RunStart { at: 0, pid: 1, command: Vec::new(), ..Default::default() };
    let (record, mut keeper) = runs::begin(&root, &start, 64 << 20).expect("it can be kept");
    (0..64).for_each(|_| keeper.expect());
    let lines = |n: u32| {
        (0..600).fold(String::new(), |all, at| {
            all + &format!(
                "request {n}-{at} GET /items/{at} 200 in {}ms, {}\n",
                at % 97,
                "x".repeat(60)
            )
        })
    };
    for n in 0..7 {
        let text = lines(n);
        for instance in 1..=64 {
            let ring = keeper.ring_of(&format!("web.{instance}"));
            keeper.output(ring, i64::from(n), [text.as_bytes(), b""]);
        }
    }
    drop((record, keeper));
}

#[test]
fn the_memory_of_a_search_does_not_grow_with_what_is_searched() {
    let app = app("web: true\n");
    full_run(&app);
    // More than 16 MiB of its own cannot be had.
    let logs = |words: &[&str]| {
        let words = ["logs", "--last", "-o", "raw"].iter().chain(words);
        app.pm(words).limit(Resource::RLIMIT_DATA, 16 << 20).run()
    };
    let found = logs(&["--grep", "request 6-599 .* in 17ms"]);
    assert_eq!((found.code(), found.stdout.lines().count()), (0, 64), "{}", found.stderr);
    let tail = logs(&["-n", "1", "web.7"]);
    assert!(tail.stdout.starts_with("request 6-599 "), "{tail:#?}");
    assert_eq!(logs(&["--grep", "nothing like it"]).stdout, "");
}

#[test]
fn an_option_for_what_is_kept_is_refused_where_nothing_is() {
    let app = app("web: echo ready; exec cat\n");
    let session = app.pm(["start"]).spawn();
    session.wait_for("| ready");
    let said = refused(&app, "logs --events");
    assert!(said.contains("`--events` needs kept output"), "{said}");
    assert!(said.contains("hint: start it with `--keep 64M`"), "{said}");
    session.signal(Signal::SIGTERM);
}
