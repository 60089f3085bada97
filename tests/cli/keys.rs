//! Keys and the line below the output of `pm start` on a terminal.

use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, Termios};
use nix::unistd::Pid;

use crate::readiness::never_wakes;
use crate::sandbox::{CTRL_C, CTRL_Z, End, PM, Sandbox, Session, eventually, has_program};

/// What Ctrl-] sends.
const DETACH: &str = "\x1d";

/// Says so at each SIGUSR1.
const TICKER: &str = "trap 'echo $PS-tick' USR1\necho $PS-ready\nwhile :; do read -r _; done\n";

/// An application whose instances speak when they are told.
fn app(procfile: &str) -> Sandbox {
    Sandbox::with_procfile(procfile).write("ticker.sh", TICKER).env("TERM", "xterm")
}

/// Starts it on a terminal, and waits for its line and for those who say that they are ready.
#[track_caller]
fn started(app: &Sandbox, args: &[&str], ready: &[&str]) -> Session {
    let session = app.pm(["start", "--color", "never"].iter().chain(args)).spawn_pty();
    ready.iter().for_each(|name| session.wait_for(&format!("{name}-ready")));
    session.wait_for("? keys");
    session
}

/// Waits until the line says this, after what is there.
#[track_caller]
fn line_says(session: &Session, text: &str) {
    session.wait_until(&format!("line with `{text}`"), |output| {
        output.rsplit('\n').next().is_some_and(|last| {
            let line = last.rsplit("\x1b[J").next().unwrap_or_default();
            line.contains(text)
        })
    });
}

fn takes_keys(modes: &Termios) -> bool {
    !modes.local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO)
}

const TWO: &str = "web: exec sh ticker.sh\nworker: exec sh ticker.sh\n";

#[test]
fn one_type_is_shown_alone_or_muted_and_nothing_is_shown_again() {
    let app = app(TWO);
    let mut session = started(&app, &[], &["web.1", "worker.1"]);
    for (keys, line) in [("1", "web 1/1  (worker 1/1)"), ("1m2", "web 1/1  (worker 1/1)")] {
        session.type_keys(keys);
        line_says(&session, line);
        let before = session.stdout_so_far().matches("| web.1-tick").count();
        session.signal(Signal::SIGUSR1);
        session.wait_for_times("| web.1-tick", before + 1);
    }
    session.type_keys("m2");
    line_says(&session, "web 1/1  worker 1/1");
    session.signal(Signal::SIGUSR1);
    session.wait_for("| worker.1-tick");
    assert_eq!(session.stdout_so_far().matches("| worker.1-tick").count(), 1);
    // Three signals, of which it has shown one.
    session.type_keys("l2");
    session.wait_for_times("| worker.1-tick", 4);
    session.type_keys("q");
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn a_crash_of_a_type_that_is_not_shown_is_seen() {
    let app = app(
        "web: exec sh ticker.sh\nworker: trap 'echo hidden-word; exit 37' USR1; echo $PS-ready; while :; do read -r _; done\n",
    );
    let session = started(&app, &["--restart", "never"], &["web.1", "worker.1"]);
    session.type_keys("1");
    line_says(&session, "(worker 1/1)");
    session.signal(Signal::SIGUSR1);
    session.wait_for("exited with code 37");
    line_says(&session, "web 1/1  (worker FAILED)");
    assert!(!session.stdout_so_far().contains("| hidden-word"));
}

#[test]
fn a_filter_shows_what_matches_as_it_is_typed_and_counts_the_rest() {
    let app = app(TWO);
    let session = started(&app, &[], &["web.1", "worker.1"]);
    session.type_keys("/wor+k");
    line_says(&session, "/wor+k (0 hidden)");
    session.signal(Signal::SIGUSR1);
    session.wait_for("| worker.1-tick");
    line_says(&session, "/wor+k (1 hidden)");
    session.type_keys("(");
    line_says(&session, "no regex yet");
    // Another one counts from its own beginning.
    session.type_keys("\r/wor+k");
    line_says(&session, "/wor+k (0 hidden)");
    session.type_keys("\x1b");
    line_says(&session, "? keys");
    session.signal(Signal::SIGUSR1);
    session.wait_for("| web.1-tick");
    session.wait_for_times("| worker.1-tick", 2);
    assert_eq!(session.stdout_so_far().matches("| web.1-tick").count(), 1);
}

#[test]
fn instances_are_restarted_stopped_started_and_scaled_by_key() {
    let app = app(TWO);
    let mut session = started(&app, &[], &["web.1", "worker.1"]);
    session.type_keys("r");
    line_says(&session, "restart 1:web  2:worker  Enter:all");
    session.type_keys("1");
    session.wait_for_times("| web.1-ready", 2);
    session.type_keys("+1");
    session.wait_for("| web.2-ready");
    line_says(&session, "web 2/2  worker 1/1");
    session.type_keys("-1");
    line_says(&session, "web 1/1  worker 1/1");
    session.type_keys("s2");
    line_says(&session, "web 1/1  worker stopped");
    // Typed at a time, they add up.
    session.type_keys("+1+1");
    line_says(&session, "web 3/3  worker stopped");
    session.type_keys("-1-1");
    line_says(&session, "web 1/1  worker stopped");
    session.type_keys("s2");
    session.wait_for_times("| worker.1-ready", 2);
    line_says(&session, "web 1/1  worker 1/1");
    session.type_keys("r\r");
    session.wait_for_times("| web.1-ready", 3);
    session.wait_for_times("| worker.1-ready", 3);
    session.type_keys("q");
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn the_table_the_keys_and_a_ruler_are_shown_once_and_other_keys_do_nothing() {
    let app = app("web: exec sh ticker.sh\n");
    let session = started(&app, &["--no-timestamp"], &["web.1"]);
    session.type_keys("xzX,;\t\x7f\x04w~\x1b[A");
    session.type_keys("?");
    session.wait_for("-- keys; a digit is a type");
    session.type_keys("p");
    session.wait_for("NAME   STATE");
    session.type_keys("c\r");
    session.wait_for("------------------------------");
    let output = session.stdout_so_far();
    for once in ["NAME   STATE", "-- keys; a digit", "---- "] {
        assert_eq!(output.matches(once).count(), 1, "{once}: {output:?}");
    }
    session.wait_until("an empty line", |output| output.contains("-\r\n\r\n"));
    line_says(&session, "? keys");
}

#[test]
fn without_keys_the_line_stays_and_the_keyboard_is_left_alone() {
    for (args, variable) in [(&["--keys", "never"][..], None), (&[], Some(("PM_KEYS", "never")))] {
        let mut app = app("web: exec sh ticker.sh\n");
        if let Some((key, value)) = variable {
            app = app.env(key, value);
        }
        let mut session = app.pm(["start", "--color", "never"].iter().chain(args)).spawn_pty();
        let before = session.modes();
        session.wait_for("web 1/1\r");
        assert!(session.modes() == before);
        session.type_keys(&format!("q{CTRL_C}"));
        assert_eq!(session.wait(), End::Code(0));
        assert!(session.stdout_so_far().contains("SIGINT received"));
        assert!(!session.stdout_so_far().contains("? keys"));
    }
}

#[test]
fn a_terminal_that_cannot_draw_has_no_line_and_no_keys() {
    for (key, value) in [("TERM", "dumb"), ("CI", "true"), ("PM_NO_STATUS", "1")] {
        let app = app("web: exec sh ticker.sh\n").env(key, value);
        let session = app.pm(["start", "--color", "never"]).spawn_pty();
        let before = session.modes();
        session.wait_for("web.1-ready");
        session.signal(Signal::SIGUSR1);
        session.wait_for("web.1-tick");
        let output = session.stdout_so_far();
        assert!(!output.contains('\x1b') && !output.contains("web 1/1"), "{key}: {output:?}");
        if key != "PM_NO_STATUS" {
            assert!(session.modes() == before, "{key}");
        }
    }
}

#[test]
fn the_line_is_drawn_in_every_terminal_that_can() {
    for (key, value) in [
        ("TERM", "tmux-256color"),
        ("TERM", "screen"),
        ("TERM", "xterm-kitty"),
        ("TERM", "linux"),
        ("TERM_PROGRAM", "vscode"),
    ] {
        let app = app("web: exec sh ticker.sh\n").env(key, value);
        let session = started(&app, &[], &["web.1"]);
        line_says(&session, "web 1/1  | 1-9 only");
        assert!(takes_keys(&session.modes()), "{value}");
    }
}

#[test]
fn a_program_that_waits_for_input_is_announced_and_attached_to_by_one_key() {
    for key in ["a", "\r"] {
        let app = app(
            "web: trap '' USR1; printf 'name? '; read -r name; echo \"hello $name\"; exec sh ticker.sh\nworker: exec sh ticker.sh\n",
        );
        let mut session = started(&app, &[], &["worker.1"]);
        session.wait_for("-- web.1 waits for input: press a");
        session.type_keys(key);
        session.wait_for("-- attached to web.1; Ctrl-] returns");
        eventually("raw mode", || {
            (!session.modes().local_flags.contains(LocalFlags::ISIG)).then_some(())
        });
        session.signal(Signal::SIGUSR1);
        session.type_keys("Bob\r");
        session.wait_for("hello Bob");
        session.wait_for("web.1-ready");
        session.type_keys(DETACH);
        session.wait_for("-- detached from web.1");
        // What came meanwhile is there.
        session.wait_for("| worker.1-tick");
        line_says(&session, "web 1/1  worker 1/1  | 1-9 only");
        let output = session.stdout_so_far();
        assert_eq!(output.matches("waits for input").count(), 1);
        let [detached, tick] = ["detached from", "| worker.1-tick"].map(|word| output.find(word));
        assert!(detached < tick, "{output:?}");
        session.type_keys("q");
        assert_eq!(session.wait(), End::Code(0));
        app.assert_nothing_left();
    }
}

#[test]
fn a_program_that_reads_later_than_it_asks_or_takes_single_keys_is_announced() {
    for web in [
        "printf 'name? '; sleep 0.6; read -r name; echo \"hello $name\"",
        "stty raw -echo; printf 'pick one\\r\\n> yes\\r\\n  no\\r\\n'; dd bs=1 count=1 2>/dev/null; stty sane; echo hello",
    ] {
        let app = app(&format!("web: {web}; exec sh ticker.sh\nworker: exec sh ticker.sh\n"));
        let session = started(&app, &[], &["worker.1"]);
        session.wait_for("-- web.1 waits for input: press a");
        session.type_keys("a");
        session.wait_for("-- attached to web.1; Ctrl-] returns");
        eventually("raw mode", || {
            (!session.modes().local_flags.contains(LocalFlags::ISIG)).then_some(())
        });
        session.type_keys("x\r");
        session.wait_for("hello");
        session.wait_for("web.1-ready");
        assert_eq!(session.stdout_so_far().matches("waits for input").count(), 1);
    }
}

#[test]
fn the_only_program_that_reads_is_attached_to_by_one_key_though_it_has_asked_nothing() {
    let app = app("web: echo $PS-ready; exec cat\nworker: echo $PS-ready; exec sleep 1000\n");
    let session = started(&app, &["--no-timestamp"], &["web.1", "worker.1"]);
    eventually("a reader", || {
        let call = |pid: &Pid| std::fs::read_to_string(format!("/proc/{pid}/syscall"));
        let read = format!("{} 0x0 ", nix::libc::SYS_read);
        let reads = |pid: &Pid| call(pid).is_ok_and(|call| call.starts_with(&read));
        session.running("cat").iter().any(reads).then_some(())
    });
    // It was not announced: Enter marks a place.
    session.type_keys("c\r");
    session.wait_until("an empty line", |output| output.contains("-\r\n\r\n"));
    session.type_keys("a");
    session.wait_for("-- attached to web.1; Ctrl-] returns");
    assert!(!session.stdout_so_far().contains("waits for input"));
}

#[test]
fn an_attached_program_gets_ctrl_c_and_its_end_gives_the_terminal_back() {
    let app = app(
        "web: trap 'echo interrupted; exit 0' INT; echo $PS-ready; while :; do read -r _; done\nworker: exec sh ticker.sh\n",
    );
    let session = started(&app, &[], &["web.1", "worker.1"]);
    session.type_keys("a");
    line_says(&session, "attach to 1:web  2:worker");
    session.type_keys("1");
    session.wait_for("attached to web.1");
    eventually("raw mode", || {
        (!session.modes().local_flags.contains(LocalFlags::ISIG)).then_some(())
    });
    session.type_keys(CTRL_C);
    session.wait_for("interrupted");
    session.wait_for("-- web.1 has ended");
    line_says(&session, "web done  worker 1/1");
    assert!(takes_keys(&session.modes()) && session.is_running());
}

/// Starts pm under a shell with job control that says the modes of its terminal before and after.
fn in_a_shell(app: &Sandbox, words: &[&str]) -> Session {
    let shell = app.command(words[0], &words[1..]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    shell.type_keys(&format!("echo be''fore-$(stty -g)-; {PM} start; echo af''ter-$(stty -g)-\n"));
    shell.wait_for("? keys");
    eventually("keys", || takes_keys(&shell.modes()).then_some(()));
    shell
}

/// Returns what the shell said of the modes.
fn said(output: &str, word: &str) -> Option<String> {
    let begin = output.find(&format!("{word}-"))? + word.len() + 1;
    Some(output[begin..].split('-').next()?.to_owned())
}

#[test]
fn each_key_works_in_any_shell() {
    let shells: [&[&str]; 3] =
        [&["dash", "-i"], &["bash", "--norc", "-i"], &["zsh", "-f", "-i", "+Z"]];
    for words in shells.into_iter().filter(|words| has_program(words[0])) {
        let app = app(TWO).env("NO_COLOR", "1");
        let shell = in_a_shell(&app, words);
        for (keys, line) in [
            ("1", "web 1/1  (worker 1/1)"),
            ("1", "web 1/1  worker 1/1"),
            ("m2", "web 1/1  (worker 1/1)"),
            ("m2", "web 1/1  worker 1/1"),
            ("/tick", "/tick (0 hidden)"),
            ("\x1b", "? keys"),
            ("+1", "web 2/2"),
            ("-1", "web 1/1"),
            ("s2", "worker stopped"),
            ("s2", "worker 1/1"),
            ("r", "restart 1:web"),
        ] {
            shell.type_keys(keys);
            line_says(&shell, line);
        }
        for (keys, said) in [
            ("1", "| web.1-ready"),
            ("l1", "| web.1-ready"),
            ("p", "NAME      STATE"),
            ("c", "----------"),
            ("?", "-- keys; a digit is a type"),
            ("q", "`pm quit` received"),
        ] {
            let before = shell.stdout_so_far().matches(said).count();
            shell.type_keys(keys);
            shell.wait_for_times(said, before + 1);
        }
        shell.wait_for("after-");
    }
}

#[test]
fn every_end_leaves_the_terminal_as_it_was_in_any_shell() {
    let shells: [&[&str]; 3] =
        [&["dash", "-i"], &["bash", "--norc", "-i"], &["zsh", "-f", "-i", "+Z"]];
    for words in shells.into_iter().filter(|words| has_program(words[0])) {
        for end in [Some(Signal::SIGHUP), Some(Signal::SIGKILL), None] {
            let app = app("web: exec sh ticker.sh\n");
            let shell = in_a_shell(&app, words);
            let pm = eventually("pm", || shell.running("pm start").first().copied());
            match end {
                Some(signal) => nix::sys::signal::kill(pm, signal).expect("pm is there"),
                None => shell.type_keys("q"),
            }
            shell.wait_for("after-");
            // Where pm was killed, the watchdog may not have seen it yet.
            eventually("the end of the watchdog", || (app.leftover().len() == 1).then_some(()));
            shell.type_keys("echo la''ter-$(stty -g)-\n");
            shell.wait_for("later-");
            let output = shell.stdout_so_far();
            let words_of = if end == Some(Signal::SIGKILL) { "later" } else { "after" };
            let [before, later] = ["before", words_of].map(|word| said(&output, word));
            assert!(before.is_some() && before == later, "{words:?} {end:?}: {output:?}");
        }
    }
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_line_and_keys_back() {
    let app = app("web: exec sh ticker.sh\n");
    let shell = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    shell.type_keys(&format!("echo be''fore-$(stty -g)-; {PM} start\n"));
    shell.wait_for("? keys");
    shell.type_keys(CTRL_Z);
    shell.wait_for("Stopped");
    shell.type_keys("echo af''ter-$(stty -g)-\n");
    shell.wait_for("after-");
    let output = shell.stdout_so_far();
    assert_eq!(said(&output, "before"), said(&output, "after"));
    let lines = output.matches("? keys").count();
    shell.type_keys("fg\n");
    shell.wait_for_times("? keys", lines + 1);
    eventually("keys", || takes_keys(&shell.modes()).then_some(()));
    shell.type_keys("q");
    shell.wait_for("`pm quit` received");
}

#[test]
fn a_stop_from_outside_leaves_no_screen_of_an_attached_program_to_the_shell() {
    for args in ["", " --no-status"] {
        let app = app("web: printf '\\033[?1049h'; echo $PS-ready; exec cat\n");
        let shell = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
        shell.wait_for("prompt> ");
        shell.type_keys(&format!("{PM} start{args}\n"));
        shell.wait_for("web.1-ready");
        eventually("keys", || takes_keys(&shell.modes()).then_some(()));
        shell.type_keys("a1");
        shell.wait_for("\x1b[?1049h");
        let pm = shell.running("pm start")[0];
        nix::sys::signal::kill(pm, Signal::SIGTSTP).expect("pm is there");
        shell.wait_for("Stopped");
        shell.wait_for("-- detached from web.1");
        let output = shell.stdout_so_far();
        assert!(output.rfind("\x1b[?1049l") > output.rfind("\x1b[?1049h"), "{output:?}");
        shell.type_keys("fg\n");
        eventually("keys", || takes_keys(&shell.modes()).then_some(()));
        shell.type_keys("q");
        shell.wait_for("`pm quit` received");
    }
}

#[test]
fn an_idle_session_with_its_line_and_keys_never_wakes() {
    let app = app(TWO);
    let session = started(&app, &[], &["web.1", "worker.1"]);
    never_wakes(&app, session.pid());
}

#[test]
fn a_line_that_no_longer_fits_is_cut_and_the_smallest_window_is_harmless() {
    let app = app(TWO);
    let session = started(&app, &[], &["web.1", "worker.1"]);
    session.resize(24, 15);
    line_says(&session, "web 1/1  wor..");
    for (rows, columns) in [(1, 1), (0, 0), (2, 2), (1, 200)] {
        session.resize(rows, columns);
        session.signal(Signal::SIGUSR1);
    }
    session.resize(24, 100);
    line_says(&session, "web 1/1  worker 1/1  | 1-9 only");
}
