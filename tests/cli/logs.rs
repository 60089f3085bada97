//! `pm logs`: what the session keeps of its output, and what comes.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;

use crate::control::{app, done, pm, refused, sockets, started};
use crate::sandbox::{End, PM, Session, eventually, status};

/// Writes a line at each SIGUSR1.
const COUNTER: &str = "n=0; trap 'n=$((n+1)); echo \"$PS line $n\"' USR1; echo ready; \
    while :; do read -r _; done";

#[test]
fn history_comes_in_the_form_of_start_and_is_what_was_asked_for() {
    let app = app("web: for n in 1 2 3; do echo line $n; done; echo ready; exec cat\n\
        worker: echo ready; exec cat\n");
    let _session = started(&app, &[], 2);
    let web = done(&app, "logs --no-timestamp web");
    let (first, lines) = web.split_once('\n').unwrap();
    assert!(first.starts_with("web.1    | -- started with pid "), "{first}");
    assert_eq!(
        lines,
        "web.1    | line 1\nweb.1    | line 2\nweb.1    | line 3\nweb.1    | ready\n"
    );
    assert_eq!(done(&app, "logs --no-prefix -n 2 web"), "line 3\nready\n");
    assert_eq!(done(&app, "logs --no-timestamp -n 1 worker.1"), "worker.1 | ready\n");
    let all = done(&app, "logs -n 1");
    assert_eq!(all.lines().count(), 2, "{all}");
    assert_eq!(all.find("| "), Some("12:00:00 worker.1 ".len()), "{all}");
    assert!(refused(&app, "logs wbe").contains("did you mean `web`?"));
}

#[test]
fn a_follower_gets_history_and_what_comes_without_a_gap_until_the_session_ends() {
    let app = app(&format!("web: {COUNTER}\nworker: {COUNTER}\n"));
    let session = started(&app, &[], 2);
    session.signal(Signal::SIGUSR1);
    session.wait_for("worker.1 line 1");
    session.wait_for("web.1 line 1");
    let mut log = app.pm(["logs", "-f", "--no-timestamp", "web"]).spawn();
    log.wait_for("web.1 line 1");
    for _ in 0..3 {
        done(&app, "signal USR1 *");
    }
    log.wait_for("web.1 line");
    done(&app, "scale web=2");
    log.wait_for("web.2    | ready");
    done(&app, "quit");
    assert_eq!(log.wait(), End::Code(0));
    let seen = log.stdout_so_far();
    assert!(!seen.contains("worker"), "{seen}");
    assert!(seen.contains("\nweb.1    | ready\nweb.1    | web.1 line 1\n"), "{seen}");
    let last: Vec<_> = seen.lines().rev().take(3).collect();
    assert!(last.contains(&"web.1    | -- terminated by SIGTERM"), "{seen}");
}

#[test]
fn every_line_is_there_once_when_following_a_loud_instance() {
    let app = app(
        "web: echo ready; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i; done; exec cat\n",
    );
    let session = started(&app, &[], 1);
    let log = app.pm(["logs", "-f", "--no-prefix"]).spawn();
    log.wait_for("\n20000\n");
    let seen = log.stdout_so_far();
    let numbers: Vec<u32> = seen.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "a gap or a repetition");
    drop(session);
}

#[test]
fn a_follower_that_does_not_read_slows_nothing_and_is_told_what_it_lost() {
    let app = app("web: trap 'yes 0123456789012345678901234567890123456789 | head -n 400000; \
        echo enough' USR2; trap 'echo more' USR1; echo ready; while :; do read -r _; done\n");
    let session = app.pm(["start", "-q", "web"]).spawn();
    session.wait_for("started");
    let read_late = "read -r line; echo \"$line\"; until [ -e go ]; do sleep 0.05; done; exec cat";
    let log = app.sh(&format!("{PM} logs -f | {{ {read_late}; }}")).spawn();
    log.wait_for("| -- started");
    done(&app, "signal USR2 web");
    eventually("the last line", || {
        done(&app, "logs -n 1 --no-prefix").contains("enough").then_some(())
    });
    let app = app.write("go", "");
    log.wait_for("lines lost: they came faster than they were read");
    done(&app, "signal USR1 web");
    log.wait_for("| more");
    assert!(session.is_running());
}

#[test]
fn quiet_instances_can_be_read_too() {
    let app = app("web: echo ready; exec cat\nworker: echo hidden; exec cat\n");
    let session = started(&app, &["-q", "worker"], 1);
    let log = app.pm(["logs", "-f", "worker"]).spawn();
    log.wait_for("worker.1 | hidden");
    assert!(!session.stdout_so_far().contains("hidden"));
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let app = app("web: seq 1 2000; echo ready; exec cat\n");
    let _session = started(&app, &[], 1);
    let output = app.sh(&format!("{PM} logs | head -n 1")).run();
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
}

/// The memory that pm shares with no other process, in KiB.
fn private_memory(session: &Session) -> u64 {
    let path = format!("/proc/{}/smaps_rollup", session.pid());
    let rollup = fs::read_to_string(path).expect("Linux tells the memory of a process");
    let numbers = rollup.lines().filter_map(|line| {
        line.strip_prefix("Private_")?.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    numbers.sum()
}

#[test]
fn what_waits_for_followers_that_hang_is_given_back_when_they_go() {
    let app = app("web: yes 0123456789012345678901234567890123456789 | head -n 6000; echo ready; \
        exec cat\n");
    let session = started(&app, &["web=32"], 32);
    let threads = || status(session.pid(), "Threads");
    let (at_first, memory) = (threads(), private_memory(&session));
    let socket = sockets(&app).pop().expect("a session has a socket");
    let follow = || {
        let mut stream = UnixStream::connect(&socket).expect("it listens");
        let order = b"{\"pm\":1,\"do\":\"logs\",\"names\":[],\"lines\":2000,\"follow\":true}\n";
        stream.write_all(order).expect("it reads");
        // With the first byte, all that is kept waits for this one.
        stream.read_exact(&mut [0]).expect("it answers");
        stream
    };
    let hanging: Vec<_> = (0..12).map(|_| follow()).collect();
    drop(hanging);
    // The pump lets them go after their threads have ended.
    eventually("the memory from before, but for 8 MiB", || {
        let are_gone = threads() <= at_first;
        (are_gone && private_memory(&session) < memory + (8 << 10)).then_some(())
    });
}

#[test]
fn what_a_program_draws_is_left_out_on_a_terminal_and_from_one_and_else_kept() {
    let app = app(
        "web: printf '10%%\\r20%%\\033[2J\\n\\033[31mred\\nred\\033[0m\\n'; echo ready; exec cat\n",
    );
    let kept = "10%\r20%\x1b[2J\n\x1b[31mred\nred\x1b[0m\nready\n";
    let shown = "20%\n\x1b[31mred\x1b[0m\n\x1b[31mred\x1b[0m\nready\n";
    for (pty, expected) in [("never", kept), ("always", shown)] {
        let mut session = started(&app, &["--pty", pty], 1);
        let log = done(&app, "logs --no-prefix -n 4");
        assert_eq!(log, expected, "{pty}");
        let mut on_terminal = app.pm(["logs", "--no-prefix", "-n", "4"]).spawn_pty();
        on_terminal.wait();
        assert_eq!(on_terminal.stdout_so_far(), shown.replace('\n', "\r\n"), "{pty}");
        done(&app, "quit");
        session.wait();
    }
}

#[test]
fn a_follower_too_many_is_told_so_and_gets_in_when_another_has_left() {
    let app = app("web: echo ready; exec cat\n");
    let _session = started(&app, &[], 1);
    let follow = || app.pm(["logs", "-f"]).spawn();
    let mut followers: Vec<Session> = (0..16).map(|_| follow()).collect();
    followers.iter().for_each(|follower| follower.wait_for("| ready"));
    let said = refused(&app, "logs -f");
    assert!(said.contains("error: 16 others follow the output already"), "{said}");
    assert!(done(&app, "logs -n 1").contains("| ready"), "what is kept is shown still");
    followers[3].signal(Signal::SIGTERM);
    followers[3].wait();
    eventually("a place", || {
        let follower = follow();
        follower.wait_until("an answer", |output| {
            output.contains("| ready") || output.contains("others follow")
        });
        follower.stderr_so_far().is_empty().then_some(())
    });
}

#[test]
fn followers_leave_the_descriptors_that_a_restart_needs() {
    let app = app("web: read line <go; exit 1\nother: echo ready; exec cat\n");
    nix::unistd::mkfifo(&app.path("go"), nix::sys::stat::Mode::S_IRWXU)
        .expect("a pipe can be made");
    let session = app
        .pm(["start", "--max-restarts", "9"])
        .limit(nix::sys::resource::Resource::RLIMIT_NOFILE, 36)
        .spawn();
    session.wait_for("| ready");
    let followers: Vec<Session> = (0..20).map(|_| app.pm(["logs", "-f"]).spawn()).collect();
    for follower in &followers {
        follower.wait_until("an answer", |output| {
            output.contains("| ready") || output.contains("error: ")
        });
    }
    assert!(followers.iter().any(|follower| follower.stderr_so_far().contains("hint: ")));
    for times in 2..4 {
        fs::write(app.path("go"), "go\n").expect("the instance reads");
        session.wait_for_times("web.1   | -- started with pid", times);
    }
    done(&app, "quit");
}

#[test]
fn a_colour_that_a_run_left_on_when_it_crashed_is_not_seen_on_lines_of_the_next() {
    let web = "if mkdir once; then printf '\\033[31mfatal\\n'; exit 1; fi; echo booting; exec cat";
    let app = app(&format!("web: {web}\n"));
    let mut start = app.pm(["start", "--daemon"]).spawn();
    assert_eq!(start.wait(), End::Code(0), "{}", start.stderr_so_far());
    eventually("the second run", || {
        pm(&app, "logs --no-prefix").stdout.contains("booting").then_some(())
    });
    let mut logs = app.pm(["logs", "--no-prefix"]).spawn_pty();
    assert_eq!(logs.wait(), End::Code(0));
    let shown = logs.stdout_so_far();
    assert!(shown.contains("\x1b[31mfatal\x1b[0m"), "{shown:?}");
    assert!(shown.contains("\nbooting\r\n"), "{shown:?}");
    done(&app, "quit");
}
