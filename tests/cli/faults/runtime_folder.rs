//! The folder of the control socket cannot be used, or goes away: the session runs anyway.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::control::{done, refused};
use crate::faults::with_mounts;
use crate::sandbox::{End, Sandbox, Session};

const READY: &str = "web: echo ready; exec cat\n";

/// Ends a session that cannot be asked.
#[track_caller]
fn end(app: &Sandbox, session: Session) -> String {
    session.wait_for("| ready");
    assert!(refused(app, "status").contains("no session runs in"));
    end_by_signal(app, session)
}

#[track_caller]
fn end_by_signal(app: &Sandbox, mut session: Session) -> String {
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert_eq!(session.stderr_so_far(), "");
    app.assert_nothing_left();
    session.stdout_so_far()
}

#[test]
fn a_folder_that_cannot_be_used_is_named_and_the_session_runs_without() {
    let is_root = nix::unistd::geteuid().is_root();
    for (what, reason) in [
        ("a file", "not a folder"),
        ("open to others", "others can access it; its mode must be 0700"),
        ("someone else's", "it belongs to another user"),
    ] {
        if what == "someone else's" && !crate::sandbox::has("root, to give a folder away", is_root)
        {
            continue;
        }
        let app = Sandbox::with_procfile(READY);
        let folder = app.path("pm");
        match what {
            "a file" => fs::write(&folder, "").expect("the sandbox can be written"),
            _ => fs::create_dir(&folder).expect("the sandbox can be written"),
        }
        let mode = if what == "open to others" { 0o755 } else { 0o700 };
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("it is ours");
        if what == "someone else's" {
            std::os::unix::fs::chown(&folder, Some(1), Some(1)).expect("root may give it away");
        }
        let runtime = app.dir();
        let app = app.env("XDG_RUNTIME_DIR", runtime);
        let session = app.pm(["start", "-t", "60"]).spawn();
        session.wait_for("| ready");
        for line in ["status", "stop web", "logs", "quit"] {
            let error = refused(&app, line);
            let cause = format!("cannot look for sessions in `{}`: {reason}\n", folder.display());
            assert!(error.contains(&cause) && error.contains("hint: "), "{what}: {line}: {error}");
        }
        let output = end_by_signal(&app, session);
        let said = format!(
            "`pm status` and other commands cannot find this session: cannot create a socket in `{}`: {reason}",
            folder.display()
        );
        assert_eq!(output.matches(&said).count(), 1, "{what}: {output}");
    }
}

#[test]
fn a_session_without_a_socket_does_not_wake_up_for_it() {
    let app = Sandbox::with_procfile("web: while :; do echo tick; sleep 0.1; done\n");
    let app = app.write("pm", "");
    let runtime = app.dir();
    let app = app.env("XDG_RUNTIME_DIR", runtime);
    let mut session = app.pm(["start"]).spawn();
    session.wait_for("cannot find this session");
    session.wait_for("| tick");
    let tasks = fs::read_dir(format!("/proc/{}/task", session.pid())).expect("pm runs");
    let mut statuses = tasks.map(|task| task.expect("pm runs").path().join("status"));
    let status = statuses.find(|path| {
        fs::read_to_string(path).is_ok_and(|text| text.starts_with("Name:\tsignals\n"))
    });
    let status = status.expect("a thread listens to signals");
    let switches = || {
        let text = fs::read_to_string(&status).expect("the thread runs");
        text.lines().find(|line| line.starts_with("voluntary")).map(str::to_owned)
    };
    let before = switches();
    session.wait_for_times("| tick", 6);
    assert_eq!(switches(), before);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn nowhere_to_put_a_socket_is_said_and_the_session_runs_without() {
    // /tmp is hidden by a read-only one, in which the sandbox is shown again.
    let app = Sandbox::with_procfile(READY);
    let script = "cp \"$PM\" pm; mkdir -p run; here=$(pwd); mount --bind . /mnt; mount -t tmpfs tmpfs /tmp; \
        mkdir -p \"$here\"; mount --bind /mnt \"$here\"; mount -o remount,ro /tmp; cd \"$here\"; \
        mount -t tmpfs -o ro tmpfs run; ";
    for (variable, said) in [
        ("unset XDG_RUNTIME_DIR", "a socket in `/tmp/pm-"),
        ("export XDG_RUNTIME_DIR=/nonexistent", "a socket in `/tmp/pm-"),
        ("export XDG_RUNTIME_DIR=\"$here/run\"", "/run/pm`: Read-only file system"),
    ] {
        let script = format!("{script}{variable}; exec ./pm start -t 60");
        let Some(invocation) = with_mounts(&app, &script) else { return };
        let output = end(&app, invocation.spawn());
        assert!(output.contains(said), "{variable}: {output}");
    }
}

#[test]
fn a_folder_that_is_removed_takes_the_control_along_and_nothing_else() {
    let app = crate::control::app(READY);
    let session = app.pm(["start", "-t", "60"]).spawn();
    session.wait_for("| ready");
    done(&app, "status");
    fs::remove_dir_all(app.path("pm")).expect("it is there");
    let output = end(&app, session);
    assert!(!output.contains("cannot find this session"), "{output}");
    assert!(!app.path("pm").exists());
}

#[test]
fn whatever_the_umask_the_socket_is_for_this_user_alone() {
    for umask in ["000", "077"] {
        let app = crate::control::app(READY);
        let pm = crate::sandbox::PM;
        let mut session = app.sh(&format!("umask {umask}; exec {pm} start -t 60")).spawn();
        session.wait_for("| ready");
        done(&app, "status");
        let mode = |path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(app.path("pm")), 0o700, "{umask}");
        for entry in fs::read_dir(app.path("pm")).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            assert_eq!(mode(path.clone()), 0o600, "{umask} {}", path.display());
        }
        session.signal(Signal::SIGTERM);
        assert_eq!(session.wait(), End::Code(0));
    }
}
