//! What a person sees: the pump writes to a terminal, and a terminal emulator shows it.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex};

use nix::pty::{Winsize, openpty};

use super::*;
use crate::app::InstanceId;
use crate::output::LineFilter;
use crate::output::message::{About, Level, Notice, ScreenCommand};
use crate::output::render::Look;
use crate::output::status_line::{LineHint, StatusFacts, TypeState, TypeStatus};

const ROWS: u16 = 24;
const COLUMNS: u16 = 80;

/// What the terminal shows.
struct Shown {
    parser: Mutex<vt100::Parser>,
    changed: Condvar,
}

/// A pump that writes to a terminal, and the pipes of `web.1` and `job.1`.
struct TestScreen {
    pump: PumpHandle,
    threads: [JoinHandle<()>; 2],
    shown: Arc<Shown>,
    pipes: [std::io::PipeWriter; 2],
    news: Receiver<PumpEvent>,
}

impl TestScreen {
    fn new() -> Self {
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(Some(&size), None).unwrap();
        let ids = [0, 1].map(|process_type| InstanceId { process_type, number: 1 });
        let sources = ids.into_iter().zip(["web.1", "job.1"]);
        let sources =
            sources.map(|(id, name)| OutputSource { id, name: name.to_owned(), quiet: false });
        let look = Look { color: true, timestamp: None, prefix: true, width: 6 };
        let format = LogFormat::Text(look);
        let stdout = File::from(terminal.slave);
        let (sender, news) = crossbeam_channel::unbounded();
        let tell = move |event| drop(sender.send(event));
        let (pump, thread) =
            Pump::start(format, TimeZone::UTC, sources.collect(), stdout, tell).unwrap();
        let pipes = ids.map(|instance| {
            let (reader, writer) = std::io::pipe().unwrap();
            pump.post(PumpCommand::Open(RunId { instance, seq: 1 }, reader.into()));
            writer
        });
        let [rows, columns] = [ROWS, COLUMNS].map(|size| size.try_into().unwrap());
        let parser = Mutex::new(vt100::Parser::new(rows, columns, 500_000));
        let shown = Arc::new(Shown { parser, changed: Condvar::new() });
        let (seen, mut master) = (Arc::clone(&shown), File::from(terminal.master));
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = master.read(&mut buffer) {
                seen.parser.lock().unwrap().process(&buffer[..count]);
                seen.changed.notify_all();
            }
        });
        pump.wake();
        Self { pump, threads: [thread, reader], shown, pipes, news }
    }

    fn tell(&self, command: ScreenCommand) {
        self.pump.post(PumpCommand::AtTerminal(command));
        self.pump.wake();
    }

    /// Shows the line below the output.
    fn show_status(&self, columns: u16) {
        let one = |name: &str| TypeStatus {
            name: name.to_owned(),
            state: TypeState::Running { running: 1, wanted: 1, has_failed: false },
            is_hidden: false,
        };
        let (types, hint) = (vec![one("web"), one("job")], LineHint::Keys);
        self.tell(ScreenCommand::ShowStatus(Box::new(StatusFacts {
            types,
            hint,
            rows: ROWS,
            columns,
        })));
    }

    fn write(&mut self, source: usize, bytes: &[u8]) {
        self.pipes[source].write_all(bytes).unwrap();
    }

    /// Waits until the rows of the screen fit.
    #[track_caller]
    fn wait_until(&self, wanted: &str, claim: impl Fn(&[String]) -> bool) {
        let mut parser = self.shown.parser.lock().unwrap();
        loop {
            let rows = trimmed(parser.screen().rows(0, COLUMNS));
            if claim(&rows) {
                return;
            }
            let limit = Duration::from_secs(20);
            let (next, waited) = self.shown.changed.wait_timeout(parser, limit).unwrap();
            assert!(!waited.timed_out(), "no {wanted}: {rows:#?}");
            parser = next;
        }
    }

    #[track_caller]
    fn wait_for_row(&self, text: &str) {
        self.wait_until(text, |rows| rows.iter().any(|row| row.contains(text)));
    }

    /// Waits until the line is the last one that is not empty.
    #[track_caller]
    fn wait_for_line(&self) {
        let is_line = |row: &String| row.contains("web 1/1  job 1/1  | ");
        self.wait_until("line", |rows| rows.last().is_some_and(is_line));
    }

    /// Ends it, and returns all rows: first those of the scroll-back.
    fn end(self) -> Vec<String> {
        let Self { pump, threads, shown, pipes, .. } = self;
        drop(pipes);
        let (sender, done) = crossbeam_channel::bounded(1);
        pump.post(PumpCommand::Flush(sender));
        pump.wake();
        done.recv().unwrap();
        // It ends at a wake-up without a handle that could post.
        let PumpHandle { sender, waker, .. } = pump;
        drop(sender);
        waker.wake();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let mut parser = shown.parser.lock().unwrap();
        let screen = parser.screen_mut();
        let mut rows = Vec::new();
        let mut left = screen.scrollback_len();
        while left > 0 {
            screen.set_scrollback(left);
            let page = left.min(usize::from(ROWS));
            rows.extend(screen.rows(0, COLUMNS).take(page));
            left -= page;
        }
        screen.set_scrollback(0);
        rows.extend(screen.rows(0, COLUMNS));
        trimmed(rows.into_iter())
    }
}

/// Returns rows without the spaces at their ends, and without empty ones at the end.
fn trimmed(rows: impl Iterator<Item = String>) -> Vec<String> {
    let mut rows: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
    while rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    rows
}

/// Writes so many lines of all kinds, with pauses in which the line is drawn.
fn mixed_lines(count: usize, shows_line: bool) -> Vec<String> {
    let mut screen = TestScreen::new();
    if shows_line {
        screen.show_status(COLUMNS);
        screen.wait_for_line();
    }
    let kinds = [
        "plain",
        "\x1b[31mred\x1b[0m and",
        "tab\there",
        "\u{4e2d}\u{6587} wide",
        &"long ".repeat(23),
        "",
        &"x".repeat(71),
        "\x1b[1;32mopen",
    ];
    let rounds = 10;
    for round in 0..rounds {
        for source in [0, 1] {
            let mut text = String::new();
            for at in 0..count / rounds / 2 {
                text += &format!("{} {}\n", kinds[(at + round) % kinds.len()], at % 10);
            }
            text += &format!("end of {source}.{round}\n");
            screen.write(source, text.as_bytes());
            screen.wait_for_row(&format!("end of {source}.{round}"));
        }
        screen.write(0, format!("name {round}? ").as_bytes());
        screen.wait_for_row(&format!("name {round}?"));
        if shows_line {
            screen.wait_for_line();
        }
        screen.write(0, b"Bob\n");
        screen.wait_for_row(&format!("name {round}? Bob"));
    }
    screen.end()
}

#[test]
fn the_line_below_the_output_leaves_nothing_in_the_scroll_back() {
    let count = usize::try_from(crate::long::cases(10_000)).unwrap();
    let (with, without) = (mixed_lines(count, true), mixed_lines(count, false));
    assert!(without.len() > count);
    let differs = with.iter().zip(&without).position(|(one, other)| one != other);
    assert_eq!(differs.map(|at| (&with[at], &without[at])), None);
    assert_eq!(with.len(), without.len());
}

#[test]
fn a_line_below_a_prompt_is_erased_when_the_prompt_goes_on() {
    let mut screen = TestScreen::new();
    screen.show_status(COLUMNS);
    screen.write(0, b"name? ");
    screen.wait_for_line();
    screen.wait_for_row("web.1  | name?");
    screen.write(0, b"Bob\n");
    screen.wait_for_row("web.1  | name? Bob");
    screen.wait_for_line();
    screen.write(0, b"again? ");
    screen.wait_for_row("web.1  | again?");
    screen.write(1, b"meanwhile\n");
    screen.wait_for_row("job.1  | meanwhile");
    screen.wait_for_line();
    let rows = screen.end();
    assert_eq!(rows, ["web.1  | name? Bob", "web.1  | again?", "job.1  | meanwhile"]);
}

#[test]
fn what_a_filter_hides_is_counted_and_pms_own_lines_are_shown() {
    let mut screen = TestScreen::new();
    let mut filter = LineFilter::default();
    filter.only = Some(0);
    filter.search("ke+p");
    screen.tell(ScreenCommand::Filter(filter));
    screen.tell(ScreenCommand::Insert(vec!["begin".to_owned()]));
    screen.wait_for_row("begin");
    screen.write(1, b"keep of another\n");
    screen.write(0, b"drop\nkeep 1\nkee");
    screen.write(0, b"p 2\ndrop\n");
    screen.wait_for_row("keep 2");
    let notice = Notice {
        about: About::Instance(InstanceId { process_type: 1, number: 1 }),
        level: Level::Failure,
        event: "event",
        text: "exited with code 3".to_owned(),
        facts: serde_json::Map::new(),
    };
    screen.pump.post(PumpCommand::Show(notice));
    screen.tell(ScreenCommand::Filter(LineFilter::default()));
    screen.wait_for_row("exited with code 3");
    screen.write(0, b"drop no more\n");
    screen.wait_for_row("drop no more");
    let expected = [
        "begin",
        "web.1  | keep 1",
        "web.1  | keep 2",
        "job.1  | !! exited with code 3",
        "web.1  | drop no more",
    ];
    assert_eq!(screen.end(), expected);
}

#[test]
fn the_last_lines_of_a_type_are_shown_also_where_they_were_hidden() {
    let mut screen = TestScreen::new();
    let mut filter = LineFilter::default();
    filter.muted.insert(0);
    screen.tell(ScreenCommand::Filter(filter));
    screen.tell(ScreenCommand::Insert(vec!["begin".to_owned()]));
    screen.wait_for_row("begin");
    screen.write(0, b"one\ntwo\n\x1b[31mthree");
    screen.pipes[0] = std::io::pipe().unwrap().1;
    let instance = InstanceId { process_type: 0, number: 1 };
    let closed = PumpEvent::Closed(RunId { instance, seq: 1 });
    assert!(screen.news.iter().any(|news| news == closed));
    screen.tell(ScreenCommand::LastLines { process_type: 0, count: 2 });
    screen.wait_for_row("three");
    assert_eq!(screen.end(), ["begin", "web.1  | two", "web.1  | three"]);
}
