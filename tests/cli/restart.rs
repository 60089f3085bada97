//! Life and death of an instance: crashes, restarts, who ends the session and with which code.

use nix::sys::signal::Signal;

use crate::log::{printed_by, said_by, started};
use crate::sandbox::{End, Output, Sandbox, eventually};

#[test]
fn a_crash_is_restarted_after_a_growing_wait_until_pm_gives_up() {
    let app = Sandbox::with_procfile("web: exit 3\n");
    let Output { stdout, end, .. } = app.pm(["start", "--max-restarts", "2"]).run();
    let said: Vec<_> =
        said_by(&stdout, "web.1").into_iter().filter(|text| !text.starts_with("started")).collect();
    assert_eq!(
        said,
        [
            "exited with code 3; restart 1 of 2 in 0.5s; see `pm logs web.1 -n 50`",
            "exited with code 3; restart 2 of 2 in 1s; see `pm logs web.1 -n 50`",
            "exited with code 3; crashed 3 times in a row, not started again",
        ]
    );
    let verdict = said_by(&stdout, "system");
    assert_eq!(verdict.len(), 1, "{stdout}");
    assert!(verdict[0].starts_with("ended by web.1: exited with code 3 after 0"), "{stdout}");
    assert!(verdict[0].ends_with(", 2 restarts"), "{stdout}");
    assert_eq!(end, End::Code(3));
}

#[test]
fn the_waits_are_as_long_as_they_are_said_to_be() {
    // Its own times: what the log says of an end is written after it.
    let app = Sandbox::with_procfile("web: date +%s%3N >> lives; exit 3\n");
    let output = app.pm(["start", "--max-restarts", "2"]).run();
    let lives = app.read("lives").expect("it ran");
    let lives: Vec<u64> = lives.lines().map(|line| line.parse().expect("a time")).collect();
    assert_eq!(lives.len(), 3, "{}", output.stdout);
    for (between, wait) in lives.windows(2).zip([500, 1000]) {
        let waited = between[1] - between[0];
        // The times are cut to milliseconds. The upper limit is for a loaded machine.
        assert!((wait - 1..wait + 5000).contains(&waited), "{waited} ms\n{}", output.stdout);
    }
}

#[test]
fn without_restarts_the_first_crash_is_the_last() {
    let app = Sandbox::with_procfile("web: echo x >> lives; exit 3\n");
    let table = [
        ("--max-restarts=0", "exited with code 3; not started again"),
        ("--restart=never", "exited with code 3"),
    ];
    for (option, text) in table {
        let output = app.pm(["start", option]).run();
        assert_eq!(said_by(&output.stdout, "web.1")[1..], [text]);
        assert_eq!(output.code(), 3);
    }
    assert_eq!(app.read("lives").as_deref(), Some("x\nx\n"));
}

#[test]
fn a_signal_that_pm_did_not_send_is_a_crash_and_is_named() {
    for (signal, code) in [("TERM", 143), ("KILL", 137), ("SEGV", 139), ("USR1", 138)] {
        let app = Sandbox::with_procfile(&format!("web: kill -{signal} $$\n"));
        let output = app.pm(["start", "--max-restarts", "1"]).run();
        let said = said_by(&output.stdout, "web.1");
        let first =
            format!("terminated by SIG{signal}; restart 1 of 1 in 0.5s; see `pm logs web.1 -n 50`");
        let second =
            format!("terminated by SIG{signal}; crashed 2 times in a row, not started again");
        assert_eq!((said[1], said[3]), (first.as_str(), second.as_str()));
        assert_eq!(output.code(), code, "{signal}");
    }
}

#[test]
fn a_clean_exit_is_the_end_unless_restarts_are_always_wanted() {
    let app = Sandbox::with_procfile("web: echo x >> lives; test $(grep -c x lives) -lt 3\n");
    let output = app.pm(["start"]).run();
    assert_eq!(said_by(&output.stdout, "web.1")[1..], ["exited with code 0"]);
    assert_eq!((output.code(), app.read("lives").as_deref()), (0, Some("x\n")));
    let app = app.write("lives", "");
    let output = app.pm(["start", "--restart=always", "--max-restarts=0"]).run();
    let said = said_by(&output.stdout, "web.1");
    let ends: Vec<_> = said.iter().skip(1).step_by(2).copied().collect();
    assert_eq!(
        ends,
        [
            "exited with code 0; restart 1 in 0.5s",
            "exited with code 0; restart 2 in 1s",
            "exited with code 1; not started again",
        ]
    );
    assert_eq!(output.code(), 1);
}

#[test]
fn a_restart_disturbs_nobody_else() {
    let app = Sandbox::with_procfile(
        "web: echo x >> lives; test $(grep -c x lives) -gt 2\nworker: until test $(grep -c x lives) -gt 2; do sleep 0.05; done\n",
    )
    .write("lives", "");
    let output = app.pm(["start", "--json"]).run();
    assert_eq!(output.code(), 0, "{output:?}");
    assert_eq!(started(&output.stdout), ["web.1", "worker.1", "web.1", "web.1"]);
}

#[test]
fn a_restarted_instance_keeps_its_name_and_port() {
    let app = Sandbox::with_procfile(
        "web: echo $PS $PORT; test $PS != web.2 -o -e again || { touch again; exit 1; }\n",
    );
    let output = app.pm(["start", "web=2"]).run();
    assert_eq!(printed_by(&output.stdout, "web.2"), ["web.2 5001", "web.2 5001"], "{output:?}");
    assert_eq!(output.code(), 0);
}

#[test]
fn the_exit_rule_decides_who_ends_the_session_and_with_which_code() {
    const QUICK_OK: &str = "a: exit 0\n";
    const QUICK_BAD: &str = "b: sleep 0.1; exit 4\n";
    const LATER_BAD: &str = "c: sleep 0.3; exit 5\n";
    const LATER_OK: &str = "d: sleep 0.3; touch finished\n";
    const ENDLESS: &str = "e: exec sleep 1000\n";
    // The rule, the Procfile, the code, whether `d` came to its end.
    let table: [(&str, &[&str], i32, bool); 8] = [
        ("first", &[QUICK_OK, ENDLESS, LATER_OK], 0, false),
        ("first", &[QUICK_BAD, ENDLESS, LATER_OK], 4, false),
        ("failure", &[QUICK_OK, QUICK_BAD, ENDLESS], 4, false),
        ("failure", &[QUICK_OK, LATER_OK], 0, true),
        ("failure", &[QUICK_BAD, LATER_BAD, LATER_OK], 4, false),
        ("all", &[QUICK_BAD, LATER_BAD, LATER_OK], 4, true),
        ("all", &[QUICK_OK, LATER_OK, LATER_BAD], 5, true),
        ("all", &[QUICK_OK, LATER_OK], 0, true),
    ];
    for (rule, entries, code, finished) in table {
        let text = entries.concat();
        let app = Sandbox::with_procfile(&text);
        let output = app.pm(["start", "--restart=never", "--exit-on", rule]).run();
        assert_eq!(output.code(), code, "{rule}\n{text}{output:?}");
        assert_eq!(app.read("finished").is_some(), finished, "{rule}\n{text}{output:?}");
        app.assert_nothing_left();
    }
}

#[test]
fn the_session_says_who_ended_it_and_stops_the_others() {
    let app = Sandbox::with_procfile("web: sleep 0.1; exit 4\nworker: exec sleep 1000\n");
    let output = app.pm(["start", "--restart=never"]).run();
    let said = said_by(&output.stdout, "system");
    assert_eq!(said[0], "web.1 has ended, sending SIGTERM to all processes");
    assert!(said[1].starts_with("ended by web.1: exited with code 4 after 0."), "{output:?}");
    assert_eq!(said.len(), 2, "{output:?}");
    assert_eq!(said_by(&output.stdout, "worker.1")[1..], ["terminated by SIGTERM"]);
}

#[test]
fn a_stop_that_was_asked_for_is_no_failure_and_has_no_verdict() {
    let app = Sandbox::with_procfile(
        "web: trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done\n",
    );
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut session = app.pm(["start"]).spawn();
        session.wait_for("ready");
        session.signal(signal);
        assert_eq!(session.wait(), End::Code(0));
        let stdout = session.stdout_so_far();
        let told = format!("{} received, sending SIGTERM to all processes", signal.as_str());
        assert_eq!(said_by(&stdout, "system"), [told]);
        assert_eq!(said_by(&stdout, "web.1").last(), Some(&"exited with code 7"));
    }
}

#[test]
fn who_does_not_stop_is_waited_for_then_killed_and_named() {
    let app =
        Sandbox::with_procfile("web: trap '' TERM; echo ready; while :; do sleep 0.05; done\n");
    let mut session = app.pm(["start", "-t", "1.5"]).spawn();
    session.wait_for("ready");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let stdout = session.stdout_so_far();
    assert_eq!(
        said_by(&stdout, "system")[1..],
        ["waiting for web.1 to stop; killing in 0.5s", "killed: web.1"]
    );
    assert_eq!(
        said_by(&stdout, "web.1")[2..],
        ["did not stop within 1.5s, killing it", "terminated by SIGKILL"]
    );
    app.assert_nothing_left();
}

#[test]
fn a_stop_during_the_wait_for_a_restart_is_immediate() {
    let app = Sandbox::with_procfile("web: exit 3\n");
    let mut session = app.pm(["start", "--max-restarts=20"]).spawn();
    session.wait_for("restart 3 of 20 in 2s");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(session.stdout_so_far().matches("started with pid").count(), 3);
}

#[test]
fn a_command_that_cannot_be_run_is_final_and_says_why_beside_the_shells_words() {
    let app = Sandbox::with_procfile("web: no-such-program\nother: exec sleep 1000\n");
    let output = app.pm(["start", "--restart=always"]).run();
    let said = said_by(&output.stdout, "web.1");
    assert!(said[1].ends_with("no-such-program: not found"), "{output:?}");
    assert_eq!(said[2..], ["command not found (exit 127); not started again"]);
    assert_eq!(output.code(), 127);
    let app = Sandbox::with_procfile("web: ./plain\n").write("plain", "");
    let output = app.pm(["start"]).run();
    let said = said_by(&output.stdout, "web.1");
    assert_eq!(said[2..], ["command cannot be executed (exit 126); not started again"]);
    assert_eq!(output.code(), 126);
    app.assert_nothing_left();
}

/// `web` fails until there is a file `repaired`; `job` ends well.
const BROKEN: &str = "web: test -e repaired || exit 127; touch runs; exec sleep 1000\n\
                      job: until test -e go; do sleep 0.05; done\n";

#[test]
fn on_a_terminal_a_failure_stays_the_others_go_on_and_it_can_be_restarted() {
    let app = Sandbox::with_procfile(BROKEN);
    let mut session = app.pm(["start", "--color=never"]).spawn_pty();
    session.wait_for("command not found (exit 127); not started again until `pm restart web.1`");
    let app = app.write("repaired", "");
    assert_eq!(app.pm(["restart", "web.1"]).run().code(), 0);
    eventually("the repaired one", || app.read("runs"));
    let app = app.write("go", "");
    session.wait_for("job.1  | -- exited with code 0");
    assert!(session.is_running(), "it counts again: {}", session.stdout_so_far());
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
    // Left as it is, its code is the session's when the last has ended.
    let app = Sandbox::with_procfile(BROKEN).write("go", "");
    let mut session = app.pm(["start"]).spawn_pty();
    assert_eq!(session.wait(), End::Code(127));
}

#[test]
fn on_a_terminal_too_the_rule_that_is_named_counts() {
    let ends: [(&[&str], &str); 4] = [
        (&["--exit-on=failure"], ""),
        (&["--as=foreman"], ""),
        (&[], "[defaults]\nexit-on = 'failure'\n"),
        (&[], ""),
    ];
    for (options, config) in ends {
        let mut app = Sandbox::with_procfile(BROKEN).write("pm.toml", config);
        if options.is_empty() && config.is_empty() {
            app = app.env("PM_EXIT_ON", "failure");
        }
        let mut session = app.pm(["start"].iter().chain(options)).spawn_pty();
        assert_eq!(session.wait(), End::Code(127), "{options:?} {config}");
        assert!(!session.stdout_so_far().contains("pm restart"), "{options:?} {config}");
        app.assert_nothing_left();
    }
}
