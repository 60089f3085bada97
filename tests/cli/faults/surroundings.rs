//! Places in which pm does not often run: no /proc, no shell, no environment, odd and long paths, another user.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::control::{done, states};
use crate::faults::with_mounts;
use crate::sandbox::{End, PM, Sandbox, eventually, has, has_program, pid_namespace, zombies_of};

#[test]
fn without_proc_it_says_what_it_cannot_do_and_reaps_all_the_same() {
    if !has("use for /proc", !cfg!(pm_portable)) {
        return;
    }
    let app = Sandbox::with_procfile(
        "web: for i in 1 2 3 4 5; do (setsid true &); done; echo ready; exec cat\ncrash: exit 3\n",
    );
    let script = "mount -t tmpfs tmpfs /proc; exec \"$PM\" start -t 60";
    let Some(invocation) = with_mounts(&app, script) else { return };
    let mut session = invocation.spawn();
    session.wait_for("| ready");
    session.wait_for("restart 2 of 5");
    eventually("no zombie", || zombies_of(session.pid()).is_empty().then_some(()));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert!(
        output.contains("system  | -- there is no /proc: processes that leave their process group"),
        "{output}"
    );
    app.assert_nothing_left();
}

#[test]
fn without_proc_a_stop_that_nobody_could_resume_is_none() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let script = "mount -t tmpfs tmpfs /proc; exec \"$PM\" start -t 60";
    let Some(invocation) = with_mounts(&app, script) else { return };
    let mut session = invocation.spawn_pty();
    session.wait_for("ready\r\n");
    session.type_keys(crate::sandbox::CTRL_Z);
    session.type_keys(crate::sandbox::CTRL_C);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn without_a_shell_the_start_fails_by_name() {
    let app = Sandbox::with_procfile("web: echo never\n");
    let script = "pm=$PM; mount --bind /dev/null \"$(readlink -f /bin/sh)\"; exec \"$pm\" start";
    let Some(invocation) = with_mounts(&app, script) else { return };
    let output = invocation.run();
    assert_eq!(output.code(), 1);
    assert!(output.stdout.contains("web.1  | !! cannot start: Permission denied"), "{output:#?}");
    assert!(output.stdout.contains("ended by web.1: it could not be started"), "{output:#?}");
}

#[test]
fn a_root_that_is_removed_is_named_at_the_next_start() {
    let app = Sandbox::with_procfile(
        "web: echo up; until test -e go; do sleep 0.01; done; rm -r \"$PWD\"; exit 3\n",
    );
    let procfile = app.read("Procfile").unwrap_or_default();
    let app = app.write("root/Procfile", procfile);
    let mut session = app.pm(["start", "-d", "root"]).spawn();
    session.wait_for("| up");
    let app = app.write("root/go", "");
    assert_eq!(session.wait(), End::Code(1));
    let output = session.stdout_so_far();
    let said = format!(
        "web.1  | !! cannot start in the folder `{}`: No such file",
        app.path("root").display()
    );
    assert!(output.contains(&said), "{output}");
}

#[test]
fn a_root_with_any_name_of_any_length_is_a_root() {
    let long = ["x".repeat(200), "y".repeat(200), "z".repeat(200)].join("/");
    for name in ["a b", "it's \"quoted\"", "été ✓ \u{7f16}", "$HOME %h `id` \\n;&", &long] {
        let app = Sandbox::new();
        let runtime = app.dir();
        let app = app
            .env("XDG_RUNTIME_DIR", runtime)
            .write(&format!("{name}/Procfile"), "web: pwd; exec cat\n");
        let root = app.path(name);
        let pm = |line: &str| {
            let output = app.pm(line.split(' ')).in_folder(name).run();
            assert_eq!(output.code(), 0, "{name}: pm {line}: {output:#?}");
            output.stdout
        };
        pm("start --daemon");
        eventually("the instance", || pm("status").contains("web.1  up").then_some(()));
        eventually("its folder in the log", || {
            let log = app.read(&format!("{name}/pm.log")).unwrap_or_default();
            log.contains(&format!("web.1  | {}\n", root.display())).then_some(())
        });
        assert!(pm("logs").contains(&root.display().to_string()), "{name}");
        pm("quit");
        pm("check");
        pm("export systemd out -a shop -u root");
        let unit = app.read(&format!("{name}/out/shop-web-1.service")).expect("it was written");
        assert!(unit.contains("\nWorkingDirectory="), "{unit}");
        app.assert_nothing_left();
    }
}

#[test]
fn an_empty_environment_is_enough() {
    let app = Sandbox::with_procfile("web: echo home=$HOME port=$PORT; exec cat\n");
    let script = format!("exec env -i LC_ALL=C {PM} start");
    let mut session = app.sh(&script).spawn();
    session.wait_for("web.1  | home= port=5000");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(session.stderr_so_far(), "");
}

#[test]
fn an_environment_that_no_program_can_be_given_is_said() {
    let large = "x".repeat(140_000);
    let app = Sandbox::with_procfile("web: true\n").write(".env", format!("LARGE={large}\n"));
    let output = app.pm(["start"]).run();
    assert_eq!(output.code(), 1);
    let why = "Argument list too long (os error 7); `LARGE` is too long: a variable is limited to 128 KiB";
    let said = &format!("web.1  | !! cannot start: {why}");
    assert!(output.stdout.contains(said), "{}", output.stdout);
    let output = app.pm(["run", "true"]).run();
    assert_eq!(output.code(), 126);
    assert!(output.stderr.contains(why), "{}", output.stderr);
}

#[test]
fn another_user_has_sessions_of_their_own() {
    let is_root = nix::unistd::geteuid().is_root();
    if !has("root, to be another user", is_root) || !has_program("setpriv") {
        return;
    }
    let app = crate::control::app("web: echo ready $(id -u); exec cat\n");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(app.dir(), open.clone()).expect("the sandbox is ours");
    let pm = app.path("pm-program");
    fs::copy(PM, &pm).and_then(|_| fs::set_permissions(&pm, open)).expect("pm can be copied");
    let user = "--reuid=65534 --regid=65534 --clear-groups";
    let mut session = app.sh(&format!("exec setpriv {user} ./pm-program start -t 60")).spawn();
    session.wait_for("| ready 65534");
    let status = app.sh(&format!("setpriv {user} ./pm-program status")).run();
    assert!(status.stdout.contains("web.1  up"), "{status:#?}");
    // root looks for its own sessions, and takes no folder of someone else's for it.
    assert_eq!(app.pm(["status"]).run().code(), 1);
    let quit = app.sh(&format!("setpriv {user} ./pm-program quit")).run();
    assert_eq!(quit.code(), 0, "{quit:#?}");
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}

#[test]
fn as_pid_1_it_ends_with_the_code_of_the_instance_and_heeds_signals() {
    let Some(unshare) = pid_namespace() else { return };
    let app = Sandbox::with_procfile("web: echo I have $PPID; exit 7\n");
    let words = unshare.iter().chain(&[PM, "start", "--restart", "never"]);
    let output = app.command("unshare", words).run();
    assert!(output.stdout.contains("I have 1\n"), "{output:#?}");
    assert_eq!(output.code(), 7);
    let app = Sandbox::with_procfile(
        "web: kill -USR1 1; kill -HUP 1; exec cat\nother: trap 'echo got USR1' USR1; while :; do sleep 0.02; done\n",
    );
    let output = app.command("unshare", unshare.iter().chain(&[PM, "start", "other", "web"])).run();
    assert!(output.stdout.contains("SIGHUP received"), "{output:#?}");
    assert_eq!(output.code(), 0);
}

#[test]
fn without_shared_memory_it_runs() {
    let app = crate::control::app("web: echo ready; exec cat\n");
    let script = "mount -t tmpfs -o ro,mode=000 tmpfs /dev/shm 2>/dev/null || true; exec \"$PM\" start -t 60";
    let Some(invocation) = with_mounts(&app, script) else { return };
    let mut session = invocation.spawn();
    session.wait_for("| ready");
    assert_eq!(states(&app), "web.1 up");
    done(&app, "quit");
    assert_eq!(session.wait(), End::Code(0));
}
