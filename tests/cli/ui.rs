//! `pm ui` on a terminal, beside a session of another one.

use std::num::NonZeroU16;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::control::{app, done, started, states};
use crate::sandbox::{
    CTRL_C, CTRL_Z, End, PM, Sandbox, Session, eventually, has_program, state_of,
};

const DETACH: &str = "\x1d";

/// Returns what a terminal of this size shows after these bytes.
fn screen(bytes: &[u8], (rows, columns): (u16, u16)) -> String {
    let size = |number| NonZeroU16::new(number).expect("a terminal has rows and columns");
    let mut parser = vt100::Parser::new(size(rows), size(columns), 0);
    parser.process(bytes);
    parser.screen().contents()
}

/// Waits until the terminal shows a text.
#[track_caller]
fn sees(ui: &Session, text: &str) {
    ui.wait_until(&format!("a screen with `{text}`"), |output| {
        screen(output.as_bytes(), (24, 80)).contains(text)
    });
}

/// Opens it, and waits until it shows an instance.
#[track_caller]
fn opened(app: &Sandbox, args: &[&str]) -> Session {
    let ui = app.pm(["ui"].iter().chain(args)).env("TERM", "xterm").spawn_pty();
    sees(&ui, "web.1");
    ui
}

const TWO: &str = "web: echo ready; exec cat\nworker: echo ready; exec cat\n";

#[test]
fn the_terminal_is_as_it_was_whatever_ends_it() {
    let app = app(TWO).env("TERM", "xterm");
    let session = started(&app, &[], 2);
    let shell = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    let mut prompts = 1;
    let mut check = |end: &dyn Fn(), code: i32| {
        shell.type_keys(&format!("stty -g > before; {PM} ui; echo co''de $?; stty -g > after\n"));
        shell.wait_for_times("\x1b[?1049h", prompts);
        shell.wait_until("a picture", |output| {
            let last = output.rsplit("\x1b[?1049h").next().unwrap_or_default();
            screen(last.as_bytes(), (24, 80)).contains("worker.1")
        });
        end();
        prompts += 1;
        shell.wait_for_times("prompt> ", prompts);
        shell.wait_for(&format!("code {code}"));
        let modes = ["before", "after"].map(|name| app.read(name));
        assert!(modes[0].is_some() && modes[0] == modes[1], "{modes:?}");
        let output = shell.stdout_so_far();
        for (on, off) in [("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?25l", "\x1b[?25h")] {
            assert!(output.rfind(off) > output.rfind(on), "{off:?}");
        }
    };
    check(&|| shell.type_keys("q"), 0);
    check(&|| shell.type_keys(CTRL_C), 0);
    let kill = |signal| {
        let ui = shell.running(" ui")[0];
        nix::sys::signal::kill(ui, signal).expect("it runs");
    };
    check(&|| kill(Signal::SIGTERM), 143);
    check(&|| kill(Signal::SIGHUP), 129);
    check(&|| kill(Signal::SIGQUIT), 131);
    assert!(session.is_running());
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_the_ui_back() {
    let app = app(TWO).env("TERM", "xterm");
    let _session = started(&app, &[], 2);
    let shell = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    shell.type_keys(&format!("{PM} ui\n"));
    sees(&shell, "worker.1");
    shell.type_keys(CTRL_Z);
    shell.wait_for("Stopped");
    shell.wait_for_times("prompt> ", 2);
    let output = shell.stdout_so_far();
    assert!(output.rfind("\x1b[?1049l") > output.rfind("\x1b[?1049h"));
    shell.type_keys("fg\n");
    shell.wait_for_times("\x1b[?1049h", 2);
    sees(&shell, "worker.1");
    shell.type_keys("q");
    shell.wait_for_times("prompt> ", 3);
}

#[test]
fn ctrl_z_does_nothing_where_no_shell_could_resume_the_ui() {
    let app = app(TWO);
    let _session = started(&app, &[], 2);
    let mut ui = opened(&app, &[]);
    ui.type_keys(CTRL_Z);
    ui.wait_for_times("\x1b[?1049h", 2);
    ui.type_keys("q");
    assert_eq!(ui.wait(), End::Code(0));
}

#[test]
fn opening_and_leaving_it_changes_nothing() {
    let app = app(TWO);
    let session = started(&app, &[], 2);
    let facts = || {
        let table = done(&app, "ps");
        let row = |row: &str| row.split_whitespace().take(4).map(str::to_owned).collect::<Vec<_>>();
        table.lines().map(row).collect::<Vec<_>>()
    };
    let before = facts();
    for _ in 0..3 {
        let mut ui = opened(&app, &[]);
        ui.type_keys("jjkq");
        assert_eq!(ui.wait(), End::Code(0));
    }
    assert_eq!(facts(), before);
    assert!(session.is_running());
}

#[test]
fn what_is_typed_goes_to_the_program_until_ctrl_and_bracket() {
    let app =
        app("web: echo ready; while read -r line; do echo \"<$line>\"; done\nworker: exec cat\n");
    let session = started(&app, &["--pty", "always"], 1);
    let mut ui = opened(&app, &[]);
    ui.type_keys("1i");
    sees(&ui, "typing into web.1");
    ui.type_keys("quit\r");
    session.wait_for("<quit>");
    sees(&ui, "<quit>");
    ui.type_keys(&format!("more\r{DETACH}q"));
    session.wait_for("<more>");
    assert_eq!(ui.wait(), End::Code(0));
    assert!(session.is_running());
}

#[test]
fn instances_are_restarted_and_stopped_and_started_by_key() {
    let app = app(TWO);
    let session = started(&app, &[], 2);
    let ui = opened(&app, &[]);
    ui.type_keys("r2");
    session.wait_for_times("| ready", 3);
    sees(&ui, "restarted worker.1");
    ui.type_keys("1s\r");
    sees(&ui, "stopped web.1");
    assert_eq!(states(&app), "web.1 stopped, worker.1 up");
    sees(&ui, "1 of 2 run");
    ui.type_keys("s\r");
    sees(&ui, "started web.1");
    sees(&ui, "2 of 2 run");
    ui.type_keys("+\r");
    sees(&ui, "web.2");
}

#[test]
fn one_instance_less_is_one_less_than_wanted_also_while_another_is_leaving() {
    let slow = "web: trap 'sleep 1.5; exit 0' TERM; echo ready; while :; do read -r _; done\n";
    let app = app(slow);
    let _session = started(&app, &["web=4"], 4);
    let ui = opened(&app, &[]);
    ui.type_keys("-1");
    sees(&ui, "removing one web");
    ui.type_keys("-1");
    eventually("two instances", || (states(&app) == "web.1 up, web.2 up").then_some(()));
}

#[test]
fn it_goes_on_as_the_plain_stream_which_signals_end_as_ever() {
    let app = app(TWO);
    let _session = started(&app, &[], 2);
    let mut ui = opened(&app, &[]);
    ui.type_keys("2S");
    ui.wait_until("the stream", |output| {
        output.rsplit("\x1b[?1049l").next().is_some_and(|rest| rest.contains("ready"))
    });
    ui.type_keys(CTRL_C);
    assert_eq!(ui.wait(), End::Signal(Signal::SIGINT));
}

#[test]
fn output_is_opened_in_the_pager_and_the_ui_comes_back() {
    let app = app(TWO).env("PAGER", "sed 's/^/in the pager: /'");
    let _session = started(&app, &[], 2);
    let mut ui = opened(&app, &[]);
    sees(&ui, "ready");
    ui.type_keys("1e");
    ui.wait_for("in the pager: ready");
    ui.wait_for_times("\x1b[?1049h", 2);
    sees(&ui, "worker.1");
    ui.type_keys("q");
    assert_eq!(ui.wait(), End::Code(0));
}

/// Opens the output in a pager that asks a question, under a shell with job control.
fn paging(app: Sandbox) -> (Sandbox, Session) {
    let app = app
        .write("pager.sh", "echo pag''ing; read -r answer; echo \"got $answer\"\n")
        .env("PAGER", "sh pager.sh")
        .env("TERM", "xterm");
    let shell = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    shell.type_keys(&format!("{PM} ui\n"));
    sees(&shell, "worker.1");
    shell.type_keys("1e");
    shell.wait_for("paging");
    (app, shell)
}

#[test]
fn ctrl_z_in_the_pager_gives_the_terminal_to_the_shell_and_fg_brings_the_pager_back() {
    let app = app(TWO);
    let _session = started(&app, &[], 2);
    let (_app, shell) = paging(app);
    for round in 1..=2 {
        shell.type_keys(CTRL_Z);
        shell.wait_for_times("Stopped", round);
        shell.wait_for_times("prompt> ", 1 + round);
        shell.type_keys("echo shell-$((6 * 7))\n");
        shell.wait_for_times("shell-42", round);
        shell.type_keys("fg\n");
        eventually("the pager goes on", || {
            let pids = shell.running("pager.sh");
            let goes_on = |pid: &Pid| state_of(*pid).is_some_and(|state| state != 'T');
            (!pids.is_empty() && pids.iter().all(goes_on)).then_some(())
        });
    }
    shell.type_keys("this\n");
    shell.wait_for("got this");
    shell.wait_for_times("\x1b[?1049h", 2);
    shell.type_keys("q");
    shell.wait_until("the shell", |output| output.ends_with("prompt> "));
    shell.type_keys("echo co''de $?\n");
    shell.wait_for("code 0");
}

#[test]
fn a_ctrl_z_from_before_the_pager_had_the_terminal_stops_it() {
    let app = app(TWO);
    let _session = started(&app, &[], 2);
    let (_app, shell) = paging(app);
    // The terminal still took pm for the job of the foreground.
    nix::sys::signal::kill(shell.running(" ui")[0], Signal::SIGTSTP).expect("it runs");
    shell.wait_for("Stopped");
    shell.type_keys("fg\n");
    shell.wait_for_times(&format!("{PM} ui"), 2);
    shell.type_keys("this\n");
    shell.wait_for("got this");
    shell.type_keys("q");
    shell.wait_until("the shell", |output| output.ends_with("prompt> "));
}

#[test]
fn a_signal_ends_the_ui_and_its_pager_and_keys_of_the_pager_do_not() {
    let app = app(TWO);
    let _session = started(&app, &[], 2);
    let (_app, shell) = paging(app);
    let ui = shell.running(" ui")[0];
    for signal in [Signal::SIGINT, Signal::SIGWINCH, Signal::SIGQUIT] {
        nix::sys::signal::kill(ui, signal).expect("it runs");
    }
    nix::sys::signal::kill(ui, Signal::SIGTERM).expect("it runs");
    shell.wait_for_times("prompt> ", 2);
    assert_eq!(shell.running("pager.sh"), []);
    shell.type_keys("echo co''de $?\n");
    shell.wait_for("code 143");
}

#[test]
fn keys_are_other_ones_where_the_user_says_so_and_an_unknown_name_has_its_place() {
    let app = app(TWO);
    let config = app.path("config");
    let app =
        app.env("XDG_CONFIG_HOME", config).write("config/pm/ui.toml", "[ui.keys]\nquit = \"x\"\n");
    let _session = started(&app, &[], 2);
    let mut ui = opened(&app, &[]);
    ui.type_keys("qx");
    assert_eq!(ui.wait(), End::Code(0));
    let app = app.write("config/pm/ui.toml", "[ui.keys]\n\nleave = \"x\"\n");
    let mut refused = app.pm(["ui"]).spawn_pty();
    refused.wait_for("pm/ui.toml:3:1: unknown action `leave`");
    assert_eq!(refused.wait(), End::Code(1));
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let app = app(TWO);
    let _session = started(&app, &[], 2);
    let output = app.pm(["ui"]).run();
    assert_eq!((output.code(), output.stdout.as_str()), (2, ""));
    assert!(output.stderr.contains("needs a terminal") && output.stderr.contains("pm logs -f"));
}

#[test]
fn on_a_terminal_that_does_not_draw_it_says_what_to_use_instead() {
    let app = app(TWO);
    let _session = started(&app, &[], 2);
    for term in [None, Some(""), Some("dumb")] {
        let invocation = app.pm(["ui"]);
        let mut ui = match term {
            None => invocation,
            Some(term) => invocation.env("TERM", term),
        }
        .spawn_pty();
        assert_eq!(ui.wait(), End::Code(2));
        let seen = ui.stdout_so_far();
        assert!(
            seen.contains("TERM is not set or `dumb`") && seen.contains("pm logs -f"),
            "{seen}"
        );
        assert!(!seen.contains('\x1b'), "{seen:?}");
    }
}

#[test]
fn the_end_of_the_session_is_told_and_its_output_stays() {
    let app = app(TWO);
    let mut session = started(&app, &[], 2);
    let mut ui = opened(&app, &[]);
    sees(&ui, "ready");
    done(&app, "quit");
    session.wait();
    sees(&ui, "has ended");
    sees(&ui, "ready");
    ui.type_keys("q");
    assert_eq!(ui.wait(), End::Code(0));
}

#[test]
fn a_program_that_has_the_whole_screen_is_shown_as_it_is_after_many_resizes() {
    if !has_program("vim") {
        return;
    }
    let app = app("web: vim -u NONE -N -n -c 'set number' text\n")
        .write("text", "one\ntwo\nthree\n")
        .env("TERM", "xterm");
    let session = app.pm(["start", "--pty", "always"]).spawn();
    session.wait_for("three");
    let mut ui = opened(&app, &[]);
    sees(&ui, "  1 one");
    ui.type_keys("i");
    for size in 0..200_u16 {
        ui.resize(12 + size * 7 % 30, 60 + size * 13 % 100);
    }
    ui.resize(1, 1);
    ui.resize(24, 80);
    let last = |output: &str| {
        // From the last time that everything was drawn.
        let at = output.rfind("\x1b[2J").unwrap_or(0);
        screen(&output.as_bytes()[at..], (24, 80))
    };
    ui.type_keys("Gohello\x1b");
    ui.wait_until("a screen with what was typed", |output| last(output).contains("  4 hello"));
    let seen = last(&ui.stdout_so_far());
    assert!(seen.contains("  1 one"), "{seen}");
    ui.type_keys(&format!("{DETACH}q"));
    assert_eq!(ui.wait(), End::Code(0));
    assert!(session.is_running());
}

#[test]
fn who_scrolls_up_beyond_what_is_in_memory_gets_what_is_kept() {
    let app = app("web: seq -f 'line-%g-' 3000; exec cat\nworker: exec cat\n");
    let session = app.pm(["start", "--keep", "64M"]).spawn();
    session.wait_for("line-3000-");
    let ui = opened(&app, &[]);
    sees(&ui, "line-3000-");
    ui.type_keys("1\tg");
    // The session has 2,000 lines in memory, and pm's own are among them.
    ui.wait_until("the first line in memory", |output| {
        let text = screen(output.as_bytes(), (24, 80));
        text.contains("line-1003-") && !text.contains("line-3000-")
    });
    ui.type_keys("g");
    sees(&ui, "line-1-");
    // `n` goes through all of them.
    ui.type_keys("/line-500-\r");
    sees(&ui, "line-500-");
    ui.type_keys("G");
    sees(&ui, "line-3000-");
    ui.type_keys("gg");
    sees(&ui, "line-1-");
}

#[test]
fn without_unicode_and_colour_the_list_tells_cpu_and_memory_at_80_columns() {
    let app = app(TWO).env("LC_ALL", "C").env("NO_COLOR", "1");
    let _session = started(&app, &["web=2"], 2);
    let ui = opened(&app, &[]);
    ui.wait_until("memory and CPU of web.1", |output| {
        let text = screen(output.as_bytes(), (24, 80));
        let row = text.lines().find(|line| line.contains("  web.1 ")).unwrap_or_default();
        let words: Vec<_> = row.split('|').next().unwrap_or_default().split_whitespace().collect();
        words.len() == 6 && words[2] == "up" && words[4].ends_with('M') && words[5].ends_with('%')
    });
}

#[test]
fn all_sessions_of_the_user_are_shown_and_the_end_of_one_is_told() {
    let app = app(TWO).write("other/Procfile", "clock: echo ticking; exec cat\n");
    let _session = started(&app, &["-p", "auto"], 2);
    let mut other = app.pm(["start", "-p", "auto"]).in_folder("other").spawn();
    other.wait_for("| ticking");
    let mut ui = opened(&app, &["--all"]);
    sees(&ui, "2 sessions");
    sees(&ui, "other 1/1");
    sees(&ui, "ticking");
    other.signal(Signal::SIGTERM);
    assert_eq!(other.wait(), End::Code(0));
    sees(&ui, "other ended");
    sees(&ui, "2 of 2 run");
    ui.type_keys("q");
    assert_eq!(ui.wait(), End::Code(0));
}
