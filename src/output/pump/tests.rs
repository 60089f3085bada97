use super::*;
use crate::app::InstanceId;
use crate::app::readiness::Probe;
use crate::output::Look;
use crate::output::TerminalViewer;
use crate::output::batch::BATCH;
use crate::output::message::{About, Level, Notice};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) fn run_of(process_type: u16) -> RunId {
    RunId { instance: InstanceId { process_type, number: 1 }, seq: 1 }
}

fn sources(types: u16) -> Vec<OutputSource> {
    let source = |t| OutputSource { id: run_of(t).instance, name: t.to_string(), quiet: false };
    (0..types).map(source).collect()
}

/// Starts a pump for so many types of one instance each, named by their number.
pub(super) fn pump(types: u16) -> (PumpHandle, io::PipeReader, Receiver<PumpEvent>) {
    let (reader, writer) = io::pipe().unwrap();
    let (sender, news) = crossbeam_channel::unbounded();
    let form = LogFormat::Text(Look { color: false, timestamp: None, prefix: true, width: 1 });
    let (handle, _) =
        Pump::start(form, TimeZone::UTC, sources(types), writer, move |n| drop(sender.send(n)))
            .unwrap();
    (handle, reader, news)
}

#[test]
fn the_end_of_a_run_is_told_after_its_last_line_and_a_dropped_run_loses_nothing() {
    let (handle, mut reader, news) = pump(2);
    let (ended, mut writer) = io::pipe().unwrap();
    writer.write_all(b"one\nlast").unwrap();
    drop(writer);
    let (kept_open, mut grandchild) = io::pipe().unwrap();
    grandchild.write_all(b"before the drop").unwrap();
    handle.post(PumpCommand::Open(run_of(0), ended.into()));
    handle.wake();
    assert_eq!(news.recv().unwrap(), PumpEvent::Closed(run_of(0)));
    handle.post(PumpCommand::Open(run_of(1), kept_open.into()));
    handle.post(PumpCommand::CloseRun(run_of(1)));
    handle.wake();
    assert_eq!(news.recv().unwrap(), PumpEvent::Closed(run_of(1)));
    let expected = "0 | one\n0 | last\n1 | before the drop\n";
    let mut out = vec![0; expected.len()];
    reader.read_exact(&mut out).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), expected);
    assert!(grandchild.write_all(b"after").is_err(), "nobody reads a dropped run");
}

/// Waits until the pump has seen and written everything before this.
pub(super) fn flush(handle: &PumpHandle) {
    let (done, is_done) = crossbeam_channel::bounded(1);
    handle.post(PumpCommand::Flush(done));
    handle.wake();
    is_done.recv().unwrap();
}

/// Lets the pump end, so that its stdout does.
fn end(handle: PumpHandle) {
    let waker = handle.waker.clone();
    drop(handle);
    waker.wake();
}

#[test]
fn a_flush_is_answered_when_all_is_written_and_the_wake_up_is_taken() {
    let (handle, mut reader, _news) = pump(1);
    let text = "hello".to_owned();
    let about = About::Instance(run_of(0).instance);
    let (level, facts) = (Level::Info, Default::default());
    handle.post(PumpCommand::Show(Notice { about, level, event: "e", text, facts }));
    flush(&handle);
    assert_eq!(handle.progress(), "0 | -- hello\n".len() as u64);
    #[cfg(all(target_os = "linux", not(pm_portable)))]
    assert!(handle.waker.is_taken(), "else the pump would never sleep");
    end(handle);
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    assert_eq!(out, "0 | -- hello\n");
}

#[test]
fn pipes_that_are_open_at_a_time_are_told_apart() {
    let (handle, mut reader, news) = pump(2);
    let (first, mut to_first) = io::pipe().unwrap();
    let (second, mut to_second) = io::pipe().unwrap();
    handle.post(PumpCommand::Open(run_of(0), first.into()));
    handle.post(PumpCommand::Open(run_of(1), second.into()));
    flush(&handle);
    to_first.write_all(b"a\n").unwrap();
    drop(to_first);
    assert_eq!(news.recv().unwrap(), PumpEvent::Closed(run_of(0)));
    to_second.write_all(b"b\n").unwrap();
    drop(to_second);
    assert_eq!(news.recv().unwrap(), PumpEvent::Closed(run_of(1)));
    end(handle);
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    assert_eq!(out, "0 | a\n1 | b\n");
}

#[cfg(all(target_os = "linux", not(pm_portable)))]
#[test]
fn all_that_a_pipe_holds_is_shown_when_its_run_is_dropped_small_or_large() {
    // The kernel gives small ones to a user who has very many.
    for size in [4096, 256 << 10] {
        let (handle, mut reader, _news) = pump(1);
        let (pipe, mut writer) = io::pipe().unwrap();
        let size = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(size)).unwrap();
        let lines = b"line\n".repeat(usize::try_from(size).unwrap() / 5);
        writer.write_all(&lines).unwrap();
        handle.post(PumpCommand::Open(run_of(0), pipe.into()));
        handle.post(PumpCommand::CloseRun(run_of(0)));
        handle.wake();
        let out = std::thread::spawn(move || {
            let mut out = Vec::new();
            reader.read_to_end(&mut out).unwrap();
            out
        });
        flush(&handle);
        end(handle);
        let out = out.join().unwrap();
        assert_eq!(out.split(|byte| *byte == b'\n').count() - 1, lines.len() / 5, "{size}");
    }
}

#[test]
fn a_prompt_is_shown_after_silence_and_not_before() {
    let (handle, mut reader, _news) = pump(1);
    let (pipe, mut asking) = io::pipe().unwrap();
    handle.post(PumpCommand::Open(run_of(0), pipe.into()));
    handle.wake();
    let before = now();
    asking.write_all(b"your name: ").unwrap();
    let mut out = [0; 15];
    reader.read_exact(&mut out).unwrap();
    assert!(before.elapsed() >= SILENCE);
    assert_eq!(&out, b"0 | your name: ");
    asking.write_all(b"Ada\n").unwrap();
    let mut out = [0; 4];
    reader.read_exact(&mut out).unwrap();
    assert_eq!(&out, b"Ada\n");
}

#[test]
fn a_long_unfinished_line_shows_that_a_run_is_ready_after_silence() {
    let (handle, mut reader, news) = pump(1);
    let (pipe, mut writer) = io::pipe().unwrap();
    let Ok(Probe::Log(pattern)) = Probe::parse("log:ready> $") else { panic!("no pattern") };
    handle.post(PumpCommand::Expect(run_of(0), vec![pattern]));
    handle.post(PumpCommand::Open(run_of(0), pipe.into()));
    handle.wake();
    writer.write_all(&[b'.'; 600]).unwrap();
    // It was looked at so far, and is not to be looked at for each byte more.
    reader.read_exact(&mut [0; 604]).unwrap();
    writer.write_all(b"ready> ").unwrap();
    assert_eq!(news.recv().unwrap(), PumpEvent::Matched(run_of(0)));
}

type IdlePump = Pump<fn(PumpEvent), std::fs::File>;

/// Makes a pump that no thread runs, whose output goes nowhere.
fn idle_pump(types: u16) -> (IdlePump, WriteProgress) {
    let nowhere = std::fs::File::options().write(true).open("/dev/null").unwrap();
    let (poller, _waker) = Poller::new(TOLD_AT_ONCE).unwrap();
    let progress = WriteProgress::default();
    let form = LogFormat::Text(Look { color: false, timestamp: None, prefix: true, width: 1 });
    let pump = Pump {
        poller,
        inbox: crossbeam_channel::unbounded().1,
        report: (|_| {}) as fn(PumpEvent),
        pipes: HashMap::new(),
        keys: HashMap::new(),
        counts: HashMap::new(),
        expected: HashMap::new(),
        next_key: 0,
        renderer: Renderer::new(form, TimeZone::UTC, sources(types), false),
        type_logs: None,
        subscriptions: Subscriptions::default(),
        kept: OutputCopy::default(),
        status: StatusView::default(),
        attached: None,
        reports_prompts: false,
        batch: Batch::new(Writer::new(nowhere, progress.clone())),
        next_look: None,
        buffer: vec![0; READ].into_boxed_slice(),
        folded: Vec::new(),
    };
    (pump, progress)
}

#[test]
fn the_memory_of_a_long_line_is_given_back_when_none_has_come_for_a_while() {
    let (mut pump, _) = idle_pump(1);
    let (pipe, mut writer) = io::pipe().unwrap();
    pump.open(run_of(0), pipe.into());
    for bytes in [[b'x'; 4096]; 32].iter().chain([&[b'\n'; 4096]]) {
        writer.write_all(bytes).unwrap();
        pump.read(0);
    }
    let memory = |pump: &IdlePump| pump.pipes[&0].lines.memory();
    assert!(memory(&pump) >= 32 * 4096);
    pump.look_for_silence();
    assert!(memory(&pump) >= 32 * 4096, "the next may come soon");
    assert!(pump.next_look.is_some());
    pump.pipes.get_mut(&0).unwrap().long_since = now().checked_sub(2 * SILENCE);
    pump.look_for_silence();
    assert!(memory(&pump) <= 64 << 10);
    assert!(pump.next_look.is_none(), "nothing more is due");
}

#[test]
fn pipes_that_filled_while_stdout_was_slow_are_not_all_taken_before_something_is_written() {
    let (mut pump, progress) = idle_pump(32);
    let mut writers = Vec::new();
    let mut held = 0;
    for t in 0..32 {
        let (pipe, mut writer) = io::pipe().unwrap();
        // Full.
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        while let Ok(count) = writer.write(&[b"x".repeat(4095), b"\n".to_vec()].concat()) {
            held += count;
        }
        pump.open(run_of(t), pipe.into());
        writers.push(writer);
    }
    let long_ago = now().checked_sub(2 * SILENCE);
    pump.pipes.values_mut().for_each(|source| source.waiting_since = long_ago);
    pump.show_prompts();
    let held = u64::try_from(held).unwrap();
    assert!(held > BATCH as u64);
    assert!(progress.bytes() >= held - BATCH as u64, "no more than a batch waits");
}

#[test]
fn a_watcher_sees_a_terminal_as_it_is_until_it_is_let_go() {
    let (handle, mut reader, _news) = pump(1);
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut slave = std::fs::File::from(terminal.slave);
    let (sent, seen) = crossbeam_channel::unbounded();
    let viewer = |id| {
        let sent = sent.clone();
        let send = move |parts: &[Chunk<'_>]| {
            for part in parts {
                let text = String::from_utf8_lossy(part.bytes).into_owned();
                sent.send((id, part.name.to_owned(), text)).unwrap();
            }
        };
        PumpCommand::View(run_of(0), TerminalViewer { id, send: Box::new(send) })
    };
    handle.post(PumpCommand::Open(run_of(0), terminal.master));
    handle.post(viewer(1));
    handle.post(viewer(2));
    flush(&handle);
    assert_eq!(seen.try_iter().count(), 2, "each sees first what is kept: nothing");
    // A flush lets viewers go: these come after it.
    handle.post(viewer(3));
    handle.post(viewer(4));
    handle.post(PumpCommand::Unsubscribe(4));
    handle.wake();
    slave.write_all(b"hello\n").unwrap();
    let mut out = [0; 10];
    reader.read_exact(&mut out).unwrap();
    assert_eq!(&out, b"0 | hello\n");
    let name = || "0".to_owned();
    let expected = [(3, name(), String::new()), (4, name(), String::new())];
    let (first, rest): (Vec<_>, Vec<_>) = seen.try_iter().partition(|it| it.2.is_empty());
    assert_eq!(first, expected);
    assert!(rest.iter().all(|it| it.0 == 3), "{rest:?}");
    // A terminal gives what it holds in pieces of its own.
    let pieces: Vec<&str> = rest.iter().map(|it| it.2.as_str()).collect();
    assert_eq!(pieces.concat(), "hello\r\n");
}

#[test]
fn a_pump_that_fails_says_so() {
    let (_, writer) = io::pipe().unwrap();
    let (sender, news) = crossbeam_channel::unbounded();
    let tell = move |news| match news {
        PumpEvent::Closed(_) => std::panic::resume_unwind(Box::new("a bug")),
        other => drop(sender.send(other)),
    };
    let form = LogFormat::Text(Look { color: false, timestamp: None, prefix: true, width: 1 });
    let (handle, _) = Pump::start(form, TimeZone::UTC, Vec::new(), writer, tell).unwrap();
    let (pipe, _) = io::pipe().unwrap();
    handle.post(PumpCommand::Open(run_of(0), pipe.into()));
    handle.wake();
    let lost = PumpEvent::OutputLost(io::ErrorKind::Other, "the output thread failed".into());
    assert_eq!(news.iter().last(), Some(lost));
}

#[test]
fn a_prompt_is_shown_although_more_pipes_are_loud_than_one_wait_reports() {
    let loud = u16::try_from(TOLD_AT_ONCE).unwrap() + 16;
    let (handle, mut reader, _news) = pump(loud + 1);
    let mut writers = Vec::new();
    for t in 0..loud {
        let (pipe, writer) = io::pipe().unwrap();
        handle.post(PumpCommand::Open(run_of(t), pipe.into()));
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        writers.push(writer);
    }
    let (pipe, mut asking) = io::pipe().unwrap();
    handle.post(PumpCommand::Open(run_of(loud), pipe.into()));
    handle.wake();
    asking.write_all(b"your name: ").unwrap();
    let shown = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let shown = &shown;
        scope.spawn(move || {
            let lines = b"loud\n".repeat(2000);
            while !shown.load(Ordering::Relaxed) {
                for writer in &mut writers {
                    // A full pipe is as loud as can be.
                    let _ = writer.write(&lines);
                }
            }
        });
        let mut kept = Vec::new();
        let mut buffer = vec![0; READ];
        while memchr::memmem::find(&kept, b"your name: ").is_none() {
            kept.drain(..kept.len().saturating_sub(20));
            let count = reader.read(&mut buffer).unwrap();
            kept.extend_from_slice(&buffer[..count]);
        }
        shown.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_socket_whose_reader_goes_away_is_told_and_then_left_alone() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let (sender, news) = crossbeam_channel::unbounded();
    let form = LogFormat::Text(Look { color: false, timestamp: None, prefix: true, width: 1 });
    let tell = move |n| drop(sender.send(n));
    let (_handle, _) = Pump::start(form, TimeZone::UTC, Vec::new(), ours, tell).unwrap();
    drop(theirs);
    let told = news.recv_timeout(Duration::from_secs(10));
    assert!(matches!(told, Ok(PumpEvent::OutputLost(io::ErrorKind::BrokenPipe, _))), "{told:?}");
}

/// Returns what a run has kept, a line for each entry.
fn kept_lines(root: &std::path::Path) -> Vec<String> {
    use crate::state::runs::{What, list};

    let run = list(root).unwrap().pop().unwrap();
    let mut reader = run.read(|_| true, i64::MAX).unwrap();
    let mut lines = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        let text = match &entry.what {
            What::Line(line) => format!("{} {:?}", line.bytes.escape_ascii(), line.end),
            What::Notice(notice) => notice.text.clone(),
            What::Started(run) => format!("started {run}"),
            What::Ended(run) => format!("ended {run}"),
            What::Gap(_) => "gap".to_owned(),
        };
        lines.push(format!("{}: {text}", entry.name));
    }
    lines
}

#[test]
fn what_is_read_is_kept_as_it_was_written_before_it_is_shown() {
    use crate::state::runs::{RunStart, begin};

    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("app");
    let start = RunStart { at: 1, pid: 1, command: Vec::new(), ..Default::default() };
    let (_record, keeper) = begin(&root, &start, 64 << 20).unwrap();
    let (handle, mut reader, news) = pump(2);
    handle.post(PumpCommand::Keep(Box::new(keeper)));
    let (pipe, mut writer) = io::pipe().unwrap();
    handle.post(PumpCommand::Open(run_of(0), pipe.into()));
    handle.wake();
    writer.write_all(b"\x1b[31mred\x1b[0m\r\n\xff\x00").unwrap();
    let mut out = [0; 19];
    reader.read_exact(&mut out).unwrap();
    assert_eq!(kept_lines(&root), [r"0: \x1b[31mred\x1b[0m\r Newline"]);
    let (level, facts) = (Level::Info, Default::default());
    let text = "exited".to_owned();
    let about = About::Instance(run_of(0).instance);
    let notice = Notice { about, level, event: "e", text, facts };
    handle.post(PumpCommand::Show(notice.clone().event()));
    handle.post(PumpCommand::Show(notice));
    writer.write_all(b"last").unwrap();
    drop(writer);
    handle.wake();
    assert_eq!(news.recv().unwrap(), PumpEvent::Closed(run_of(0)));
    let kept = kept_lines(&root);
    assert!(kept.contains(&r"0: \xff\x00last End".to_owned()), "{kept:?}");
    assert_eq!(kept.iter().filter(|line| *line == "0: exited").count(), 1, "{kept:?}");
    assert_eq!(kept.last().unwrap(), "0: ended 1");
}
