//! Every byte of every line: nothing lost, cut, split or mixed, whatever the reader does.

use std::fs::{self, File};
use std::io::{self, Read};
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::Signal;

use crate::log::{objects, printed_by, said_by};
use crate::sandbox::{End, PM, Sandbox, Session, eventually, has};

/// The most memory that pm has used so far, in KiB (`VmHWM` of /proc/PID/status).
fn peak_memory(session: &Session) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", session.pid())).expect("pm runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    number.expect("Linux tells the peak of memory")
}

/// Reads what the other end of the pipe still writes, to its end.
fn rest(mut reader: impl Read) -> String {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("a pipe can be read");
    String::from_utf8(bytes).expect("the test writes text")
}

#[test]
fn nothing_is_lost_by_a_process_that_writes_and_exits_at_once() {
    let app = Sandbox::with_procfile("web: seq 20000; printf end\n");
    let output = app.pm(["start"]).run();
    let said = said_by(&output.stdout, "web.1");
    assert_eq!(said.len(), 20_003);
    assert!((1..=20_000).all(|number| said[number] == number.to_string()));
    assert_eq!(
        said[20_001..],
        ["end", "exited with code 0"],
        "its end is told after its last line"
    );
}

#[test]
fn a_prompt_is_shown_and_goes_on_behind_itself() {
    let app = Sandbox::with_procfile(
        "web: printf 'name: '; until test -e go; do sleep 0.02; done; echo Ada\n",
    );
    let mut session = app.pm(["start", "--no-timestamp"]).spawn();
    session.wait_for("web.1  | name: ");
    assert!(!session.stdout_so_far().contains("Ada"));
    fs::write(app.path("go"), "").expect("the sandbox can be written");
    session.wait();
    let stdout = session.stdout_so_far();
    assert!(stdout.contains("\nweb.1  | name: Ada\n"), "{stdout}");
}

#[test]
fn a_prompt_is_never_mixed_with_anothers_line() {
    let app = Sandbox::with_procfile(
        "web: printf 'name: '; until test -e said; do sleep 0.02; done; sleep 0.2; echo Ada\n\
         worker: until test -e go; do sleep 0.02; done; echo tick; touch said; sleep 0.3\n",
    );
    let mut session = app.pm(["start", "--no-timestamp"]).spawn();
    session.wait_for("web.1    | name: ");
    fs::write(app.path("go"), "").expect("the sandbox can be written");
    session.wait();
    let stdout = session.stdout_so_far();
    let expected = "\nweb.1    | name: \nworker.1 | tick\nweb.1    | Ada\n";
    assert!(stdout.contains(expected), "{stdout}");
}

#[test]
fn a_line_without_newline_freezes_nobody() {
    let app = Sandbox::with_procfile("web: printf forever; exec sleep 1000\nworker: echo tick\n");
    let mut session = app.pm(["start", "--no-timestamp"]).spawn();
    session.wait_for("worker.1 | tick\n");
    session.wait_for("worker.1 | -- exited with code 0\n");
    session.wait_for("web.1    | forever");
    session.signal(Signal::SIGTERM);
    assert_eq!(session.wait(), End::Code(0));
    let stdout = session.stdout_so_far();
    assert!(stdout.ends_with("web.1    | -- terminated by SIGTERM\n"), "{stdout}");
}

#[test]
fn a_line_of_a_mebibyte_stays_whole() {
    let app = Sandbox::with_procfile(
        "web: head -c 1048576 /dev/zero | tr '\\0' x; echo\nworker: seq 5000\n",
    );
    let output = app.pm(["start"]).run();
    let printed = printed_by(&output.stdout, "web.1");
    assert_eq!(printed.iter().map(|line| line.len()).collect::<Vec<_>>(), [1 << 20]);
    assert_eq!(printed_by(&output.stdout, "worker.1").len(), 5000);
}

#[test]
fn a_line_over_16_mebibytes_is_broken_and_loses_nothing() {
    let app =
        Sandbox::with_procfile("web: head -c 17000000 /dev/zero | tr '\\0' x; echo; echo next\n");
    let output = app.pm(["start"]).run();
    let printed = printed_by(&output.stdout, "web.1");
    let lengths: Vec<_> = printed.iter().map(|line| line.len()).collect();
    assert_eq!(lengths, [16 << 20, 17_000_000 - (16 << 20), 4]);
}

#[test]
fn bytes_pass_unchanged() {
    let app =
        Sandbox::with_procfile("web: printf 'a\\000b\\377\\376\\033[1m\\r50%%\\rend\\n\\n'\n");
    let mut session = app.pm(["start", "--no-prefix"]).spawn();
    session.wait();
    let bytes = session.stdout_bytes();
    let expected = b"\na\0b\xff\xfe\x1b[1m\r50%\rend\n\n-- exited with code 0\n";
    assert!(bytes.ends_with(expected), "{:?}", String::from_utf8_lossy(&bytes));
}

#[test]
fn stdout_and_stderr_keep_their_order() {
    let app = Sandbox::with_procfile(
        "web: i=0; while [ $i -lt 300 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done\n",
    );
    let output = app.pm(["start"]).run();
    let expected: Vec<_> =
        (0..300).flat_map(|i| [format!("out {i}"), format!("err {i}")]).collect();
    assert_eq!(printed_by(&output.stdout, "web.1"), expected);
    assert_eq!(output.stderr, "");
}

#[test]
fn four_processes_at_full_speed_keep_every_line_whole() {
    let app =
        Sandbox::with_procfile("web: seq -f \"$PS says %.0f and goes on for a while\" 30000\n");
    let output = app.pm(["start", "web=4"]).run();
    for name in ["web.1", "web.2", "web.3", "web.4"] {
        let printed = printed_by(&output.stdout, name);
        assert_eq!(printed.len(), 30_000);
        for (number, line) in (1..).zip(printed) {
            assert_eq!(line, format!("{name} says {number} and goes on for a while"));
        }
    }
}

#[test]
fn a_slow_reader_gets_everything_and_costs_bounded_memory() {
    const LINES: usize = 25_000;
    let padding = "x".repeat(200);
    let app = Sandbox::with_procfile(&format!(
        "web: touch flows; seq -f \"$PS %.0f {padding}\" {LINES}; touch done.$PS; exec sleep 1000\n"
    ));
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    let session = app.pm(["start", "--no-timestamp", "web=4"]).stdout_to(writer).spawn();
    // Time for 20 MB to pile up somewhere, if they can.
    app.sh("until test -e flows; do sleep 0.01; done; sleep 0.5").run();
    assert_eq!(app.read("done.web.1"), None, "the writers wait for the reader");
    let blocked = peak_memory(&session);
    let text = std::thread::spawn(move || rest(reader));
    let finished = "until test -e done.web.1 -a -e done.web.2 -a -e done.web.3 -a -e done.web.4; do sleep 0.02; done";
    assert_eq!(app.sh(finished).run().code(), 0);
    let peak = peak_memory(&session);
    session.signal(Signal::SIGTERM);
    let text = text.join().expect("the pipe is read to its end");
    for name in ["web.1", "web.2", "web.3", "web.4"] {
        let printed = printed_by(&text, name);
        assert_eq!(printed.len(), LINES);
        assert!((1..).zip(printed).all(|(n, line)| line == format!("{name} {n} {padding}")));
    }
    // Nearly all of it is pm's own text in an unoptimised build; what could pile up is 20 MB more.
    assert!(blocked < 30 << 10 && peak < 30 << 10, "{blocked} and {peak} KiB");
}

#[test]
fn a_stuck_reader_does_not_keep_the_processes_from_being_stopped() {
    let app = Sandbox::with_procfile("web: touch flows; exec yes\n");
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    let mut session = app.pm(["start"]).stdout_to(writer).spawn();
    app.sh("until test -e flows; do sleep 0.01; done; sleep 0.2").run();
    let children = session.descendants();
    let yes = children.iter().find(|process| process.command == "yes").expect("it runs");
    session.signal(Signal::SIGTERM);
    yes.wait_for_end(Duration::from_secs(4));
    assert!(!session.descendants().iter().any(|p| p.pid == yes.pid && p.state != 'Z'));
    assert_eq!(session.wait(), End::Code(0));
    let stderr = session.stderr_so_far();
    assert!(
        stderr.contains("cannot write to standard output: its reader does not read"),
        "{stderr}"
    );
    drop(reader);
}

#[test]
fn a_closed_reader_stops_the_session_in_order() {
    for procfile in ["web: exec yes\nworker: exec sleep 1000\n", "web: exec sleep 1000\n"] {
        let app = Sandbox::with_procfile(procfile);
        let (mut reader, writer) = io::pipe().expect("a pipe can be made");
        let mut session = app.pm(["start"]).stdout_to(writer).spawn();
        let mut first = [0; 20];
        reader.read_exact(&mut first).expect("pm says something");
        drop(reader);
        // As a filter that SIGPIPE has ended.
        assert_eq!(session.wait(), End::Code(141), "{procfile}");
        assert_eq!(session.stderr_so_far(), "", "{procfile}");
        app.assert_nothing_left();
    }
}

#[test]
fn a_full_disk_is_an_error_and_stops_the_session() {
    let app = Sandbox::with_procfile("web: exec sleep 1000\n");
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    let output = app.pm(["start"]).stdout_to(full).run();
    assert_eq!(output.code(), 1);
    let error = "error: cannot write to standard output: No space left on device";
    assert!(output.stderr.starts_with(error), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "it is said once");
    app.assert_nothing_left();
}

#[test]
fn a_grandchild_that_holds_the_pipe_delays_the_end_by_the_drain_only() {
    if !has("subreaper", !cfg!(pm_portable)) {
        return;
    }
    let app = Sandbox::with_procfile(
        "web: setsid sh -c 'touch left; exec sleep 1000' & until test -e left; do sleep 0.01; done; echo out\n",
    );
    let output = app.pm(["start", "--json"]).run();
    let objects = objects(&output.stdout);
    let at = |key: &str, value: &str| -> Timestamp {
        let object = objects.iter().find(|object| object[key] == value);
        let time = object.and_then(|object| object["time"].as_str());
        time.and_then(|time| time.parse().ok()).unwrap_or_else(|| panic!("{key}: {output:?}"))
    };
    let delay = at("event", "ended").duration_since(at("line", "out"));
    // The drain is 0.2 s; the rest is for a loaded machine.
    assert!((150..3000).contains(&delay.as_millis()), "{delay:?}");
    app.assert_nothing_left();
}

#[test]
fn a_grandchild_in_the_group_ends_with_its_parent() {
    let app = Sandbox::with_procfile(
        "web: sleep 1000 & (trap '' TERM; exec sleep 1000) & echo out; exit 3\n",
    );
    let output = app.pm(["start", "--restart=never"]).run();
    assert_eq!(said_by(&output.stdout, "web.1")[1..], ["out", "exited with code 3"]);
    assert_eq!(output.code(), 3);
    app.assert_nothing_left();
}

#[test]
fn a_quiet_type_is_read_so_that_it_never_blocks() {
    let app = Sandbox::with_procfile("web: seq 300000; touch done\nworker: echo seen\n");
    let output = app.pm(["start", "-q", "web"]).run();
    assert_eq!(app.read("done").as_deref(), Some(""));
    assert_eq!(output.stdout.lines().count(), 5, "{output:?}");
}

#[test]
fn output_that_is_lost_after_the_last_process_has_ended_is_no_success() {
    let app = Sandbox::with_procfile("web: yes | head -c 60000; touch ended; exit 0\n");
    let (reader, writer) = io::pipe().expect("a pipe can be made");
    let mut session = app.pm(["start"]).stdout_to(writer).spawn();
    app.sh("until test -e ended; do sleep 0.01; done").run();
    eventually("nothing but the guard", || (session.descendants().len() == 1).then_some(()));
    drop(reader);
    assert_eq!(session.wait(), End::Code(141));
}

#[test]
fn a_limit_of_the_size_of_files_is_an_error_of_the_output_and_no_death() {
    let app = Sandbox::with_procfile("web: head -c 4000 /dev/zero; exec sleep 1000\n");
    let output = app.command("bash", ["-c", &format!("ulimit -f 1; exec {PM} start >log")]).run();
    let error = "error: cannot write to standard output: File too large";
    assert!(output.stderr.starts_with(error), "{output:?}");
    assert_eq!(output.code(), 1);
    app.assert_nothing_left();
}
