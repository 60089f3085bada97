//! A Procfile: every physical line is an entry, blank, a comment, or has a finding.

use pm::app::lint::{BaseOrigin, FolderState, LintInput, Lookup, PortState, System, check};
use pm::app::loaded::{LoadedEnvironment, LoadedProcfile};
use pm::app::procfile::{Procfile, parse};
use pm::app::warning::NoteKind;
use pm::app::{
    App, Environment, ExitOn, Limits, Policy, ProcessType, Stdio, procfile::ProcfileEntry,
};

use super::path;
use super::text::{error_is_sound, is_one_line, lines, note_is_sound};

/// What must hold of every file that is read as a Procfile.
pub fn holds(bytes: &[u8]) {
    let read = parse(bytes);
    assert_eq!(read, parse(bytes), "the same bytes are read in the same way");
    match read {
        Err(error) => error_is_sound(&error, bytes),
        Ok(read) => {
            let lines = lines(bytes).expect("what was read is UTF-8");
            nothing_is_dropped_in_silence(&read, &lines);
            what_is_written_is_read(&read.entries);
            the_check_points_into_the_file(read, &lines);
        }
    }
}

/// foreman's rule, as the contract has it: `^([A-Za-z0-9_-]+):\s*(.+)$`, and a command is no blank.
fn is_entry(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, command)| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
            && !command.trim().is_empty()
    })
}

fn nothing_is_dropped_in_silence(read: &Procfile, lines: &[&str]) {
    let mut entries = read.entries.iter().peekable();
    for (number, line) in (1..).zip(lines) {
        let notes = || read.notes.iter().filter(|note| note.line == number);
        let is_skipped = notes().any(|note| note.kind == NoteKind::Skipped);
        let is_nothing = line.trim_start().is_empty() || line.trim_start().starts_with('#');
        let entry = entries.next_if(|entry| entry.line == number);
        assert_eq!(entry.is_some(), is_entry(line), "line {number}: {line:?}");
        match entry {
            Some(entry) => {
                let written = line.split_once(':').expect("an entry has a colon");
                assert_eq!(entry.name, written.0);
                assert!(written.1.contains(&entry.command), "{entry:?} is not in {line:?}");
                assert_eq!(entry.command.trim(), written.1.trim(), "a command loses blanks only");
                assert!(!is_skipped, "an entry that is skipped: {line:?}");
            }
            None if is_nothing => assert_eq!(notes().count(), 0, "notes on {line:?}"),
            None => assert!(is_skipped, "line {number} is dropped in silence: {line:?}"),
        }
    }
    assert_eq!(entries.next(), None, "entries stand in the order of their lines");
    read.notes.iter().for_each(|note| note_is_sound(note, lines));
}

fn what_is_written_is_read(entries: &[ProcfileEntry]) {
    let written: String =
        entries.iter().map(|entry| format!("{}: {}\n", entry.name, entry.command)).collect();
    let read = parse(written.as_bytes()).expect("entries that were read can be read again");
    let pairs = |entries: &[ProcfileEntry]| -> Vec<(String, String)> {
        entries.iter().map(|entry| (entry.name.clone(), entry.command.clone())).collect()
    };
    assert_eq!(pairs(&read.entries), pairs(entries), "{written:?}");
}

/// What `pm start` would run of it.
fn app(entries: &[ProcfileEntry]) -> App {
    let types = entries.iter().map(|entry| ProcessType {
        name: entry.name.clone(),
        command: entry.command.clone(),
        line: entry.line,
        count: 2,
        environment: Environment::default(),
        directory: None,
        quiet: false,
        limits: Limits::default(),
        stdio: Stdio::default(),
        front: None,
        share_port: None,
        policy: Policy::default(),
    });
    App {
        root: "/app".into(),
        types: types.collect(),
        environment: Environment::default(),
        base_port: 5000,
        exit_on: ExitOn::Failure,
    }
}

/// `pm check` on it, where every program and folder is missing and every port is taken: the most that it
/// can say.
fn the_check_points_into_the_file(read: Procfile, lines: &[&str]) {
    let counts = vec![2; read.entries.len()];
    let app = app(&read.entries);
    let procfile = LoadedProcfile {
        path: path().to_owned(),
        text: lines.join("\n"),
        entries: read.entries,
        notes: read.notes,
        notice: None,
    };
    let environment = LoadedEnvironment { environment: Environment::default(), files: Vec::new() };
    let subject = LintInput {
        procfile: &procfile,
        environment: &environment,
        counts: &counts,
        base_port: 5000,
        base: BaseOrigin::Person,
        app: &app,
    };
    let system = System {
        program: &|_, _| Lookup::Missing,
        refusal: &|_| Some("Syntax error".to_owned()),
        folder: &|_| FolderState::Missing,
        port: &|_| PortState::Taken(None),
    };
    for finding in check(subject, &system) {
        is_one_line(&finding.message);
        finding.hint.as_deref().map(is_one_line);
        if let Some(place) = &finding.place {
            assert!(place.text.get(place.span.clone()).is_some(), "{finding:?}");
            assert!(place.column() >= 1 && place.length() <= place.text.len(), "{finding:?}");
        }
    }
}
