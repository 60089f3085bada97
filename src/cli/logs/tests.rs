//! `pm logs` of a run that is kept: words in, bytes out.

use std::ffi::OsString;
use std::path::Path;

use clap::FromArgMatches;

use super::*;
use crate::cli::args::{Cli, Command};
use crate::state::runs::{Keeper, KeptNotice, RunEnd, RunStart, begin};

/// 12:00 on a day in 2026, UTC.
const NOON: i64 = 1_795_867_200_000;

/// Keeps a run that has ended.
fn run(folder: &Path, write: impl FnOnce(&mut Keeper)) -> Run {
    let (types, terminals) = (vec!["worker".to_owned(), "web".to_owned()], vec!["tty".to_owned()]);
    let start = RunStart { at: NOON, pid: 1, command: vec!["pm".to_owned()], types, terminals };
    let (record, mut keeper) = begin(folder, &start, 64 << 20).unwrap();
    write(&mut keeper);
    record.end(&RunEnd { at: NOON + 60_000, code: 0, verdict: None }).unwrap();
    drop(record);
    list(folder).unwrap().pop().unwrap()
}

fn arguments(words: &str) -> LogsArgs {
    let words = ["pm", "logs"].into_iter().chain(words.split(' ').filter(|word| !word.is_empty()));
    let matches = crate::cli::command(&sources()).try_get_matches_from(words).unwrap();
    let Command::Logs(args) = Cli::from_arg_matches(&matches).unwrap().command else {
        panic!("`pm logs` is that command")
    };
    args
}

fn sources() -> Sources {
    let env: Vec<(OsString, OsString)> = Vec::new();
    Sources { env, cwd: "/".into(), stdout_is_terminal: false, stderr_is_terminal: false }
}

/// Returns what `pm logs` of these words shows of a run.
fn shown(run: &Run, words: &str) -> Result<Vec<u8>, Error> {
    let args = arguments(words);
    let seen: Rc<RefCell<Vec<u8>>> = Rc::default();
    let sink = Rc::clone(&seen);
    let out = Out::to(Box::new(move |bytes| {
        sink.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }));
    let choice = LogChoice { search: search(&args)?, args: &args, zone: TimeZone::UTC };
    kept(&choice, run, None, &sources(), out)?;
    Ok(seen.take())
}

fn text(run: &Run, words: &str) -> String {
    String::from_utf8(shown(run, words).unwrap()).unwrap()
}

fn say(keeper: &mut Keeper, at: i64, about: &str, event: &str, text: &str) {
    let about = Some(about.to_owned()).filter(|name| !name.is_empty());
    let (is_failure, facts) = (event == "ended", serde_json::Map::new());
    let (event, text) = (event.to_owned(), text.to_owned());
    keeper.say(NOON + at, &KeptNotice { about, event, is_failure, text, facts });
}

/// Two instances, one of which crashes and is started again.
fn crash(keeper: &mut Keeper) {
    let (web, worker) = (keeper.ring_of("web.1"), keeper.ring_of("worker.1"));
    say(keeper, 0, "web.1", "started", "started with pid 10");
    say(keeper, 0, "worker.1", "started", "started with pid 11");
    keeper.started(web, NOON, 1);
    keeper.started(worker, NOON, 1);
    keeper.output(web, NOON + 1000, [b"GET /a 200\nGET /b", b" 404\n"]);
    keeper.output(worker, NOON + 1500, [b"tick\n", b""]);
    keeper.output(web, NOON + 2000, [b"\x1b[31mboom\x1b[0m: \xff\nlast words", b""]);
    keeper.ended(web, NOON + 2500);
    say(keeper, 2500, "web.1", "ended", "exited with code 1; restart 1 of 5 in 0.5s");
    say(keeper, 3000, "web.1", "started", "started with pid 12");
    keeper.started(web, NOON + 3000, 2);
    keeper.output(web, NOON + 4000, [b"GET /c 200\r\nname: ", b""]);
    keeper.output(worker, NOON + 5000, [b"tock\n", b""]);
    keeper.output(web, NOON + 6000, [b"Ada\n", b""]);
    say(keeper, 7000, "", "stopping", "SIGTERM received, stopping all processes");
    keeper.ended(web, NOON + 7500);
}

#[test]
fn lines_stand_in_the_order_of_time_as_pm_start_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(&folder.path().join("r"), crash);
    let expected = "12:00:00 web.1    | -- started with pid 10\n\
        12:00:00 worker.1 | -- started with pid 11\n\
        12:00:01 web.1    | GET /a 200\n\
        12:00:01 web.1    | GET /b 404\n\
        12:00:01 worker.1 | tick\n\
        12:00:02 web.1    | \x1b[31mboom\x1b[0m: \u{fffd}\n\
        12:00:02 web.1    | last words\n\
        12:00:02 web.1    | !! exited with code 1; restart 1 of 5 in 0.5s\n\
        12:00:03 web.1    | -- started with pid 12\n\
        12:00:04 web.1    | GET /c 200\r\n\
        12:00:05 worker.1 | tock\n\
        12:00:06 web.1    | name: Ada\n\
        12:00:07 system   | -- SIGTERM received, stopping all processes\n";
    let bytes = shown(&run, "").unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
    // The time of the last words is that of the record that ends them.
    let all = String::from_utf8_lossy(&bytes).into_owned();
    let plain = String::from_utf8_lossy(&shown(&run, "--plain").unwrap()).into_owned();
    assert_eq!(plain, all.replace("\x1b[31m", "").replace("\x1b[0m", ""));
}

#[test]
fn a_run_remembers_colours_and_who_had_a_terminal_and_may_not_draw_over_others() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(&folder.path().join("r"), |keeper| {
        let drawn = b"10%\r20%\x1b[2J\n";
        for name in ["web.1", "tty.1"] {
            let ring = keeper.ring_of(name);
            keeper.output(ring, NOON, [drawn, b""]);
        }
    });
    assert_eq!(text(&run, "--no-prefix"), "10%\r20%\x1b[2J\n20%\n");
    assert_eq!(text(&run, "tty -o raw"), "10%\r20%\x1b[2J\n");
    let colored = text(&run, "web --no-timestamp -c always");
    assert!(colored.starts_with("\x1b[0m\x1b[33mweb.1  | "), "{colored:?}");
}

#[test]
fn what_is_selected_is_exact_in_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(&folder.path().join("r"), crash);
    let table: [(&str, &[u8]); 24] = [
        ("web", b"GET /a 200\nGET /b 404\n\x1b[31mboom\x1b[0m: \xff\nlast wordsGET /c 200\r\nname: Ada\n"),
        ("w*.1 -n 1", b"tock\nname: Ada\n"),
        ("web.1 -n 2", b"GET /c 200\r\nname: Ada\n"),
        ("web.1 -n 3", b"last wordsGET /c 200\r\nname: Ada\n"),
        ("web.1 -n 0", b""),
        ("web.1 -n 999", b"GET /a 200\nGET /b 404\n\x1b[31mboom\x1b[0m: \xff\nlast wordsGET /c 200\r\nname: Ada\n"),
        ("--since restart", b"tick\nGET /c 200\r\ntock\nname: Ada\n"),
        ("web --since restart", b"GET /c 200\r\nname: Ada\n"),
        ("web --until restart", b"GET /a 200\nGET /b 404\n\x1b[31mboom\x1b[0m: \xff\nlast words"),
        ("web --since restart -n 1", b"name: Ada\n"),
        ("worker --since start", b"tick\ntock\n"),
        ("worker --until start", b""),
        ("worker --since 2026-11-28T12:00:02Z", b"tock\n"),
        ("worker --until 2026-11-28T12:00:04Z", b"tick\n"),
        ("worker --since 2026-11-28T12:00:05Z --until 2026-11-28T12:00:05Z", b"tock\n"),
        ("--grep GET", b"GET /a 200\nGET /b 404\nGET /c 200\r\n"),
        ("--grep 200$", b"GET /a 200\nGET /c 200\r\n"),
        ("--grep 200$ -n 1", b"GET /c 200\r\n"),
        ("--grep get -i --since restart", b"GET /c 200\r\n"),
        ("web --grep GET -v", b"\x1b[31mboom\x1b[0m: \xff\nlast wordsname: Ada\n"),
        ("--grep ^boom:", b"\x1b[31mboom\x1b[0m: \xff\n"),
        ("--grep ^boom: --plain", b"boom: \xff\n"),
        ("--grep words$", b"last words"),
        ("--grep ^name:.Ada$", b"name: Ada\n"),
    ];
    for (words, expected) in table {
        let got = shown(&run, &format!("{words} -o raw")).unwrap();
        assert_eq!(got.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{words}");
    }
}

#[test]
fn what_pm_says_and_what_came_before_each_end_can_stand_alone() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(&folder.path().join("r"), crash);
    assert_eq!(
        text(&run, "--events --no-timestamp"),
        "web.1    | -- started with pid 10\nworker.1 | -- started with pid 11\n\
         web.1    | !! exited with code 1; restart 1 of 5 in 0.5s\nweb.1    | -- started with pid 12\n\
         system   | -- SIGTERM received, stopping all processes\n"
    );
    assert_eq!(
        text(&run, "web --events --grep pid --no-prefix"),
        "-- started with pid 10\n-- started with pid 12\n"
    );
    // Of the second end nothing was said: pm may have been killed.
    assert_eq!(
        text(&run, "web --exits -n 1 --no-timestamp"),
        "web.1    | last words\nweb.1    | !! exited with code 1; restart 1 of 5 in 0.5s\nweb.1    | name: Ada\n"
    );
    let raw = shown(&run, "web --exits -n 2 -o raw").unwrap();
    assert_eq!(raw, b"\x1b[31mboom\x1b[0m: \xff\nlast wordsGET /c 200\r\nname: Ada\n");
}

#[test]
fn a_name_of_nobody_is_refused_and_one_that_wrote_nothing_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(&folder.path().join("r"), |keeper| {
        crash(keeper);
        say(keeper, 8000, "mute.1", "started", "started with pid 13");
    });
    let refusal = shown(&run, "wbe").unwrap_err();
    assert_eq!(refusal.to_string(), "no instance `wbe` in run 1");
    assert_eq!(refusal.hint().as_deref(), Some("did you mean `web`?"));
    assert_eq!(text(&run, "mute --no-prefix"), "-- started with pid 13\n");
    let error = shown(&run, "--grep (").unwrap_err();
    assert_eq!(error.to_string(), "`(` is not a regular expression: unclosed group");
}

#[test]
fn a_line_of_many_mebibytes_is_found_and_shown_as_far_as_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let line = [&vec![b'x'; 5 << 20][..], b" the end\n"].concat();
    let run = run(&folder.path().join("r"), |keeper| {
        let web = keeper.ring_of("web.1");
        keeper.output(web, NOON, [b"before\n", b""]);
        line.chunks(64 << 10).for_each(|part| keeper.output(web, NOON, [part, b""]));
        keeper.output(web, NOON, [b"after\n", b""]);
    });
    let raw = shown(&run, "--grep end$ -o raw").unwrap();
    assert!(line.ends_with(&raw) && raw.len() >= 500 << 10, "{}", raw.len());
    let missing = line.len() - raw.len();
    let seen = text(&run, "--grep end$ --no-prefix");
    assert!(seen.starts_with(&format!("[{missing} bytes are missing] xxx")), "{}", &seen[..60]);
    assert_eq!(shown(&run, "-n 1 -o raw").unwrap(), b"after\n");
    let json: serde_json::Value =
        serde_json::from_slice(&shown(&run, "--grep end$ --json").unwrap()).unwrap();
    assert_eq!(json["missing"], missing);
}

#[test]
fn json_has_an_object_a_line_and_loses_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(&folder.path().join("r"), crash);
    let lines = |words: &str| text(&run, words).lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        lines("web --since restart --json"),
        [
            r#"{"v":1,"time":"2026-11-28T12:00:03.000+00:00","event":"started","process":"web.1","text":"started with pid 12"}"#,
            r#"{"v":1,"time":"2026-11-28T12:00:04.000+00:00","process":"web.1","run":2,"line":"GET /c 200\r","end":"newline"}"#,
            r#"{"v":1,"time":"2026-11-28T12:00:06.000+00:00","process":"web.1","run":2,"line":"name: Ada","end":"newline"}"#,
        ]
    );
    assert_eq!(
        lines("web --grep boom|last -o json --plain"),
        [
            "{\"v\":1,\"time\":\"2026-11-28T12:00:02.000+00:00\",\"process\":\"web.1\",\"run\":1,\"line\":\"boom: \u{fffd}\",\
             \"end\":\"newline\",\"bytes\":[98,111,111,109,58,32,255]}",
            r#"{"v":1,"time":"2026-11-28T12:00:02.500+00:00","process":"web.1","run":1,"line":"last words","end":"end"}"#,
        ]
    );
}

#[test]
fn a_reader_that_has_enough_ends_it_and_a_full_disk_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(&folder.path().join("r"), |keeper| {
        let web = keeper.ring_of("web.1");
        (0..20).for_each(|_| keeper.output(web, NOON, [&b"line\n".repeat(8000), b""]));
    });
    let write = |error: fn() -> io::Error| {
        let calls: Rc<RefCell<u32>> = Rc::default();
        let counted = Rc::clone(&calls);
        let out = Out::to(Box::new(move |_| {
            *counted.borrow_mut() += 1;
            Err(Error::Output { source: error() })
        }));
        let args = arguments("");
        let choice = LogChoice { search: None, args: &args, zone: TimeZone::UTC };
        (kept(&choice, &run, None, &sources(), out), calls.take())
    };
    let (done, calls) = write(|| io::ErrorKind::BrokenPipe.into());
    assert!(done.is_ok() && calls == 1, "{done:?} {calls}");
    let (done, calls) = write(|| io::ErrorKind::StorageFull.into());
    assert!(done.is_err() && calls == 1, "{done:?} {calls}");
}
