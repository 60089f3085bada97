//! pm's own standard streams: closed, full, and read by nobody for a while.

use std::fs;
use std::io::{self, Read};

use nix::sys::signal::Signal;

use crate::control::{app, done, states};
use crate::log::printed_by;
use crate::sandbox::{End, PM, Process, eventually};

#[test]
fn streams_that_are_closed_at_the_start_are_no_pipe_of_anybody() {
    for closed in ["<&-", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"] {
        let app = app("web: ls -l /proc/self/fd > fds; echo ready > up; exec cat\n");
        let mut session = app.sh(&format!("exec {PM} start -t 60 {closed}")).spawn();
        eventually("the instance", || app.read("up"));
        assert_eq!(states(&app), "web.1 up");
        let fds = app.read("fds").unwrap_or_default();
        let pipes = fds.lines().filter(|line| line.contains("pipe:")).count();
        // Its standard error and input; its output goes to the file.
        assert_eq!(pipes, 2, "{closed}: {fds}");
        session.signal(Signal::SIGTERM);
        assert_eq!(session.wait_for_end(), End::Code(0), "{closed}");
        app.assert_nothing_left();
    }
}

#[test]
fn nobody_reads_for_a_while_and_not_one_line_is_lost() {
    const LINES: usize = 30_000;
    let app = app(&format!(
        "web: seq -f \"$PS %.0f\" {LINES}; echo done > done.$PS; exec cat\nquiet: exec cat\n"
    ));
    let (mut reader, writer) = io::pipe().expect("a pipe can be made");
    let mut session = app.pm(["start", "-t", "60", "web=2", "quiet"]).stdout_to(writer).spawn();
    // Both writers wait, which they do when pm's pipe is full and then their own.
    let writers = || -> Vec<Process> {
        let all = session.descendants().into_iter();
        all.filter(|process| process.command.starts_with("seq -f")).collect()
    };
    eventually("two writers that wait", || {
        let waiting = writers().iter().filter(|writer| writer.state == 'S').count();
        (waiting == 2).then_some(())
    });
    assert_eq!((app.read("done.web.1"), app.read("done.web.2")), (None, None));
    // Everything else goes on: requests, signals, the end of another.
    assert_eq!(states(&app), "web.1 up, web.2 up, quiet.1 up");
    done(&app, "stop quiet.1");
    assert_eq!(writers().len(), 2);
    let text = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
    });
    eventually("the last lines", || app.read("done.web.1").and(app.read("done.web.2")));
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait_for_end(), End::Code(0));
    let text = text.join().expect("it does not panic").expect("a pipe can be read");
    for name in ["web.1", "web.2"] {
        let printed = printed_by(&text, name);
        assert_eq!(printed.len(), LINES);
        assert!((1..).zip(printed).all(|(number, line)| line == format!("{name} {number}")));
    }
}

#[test]
fn while_nobody_reads_ended_lives_do_not_pile_up() {
    let app = app("web: echo x >> lives; seq 30000 | head -c 60000; exit 0\n");
    let (mut reader, writer) = io::pipe().expect("a pipe can be made");
    let words = ["start", "web=2", "--restart", "always", "-t", "60"];
    let mut session = app.pm(words).stdout_to(writer).spawn();
    eventually("the first life", || app.read("lives"));
    eventually("two that wait for a reader", || {
        (states(&app) == "web.1 waiting, web.2 waiting").then_some(())
    });
    let pipes = || {
        let entries = fs::read_dir(format!("/proc/{}/fd", session.pid())).expect("pm runs");
        entries.count()
    };
    let (lives, before) = (app.read("lives"), pipes());
    // It stays so, whatever else happens.
    session.signal(Signal::SIGUSR1);
    done(&app, "status");
    assert_eq!((app.read("lives"), pipes()), (lives.clone(), before));
    let reading = std::thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
    eventually("more lives", || {
        (app.read("lives").map(|it| it.len()) > lives.as_ref().map(|it| it.len() + 2)).then_some(())
    });
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait_for_end(), End::Code(0));
    reading.join().expect("it does not panic").expect("a pipe can be read");
}

#[test]
fn no_descriptor_for_one_more_is_refused_and_the_session_goes_on() {
    let app = app("web: echo ready; exec cat\n");
    let invocation =
        app.pm(["start", "-t", "60"]).limit(nix::sys::resource::Resource::RLIMIT_NOFILE, 32);
    let mut session = invocation.spawn();
    session.wait_for("| ready");
    let output = app.pm(["scale", "web=60"]).run();
    assert_eq!(output.code(), 1, "{output:#?}");
    assert!(output.stderr.contains("Too many open files"), "{output:#?}");
    assert!(session.stdout_so_far().contains("cannot start: Too many open files"));
    assert!(session.is_running());
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    app.assert_nothing_left();
}
