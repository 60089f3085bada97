//! `--pty`: an instance that has a terminal of its own.

use nix::sys::signal::Signal;

use crate::sandbox::{CTRL_C, End, PM, Sandbox, eventually, has, has_program, status};

/// Says what it writes to.
const WHAT: &str =
    "if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then echo terminal; else echo pipe; fi; exec cat";

#[test]
fn an_instance_gets_a_terminal_where_pm_has_one_or_it_is_asked_for() {
    let app = Sandbox::with_procfile(&format!("web: {WHAT}\n"));
    for (args, on_terminal, expected) in [
        (&["start"][..], true, "terminal"),
        (&["start", "--pty", "never"], true, "pipe"),
        (&["start"], false, "pipe"),
        (&["start", "--pty=always"], false, "terminal"),
    ] {
        let invocation = app.pm(args);
        let mut session = if on_terminal { invocation.spawn_pty() } else { invocation.spawn() };
        session.wait_for(expected);
        session.signal(Signal::SIGTERM);
        assert_eq!(session.wait(), End::Code(0), "{args:?}");
        app.assert_nothing_left();
    }
}

#[test]
fn lines_end_as_on_a_pipe_and_none_is_lost_at_the_end() {
    let app = Sandbox::with_procfile("web: seq 1 5000; printf 'no newline'\n");
    let output = app.pm(["start", "--pty", "always", "--no-prefix"]).run();
    assert_eq!(output.code(), 0);
    let expected: String = (1..=5000).map(|n| format!("{n}\n")).collect();
    assert!(!output.stdout.contains('\r'), "a CR is left");
    let end = format!("{expected}no newline\n-- exited with code 0\n");
    assert!(output.stdout.ends_with(&end), "{}", &output.stdout[output.stdout.len() - 300..]);
}

#[test]
fn output_after_a_while_without_anyone_on_the_terminal_is_shown() {
    let app = Sandbox::with_procfile(
        "web: exec </dev/null >/dev/null 2>&1; touch closed; until test -e go; do sleep 0.02; done; \
         echo later >/dev/tty; head -c 300000 /dev/zero | tr '\\0' x >/dev/tty; touch written; \
         until test -e end; do sleep 0.02; done; echo last >/dev/tty; exit 3\n",
    );
    let mut session = app.pm(["start", "--pty", "always", "--exit-on", "first"]).spawn();
    eventually("its closed terminal", || app.read("closed"));
    let app = app.write("go", "");
    session.wait_for("| later\n");
    eventually("the end of a write that fills the terminal", || app.read("written"));
    let app = app.write("end", "");
    assert_eq!(session.wait(), End::Code(3));
    let output = session.stdout_so_far();
    assert!(output.contains("xlast\n"), "{}", &output[output.len() - 300..]);
    app.assert_nothing_left();
}

#[test]
fn the_last_line_of_many_that_end_at_once_is_shown() {
    let app = Sandbox::with_procfile("web: printf \"last of $PS\"\n");
    let output = app.pm(["start", "--pty", "always", "web=40"]).run();
    for number in 1..=40 {
        assert!(output.stdout.contains(&format!("| last of web.{number}\n")), "{output:#?}");
    }
}

#[test]
fn it_has_a_session_of_its_own_and_its_keys_are_not_pms() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let mut session = app.pm(["start", "-t", "60"]).spawn_pty();
    session.wait_for("ready");
    let cat = session.running("cat")[0];
    let own = status(cat, "NSsid").expect("it runs");
    assert_ne!(Some(own), status(session.pid(), "NSsid"));
    session.type_keys(CTRL_C);
    session.wait_for("SIGINT received");
    assert_eq!(session.wait(), End::Code(0));
    assert!(session.stdout_so_far().contains("terminated by SIGTERM"));
    app.assert_nothing_left();
}

#[test]
fn what_a_shell_runs_is_asked_to_stop_and_not_hung_up_on_when_the_shell_ends_first() {
    if !has("session leader beside the command", !cfg!(pm_portable)) {
        return;
    }
    let app = Sandbox::with_procfile(
        "web: sh -c 'trap \"echo hangup\" HUP; trap \"sleep 0.2; echo done; exit 0\" TERM; \
         echo ready; while :; do read -r _; done'; true\n",
    );
    let mut session = app.pm(["start", "-t", "60", "--pty", "always"]).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert!(output.contains("done") && !output.contains("hangup"), "{output}");
    app.assert_nothing_left();
}

#[test]
fn it_has_the_controlling_terminal_and_the_foreground() {
    let stat = "read -r pid name state parent group session tty foreground rest </proc/$$/stat";
    let app = Sandbox::with_procfile(&format!(
        "web: echo said > /dev/tty; {stat}; echo \"in $group of $foreground\"\n"
    ));
    let output = app.pm(["start", "--pty", "always", "--no-prefix"]).run();
    assert!(output.stdout.contains("said\n"), "{output:#?}");
    let line = output.stdout.lines().find_map(|line| line.strip_prefix("in "));
    let (group, foreground) =
        line.and_then(|line| line.split_once(" of ")).expect("the shell says where it is");
    assert_eq!(group, foreground, "{output:#?}");
}

#[test]
fn a_start_that_fails_says_why() {
    let app = Sandbox::with_procfile("web: true\n").env("BIG", "x".repeat(120 << 10));
    let app = (0..30).fold(app, |app, n| app.env(format!("BIG{n}"), "x".repeat(60 << 10)));
    let app = app.write(".env", format!("MORE={}\n", "x".repeat(130 << 10)));
    let output = app.pm(["start", "--pty", "always"]).run();
    assert_eq!(output.code(), 1);
    assert!(output.stdout.contains("cannot start: "), "{}", output.stdout.len());
    app.assert_nothing_left();
}

#[test]
fn a_system_without_terminals_is_named_as_such() {
    let app = Sandbox::with_procfile("web: true\n");
    let without = |then: &str| format!("mount -t tmpfs none /dev/pts && {then}");
    let unshare = |then: &str| app.command("unshare", ["--mount", "sh", "-c", &without(then)]);
    if !has_program("unshare") || !has("right to mount", unshare("true").run().end == End::Code(0))
    {
        return;
    }
    let output = unshare(&format!("{PM} start --pty always")).run();
    assert_eq!(output.code(), 1);
    assert!(output.stdout.contains("cannot open a terminal: "), "{output:#?}");
    assert!(output.stdout.contains("`--pty never` starts it without one"), "{output:#?}");
    let output = unshare(&format!("{PM} start --pty never")).run();
    assert_eq!(output.code(), 0, "{output:#?}");
}

#[test]
fn it_has_the_size_of_pms_terminal_and_hears_of_a_change() {
    let app = Sandbox::with_procfile(
        "web: trap 'stty size' WINCH; stty size; echo ready; while :; do read -r _; done\n",
    );
    let session = app.pm(["start"]).spawn_pty();
    session.wait_for("ready");
    session.resize(33, 111);
    session.wait_for("33 111");
}

#[test]
fn what_leaves_the_group_or_the_session_of_a_terminal_is_found() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let app = Sandbox::with_procfile(
        "web: setsid sh -c 'trap \"\" HUP; exec sleep 1000' & set -m; sleep 1001 & echo ready; exec cat\n",
    );
    let mut session = app.pm(["start", "--pty", "always"]).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
    let mut session = app.pm(["start", "--pty", "always"]).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGKILL);
    session.wait_for_end();
    app.assert_nothing_left_within(std::time::Duration::from_secs(2));
}

#[test]
fn a_program_that_asks_whether_it_has_a_terminal_keeps_its_colours() {
    if !has_program("node") {
        return;
    }
    let app = Sandbox::with_procfile(
        "web: node -e 'console.log(process.stdout.isTTY, process.stdout.columns, { a: 1 })'\n",
    );
    let output = app.pm(["start", "--pty", "always", "--no-prefix"]).env("TERM", "xterm").run();
    assert!(output.stdout.contains("\x1b[33m80\x1b[39m"), "{output:#?}");
    assert!(output.stdout.contains("\x1b[33m1\x1b[39m"), "{output:#?}");
}

#[test]
fn pm_toml_gives_one_process_type_a_terminal_and_what_is_typed_or_set_wins() {
    let app = Sandbox::with_procfile(&format!("web: {WHAT}\nworker: {WHAT}\n"))
        .write("pm.toml", "[process.web]\npty = \"always\"\n");
    for (args, variable, of_web, of_worker) in [
        (&["start"][..], "", "terminal", "pipe"),
        (&["start"], "never", "pipe", "pipe"),
        (&["start", "--pty", "always"], "never", "terminal", "terminal"),
    ] {
        let session = app.pm(args).env("PM_PTY", variable);
        let mut session = session.env("PM_NO_TIMESTAMP", "1").spawn();
        session.wait_for(&format!("web.1    | {of_web}"));
        session.wait_for(&format!("worker.1 | {of_worker}"));
        session.signal(Signal::SIGTERM);
        assert_eq!(session.wait(), End::Code(0), "{args:?}");
    }
}

#[test]
fn an_instance_on_a_terminal_is_held_to_its_limits() {
    let app = Sandbox::with_procfile("web: echo \"files $(ulimit -n)\"; nice; exec cat\n");
    let args = ["start", "--pty", "always", "--nofile", "123", "--nice", "7", "--no-prefix"];
    let mut session = app.pm(args).spawn();
    session.wait_for("files 123\n7\n");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}
