//! What left its group and its parent: found, stopped, reaped; and pm as PID 1.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sandbox::{
    End, PM, Sandbox, Session, eventually, has, has_program, pid_namespace, state_of, zombies_of,
};

/// Becomes a daemon by the book: a new session, a second fork, no descriptor of its caller.
const DAEMONIZE: &str = "\
cd /
setsid sh -c 'sh \"$HOME/daemon.sh\" & exit 0' </dev/null >/dev/null 2>&1
";

/// An application whose process starts a daemon and stays.
fn app_with_daemon(daemon: &str) -> Sandbox {
    Sandbox::with_procfile("web: sh daemonize.sh; exec cat\n")
        .write("daemonize.sh", DAEMONIZE)
        .write("daemon.sh", daemon)
}

/// Starts it, and returns the daemon's pid when the daemon listens to signals.
fn start(app: &Sandbox) -> (Session, Pid) {
    let session = app.pm(["start", "-t", "1"]).spawn();
    let text = eventually("the daemon", || app.read("up").filter(|text| text.ends_with('\n')));
    (session, Pid::from_raw(text.trim().parse().expect("the daemon writes its pid")))
}

#[test]
fn a_daemon_is_asked_to_stop_at_the_end_of_the_session() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let app = app_with_daemon(
        "cd \"$HOME\"; trap 'echo stopped > log; exit' TERM; echo $$ > up; while :; do sleep 0.05; done\n",
    );
    let (mut session, daemon) = start(&app);
    eventually("pm as its parent", || {
        session
            .descendants()
            .iter()
            .any(|p| p.pid == daemon && p.parent == session.pid())
            .then_some(())
    });
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(app.read("log").as_deref(), Some("stopped\n"));
    assert_eq!(state_of(daemon), None);
    assert!(!session.stdout_so_far().contains("kill"), "{}", session.stdout_so_far());
}

#[test]
fn a_stubborn_daemon_and_its_stubborn_child_are_killed_and_that_is_said() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let app = app_with_daemon(
        "cd \"$HOME\"; trap '' TERM; sh -c 'echo $$ > child; exec sleep 1000' & echo $$ > up; wait; sleep 1000\n",
    );
    let (mut session, daemon) = start(&app);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    let said =
        format!("killing processes outside their group that did not stop: sh (pid {daemon})");
    assert!(output.contains(&said), "{output}");
    assert_eq!(state_of(daemon), None);
    app.assert_nothing_left();
}

#[test]
fn a_second_request_kills_a_stubborn_daemon() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let app =
        app_with_daemon("cd \"$HOME\"; trap '' TERM; echo $$ > up; while :; do sleep 1000; done\n");
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    eventually("the daemon", || app.read("up"));
    session.signal(Signal::SIGTERM);
    session.wait_for("web.1  | -- terminated by SIGTERM");
    // Until 0.3 s have gone by, it is the same request.
    while session.is_running() {
        session.signal(Signal::SIGTERM);
    }
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn a_daemon_that_ends_by_itself_is_reaped_while_the_session_goes_on() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let app = app_with_daemon("echo $$ > \"$HOME/up\"\n");
    let (mut session, daemon) = start(&app);
    eventually("no zombie", || state_of(daemon).is_none().then_some(()));
    assert_eq!(zombies_of(session.pid()), []);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn as_pid_1_pm_reaps_strangers_and_ends_all() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let Some(unshare) = pid_namespace() else { return };
    let forks = "i=0; while [ $i -lt 20 ]; do (setsid true &); i=$((i+1)); done\n\
                 setsid sleep 1000 & echo done; exec cat\n";
    let app = Sandbox::with_procfile("web: sh forks.sh\n").write("forks.sh", forks);
    let mut session = app.command("unshare", unshare.iter().chain(&[PM, "start"])).spawn();
    session.wait_for("| done");
    let pm = eventually("pm", || {
        session.descendants().into_iter().find(|p| p.command.ends_with("pm start"))
    });
    eventually("no zombie", || zombies_of(pm.pid).is_empty().then_some(()));
    kill(pm.pid, Signal::SIGTERM).expect("pm runs");
    assert_eq!(session.wait(), End::Code(0));
    assert!(session.stdout_so_far().contains("SIGTERM received"), "{}", session.stdout_so_far());
    app.assert_nothing_left();
}

/// Runs a command for which the kernel knows no subreapers (prctl 36), as under the user mode of qemu 7.2: seccomp(2)
/// answers EINVAL.
const WITHOUT_SUBREAPERS: &str = "\
import ctypes, os, struct, sys
prctl = {'x86_64': 157, 'aarch64': 167}[os.uname().machine]
steps = [(0x20, 0, 0, 0), (0x15, 0, 3, prctl), (0x20, 0, 0, 16), (0x15, 0, 1, 36),
         (0x06, 0, 0, 0x50000 | 22), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn without_subreapers_a_session_runs_and_says_what_it_will_not_find() {
    if !has("subreaper", !cfg!(pm_portable)) || !has_program("python3") {
        return;
    }
    let app = Sandbox::with_procfile("web: (sleep 1000 &); echo up; exec cat\nflaky: exit 3\n")
        .write("without.py", WITHOUT_SUBREAPERS);
    let mut session = app.command("python3", ["without.py", PM, "start"]).spawn();
    session.wait_for("-- this system makes no process the parent of orphans");
    session.wait_for("| up");
    session.wait_for("flaky.1 | !! exited with code 3; restart 1 of 5");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

/// Says its pid in `up` and what it hears in `log`; `up` ends with a line feed when it listens.
const HELPER: &str = "cd \"$HOME\"; trap 'echo stopped >> log; exit' TERM; echo $$ > up; while :; do sleep 0.05; done\n";

/// The ways to leave a group, and who is the parent then.
const WAYS: [(&str, &str); 4] = [
    ("its parent lives", "setsid sh \"$HOME/daemon.sh\" & echo ready; exec cat\n"),
    ("its parent has ended", "(setsid sh \"$HOME/daemon.sh\" &); echo ready; exec cat\n"),
    ("it has let go of all", "sh daemonize.sh; echo ready; exec cat\n"),
    (
        "it has let go of all, its environment too",
        "setsid env -i HOME=\"$HOME\" sh \"$HOME/daemon.sh\" <&- >/dev/null 2>&1 & echo ready; exec cat\n",
    ),
];

/// A session of `web`, which starts this helper in this way, and `other`. Returns the helper's pid.
fn with_helper(way: &str, helper: &str, args: &[&str]) -> (Sandbox, Session, Pid) {
    let app = crate::control::app("web: sh web.sh\nother: echo ready; exec cat\n")
        .write("web.sh", way)
        .write("daemonize.sh", DAEMONIZE)
        .write("daemon.sh", helper);
    let session = crate::control::started(&app, args, 2);
    let text = eventually("the helper", || app.read("up").filter(|text| text.ends_with('\n')));
    let helper = Pid::from_raw(text.trim().parse().expect("the helper writes its pid"));
    (app, session, helper)
}

#[track_caller]
fn end(app: &Sandbox, session: &mut Session) {
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0), "{}", session.stdout_so_far());
    app.assert_nothing_left();
}

#[test]
fn a_helper_that_left_its_group_is_asked_to_stop_with_its_instance() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    for (name, way) in WAYS {
        eprintln!("{name}");
        let (app, mut session, helper) = with_helper(way, HELPER, &[]);
        crate::control::done(&app, "stop web");
        assert_eq!(state_of(helper), None);
        assert_eq!(app.read("log").as_deref(), Some("stopped\n"));
        assert_eq!(session.stdout_so_far().matches("exited").count(), 0);
        end(&app, &mut session);
    }
}

#[test]
fn a_command_that_asks_whether_an_instance_lives_leaves_its_helper_alone() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let app = crate::control::app("web: sh web.sh\n")
        .write("web.sh", WAYS[1].1)
        .write("daemon.sh", HELPER)
        .write(
            "pm.toml",
            "[process.web]\nlive = 'cmd:echo asked >> asks; exit 1'\nlive-interval = '0.1s'\nlive-failures = 1000\n",
        );
    let mut session = crate::control::started(&app, &[], 1);
    let text = eventually("the helper", || app.read("up").filter(|text| text.ends_with('\n')));
    let helper = Pid::from_raw(text.trim().parse().expect("the helper writes its pid"));
    eventually("five questions", || {
        (app.read("asks").unwrap_or_default().lines().count() >= 5).then_some(())
    });
    assert_eq!(app.read("log"), None);
    assert!(state_of(helper).is_some());
    crate::control::done(&app, "stop web");
    assert_eq!(app.read("log").as_deref(), Some("stopped\n"));
    assert_eq!(state_of(helper), None);
    end(&app, &mut session);
}

#[test]
fn a_restart_brings_a_helper_that_left_its_group_once() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let (app, mut session, helper) = with_helper(WAYS[1].1, HELPER, &[]);
    crate::control::done(&app, "restart web");
    assert_eq!(state_of(helper), None);
    session.wait_for_times("| ready", 3);
    eventually("another helper", || (session.running("daemon.sh").len() == 1).then_some(()));
    end(&app, &mut session);
}

#[test]
fn a_helper_that_left_its_group_and_does_not_stop_is_killed_with_its_instance() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let deaf = HELPER.replace("echo stopped >> log; exit", "");
    let (app, mut session, helper) = with_helper(WAYS[1].1, &deaf, &["-t", "1"]);
    crate::control::done(&app, "stop web");
    assert_eq!(state_of(helper), None);
    session.wait_for("did not stop within 1s");
    end(&app, &mut session);
}

#[test]
fn a_helper_that_left_its_group_does_not_outlive_a_crash() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let way =
        WAYS[1].1.replace("exec cat", "until test -e crash; do sleep 0.05; done; rm crash; exit 3");
    let (app, mut session, helper) = with_helper(&way, HELPER, &[]);
    let app = app.write("crash", "");
    session.wait_for("exited with code 3; restart 1 of 5");
    eventually("its end", || state_of(helper).is_none().then_some(()));
    assert!(session.is_running());
    end(&app, &mut session);
}

#[test]
fn a_daemon_of_an_instance_that_has_ended_in_order_stays_until_the_session_ends() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let way = "setsid sh \"$HOME/daemon.sh\" & until test -e up; do sleep 0.01; done; echo ready\n";
    let (app, mut session, helper) = with_helper(way, HELPER, &[]);
    session.wait_for("exited with code 0");
    crate::control::done(&app, "restart other");
    assert!(state_of(helper).is_some());
    assert_eq!(app.read("log"), None);
    end(&app, &mut session);
    assert_eq!(app.read("log").as_deref(), Some("stopped\n"));
}

#[test]
fn a_daemon_stays_although_the_rest_of_the_group_that_it_left_is_stopped() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let way = "sleep 1000 & setsid sh \"$HOME/daemon.sh\" & until test -e up; do sleep 0.01; done; echo ready\n";
    let (app, mut session, helper) = with_helper(way, HELPER, &[]);
    session.wait_for("exited with code 0");
    assert!(state_of(helper).is_some());
    assert_eq!(app.read("log"), None);
    end(&app, &mut session);
    assert_eq!(app.read("log").as_deref(), Some("stopped\n"));
}

#[test]
fn a_stop_of_an_instance_that_has_ended_reaches_the_daemon_that_it_left() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    // Nobody reads what it says any more.
    let way = "setsid sh \"$HOME/daemon.sh\" 2>/dev/null & until test -e up; do sleep 0.01; done; echo ready\n";
    let (app, mut session, helper) = with_helper(way, HELPER, &[]);
    session.wait_for("exited with code 0");
    crate::control::done(&app, "stop web");
    eventually("its end", || state_of(helper).is_none().then_some(()));
    assert_eq!(app.read("log").as_deref(), Some("stopped\n"));
    assert!(session.is_running());
    end(&app, &mut session);
}

#[test]
fn a_helper_that_left_its_group_counts_for_the_memory_of_its_instance() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    // tail keeps a line that does not end.
    let hoard = "cd \"$HOME\"; echo $$ > up; (head -c 60000000 /dev/zero; sleep 1000) | tail\n";
    let args = ["--memory", "web=32M", "--memory-action", "restart"];
    let (app, mut session, helper) = with_helper(WAYS[1].1, hoard, &args);
    session.wait_for("over its budget of 32 MiB");
    eventually("its end", || state_of(helper).is_none().then_some(()));
    end(&app, &mut session);
}

#[test]
fn the_guard_of_a_pm_that_an_instance_has_run_may_do_its_work() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let app = crate::control::app(&format!("nested: exec {PM} start -f inner/Procfile\n"))
        .write("inner/Procfile", "deaf: trap '' TERM; echo $$ > pid; while :; do sleep 1; done\n");
    let mut session = app.pm(["start", "-t", "60"]).spawn();
    let written = || app.read("inner/pid").filter(|text| text.ends_with('\n'));
    let deaf = eventually("the inner instance", written);
    let deaf = Pid::from_raw(deaf.trim().parse().expect("it writes its pid"));
    let inner = session.running("start -f inner/Procfile").pop().expect("the inner pm runs");
    kill(inner, Signal::SIGKILL).expect("it runs");
    session.wait_for("restart 1 of 5");
    eventually("the end of the inner instance", || state_of(deaf).is_none().then_some(()));
    assert!(session.is_running());
    end(&app, &mut session);
}
