//! `pm attach`: the terminal of an instance, from a second terminal.

use nix::sys::signal::Signal;
use nix::sys::termios::LocalFlags;

use crate::control::{app, done, refused, started};
use crate::sandbox::{CTRL_C, End, PM, Sandbox, Session, eventually, has_program};

const DETACH: &str = "\x1d";

/// Attaches from a terminal of its own.
#[track_caller]
fn attached(app: &Sandbox, name: &str) -> Session {
    let session = app.pm(["attach", name]).spawn_pty();
    session.wait_for("Ctrl-] detaches");
    session
}

#[test]
fn a_prompt_is_seen_and_answered_and_the_session_goes_on_after_a_detach() {
    let app = app("web: printf 'ready? '; read answer; echo \"got $answer\"; printf 'more? '; \
        read answer; echo \"and $answer\"; exec cat\n");
    let session = app.pm(["start", "--pty", "always"]).spawn();
    session.wait_for("ready? ");
    let mut client = attached(&app, "web");
    client.wait_for("ready? ");
    client.type_keys("yes\r");
    client.wait_for("got yes\r\n");
    session.wait_for("| got yes\n");
    client.type_keys(DETACH);
    client.wait_for("detached from web.1");
    assert_eq!(client.wait(), End::Code(0));
    let client = attached(&app, "web.1");
    client.wait_for("more? ");
    client.type_keys("again\r");
    session.wait_for("and again");
    assert!(session.is_running());
}

#[test]
fn a_repl_is_driven_as_on_a_terminal() {
    if !has_program("node") {
        return;
    }
    let app = app("web: node -i\n").env("TERM", "dumb").env("NODE_REPL_HISTORY", "");
    let session = app.pm(["start", "--pty", "always"]).spawn();
    session.wait_for("> ");
    let mut client = attached(&app, "web");
    client.type_keys("[1, 2, 3].map(n => n * 14)[2]\r");
    client.wait_for("42");
    client.type_keys("process.stdout.isTTY && 'on a ' + 'terminal'\r");
    client.wait_for("'on a terminal'");
    client.type_keys(".exit\r");
    client.wait_for("web.1 has ended");
    assert_eq!(client.wait(), End::Code(0));
}

#[test]
fn ctrl_c_goes_to_the_instance() {
    let app = app("web: trap 'echo interrupted' INT; echo ready; while :; do read -r _; done\n");
    let session = started(&app, &["--pty", "always"], 1);
    let client = attached(&app, "web");
    client.type_keys(CTRL_C);
    session.wait_for("| ^Cinterrupted");
    assert!(session.is_running() && client.is_running());
}

#[test]
fn the_terminal_gets_its_mode_back_whatever_happens() {
    let app = app("web: echo ready; exec cat\n");
    let session = started(&app, &["--pty", "always"], 1);
    let shell = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    let mut prompts = 1;
    let mut check = |end: &dyn Fn(), code: i32| {
        shell.type_keys(&format!(
            "stty -g > before; {PM} attach web; echo co''de $?; stty -g > after\n"
        ));
        shell.wait_for_times("Ctrl-] detaches", prompts);
        end();
        prompts += 1;
        shell.wait_for_times("prompt> ", prompts);
        shell.wait_for(&format!("code {code}"));
        let modes = ["before", "after"].map(|name| app.read(name));
        assert!(modes[0].is_some() && modes[0] == modes[1], "{modes:?}");
    };
    check(&|| shell.type_keys(DETACH), 0);
    let kill = |signal| {
        let client = shell.running("attach web")[0];
        nix::sys::signal::kill(client, signal).expect("it runs");
    };
    check(&|| kill(Signal::SIGTERM), 143);
    check(&|| kill(Signal::SIGHUP), 129);
    check(&|| drop(done(&app, "restart web")), 0);
    check(&|| session.signal(Signal::SIGKILL), 0);
}

#[test]
fn a_stop_from_outside_gives_the_terminal_to_the_shell_and_fg_takes_it_again() {
    let app = app(
        "web: trap 'printf drawn' WINCH; printf '\\033[?1049h'; echo ready; while :; do read -r _; done\n",
    );
    let _session = started(&app, &["--pty", "always"], 1);
    let shell = app.command("dash", ["-i"]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    let before = shell.modes();
    shell.type_keys(&format!("{PM} attach web\n"));
    shell.wait_for("\x1b[?1049h");
    let is_raw = || !shell.modes().local_flags.contains(LocalFlags::ISIG);
    eventually("raw mode", || is_raw().then_some(()));
    let client = shell.running("attach web")[0];
    nix::sys::signal::kill(client, Signal::SIGTSTP).expect("it runs");
    shell.wait_for("Stopped");
    eventually("the modes of the shell", || (shell.modes() == before).then_some(()));
    let [on, off] = ["\x1b[?1049h", "\x1b[?1049l"].map(|mode| shell.stdout_so_far().rfind(mode));
    assert!(off > on, "{:?}", shell.stdout_so_far());
    let drawn = shell.stdout_so_far().matches("drawn").count();
    shell.type_keys("fg\n");
    shell.wait_for_times("\x1b[?1049h", 2);
    shell.wait_for_times("drawn", drawn + 1);
    eventually("raw mode", || is_raw().then_some(()));
    shell.type_keys(DETACH);
    shell.wait_for("detached from web.1");
    eventually("the modes of the shell", || (shell.modes() == before).then_some(()));
}

#[test]
fn it_has_the_size_of_the_client_while_it_is_attached() {
    let app = app("web: trap 'stty size' WINCH; echo ready; while :; do read -r _; done\n");
    let session = started(&app, &["--pty", "always"], 1);
    let client = attached(&app, "web");
    client.resize(40, 132);
    client.wait_for("40 132");
    client.type_keys(DETACH);
    session.wait_for("24 80");
}

#[test]
fn nobody_but_its_own_clients_resizes_an_attached_terminal() {
    let app = app("web: trap 'stty size' WINCH; echo ready; while :; do read -r _; done\n");
    let session = app.pm(["start", "-t", "60"]).spawn_pty();
    session.wait_for("ready");
    let mut client = attached(&app, "web");
    client.resize(41, 123);
    client.wait_for("41 123");
    session.resize(33, 111);
    // Each is a client that goes; the answer to one comes after the end of those before.
    for _ in 0..3 {
        done(&app, "status");
    }
    client.resize(42, 124);
    client.wait_for("42 124");
    let seen = client.stdout_so_far();
    let seen = &seen[seen.find("41 123").expect("it was waited for")..];
    assert!(!seen.contains("33 111") && !seen.contains("24 80"), "{seen}");
    client.type_keys(DETACH);
    assert_eq!(client.wait(), End::Code(0));
    session.wait_for("33 111");
}

#[test]
fn two_clients_share_what_both_can_show() {
    let app = app("web: trap 'stty size' WINCH; echo ready; while :; do read -r _; done\n");
    let session = started(&app, &["--pty", "always"], 1);
    let (one, mut two) = (attached(&app, "web"), attached(&app, "web"));
    two.resize(40, 200);
    one.resize(50, 100);
    one.wait_for("40 100");
    two.wait_for("40 100");
    two.type_keys(DETACH);
    assert_eq!(two.wait(), End::Code(0));
    one.wait_for("50 100");
    one.type_keys(DETACH);
    session.wait_for("24 80");
}

#[test]
fn a_paste_that_nobody_reads_does_not_keep_the_user_from_detaching() {
    let app = app("web: echo ready; exec sleep 1000\n");
    let session = started(&app, &["--pty", "always"], 1);
    for _ in 0..2 {
        let mut client = attached(&app, "web");
        client.type_keys(&("x".repeat(63) + "\n").repeat(4 << 10));
        client.type_keys(DETACH);
        client.wait_for("detached from web.1");
        assert_eq!(client.wait(), End::Code(0));
    }
    // More than waits for a program anywhere: what is lost is told.
    let mut client = attached(&app, "web");
    client.type_keys(&("x".repeat(63) + "\n").repeat(40 << 10));
    client.type_keys(DETACH);
    client.wait_for("bytes that were typed, and they are lost");
    assert_eq!(client.wait(), End::Code(0));
    assert!(session.is_running());
}

#[test]
fn a_terminal_that_takes_nothing_is_left_by_the_key_and_by_signals() {
    let app =
        app("web: echo ready; while read -r _; do yes | head -c 500000; echo flood''ed; done\n");
    let session = started(&app, &["--pty", "always"], 1);
    for (round, way) in ["key", "signal"].into_iter().enumerate() {
        let mut client = attached(&app, "web");
        client.stop_reading();
        client.type_keys("\r");
        session.wait_for_times("| flooded", round + 1);
        let end = match way {
            "key" => {
                client.type_keys(DETACH);
                End::Code(0)
            }
            _ => {
                client.signal(Signal::SIGTERM);
                End::Code(143)
            }
        };
        assert_eq!(client.wait(), end, "{way}");
        let seen = client.stdout_so_far();
        assert!(seen.contains("\x1b[?7;25h"), "{way}: the terminal is restored: {seen:?}");
        assert_eq!(seen.contains("detached from web.1"), way == "key", "{seen:?}");
    }
    assert!(session.is_running());
}

#[test]
fn what_is_typed_is_read_by_a_slow_program_also_after_the_user_has_left() {
    let app = app("web: stty raw -echo; echo ready; until test -e go; do sleep 0.02; done; \
        head -c 300000 | wc -c; exec cat\n");
    let session = started(&app, &["--pty", "always"], 1);
    let mut client = attached(&app, "web");
    client.type_keys(&"x".repeat(300_000));
    client.type_keys(DETACH);
    assert_eq!(client.wait(), End::Code(0));
    let _app = app.write("go", "");
    session.wait_for("| 300000");
}

#[test]
fn an_instance_that_has_closed_its_terminal_for_a_while_has_not_ended() {
    let app = app("web: echo ready; exec </dev/null >/dev/null 2>&1; touch closed; \
        until test -e go; do sleep 0.02; done; echo later >/dev/tty; exec sleep 1000\n");
    let _session = started(&app, &["--pty", "always"], 1);
    eventually("its closed terminal", || app.read("closed"));
    let mut client = attached(&app, "web");
    let _app = app.write("go", "");
    client.wait_for("later");
    client.type_keys(DETACH);
    client.wait_for("detached from web.1");
    assert_eq!(client.wait(), End::Code(0));
}

#[test]
fn without_a_terminal_on_either_side_it_is_refused() {
    let app = app("web: echo ready; exec cat\nworker: echo ready; exec cat\n");
    let _session = started(&app, &["web=2,worker"], 3);
    for line in ["attach worker", "ui"] {
        let output = app.pm(line.split(' ')).run();
        assert_eq!(output.code(), 2, "{line}: {output:#?}");
        assert!(output.stdout.is_empty() && !output.stderr.contains('\x1b'), "{output:#?}");
        assert!(output.stderr.contains("`pm logs -f"), "{line}: {output:#?}");
    }
    // One side is not enough.
    for line in ["attach worker </dev/null", "attach worker | cat >&2; exit 2"] {
        let mut client = app.sh(&format!("{PM} {line}")).spawn_pty();
        client.wait_for("`pm attach` needs a terminal");
        assert_eq!(client.wait(), End::Code(2), "{line}");
    }
    assert!(refused(&app, "attach web").contains("hint: choose one of web.1, web.2"));
    let mut client = app.pm(["attach", "worker"]).spawn_pty();
    client.wait_for("`worker.1` has no terminal");
    assert_eq!(client.wait(), End::Code(1));
}

#[test]
fn the_terminal_is_left_as_a_shell_wants_it_whatever_a_program_has_set() {
    let app = app(concat!(
        "web: echo ready; printf '\\033[?1049h\\033[?25l\\033[?1000;1006h\\033[?2004h\\033[?7l\\033[?1h",
        "\\033[2;9r\\033(0\\033[1;35mset'; exec cat\n",
    ));
    let session = started(&app, &["--pty", "always"], 1);
    for end in ["detach", "signal", "its end"] {
        let mut client = attached(&app, "web");
        client.wait_for("\x1b[1;35mset");
        match end {
            "detach" => client.type_keys(DETACH),
            "signal" => client.signal(Signal::SIGTERM),
            _ => session.signal(Signal::SIGKILL),
        }
        client.wait();
        let seen = client.stdout_so_far();
        for on in ["\x1b[?25h", "\x1b[?7h"] {
            assert!(seen.contains(on), "{end}: {on:?} in {seen:?}");
        }
        for off in [1049, 1000, 1006, 2004, 1] {
            assert!(seen.contains(&format!("\x1b[?{off}l")), "{end}: {off} in {seen:?}");
        }
        assert!(seen.contains("\x1b7\x1b[r\x1b8"), "{end}: {seen:?}");
        assert!(seen.contains("\x1b(B\x0f\x1b>\x1b[0m\r\n"), "{end}: {seen:?}");
    }
}
