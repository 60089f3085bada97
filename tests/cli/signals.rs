//! Signals that are not a request to end, and what children inherit.

use nix::sys::signal::Signal;

use crate::control::{app, done, started, states};
use crate::sandbox::{End, Sandbox, eventually, has_program, status};
use crate::stop::LOGGER;

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn usr1_and_usr2_are_passed_on_once_winch_is_harmless_and_quit_stops() {
    let app = Sandbox::with_procfile("web: exec sh logger.sh\nother: sh logger.sh; true\n")
        .write("logger.sh", LOGGER);
    let mut session = app.pm(["start"]).spawn();
    session.wait_for_times("| ready", 2);
    // SIGWINCH first: what it does would be seen by the time that the others have arrived.
    session.signal(Signal::SIGWINCH);
    session.signal(Signal::SIGUSR1);
    session.wait_for("web.1   | got USR1");
    session.signal(Signal::SIGUSR2);
    session.wait_for("web.1   | got USR2");
    session.signal(Signal::SIGQUIT);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    for name in ["USR1", "USR2", "TERM"] {
        let word = format!("web.1   | got {name}");
        assert_eq!(count(&output, &word), 1, "{name}: {output}");
    }
    assert_eq!(count(&output, "web.1   | got "), 3, "{output}");
}

#[test]
fn the_program_of_a_simple_command_has_the_pid_of_the_status_and_gets_the_signal() {
    let app = app("web: A=\"$PORT\" sh logger.sh 2>&1 # the program\n")
        .write("logger.sh", format!("echo \"pid $$ of $A\"\n{LOGGER}"));
    let mut session = started(&app, &["-p", "7000"], 1);
    let status = done(&app, "status --json");
    let json: serde_json::Value = serde_json::from_str(&status).expect("it is JSON");
    let pid = &json["instances"][0]["pid"];
    assert!(session.stdout_so_far().contains(&format!("pid {pid} of 7000")), "{status}");
    done(&app, "signal HUP web");
    session.wait_for("got HUP");
    assert_eq!(states(&app), "web.1 up");
    done(&app, "quit");
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(count(&session.stdout_so_far(), "| ready"), 1);
}

#[test]
fn under_nohup_a_hangup_is_ignored() {
    let app = Sandbox::with_procfile("web: exec sh logger.sh\n").write("logger.sh", LOGGER);
    let pm = crate::sandbox::PM;
    let mut session = app.sh(&format!("trap '' HUP; exec {pm} start")).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGHUP);
    session.signal(Signal::SIGUSR1);
    session.wait_for("got USR1");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert!(!output.contains("SIGHUP") && output.contains("SIGTERM received"), "{output}");
}

#[test]
fn children_begin_with_default_signals_whatever_pm_was_started_with() {
    let app = Sandbox::with_procfile("web: exec grep ^Sig...: /proc/self/status\n");
    // 35 is a real-time signal; what Rust's runtime keeps for itself is there too.
    let ignored = "HUP INT QUIT USR1 USR2 TERM PIPE CHLD TSTP TTIN TTOU ALRM 35 64";
    let pm = crate::sandbox::PM;
    let ignoring = app.sh(&format!("trap '' {ignored}; exec {pm} start"));
    let blocking = app.pm(["start"]).blocking_signals();
    for invocation in [ignoring, blocking] {
        let output = invocation.run();
        for field in ["SigBlk:", "SigIgn:"] {
            let (_, rest) = output.stdout.split_once(field).expect("grep shows the field");
            let set =
                rest.split_whitespace().next().and_then(|set| u64::from_str_radix(set, 16).ok());
            // 32 and 33 are the C library's own: what sets them is no caller of ours.
            let set = set.expect("a set of signals is a number") & !(0b11 << 31);
            assert_eq!(set, 0, "{field} {set:x} {output:#?}");
        }
        assert_eq!(output.code(), 0);
    }
}

#[test]
fn children_have_three_descriptors_whatever_pm_was_started_with() {
    let app = Sandbox::with_procfile("web: exec ls -l /proc/self/fd\nother: exec sleep 0.1\n");
    let pm = crate::sandbox::PM;
    let output = app.sh(&format!("exec 5</dev/null 9>leaked; exec {pm} start")).run();
    let of_web = output.stdout.lines().filter(|line| line.contains("web.1") && line.contains("->"));
    let shown: Vec<_> =
        of_web.filter_map(|line| line.split("->").next()?.split_whitespace().last()).collect();
    // 3 is the folder that ls reads.
    assert_eq!(shown, ["0", "1", "2", "3"], "{}", output.stdout);
    assert!(!output.stdout.contains("leaked"), "{}", output.stdout);
}

#[test]
fn stdin_of_each_instance_is_a_pipe_that_no_other_has() {
    let app =
        Sandbox::with_procfile("web: readlink /proc/self/fd/0\nother: readlink /proc/self/fd/0\n");
    let output = app.pm(["start", "-m", "web=3,other=2"]).run();
    let lines = output.stdout.lines().filter_map(|line| line.split_once("| pipe:["));
    let pipes: std::collections::HashSet<_> = lines.map(|(_, pipe)| pipe).collect();
    assert_eq!(pipes.len(), 5, "{output:#?}");
}

#[test]
fn an_instance_that_makes_its_stdin_non_blocking_disturbs_no_other() {
    if !has_program("python3") {
        return;
    }
    let script =
        "import os, time; os.set_blocking(0, False); print(\"set\", flush=True); time.sleep(1000)";
    let app = Sandbox::with_procfile(&format!(
        "odd: python3 -c '{script}'\nweb: until test -e go; do sleep 0.01; done; echo reading; exec cat\n"
    ));
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| set");
    let _app = app.write("go", "");
    session.wait_for("| reading");
    eventually("a reader that is blocked", || {
        let asleep =
            |pid: nix::unistd::Pid| status(pid, "State").is_some_and(|s| s.starts_with('S'));
        session.running("cat").into_iter().any(asleep).then_some(())
    });
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert!(!session.stdout_so_far().contains("exited"), "{}", session.stdout_so_far());
}

#[test]
fn stdin_is_a_pipe_that_never_ends() {
    let app = Sandbox::with_procfile("web: cat; echo end of file\nother: echo ready; exec cat\n");
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("| ready");
    eventually("a reader that is blocked", || {
        let cats = session.running("cat");
        let asleep =
            |pid: &nix::unistd::Pid| status(*pid, "State").is_some_and(|s| s.starts_with('S'));
        (cats.iter().filter(|pid| asleep(pid)).count() >= 2).then_some(())
    });
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert!(!output.contains("end of file") && !output.contains("exited"), "{output}");
}
