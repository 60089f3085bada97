//! Limits of the system: open files, processes, hundreds of instances, a read-only root.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::resource::Resource;
use nix::sys::signal::{Signal, kill};

use crate::sandbox::{End, PM, Sandbox, eventually, has, has_program};

#[test]
fn too_few_open_files_are_an_error_before_anything_starts() {
    let app = Sandbox::with_procfile("web: echo started >> started; exec cat\n");
    let output = app.pm(["start", "web=60"]).limit(Resource::RLIMIT_NOFILE, 32).run();
    assert_eq!(output.code(), 1);
    assert_eq!(output.stdout, "");
    let error = "error: 60 instances need 144 open files, but the limit is 32\nhint: ";
    assert!(output.stderr.starts_with(error), "{}", output.stderr);
    assert_eq!(app.read("started"), None);
}

#[test]
fn a_soft_limit_of_open_files_is_raised_for_pm_and_not_for_its_children() {
    let app = Sandbox::with_procfile("web: echo limit $(ulimit -Sn) $(ulimit -Hn); exec cat\n");
    let mut session =
        app.sh(&format!("ulimit -Sn 64; ulimit -Hn 4096; exec {PM} start web=100")).spawn();
    session.wait_for_times("| limit ", 100);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert_eq!(output.matches("| limit 64 4096").count(), 100, "{output}");
    app.assert_nothing_left();
}

#[test]
fn a_session_that_is_scaled_up_past_the_soft_limit_of_open_files_raises_it_too() {
    let app = crate::control::app("web: echo ready $(ulimit -Sn); exec cat\n");
    let mut session = app.sh(&format!("ulimit -Sn 64; exec {PM} start web=1")).spawn();
    session.wait_for("| ready 64");
    crate::control::done(&app, "scale web=100");
    session.wait_for_times("| ready 64", 100);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn a_fork_that_fails_is_said_and_everything_started_is_stopped() {
    let is_root = nix::unistd::geteuid().is_root();
    if !has("root, to be another user", is_root)
        || !has_program("setpriv")
        || !has_program("prlimit")
    {
        return;
    }
    let app = Sandbox::with_procfile("web: exec cat\n");
    // The other user must reach the folder and the program.
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(app.dir(), open.clone()).expect("the sandbox is ours");
    let pm = app.path("pm");
    fs::copy(PM, &pm).and_then(|_| fs::set_permissions(&pm, open)).expect("pm can be copied");
    // A user of whom nobody else makes processes, another run of these tests neither.
    let user = (1_000_000 + std::process::id()).to_string();
    let other =
        ["--reuid", &user, "--regid", &user, "--clear-groups", "prlimit", "--nproc=20", "--"];
    let pm = pm.to_str().expect("a scratch folder has a plain name");
    let output =
        app.command("setpriv", other.iter().chain(&[pm, "start", "web=40", "-t", "60"])).run();
    assert_eq!(output.code(), 1, "{output:#?}");
    assert!(output.stdout.contains("the limit of processes is reached (ulimit -u"), "{output:#?}");
    let started = output.stdout.matches("started with pid").count();
    assert!(started > 5, "{output:#?}");
    assert_eq!(output.stdout.matches("terminated by SIGTERM").count(), started, "{output:#?}");
    app.assert_nothing_left();
}

#[test]
fn five_hundred_processes_start_and_stop() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let mut session = app.pm(["start", "web=500", "-t", "60"]).spawn();
    // In steps: each has the whole limit, on a machine that does other things too.
    for count in [100, 200, 300, 400, 500] {
        session.wait_for_times("| ready", count);
    }
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let output = session.stdout_so_far();
    assert_eq!(output.matches("terminated by SIGTERM").count(), 500);
    app.assert_nothing_left();
}

#[test]
fn a_read_only_root_without_a_home_is_enough() {
    let app = Sandbox::with_procfile("web: echo ready; exec cat\n");
    let permitted = app.command("unshare", ["--mount", "true"]);
    if !has_program("unshare") || !has("right to mount", permitted.run().end == End::Code(0)) {
        return;
    }
    let script = format!(
        "mount -o remount,bind,ro / && mount --bind . /mnt && mount -o remount,bind,ro /mnt && cd /mnt && \
         ! touch file 2>/dev/null && exec env -u HOME {PM} start"
    );
    let mut session = app.command("unshare", ["--mount", "sh", "-c", &script]).spawn();
    session.wait_for("| ready");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    assert!(session.stderr_so_far().is_empty(), "{}", session.stderr_so_far());
}

#[test]
fn a_full_start_and_a_stop_leave_no_descriptor_behind() {
    let app = Sandbox::with_procfile("web: echo up; exit 1\nkeep: echo ready; exec cat\n");
    let mut session = app.pm(["start", "--max-restarts", "20"]).spawn();
    let count = || fs::read_dir(format!("/proc/{}/fd", session.pid())).map_or(0, Iterator::count);
    session.wait_for("restart 1 of 20");
    let before = eventually("descriptors", || Some(count()).filter(|count| *count > 0));
    session.wait_for("restart 3 of 20");
    assert_eq!(count(), before);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}

#[test]
fn followers_take_no_descriptor_that_a_restart_needs() {
    let app = crate::control::app("web: echo ready; exec cat\n");
    let mut session = app.sh(&format!("ulimit -Sn 32; exec {PM} start web=8")).spawn();
    session.wait_for_times("| ready", 8);
    let followers: Vec<_> = (0..8).map(|_| app.pm(["logs", "-f"]).spawn()).collect();
    for follower in &followers {
        follower.wait_for_times("| ready", 8);
    }
    let one = session.running("cat").pop().expect("they run");
    kill(one, Signal::SIGKILL).expect("it runs");
    session.wait_for_times("| ready", 9);
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
}
