//! On a terminal: its keys, job control, colour.

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::sandbox::{CTRL_C, CTRL_Z, End, PM, Sandbox, Session, eventually, has, state_of};
use crate::stop::LOGGER;

/// Waits until all these are stopped by a signal, or none is.
#[track_caller]
fn wait_until_stopped(pids: &[Pid], stopped: bool) {
    let wanted = if stopped { "stopped processes" } else { "running processes" };
    eventually(wanted, || {
        let mut states = pids.iter().map(|pid| state_of(*pid));
        states.all(|state| state.is_some() && (state == Some('T')) == stopped).then_some(())
    });
}

/// Starts pm under a shell with job control, and returns it when both children are ready.
fn start_in_a_shell(app: &Sandbox) -> Session {
    let shell = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    shell.type_keys(&format!("{PM} start -t 60; echo co''de $?\n"));
    shell.wait_for_times("ready\r\n", 2);
    shell
}

#[test]
fn ctrl_c_reaches_each_child_once() {
    if !has("session leader beside the command", !cfg!(pm_portable)) {
        return;
    }
    let app = Sandbox::with_procfile("a: exec sh logger.sh\nb: sh logger.sh; true\n")
        .write("logger.sh", LOGGER);
    let mut session = app.pm(["start", "--color", "never", "-t", "60"]).spawn_pty();
    session.wait_for_times("ready\r\n", 2);
    session.type_keys(CTRL_C);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert_eq!(output.matches("got TERM").count(), 2, "{output}");
    assert_eq!(output.matches("| got").count(), 2, "{output}");
    assert!(output.contains("SIGINT received"), "{output}");
    app.assert_nothing_left();
}

#[test]
fn a_second_ctrl_c_kills() {
    let app =
        Sandbox::with_procfile("web: trap '' TERM; echo ready; while :; do read -r _; done\n");
    let mut session = app.pm(["start", "-t", "60"]).spawn_pty();
    session.wait_for("ready\r\n");
    session.type_keys(CTRL_C);
    session.wait_for("waiting for web.1");
    session.type_keys(CTRL_C);
    assert_eq!(session.wait(), End::Code(0));
    assert!(session.stdout_so_far().contains("second request"), "{}", session.stdout_so_far());
    app.assert_nothing_left();
}

#[test]
fn ctrl_z_stops_pm_and_its_children_and_fg_resumes_them() {
    let ticker = "echo ready; exec cat\n";
    let app = Sandbox::with_procfile(&format!("a: {ticker}b: sh -c '{}'; true\n", ticker.trim()));
    let mut shell = start_in_a_shell(&app);
    let pm = eventually("pm", || shell.running("pm start").first().copied());
    let mut all: Vec<_> = shell.running("cat");
    assert_eq!(all.len(), 3, "a shell and two programs");
    all.push(pm);
    for _ in 0..2 {
        shell.type_keys(CTRL_Z);
        wait_until_stopped(&all, true);
        shell.type_keys("fg\n");
        wait_until_stopped(&all, false);
    }
    shell.type_keys(CTRL_C);
    shell.wait_for("SIGINT received");
    app_is_over(&app, &mut shell);
}

#[test]
fn ctrl_z_does_nothing_where_nobody_could_resume_pm() {
    let app = Sandbox::with_procfile("a: echo ready; exec cat\n");
    // No shell with job control: `ssh -t host pm start`, a pane of tmux, a container.
    let mut session = app.pm(["start", "-t", "60"]).spawn_pty();
    session.wait_for("ready\r\n");
    session.type_keys(CTRL_Z);
    session.type_keys(CTRL_C);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn a_stopped_session_hears_a_request_when_it_goes_on() {
    let app = Sandbox::with_procfile("a: echo ready; exec cat\nb: echo ready; exec cat\n");
    let mut shell = start_in_a_shell(&app);
    let pm = eventually("pm", || shell.running("pm start").first().copied());
    shell.type_keys(CTRL_Z);
    wait_until_stopped(&[pm], true);
    nix::sys::signal::kill(pm, Signal::SIGTERM).expect("pm is there");
    shell.type_keys("fg\n");
    shell.wait_for("SIGTERM received");
    app_is_over(&app, &mut shell);
}

/// The shell is the last that runs, and ends when told.
#[track_caller]
fn app_is_over(app: &Sandbox, shell: &mut Session) {
    eventually("the end of pm", || (app.leftover().len() == 1).then_some(()));
    shell.type_keys("exit 0\n");
    assert_eq!(shell.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn the_stopped_time_counts_for_no_limit() {
    let app = Sandbox::with_procfile(
        "a: trap 'sleep 0.6; echo goodbye; exit 0' TERM; echo ready; while :; do read -r _; done\nb: echo ready; exec cat\n",
    );
    let shell = app.command("bash", ["--norc", "-i"]).env("PS1", "prompt> ").spawn_pty();
    shell.wait_for("prompt> ");
    shell.type_keys(&format!("{PM} start -t 1.5\n"));
    shell.wait_for_times("ready\r\n", 2);
    let pm = eventually("pm", || shell.running("pm start").first().copied());
    shell.type_keys(CTRL_C);
    shell.wait_for("SIGINT received");
    shell.type_keys(CTRL_Z);
    wait_until_stopped(&[pm], true);
    let watch = crate::sandbox::Stopwatch::start();
    eventually("more time than the grace", || (watch.elapsed().as_millis() > 1600).then_some(()));
    shell.type_keys("fg\n");
    shell.wait_for("goodbye");
    let output = shell.stdout_so_far();
    assert!(!output.contains("did not stop"), "{output}");
}

#[test]
fn a_resized_window_is_harmless() {
    let app = Sandbox::with_procfile("a: exec sh logger.sh\n").write("logger.sh", LOGGER);
    let mut session = app.pm(["start", "-t", "60"]).spawn_pty();
    session.wait_for("ready\r\n");
    session.signal_group(Signal::SIGWINCH);
    session.signal(Signal::SIGUSR1);
    session.wait_for("got USR1");
    session.type_keys(CTRL_C);
    assert_eq!(session.wait(), End::Code(0));
    assert!(!session.stdout_so_far().contains("WINCH"));
}

#[test]
fn a_terminal_that_goes_away_ends_the_session() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let session = app.pm(["start"]).spawn_pty();
    session.wait_for("ready\r\n");
    session.signal_group(Signal::SIGHUP);
    app.assert_nothing_left();
}

#[test]
fn colour_is_on_on_a_terminal_and_off_where_it_is_not_wanted() {
    let procfile = "web: echo words\n";
    let escape = "\u{1b}[";
    for (args, variable, on_terminal, is_coloured) in [
        (&["start"][..], None, true, true),
        (&["start"], Some(("NO_COLOR", "1")), true, false),
        (&["start", "-c"], Some(("NO_COLOR", "1")), true, true),
        (&["start", "--color=never"], None, true, false),
        (&["start"], None, false, false),
        (&["start"], Some(("FORCE_COLOR", "1")), false, true),
        (&["start"], Some(("CLICOLOR_FORCE", "1")), false, true),
        (&["start", "-c"], None, false, true),
    ] {
        // The line below the output is erased by an escape sequence, with and without colour.
        let app = Sandbox::with_procfile(procfile).env("TERM", "xterm").env("PM_NO_STATUS", "1");
        let mut invocation = app.pm(args);
        if let Some((key, value)) = variable {
            invocation = invocation.env(key, value);
        }
        let mut session = if on_terminal { invocation.spawn_pty() } else { invocation.spawn() };
        assert_eq!(session.wait(), End::Code(0));
        let output = session.stdout_so_far();
        assert_eq!(output.contains(escape), is_coloured, "{args:?} {variable:?}: {output:?}");
    }
}
