//! The pump itself, with pipes: what instances write is what stdout gets.

use std::io::{Read, Write, pipe};
use std::sync::mpsc::channel;
use std::thread;

use jiff::tz::TimeZone;
use pm::app::{InstanceId, RunId};
use pm::output::{
    About, Level, LogFormat, Look, Notice, OutputSource, Pump, PumpCommand, PumpEvent,
};
use proptest::prelude::*;

const NAMES: [&str; 2] = ["a", "b"];
/// What pm says behind everything else, without its prefix.
const THE_END: &[u8] = b"-- every instance has ended\n";

fn run(index: usize) -> RunId {
    let process_type = u16::try_from(index).expect("there are two");
    RunId { instance: InstanceId { process_type, number: 1 }, seq: 1 }
}

/// Returns what stdout gets when instances write these pieces in turn.
fn shown(look: Look, pieces: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let (mut screen, stdout) = pipe().expect("a pipe can be had");
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        while !all.ends_with(THE_END) {
            let count = screen.read(&mut buffer).expect("a pipe can be read");
            assert!(count > 0, "stdout ended without its last line");
            all.extend_from_slice(&buffer[..count]);
        }
        all.truncate(all.len() - THE_END.len());
        all
    });
    let source = |index: usize| OutputSource {
        id: run(index).instance,
        name: NAMES[index].into(),
        quiet: false,
    };
    let (tell, told) = channel();
    // After a failure nobody listens.
    let tell = move |message| drop(tell.send(message));
    let sources = (0..NAMES.len()).map(source).collect();
    let started = Pump::start(LogFormat::Text(look), TimeZone::UTC, sources, stdout, tell);
    // The thread ends by itself when its handle is gone.
    let (handle, _) = started.expect("a thread can be had");
    let mut writers: Vec<_> = (0..NAMES.len())
        .map(|index| {
            let (output, writer) = pipe().expect("a pipe can be had");
            handle.post(PumpCommand::Open(run(index), output.into()));
            writer
        })
        .collect();
    handle.wake();
    for (index, piece) in pieces {
        writers[*index].write_all(piece).expect("the pump reads");
    }
    drop(writers);
    for _ in NAMES {
        let closed = told.recv().expect("the pump tells of each end");
        assert!(matches!(closed, PumpEvent::Closed(_)), "{closed:?}");
    }
    let facts = serde_json::Map::new();
    let text = "every instance has ended".into();
    let level = Level::Info;
    handle.post(PumpCommand::Show(Notice {
        about: About::Session,
        level,
        event: "end",
        text,
        facts,
    }));
    handle.wake();
    reader.join().expect("the reader ends")
}

fn pieces(speakers: usize) -> impl Strategy<Value = Vec<(usize, Vec<u8>)>> {
    let byte = prop_oneof![3 => Just(b'\n'), 1 => Just(b'\r'), 8 => any::<u8>()];
    let piece = prop_oneof![
        9 => proptest::collection::vec(byte, 0..80),
        1 => (60_000..70_000_usize, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ];
    proptest::collection::vec((0..speakers, piece), 0..12)
}

fn of(about: usize, pieces: &[(usize, Vec<u8>)]) -> Vec<u8> {
    pieces.iter().filter(|(s, _)| *s == about).flat_map(|(_, piece)| piece.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn without_prefixes_stdout_is_what_was_written_and_a_last_newline(pieces in pieces(1)) {
        let mut expected = of(0, &pieces);
        if expected.last().is_some_and(|byte| *byte != b'\n') {
            expected.push(b'\n');
        }
        prop_assert_eq!(shown(Look::plain(), &pieces), expected);
    }

    #[test]
    fn with_prefixes_every_line_is_of_one_instance_and_complete(pieces in pieces(2)) {
        let look = Look { color: false, timestamp: None, prefix: true, width: 1 };
        let out = shown(look, &pieces);
        let out = out.strip_suffix(b"system | ").expect("pm speaks last");
        let mut heard = [Vec::new(), Vec::new()];
        for line in out.split_inclusive(|byte| *byte == b'\n') {
            let said = (0..2).find_map(|about| {
                Some((about, line.strip_prefix(format!("{} | ", NAMES[about]).as_bytes())?))
            });
            let Some((about, said)) = said else { panic!("a line of nobody: {line:?}") };
            heard[about].extend_from_slice(said);
        }
        // An unfinished line that was shown, and then another's, is over.
        for (about, mut heard) in heard.into_iter().enumerate() {
            let mut written = of(about, &pieces);
            written.retain(|byte| *byte != b'\n');
            heard.retain(|byte| *byte != b'\n');
            prop_assert_eq!(heard, written);
        }
    }
}
