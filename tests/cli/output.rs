//! How the log looks: form, colour, time, names, JSON.

use std::fs::File;

use crate::log::{objects, said_by};
use crate::sandbox::Sandbox;

/// Replaces what differs from run to run: the digits of times and pids.
fn without_digits(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let (time, rest) = line.split_at(line.len().min(8));
        out.push_str(&time.replace(|c: char| c.is_ascii_digit(), "0"));
        let end = rest.find("pid ").or_else(|| rest.find(" after ")).unwrap_or(rest.len());
        let rest = &rest[..end];
        out.push_str(rest);
        out.push('\n');
    }
    out
}

#[test]
fn lines_have_foremans_form_padded_to_the_longest_name_and_no_colour_in_a_pipe() {
    let app = Sandbox::with_procfile("web: sleep 0.4; echo hello\nlong-name: exit 3\n");
    let output = app.pm(["start", "--restart=never", "--exit-on=all"]).run();
    assert_eq!(
        without_digits(&output.stdout),
        "00:00:00 web.1       | -- started with \n\
         00:00:00 long-name.1 | -- started with \n\
         00:00:00 long-name.1 | !! exited with code 3; not started again until `pm restart long-name.1`; see `pm logs long-name.1 -n 50`\n\
         00:00:00 web.1       | hello\n\
         00:00:00 web.1       | -- exited with code 0\n\
         00:00:00 system      | !! ended by long-name.1: exited with code 3\n"
    );
    assert_eq!(output.stderr, "");
}

#[test]
fn names_are_padded_to_those_that_run() {
    let app = Sandbox::with_procfile("web: echo hello\na-very-long-name: true\n");
    let output = app.pm(["start", "web=10", "--no-timestamp"]).run();
    assert!(output.stdout.contains("web.1  | hello\n"), "{output:?}");
    assert!(output.stdout.contains("web.10 | hello\n"), "{output:?}");
}

#[test]
fn colour_is_decided_by_option_then_environment_then_terminal() {
    // Arguments, variables, whether the log is coloured in a pipe.
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], bool);
    let table: [Case; 17] = [
        (&[], &[], false),
        (&["-c"], &[], true),
        (&["-c", "web"], &[], true),
        (&["--color"], &[], true),
        (&["--color", "always"], &[], true),
        (&["--color=auto"], &[], false),
        (&["-c"], &[("NO_COLOR", "1")], true),
        (&["--color=never"], &[("FORCE_COLOR", "1")], false),
        (&["--no-color"], &[("FORCE_COLOR", "1")], false),
        (&[], &[("FORCE_COLOR", "1")], true),
        (&[], &[("FORCE_COLOR", "0")], false),
        (&[], &[("FORCE_COLOR", "")], false),
        (&[], &[("CLICOLOR_FORCE", "1")], true),
        (&[], &[("CLICOLOR_FORCE", "0")], false),
        (&[], &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")], false),
        (&[], &[("PM_COLOR", "always")], true),
        (&["-c", "never"], &[("PM_COLOR", "always")], false),
    ];
    let app = Sandbox::with_procfile("web: echo hello\n");
    for (args, variables, colored) in table {
        let mut pm = app.pm(["start"].iter().chain(args));
        for (key, value) in variables {
            pm = pm.env(key, value);
        }
        let output = pm.run();
        let line = output.stdout.lines().find(|line| line.ends_with("hello"));
        let line = line.unwrap_or_else(|| panic!("{args:?}: {output:?}"));
        assert_eq!(
            line.starts_with("\x1b[0m\x1b[36m"),
            colored,
            "{args:?} {variables:?}: {line:?}"
        );
        assert_eq!(line.ends_with(" | \x1b[0mhello"), colored, "{args:?} {variables:?}: {line:?}");
    }
}

#[test]
fn colour_is_on_for_a_terminal_unless_no_color_says_otherwise() {
    let app = Sandbox::with_procfile("web: echo hello\n");
    for (key, value, colored) in [
        ("TERM", "xterm", true),
        ("TERM", "dumb", false),
        ("NO_COLOR", "1", false),
        ("NO_COLOR", "", true),
        ("CLICOLOR", "0", false),
    ] {
        let mut session = app.pm(["start"]).env(key, value).spawn_pty();
        session.wait();
        let stdout = session.stdout_so_far();
        assert_eq!(stdout.contains("\x1b[36m"), colored, "{key}={value}: {stdout:?}");
        assert!(stdout.contains("hello\r\n"), "{stdout:?}");
    }
}

#[test]
fn each_type_has_foremans_colour_and_pm_its_own() {
    // The end of worker ends the session: not before web has spoken.
    let app = Sandbox::with_procfile(
        "web: echo a; touch said\n\
         worker: until test -e said; do sleep 0.02; done; echo b; exit 1\n",
    );
    let output = app.pm(["start", "-c", "--no-timestamp", "--max-restarts=0"]).run();
    assert!(output.stdout.contains("\x1b[36mweb.1    | \x1b[0ma\n"), "{output:?}");
    assert!(output.stdout.contains("\x1b[33mworker.1 | \x1b[0mb\n"), "{output:?}");
    assert!(
        output.stdout.contains("\x1b[97msystem   | \x1b[0m\x1b[1;31m!! ended by worker.1"),
        "{output:?}"
    );
}

#[test]
fn time_and_names_can_be_left_out_or_formed() {
    let app = Sandbox::with_procfile("web: echo hello\n");
    let lines = |args: &[&str]| {
        let output = app.pm(["start"].iter().chain(args)).env("TZ", "UTC").run();
        assert_eq!(output.code(), 0, "{output:?}");
        output.stdout
    };
    assert!(lines(&["--no-timestamp"]).contains("\nweb.1  | hello\n"));
    assert!(lines(&["--no-prefix"]).contains("\nhello\n"));
    assert!(lines(&["--no-timestamp", "--no-prefix"]).contains("\nhello\n"));
    assert!(lines(&["--timestamp-format", "[%Z]"]).contains("\n[UTC] web.1  | hello\n"));
    let stdout = lines(&["--timestamp-format=%s"]);
    let time = stdout.lines().nth(1).and_then(|line| line.split(' ').next());
    assert!(time.is_some_and(|time| time.parse::<u64>().is_ok()), "{stdout}");
}

#[test]
fn a_form_of_time_that_is_none_is_an_error_before_anything_starts() {
    let app = Sandbox::with_procfile("web: touch ran\n");
    let output = app.pm(["start", "--timestamp-format", "%"]).run();
    let said = "error: cannot use `--timestamp-format`: `%` is not a valid time format: ";
    assert!(output.stderr.starts_with(said), "{output:?}");
    assert!(output.stderr.contains("\nhint: write it as in strftime(3)"), "{output:?}");
    assert_eq!((output.code(), app.read("ran")), (2, None));
    let app = app.write("pm.toml", "[defaults]\ntimestamp-format = \"%\"\n");
    let output = app.pm(["start"]).run();
    assert!(output.stderr.starts_with("error: pm.toml:2:20: `%` is not a valid"), "{output:?}");
    assert_eq!((output.code(), app.read("ran")), (1, None));
}

#[test]
fn a_quiet_type_runs_unseen_but_its_end_is_told() {
    let app = Sandbox::with_procfile(
        "web: echo secret; touch ran; exit 4\n\
         worker: echo seen; until test -e ran; do sleep 0.02; done; sleep 0.3\n",
    );
    let output = app.pm(["start", "-q", "web", "--restart=never", "--exit-on=all"]).run();
    assert!(!output.stdout.contains("secret"), "{output:?}");
    assert_eq!(
        said_by(&output.stdout, "web.1")[1..],
        [
            "exited with code 4; not started again until `pm restart web.1`; see `pm logs web.1 -n 50`"
        ]
    );
    assert_eq!(said_by(&output.stdout, "worker.1")[1..], ["seen", "exited with code 0"]);
    assert_eq!(app.read("ran").as_deref(), Some(""));
}

#[test]
fn json_has_one_object_a_line_for_lines_and_events() {
    let app = Sandbox::with_procfile(
        "web: echo 'a \"b\" \\ é'; printf '\\377x\\001\\n'; printf 'no newline'; exit 3\n",
    );
    let output = app.pm(["start", "--json", "--max-restarts=1"]).run();
    let objects = objects(&output.stdout);
    let time = |object: &serde_json::Value| object["time"].as_str().map(str::len);
    assert!(objects.iter().all(|object| time(object) == Some(29)), "{output:?}");
    let lines: Vec<_> = objects.iter().filter(|object| !object["line"].is_null()).collect();
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|line| line["process"] == "web.1"));
    assert_eq!(lines[0]["line"], "a \"b\" \\ é");
    assert!(lines[0]["bytes"].is_null());
    assert_eq!(lines[1]["line"], "\u{fffd}x\u{1}");
    assert_eq!(lines[1]["bytes"], serde_json::json!([255, 120, 1]));
    assert_eq!(lines[2]["line"], "no newline");
    let events: Vec<_> = objects.iter().filter(|object| !object["event"].is_null()).collect();
    let names: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["started", "ended", "started", "ended", "verdict"]);
    assert!(events[0]["pid"].as_i64().is_some_and(|pid| pid > 1));
    assert_eq!(events[1]["code"], 3);
    assert_eq!(events[1]["restart_in"], 0.5);
    assert_eq!(events[1]["crash"], 1);
    assert_eq!(events[3]["gave_up_after"], 2);
    assert_eq!(events[4]["process"], "web.1");
    assert_eq!(events[4]["restarts"], 1);
    assert_eq!(output.code(), 3);
}

#[test]
fn json_names_a_signal_and_marks_a_piece_of_a_line() {
    let app = Sandbox::with_procfile("web: printf 'name: '; sleep 0.3; echo Ada; kill -KILL $$\n");
    let output = app.pm(["start", "--json", "--restart=never"]).run();
    let objects = objects(&output.stdout);
    assert_eq!((&objects[1]["line"], &objects[1]["partial"]), (&"name: ".into(), &true.into()));
    assert_eq!(objects[2]["line"], "Ada");
    assert!(objects[2]["partial"].is_null());
    assert_eq!(objects[3]["signal"], "SIGKILL");
    assert_eq!(output.code(), 137);
}

#[test]
fn the_log_can_go_to_a_file_and_errors_stay_on_stderr() {
    let app = Sandbox::with_procfile("web: echo hello\nnot an entry\n");
    let file = File::create(app.path("log")).expect("the sandbox can be written");
    let output = app.pm(["start", "--no-timestamp"]).stdout_to(file).run();
    assert!(output.stderr.starts_with("warning: Procfile:2: "), "{output:?}");
    let log = app.read("log").unwrap_or_default();
    assert_eq!(said_by(&log, "web.1")[1..], ["hello", "exited with code 0"]);
}
