//! pm.toml and .foreman: what they say, what wins over them, and what is said of a bad one.

use crate::log::{printed_by, said_by, started};
use crate::sandbox::Sandbox;

fn app() -> Sandbox {
    Sandbox::with_procfile("web: echo \"$PORT $A $B\"\nworker: echo worker\n")
}

#[test]
fn flags_win_over_variables_over_pm_toml_over_foreman() {
    let app = app()
        .write(".foreman", "port: 1000\ntimeout: 1\nprocfile: Procfile\n")
        .write("pm.toml", "[defaults]\nport = 2000\ntimeout = 2\nmax-restarts = 2\n");
    let shown = |args: &[&str], variable: &str| {
        let args = ["env", "web", "--settings"].iter().chain(args);
        app.pm(args).env("PM_MAX_RESTARTS", variable).env("PM_MEMORY", "web=1G,all=2G").run().stdout
    };
    assert_eq!(
        shown(&["-t", "4", "--memory", "all=3G"], "3"),
        "procfile = Procfile  # .foreman\n\
         port = 2000  # pm.toml\n\
         timeout = 4  # flag\n\
         web.memory = 3072 MiB  # flag\n\
         web.max-restarts = 3  # PM_ variable\n\
         web.stop-timeout = 4  # flag\n"
    );
    assert_eq!(
        shown(&["--max-restarts", "9", "--heap", "1G"], ""),
        "procfile = Procfile  # .foreman\n\
         port = 2000  # pm.toml\n\
         timeout = 2  # pm.toml\n\
         web.memory = 1024 MiB  # PM_ variable\n\
         web.heap = 1024 MiB  # flag\n\
         web.max-restarts = 9  # flag\n\
         web.stop-timeout = 2  # pm.toml\n"
    );
}

#[test]
fn what_pm_toml_says_of_a_session_and_of_its_types_holds() {
    let app = app().write("other/x", "").write(
        "pm.toml",
        "[defaults]\nport = 7000\nenv = { A = \"set\" }\nexit-on = \"all\"\ntimestamp = false\n\
         [process.web]\nconcurrency = 2\nrestart = \"never\"\ndirectory = \"other\"\n\
         env = { B = 'own value' }\n[process.worker]\nconcurrency = 0\n",
    );
    let output = app.pm(["start"]).run();
    assert_eq!(printed_by(&output.stdout, "web.1"), ["7000 set own value"], "{output:?}");
    assert_eq!(printed_by(&output.stdout, "web.2"), ["7001 set own value"]);
    assert!(said_by(&output.stdout, "worker.1").is_empty(), "{output:?}");
    let has_no_time = |line: &str| line.starts_with("web.") || line.starts_with("system ");
    assert!(output.stdout.lines().all(has_no_time), "{output:?}");
    // A type that is named runs, whatever its concurrency; a set of the command line lies over the file's.
    let output = app.pm(["start", "worker", "web=1", "--set", "A=typed"]).run();
    assert_eq!(printed_by(&output.stdout, "web.1"), ["7000 typed own value"], "{output:?}");
    assert_eq!(printed_by(&output.stdout, "worker.1"), ["worker"]);
    let app = app.procfile("web: pwd\nworker: true\n");
    let output = app.pm(["start"]).run();
    let folder = app.path("other").display().to_string();
    assert_eq!(printed_by(&output.stdout, "web.1"), [folder.as_str()]);
}

#[test]
fn each_type_stops_by_its_own_signal_and_timeout() {
    let app = Sandbox::with_procfile(
        "a: trap 'echo got INT; exit 0' INT; echo ready; while :; do read line; done\n\
         b: trap '' TERM; echo ready; while :; do read line; done\n",
    );
    let app = app.write(
        "pm.toml",
        "[defaults]\ntimeout = 60\n[process.a]\nstop-signal = \"INT\"\n\
         [process.b]\nstop-timeout = 0.2\n",
    );
    let mut session = app.pm(["start"]).spawn();
    session.wait_for_times("| ready", 2);
    session.signal(nix::sys::signal::Signal::SIGTERM);
    session.wait();
    let output = session.stdout_so_far();
    assert!(output.contains("a.1    | got INT"), "{output}");
    assert!(output.contains("b.1    | !! did not stop within 0.2s, killing it"), "{output}");
}

#[test]
fn a_named_pm_toml_must_be_there_and_its_files_are_from_the_root() {
    let app = Sandbox::new()
        .write("app/Procfile.dev", "web: echo $A\n")
        .write("app/dev.env", "A=dev\n")
        .write("my.toml", "[defaults]\nprocfile = \"Procfile.dev\"\nenv-files = [\"dev.env\"]\n");
    let output = app.pm(["start", "-d", "app", "--config", "my.toml"]).run();
    assert_eq!(printed_by(&output.stdout, "web.1"), ["dev"], "{output:?}");
    let output = app.pm(["env", "-d", "app"]).env("PM_CONFIG", "my.toml").run();
    assert!(output.stdout.contains("A=****  # app/dev.env:1\n"), "{output:?}");
    let output = app.pm(["start", "--config", "nope.toml"]).run();
    assert_eq!(
        output.stderr,
        "error: cannot read `nope.toml`: No such file or directory (os error 2)\n\
         hint: a pm.toml named with `--config` must exist; only the one in the root is optional\n"
    );
    assert_eq!(output.code(), 1);
}

#[test]
fn a_mistake_in_pm_toml_is_said_with_its_place_and_a_hint() {
    let table = [
        (
            "[defaults]\n  memorry = \"1G\"\n",
            "error: pm.toml:2:3: unknown key `memorry`\nhint: did you mean `memory`?\n",
        ),
        (
            "[process.web]\ngc = \"smal\"\n",
            "error: pm.toml:2:6: `smal` is not one of `size`, `speed`\n",
        ),
        (
            "[defaults]\nkeep = \"lots\"\n",
            "error: pm.toml:2:8: `lots` is not an amount of disk space\n\
             hint: write a number with K, M, G or T, such as `64M`; a bare number is MiB\n",
        ),
        (
            "\n[process.wbe]\n",
            "error: pm.toml:2:10: no process type `wbe` in the Procfile\n\
             hint: did you mean `[process.web]`?\n",
        ),
    ];
    for (text, expected) in table {
        let app = app().write("pm.toml", text);
        for command in ["start", "env"] {
            let output = app.pm([command]).run();
            assert_eq!(output.stderr, expected, "{command}");
            assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
        }
        let place = expected.split(' ').nth(1).expect("a place").trim_end_matches(':');
        let checked = app.pm(["check"]).run();
        assert!(checked.stderr.contains(&format!("--> {place}")), "{checked:?}");
        assert_eq!(checked.code(), 1);
    }
}

#[test]
fn an_option_that_cannot_be_used_is_an_error_and_nothing_starts() {
    let table = [
        (
            "--memory=web=lots",
            "cannot use `--memory`: `lots` is not an amount of memory (for `web`)",
            2,
        ),
        ("--memory=wbe=1G", "cannot use `--memory`: no process type `wbe` in the Procfile", 1),
        ("--gc=tiny", "cannot use `--gc`: `tiny` is not one of `size`, `speed` (for `all`)", 2),
        ("--nice=20", "cannot use `--nice`: `20` is not a niceness from -20 to 19 (for `all`)", 2),
        ("--proxy=web=99999", "cannot use `--proxy`: `99999` is not a port number (for `web`)", 2),
        ("--keep=lots", "cannot use `--keep`: `lots` is not an amount of disk space", 2),
        ("--log-size=lots", "cannot use `--log-size`: `lots` is not an amount of disk space", 2),
        ("--set=FOO", "cannot use `--set`: `FOO` is not KEY=VALUE", 2),
        ("--timestamp-format=%", "cannot use `--timestamp-format`: `%` is not a valid time", 2),
        (
            "--set=WEB_MEMORY=x",
            "cannot divide the memory budget of `web` among workers: WEB_MEMORY cannot be used",
            1,
        ),
    ];
    for (option, expected, code) in table {
        let output = app().pm(["start", "--memory", "512M", option]).run();
        assert!(output.stderr.starts_with(&format!("error: {expected}")), "{output:?}");
        assert!(output.stderr.contains("\nhint: "), "{output:?}");
        assert_eq!((output.code(), output.stdout.as_str()), (code, ""), "{option}");
    }
}

#[test]
fn a_wrong_value_of_a_variable_names_the_variable() {
    for (variable, value, expected) in [
        ("PM_MEMORY", "x", "cannot use `PM_MEMORY`: `x` is not an amount of memory (for `all`)"),
        ("PM_KEEP", "lots", "cannot use `PM_KEEP`: `lots` is not an amount of disk space"),
        ("PM_TIMESTAMP_FORMAT", "%", "cannot use `PM_TIMESTAMP_FORMAT`: `%` is not a valid"),
        ("PM_TIMEOUT", "abc", "`PM_TIMEOUT` is `abc`, which is not a number of seconds"),
        ("PM_TIMEOUT", "-1", "`PM_TIMEOUT` is `-1`, which is not a number of seconds"),
        ("PM_MAX_RESTARTS", "x", "`PM_MAX_RESTARTS` is `x`, which is not a whole number from 0"),
        ("PM_WITH", "abc", "`PM_WITH` is `abc`, which is not a process id"),
        ("PM_EXIT_ON", "x", "`PM_EXIT_ON` is `x`, which is not one of `first`, `failure`, `all`"),
        ("PM_COLOR", "blue", "`PM_COLOR` is `blue`, which is not one of `always`, `auto`, `never`"),
    ] {
        let output = app().pm(["start"]).env(variable, value).run();
        assert!(output.stderr.starts_with(&format!("error: {expected}")), "{output:?}");
        assert!(output.stderr.contains("\nhint: "), "{output:?}");
        assert_eq!((output.code(), output.stdout.as_str()), (2, ""), "{variable}");
    }
    let output = app().pm(["start", "-t", "abc"]).env("PM_TIMEOUT", "abc").run();
    assert!(output.stderr.starts_with("error: invalid value 'abc' for '--timeout "), "{output:?}");
    let output = app().pm(["start", "-t", "1", "--bogus"]).env("PM_TIMEOUT", "abc").run();
    assert!(output.stderr.starts_with("error: unexpected argument '--bogus'"), "{output:?}");
    let output = app().pm(["ps", "--json"]).env("PM_SESSION", "x").run();
    assert!(output.stdout.contains(r#""message":"`PM_SESSION` is `x`, which is"#), "{output:?}");
}

#[test]
fn a_number_that_is_none_is_said_in_words() {
    for (words, expected) in [
        ("start -t -1", "invalid value '-1' for '--timeout <SECONDS>': not a number of seconds"),
        ("start --with abc", "invalid value 'abc' for '--with <PID>': not a process id"),
        ("start --with 0", "invalid value '0' for '--with <PID>': not a process id"),
        (
            "start --max-restarts x",
            "invalid value 'x' for '--max-restarts <N>': not a whole number",
        ),
        ("start --max-restarts -1", "invalid value '-1' for '--max-restarts <N>': not a whole"),
        (
            "start --max-restarts 99999999999",
            "invalid value '99999999999' for '--max-restarts <N>': too",
        ),
        ("start --log-keep many", "invalid value 'many' for '--log-keep <N>': not a whole number"),
        ("stop -t -1 web", "invalid value '-1' for '--timeout <SECONDS>': not a number of seconds"),
        ("wait --timeout -1", "invalid value '-1' for '--timeout <SECONDS>': not a number"),
        ("ps --session x", "invalid value 'x' for '--session <PID>': not a process id"),
        ("logs -n x", "invalid value 'x' for '--lines <N>': not a whole number from 0"),
        ("restart --rolling --batch 0", "invalid value '0' for '--batch <N>': not a number of"),
    ] {
        let output = app().pm(words.split(' ')).run();
        assert!(output.stderr.starts_with(&format!("error: {expected}")), "{output:?}");
        assert_eq!((output.code(), output.stdout.as_str()), (2, ""), "{words}");
    }
}

#[test]
fn a_wrong_value_is_a_usage_error_of_pm_check_too() {
    let output = app().pm(["check", "--memory", "web=lots"]).run();
    assert!(output.stderr.starts_with("error: cannot use `--memory`: `lots`"), "{output:?}");
    assert_eq!((output.code(), output.stdout.as_str()), (2, ""));
}

#[test]
fn foremans_defaults_hold_in_the_current_folder() {
    let app = Sandbox::new()
        .write("sub/Procfile", "web: echo $PORT $A\nrelease: echo released\nworker: echo worker\n")
        .write(".env", "A=env\n")
        .write(
            ".foreman",
            "procfile: sub/Procfile\nformation: all=1,release=0\nenv: ''\nport: 6000\n",
        );
    let output = app.pm(["start"]).run();
    assert_eq!(printed_by(&output.stdout, "web.1"), ["6000"], "{output:?}");
    assert_eq!(printed_by(&output.stdout, "worker.1"), ["worker"]);
    assert!(!output.stdout.contains("release"), "{output:?}");
    let output = app.pm(["start", "-m", "worker=1", "--json"]).run();
    assert_eq!(started(&output.stdout), ["worker.1"], "{output:?}");
}

#[test]
fn an_empty_foreman_file_says_nothing_and_a_broken_one_is_an_error_with_its_line() {
    let output = app().write(".foreman", "").pm(["start"]).run();
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
    let output = app().write(".foreman", "port: 3000\nenv: [a\n").pm(["start"]).run();
    assert!(output.stderr.starts_with("error: .foreman:"), "{output:?}");
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    let output = app().write(".foreman", "port: 3000\nprot: 1\n").pm(["start"]).run();
    assert_eq!(
        output.stderr,
        "warning: .foreman:2: unknown option `prot` is ignored\nhint: did you mean `port`?\n"
    );
    assert_eq!(output.code(), 0);
}

#[test]
fn what_pm_toml_says_goes_into_exported_units_too() {
    let app = app()
        .write("pm.toml", "[process.web]\nmemory = '512M'\nstop-signal = 'INT'\nconcurrency = 2\n");
    let output = app.pm(["export", "systemd", "--print", "--app", "shop"]).run();
    assert_eq!(output.code(), 0, "{output:?}");
    for text in ["MemoryMax=536870912", "KillSignal=SIGINT", "GOMEMLIMIT=460MiB", "web.2"] {
        assert!(output.stdout.contains(text), "{text}: {}", output.stdout);
    }
}

#[test]
fn the_schema_describes_every_key() {
    let output = Sandbox::new().pm(["schema"]).run();
    let schema: serde_json::Value = serde_json::from_str(&output.stdout).expect("it is JSON");
    assert_eq!(schema["title"], "pm.toml");
    assert_eq!(output.code(), 0);
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal_in_an_error() {
    let app = app().write("pm.toml", "[defaults]\n\"\\u001b[31m\" = 1\n");
    let output = app.pm(["start"]).run();
    assert!(output.stderr.contains(r"unknown key `\u{1b}[31m`"), "{output:?}");
    assert!(!output.stderr.contains('\u{1b}'), "{output:?}");
}
