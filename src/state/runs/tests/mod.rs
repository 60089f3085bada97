mod full_disk;
mod list_of_runs;
mod properties;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;

use super::format::SEGMENTS;
use super::*;

/// The smallest ring, and what it keeps at least.
const RING: usize = 64 << 10;
const HALF: usize = RING / 2;

fn start() -> RunStart {
    RunStart {
        at: 1000,
        pid: 7,
        command: vec!["pm".to_owned(), "start".to_owned()],
        ..RunStart::default()
    }
}

/// The folder of an application, with one run, which keeps the least.
struct KeptApp {
    scratch: tempfile::TempDir,
    record: Option<RunRecord>,
    keeper: Keeper,
}

impl KeptApp {
    fn new(total: u64) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let (record, keeper) = begin(&scratch.path().join("app"), &start(), total).unwrap();
        Self { scratch, record: Some(record), keeper }
    }

    fn root(&self) -> PathBuf {
        self.scratch.path().join("app")
    }

    fn output(&mut self, name: &str, at: i64, bytes: &[u8]) {
        let id = self.keeper.ring_of(name);
        self.keeper.output(id, at, [bytes, &[]]);
    }

    fn run(&self) -> Run {
        list(&self.root()).unwrap().pop().unwrap()
    }

    /// Returns everything as text, an entry a line.
    fn shown(&self) -> Vec<String> {
        let mut reader = self.run().read(|_| true, i64::MAX).unwrap();
        shown(&mut reader)
    }

    fn file(&self) -> File {
        File::options().read(true).write(true).open(self.root().join("1/output")).unwrap()
    }
}

fn shown(reader: &mut Reader) -> Vec<String> {
    let mut shown = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        shown.push(show(&entry));
    }
    while let Some(entry) = reader.unfinished() {
        shown.push(show(&entry));
    }
    shown
}

fn show(entry: &Entry<'_>) -> String {
    let Entry { at, name, what } = entry;
    match what {
        What::Line(Line { run, bytes, end, missing }) => {
            let text = String::from_utf8_lossy(bytes);
            format!("{at} {name} {run} {text:?} {end:?} {missing}")
        }
        What::Notice(notice) => format!("{at} {name} says {}", notice.text),
        What::Started(run) => format!("{at} {name} started {run}"),
        What::Ended(run) => format!("{at} {name} ended {run}"),
        What::Gap(lost) => format!("{at} {name} gap {lost:?}"),
    }
}

fn notice(about: Option<&str>, text: &str) -> KeptNotice {
    KeptNotice {
        about: about.map(str::to_owned),
        event: "exited".to_owned(),
        is_failure: false,
        text: text.to_owned(),
        facts: serde_json::Map::new(),
    }
}

#[test]
fn lines_of_all_instances_come_in_the_order_in_which_they_were_read() {
    let mut kept = KeptApp::new(0);
    kept.keeper.say(5, &notice(None, "starting"));
    for at in 0..100 {
        kept.output(
            if at % 2 == 0 { "web.1" } else { "job.1" },
            at / 10,
            format!("{at}\n").as_bytes(),
        );
    }
    kept.keeper.say(3, &notice(Some("web.1"), "exited with code 1"));
    let mut expected = vec!["5  says starting".to_owned()];
    expected.extend((0..100).map(|at| {
        let name = if at % 2 == 0 { "web.1" } else { "job.1" };
        format!("{} {name} 0 \"{at}\" Newline 0", at / 10)
    }));
    expected.push("3 web.1 says exited with code 1".to_owned());
    assert_eq!(kept.shown(), expected);
    assert_eq!(kept.run().names().unwrap(), ["web.1", "job.1"]);
    let mut web = kept.run().read(|name| name == "web.1", i64::MAX).unwrap();
    assert_eq!(shown(&mut web).len(), 50);
    let mut early = kept.run().read(|name| name == "web.1", 4).unwrap();
    assert_eq!(shown(&mut early).len(), 25, "what was read later is not given");
}

#[test]
fn a_line_that_came_in_pieces_is_one_entry_and_has_the_time_of_its_end() {
    let mut kept = KeptApp::new(0);
    let web = kept.keeper.ring_of("web.1");
    kept.keeper.started(web, 1, 1);
    kept.output("web.1", 2, b"na");
    kept.output("job.1", 3, b"other\n");
    kept.output("web.1", 4, b"me: \xff\r\nAda\nlast");
    kept.keeper.ended(web, 5);
    kept.keeper.started(web, 6, 2);
    kept.output("web.1", 7, b"> ");
    let mut expected = [
        r#"3 job.1 0 "other" Newline 0"#,
        "4 web.1 1 \"name: \u{fffd}\\r\" Newline 0",
        r#"4 web.1 1 "Ada" Newline 0"#,
        r#"5 web.1 1 "last" End 0"#,
        "5 web.1 ended 1",
        "6 web.1 started 2",
        r#"7 web.1 2 "> " Silence 0"#,
    ];
    assert_eq!(kept.shown(), expected);
    kept.record = None;
    expected[6] = r#"7 web.1 2 "> " End 0"#;
    assert_eq!(kept.shown(), expected, "nobody can end it any more");
}

#[test]
fn a_write_that_was_cut_by_a_kill_is_skipped_wherever_it_was_cut() {
    let mut kept = KeptApp::new(0);
    kept.output("web.1", 1, b"first\n");
    kept.output("web.1", 2, b"second\n");
    let path = kept.root().join("1/output");
    let (file, whole) = (kept.file(), fs::read(&path).unwrap());
    kept.output("web.1", 3, b"third\n");
    let after = fs::read(&path).unwrap();
    let differs = |at: &usize| whole[*at] != after[*at];
    let (from, to) =
        ((0..whole.len()).find(differs).unwrap(), (0..whole.len()).rfind(differs).unwrap());
    let two = [r#"1 web.1 0 "first" Newline 0"#, r#"2 web.1 0 "second" Newline 0"#];
    for cut in from..to {
        file.write_all_at(&whole[..], 0).unwrap();
        file.write_all_at(&after[from..cut], from as u64).unwrap();
        assert_eq!(kept.shown(), two, "cut after {} bytes", cut - from);
    }
    file.write_all_at(&after, 0).unwrap();
    assert_eq!(kept.shown().len(), 3);
}

#[test]
fn at_least_half_a_ring_of_each_instance_is_kept_byte_by_byte_also_of_a_quiet_one() {
    let mut kept = KeptApp::new(0);
    let line = |at: usize| format!("line {at} of many\n");
    kept.output("quiet.1", 1, b"one line\n");
    let mut all = String::new();
    for at in 0..20_000 {
        kept.output("web.1", 2, line(at).as_bytes());
        all.push_str(&line(at));
        if at % 997 != 0 {
            continue;
        }
        let mut reader = kept.run().read(|name| name == "web.1", i64::MAX).unwrap();
        let mut got = String::new();
        while let Some(entry) = reader.next().unwrap() {
            let What::Line(line) = entry.what else { panic!("{entry:?}") };
            got.push_str(std::str::from_utf8(line.bytes).unwrap());
            got.push('\n');
        }
        assert!(all.ends_with(&got));
        // A line needs 17 to 21 bytes, and 20 for itself.
        assert!(
            got.len() >= all.len().min(RING * 7 / 8 * 17 / 40),
            "{} of {}",
            got.len(),
            all.len()
        );
    }
    assert_eq!(kept.shown()[0], r#"1 quiet.1 0 "one line" Newline 0"#);
    assert!(kept.run().size <= 3 * RING as u64 + 8192);
}

#[test]
fn a_flood_in_large_reads_keeps_more_than_half_a_ring() {
    let mut kept = KeptApp::new(0);
    let bytes = |round: usize| {
        let line = |at| format!("{:06} {}\n", round * 655 + at, "x".repeat(92));
        (0..655).map(line).collect::<String>()
    };
    let mut all = String::new();
    for round in 0..20 {
        all.push_str(&bytes(round));
        kept.output("web.1", 1, bytes(round).as_bytes());
    }
    let lines: Vec<_> = kept.shown();
    let first = all.lines().count() - lines.len();
    for (shown, line) in lines.iter().zip(all.lines().skip(first)) {
        assert_eq!(*shown, format!("1 web.1 0 {line:?} Newline 0"));
    }
    assert!(lines.len() * 100 >= HALF + HALF / 2, "{}", lines.len());
}

#[test]
fn of_a_line_over_half_the_ring_the_last_part_is_kept_and_marked() {
    for length in [HALF - 1, HALF, HALF + 1, RING, 5 << 20] {
        let mut kept = KeptApp::new(0);
        kept.output("web.1", 1, b"before\n");
        let long: Vec<u8> = (0..length).map(|at| b'a' + (at % 23) as u8).collect();
        for piece in long.chunks(50_000) {
            kept.output("web.1", 2, piece);
        }
        kept.output("web.1", 3, b"\nafter\n");
        let mut reader = kept.run().read(|_| true, i64::MAX).unwrap();
        let mut lines = Vec::new();
        while let Some(entry) = reader.next().unwrap() {
            let What::Line(line) = entry.what else { panic!("{entry:?}") };
            lines.push((line.missing as usize, line.bytes.to_vec()));
        }
        assert_eq!(lines.pop().unwrap(), (0, b"after".to_vec()));
        let (missing, rest) = lines.pop().unwrap();
        assert_eq!(missing, length.saturating_sub(HALF));
        assert!(long[missing..] == rest, "{length}");
    }
}

#[test]
fn nothing_is_on_the_disk_before_the_first_byte_and_then_no_more_than_is_needed() {
    let mut kept = KeptApp::new(64 << 20);
    let before = kept.run().size;
    let web = kept.keeper.ring_of("web.1");
    kept.keeper.started(web, 1, 1);
    kept.keeper.ended(web, 1);
    assert_eq!(kept.run().size, before);
    kept.output("web.1", 2, b"a");
    assert_eq!(kept.run().size, before + (1 << 20) / SEGMENTS);
    assert_eq!(kept.shown(), [r#"2 web.1 1 "a" Silence 0"#]);
}

#[test]
fn instances_share_the_room_and_each_has_64_kib_at_least() {
    let size_of = |total: u64, instances: usize| {
        let mut kept = KeptApp::new(total);
        (0..instances).for_each(|_| kept.keeper.expect());
        kept.output("web.1", 1, &vec![b'x'; 3 << 20]);
        // Beside the record of the run, the file system may need a block to find the others.
        (kept.run().size - 8192) / 8192 * 8192
    };
    let mib = 1 << 20;
    assert_eq!(size_of(64 * mib, 3), mib);
    assert_eq!(size_of(64 * mib, 127), mib / 2);
    assert_eq!(size_of(64 * mib, 1000), mib / 16);
    assert_eq!(size_of(64 * mib, 9000), mib / 16);
    assert_eq!(size_of(mib, 3), mib / 4);
}

#[test]
fn a_reader_beside_the_writer_sees_whole_lines_in_order_and_all_of_them_where_it_keeps_up() {
    let mut kept = KeptApp::new(0);
    kept.output("web.1", 0, b"0 0\n");
    let run = kept.run();
    let KeptApp { keeper, scratch: _scratch, .. } = &mut kept;
    let web = keeper.ring_of("web.1");
    const LINES: u64 = 50_000;
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let done = &is_done;
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut reader = run.read(|_| true, i64::MAX).unwrap();
            let (mut last, mut gaps, mut seen) = (None, 0, 0);
            loop {
                let was_done = done.load(std::sync::atomic::Ordering::Acquire);
                reader.refresh(i64::MAX).unwrap();
                while let Some(entry) = reader.next().unwrap() {
                    let What::Line(line) = entry.what else {
                        gaps += 1;
                        last = None;
                        continue;
                    };
                    let text = std::str::from_utf8(line.bytes).unwrap();
                    let (number, square) = text.split_once(' ').unwrap();
                    let number: u64 = number.parse().unwrap();
                    assert_eq!(square, (number * number).to_string());
                    assert!(last.is_none_or(|last| last + 1 == number), "{last:?} {number} {gaps}");
                    last = Some(number);
                    seen += 1;
                }
                if was_done {
                    return (last, gaps, seen);
                }
            }
        });
        for at in 1..LINES {
            keeper.output(
                web,
                0,
                [format!("{at} ").as_bytes(), format!("{}\n", at * at).as_bytes()],
            );
        }
        is_done.store(true, std::sync::atomic::Ordering::Release);
        let (last, gaps, seen) = reader.join().unwrap();
        assert_eq!(last, Some(LINES - 1), "{gaps} gaps, {seen} seen");
    });
}

#[test]
fn nobody_else_can_read_what_is_kept() {
    let kept = KeptApp::new(0);
    let mode =
        |path: &str| fs::metadata(kept.root().join(path)).unwrap().permissions().mode() & 0o777;
    let modes = ["", "1", "1/run", "1/output"].map(mode);
    assert_eq!(modes, [0o700, 0o700, 0o600, 0o600]);
}

#[test]
fn what_is_no_run_is_passed_over() {
    let kept = KeptApp::new(0);
    for name in ["2", "01", "x"] {
        fs::create_dir(kept.root().join(name)).unwrap();
    }
    fs::write(kept.root().join("2/run"), "{").unwrap();
    fs::write(kept.root().join("ports.json"), "{}").unwrap();
    assert_eq!(list(&kept.root()).unwrap().len(), 1);
    let file = kept.file();
    file.write_all_at(&[0xff; 100_000], 0).unwrap();
    assert!(kept.shown().is_empty());
}

#[test]
fn a_long_word_of_pm_is_cut() {
    let mut kept = KeptApp::new(0);
    let mut long = notice(Some("web.1"), &"é\u{1}".repeat(40_000));
    long.facts.insert("x".to_owned(), "y".into());
    kept.keeper.say(1, &long);
    kept.keeper.say(2, &notice(None, "short"));
    let shown = kept.shown();
    assert!(shown[0].starts_with("1 web.1 says é"), "{}", &shown[0][..40]);
    assert_eq!(shown[1], "2  says short");
}
