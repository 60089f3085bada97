//! No program draws over the others: what is seen on a terminal, and what comes from one.

use nix::sys::signal::Signal;

use crate::sandbox::{CTRL_C, End, PM, Sandbox};

/// Modes, a title, a query, a charset and a colour, each of which a terminal would keep.
const MODES: &str = r"printf '\033[?1049h\033[?25l\033[?1000h\033[?2004h\033[2;9r\033]0;TITLE\007\033[6n\033(0\033[1;4mmodes\n'";

#[test]
fn a_terminal_sees_no_mode_title_or_query_of_a_program_and_is_as_before_at_the_end() {
    let app = Sandbox::with_procfile(&format!("web: {MODES}; exec cat\n"));
    for pty in ["auto", "never"] {
        let mut session = app.pm(["start", "--pty", pty]).spawn_pty();
        session.wait_for("modes\x1b[0m\r\n");
        session.type_keys(CTRL_C);
        assert_eq!(session.wait(), End::Code(0));
        let seen = session.stdout_so_far();
        assert!(!seen.contains("\x1b[?1049h") && !seen.contains("\x1b[?25l"), "{seen:?}");
        assert!(!seen.contains("\x1b[?1000h") && !seen.contains("TITLE"), "{seen:?}");
        assert!(!seen.contains("\x1b[6n") && !seen.contains("\x1b(0"), "{seen:?}");
    }
    app.assert_nothing_left();
}

#[test]
fn a_bar_is_one_line_whenever_it_pauses_and_when_it_ends() {
    let app = Sandbox::with_procfile(
        "web: printf '\\r10%%\\r20%%'; until test -e go; do sleep 0.02; done; \
         printf '\\r30%%\\r40%%\\r\\nnext\\n'; exec cat\n",
    );
    let mut session = app.pm(["start", "--no-timestamp", "--pty", "always"]).spawn();
    session.wait_for("web.1  | 20%");
    let app = app.write("go", "");
    session.wait_for("web.1  | next\n");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let seen = session.stdout_so_far();
    assert!(seen.contains("\nweb.1  | 20%\nweb.1  | 40%\nweb.1  | next\n"), "{seen:?}");
    assert!(!seen.contains("10%") && !seen.contains('\r'), "{seen:?}");
    app.assert_nothing_left();
}

#[test]
fn a_colour_goes_on_in_the_next_line_of_its_instance_and_in_no_other() {
    let app = Sandbox::with_procfile(
        "web: printf '\\033[31mred\\n'; until test -e again; do sleep 0.02; done; \
         printf 'red too\\033[0m\\n'; exec cat\n\
         job: until test -e red; do sleep 0.02; done; echo plain; exec cat\n",
    );
    let mut session = app.pm(["start", "--no-timestamp", "--pty", "always"]).spawn();
    session.wait_for("| \x1b[31mred");
    let app = app.write("red", "");
    session.wait_for("| plain");
    let _app = app.write("again", "");
    session.wait_for("red too");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let seen = session.stdout_so_far();
    let said: Vec<&str> = seen.lines().filter(|line| !line.contains("| -- ")).collect();
    let (red, plain) = ("web.1  | \x1b[31mred\x1b[0m", "job.1  | plain");
    assert_eq!(said, [red, plain, "web.1  | \x1b[31mred too\x1b[0m"]);
}

#[test]
fn without_a_terminal_every_byte_stays_and_a_coloured_prefix_begins_with_a_reset() {
    let app = Sandbox::with_procfile(&format!("web: printf ' 10%%\\r 20%%\\n\\n'; {MODES}\n"));
    let shown = "web.1  |  10%\r 20%\nweb.1  | \nweb.1  | \x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?2004h\x1b[2;9r\
                 \x1b]0;TITLE\x07\x1b[6n\x1b(0\x1b[1;4mmodes\n";
    let output = app.pm(["start", "--no-timestamp"]).run();
    assert!(output.stdout.contains(shown), "{:?}", output.stdout);
    let output = app.pm(["start", "--no-timestamp", "-c", "always"]).run();
    assert!(output.stdout.contains("\x1b[1;4mmodes\n\x1b[0m"), "{:?}", output.stdout);
}

#[test]
fn json_holds_no_screen_control_of_a_terminal_and_every_byte_of_a_pipe() {
    let app = Sandbox::with_procfile("web: printf '10%%\\r20%%\\033[2J\\n'\n");
    for (pty, line) in [("always", r#""line":"20%""#), ("never", r#""line":"10%\r20%\u001b[2J""#)] {
        let output = app.pm(["start", "--json", "--pty", pty]).run();
        assert!(output.stdout.contains(line), "{pty}: {}", output.stdout);
    }
}

#[test]
fn pms_own_lines_are_told_apart_and_a_crash_from_an_end_that_was_asked_for() {
    let app = Sandbox::with_procfile("web: echo said; exit 3\nok: exec cat\n");
    let args = ["start", "--no-timestamp", "--max-restarts", "1", "--exit-on", "failure"];
    let output = app.pm(args).run();
    assert_eq!(output.code(), 3);
    let mut lines: Vec<&str> = output.stdout.lines().collect();
    lines.retain(|line| !line.contains("started with pid"));
    assert_eq!(
        lines[..6],
        [
            "web.1  | said",
            "web.1  | !! exited with code 3; restart 1 of 1 in 0.5s; see `pm logs web.1 -n 50`",
            "web.1  | said",
            "web.1  | !! exited with code 3; crashed 2 times in a row, not started again",
            "system | -- web.1 has ended, sending SIGTERM to all processes",
            "ok.1   | -- terminated by SIGTERM",
        ],
        "{output:?}"
    );
    assert!(lines[6].starts_with("system | !! ended by web.1: exited with code 3 "), "{output:?}");
    assert!(output.stdout.contains("web.1  | -- started with pid "), "{output:?}");
}

#[test]
fn what_an_instance_has_done_to_pms_own_terminal_is_taken_back() {
    // Without a terminal of its own it has pm's, as /dev/tty; in the background, so that only what ignores
    // SIGTTOU can change its settings.
    let app = Sandbox::with_procfile(
        "web: printf '\\033[?1049h\\033[?25l\\033[1;35m' > /dev/tty; trap '' TTOU; \
         stty -echo < /dev/tty; echo ready; exec cat\n",
    );
    let shell = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    shell.type_keys(&format!(
        "stty -g > before; TERM=xterm {PM} start -c never --pty never; stty -g > after\n"
    ));
    shell.wait_for("| ready");
    shell.type_keys(CTRL_C);
    shell.wait_for_times("prompt> ", 2);
    let settings = ["before", "after"].map(|name| app.read(name));
    assert!(settings[0].is_some() && settings[0] == settings[1], "{settings:?}");
    let seen = shell.stdout_so_far();
    let end = seen.rfind("\x1b[?1049l").expect("it leaves the alternate screen");
    assert!(seen[end..].contains("\x1b[?7;25h") && seen[end..].contains("\x1b[0m"), "{seen:?}");
}
