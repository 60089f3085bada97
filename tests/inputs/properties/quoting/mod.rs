//! Exports: no value breaks out of its field, and its reader gets exactly its bytes.
//!
//! Everything goes through `pm::export::render`, as `pm export` does it: a value is put into an application,
//! and the file is compared with that of a harmless value. What is different is the statement that holds the
//! value, whole; a reader of that file format, written here from the format's own rules, must find the value
//! in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use pm::app::{App, Environment, ExitOn, Limits, Policy, ProcessType, Source as Origin, Stdio};
use pm::export::{self, Hardening, Image, Inittab, Options, Release, Scope, ServiceTree, Values};

mod config;
mod contexts;
mod markup;
mod shell;
mod systemd;

use contexts::{CONTEXTS, Context, Place};

/// What must hold of every text as a value. The first byte says in which context.
pub fn holds(bytes: &[u8]) {
    let Some((context, value)) = bytes.split_first() else { return };
    let context = &CONTEXTS[usize::from(*context) % CONTEXTS.len()];
    // No program can be given a NUL, and so no file that names one gets this far.
    let value = String::from_utf8_lossy(value).replace('\0', "");
    let is_no_command = context.place == Place::Command && value.trim().is_empty();
    if is_no_command || (context.is_elsewhere)(&value) {
        return;
    }
    let value = context.place.text(&value);
    let Some(statement) = statement(context, &value) else {
        assert!((context.may_refuse)(&value), "{} refuses {value:?}", context.name);
        return;
    };
    let read = (context.read)(&statement);
    let Some(read) = read else { panic!("{}: unreadable: {statement:?}", context.name) };
    match context.place {
        Place::Command => assert!(is_command(&read, &value), "{read:?} for {value:?}"),
        Place::Variable | Place::Folder | Place::Log | Place::Location => {
            assert_eq!(read, value, "{}: {statement:?}", context.name);
        }
    }
}

/// Returns what a context writes for a value, for those who have its own reader at hand.
pub fn statement_of(name: &str, value: &str) -> Option<String> {
    let context = CONTEXTS.iter().find(|context| context.name == name)?;
    statement(context, &context.place.text(value))
}

/// The export may put `exec` before a simple command, `exec env` where the command begins with variables, and
/// drop spaces around it.
fn is_command(read: &str, command: &str) -> bool {
    // Not `trim`: a vertical tab is a part of a word.
    let [read, command] = [read, command].map(|text| text.trim_matches([' ', '\t', '\n']));
    let is_command_without = |word: &str| {
        read.match_indices(word)
            .any(|(at, _)| command.strip_prefix(&read[..at]) == Some(&read[at + word.len()..]))
    };
    read == command || is_command_without("exec ") || is_command_without("exec env ")
}

/// What stands before and behind the statement in the file.
type Frame = (String, String);

/// Returns the statement that holds the value, or `None` where the export refuses the value. Panics where
/// the value reaches beyond its statement.
fn statement(context: &Context, value: &str) -> Option<String> {
    static FRAMES: OnceLock<Vec<Frame>> = OnceLock::new();
    let frames = FRAMES.get_or_init(|| CONTEXTS.iter().map(frame).collect());
    let at = CONTEXTS.iter().position(|other| other.name == context.name);
    let (before, behind) = &frames[at.expect("it is one of the table")];
    let file = file(context, value)?;
    let statement =
        file.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(behind.as_str()));
    let Some(statement) = statement else {
        panic!("{}: {value:?} reaches beyond its statement in {file:?}", context.name)
    };
    Some(statement.to_owned())
}

fn frame(context: &Context) -> Frame {
    let harmless = context.place.text("HARMLESS");
    let file = file(context, &harmless).expect("a harmless value is not refused");
    let at = file.find("HARMLESS").expect("the value is in the file");
    let start = file[..at].rfind('\n').map_or(0, |before| before + 1);
    let end = file[at..].find('\n').map_or(file.len(), |behind| at + behind);
    (file[..start].to_owned(), file[end..].to_owned())
}

/// Renders the export, and returns the file that the context is about.
fn file(context: &Context, value: &str) -> Option<String> {
    let (app, options) = export_of(context, value);
    let format = export::format(Some(context.format)).expect("the format is one of the table");
    let files = export::render(format, &app, &options).ok()?;
    let file = files.iter().find(|file| file.path == Path::new(context.file));
    let Some(file) = file else { panic!("{} has no {}: {files:?}", context.format, context.file) };
    Some(file.contents.clone())
}

fn export_of(context: &Context, value: &str) -> (App, Options) {
    let is = |place: Place, otherwise: &str| {
        if context.place == place { value.to_owned() } else { otherwise.to_owned() }
    };
    let mut environment = Environment::default();
    environment.set("V", is(Place::Variable, "x"), Origin::Set);
    let process = ProcessType {
        name: "w".into(),
        command: is(Place::Command, "./a; ./b"),
        line: 1,
        count: 1,
        environment: Environment::default(),
        directory: None,
        quiet: false,
        limits: Limits::default(),
        stdio: Stdio::Pipes,
        front: None,
        share_port: None,
        policy: Policy::default(),
    };
    let root = is(Place::Folder, "/srv/a");
    let app = App {
        root: root.into(),
        types: vec![process],
        environment,
        base_port: 5000,
        exit_on: ExitOn::Failure,
    };
    let options = Options {
        app: "a".into(),
        user: "deploy".into(),
        log: is(Place::Log, "/var/log/a").into(),
        run: "/var/run/a".into(),
        location: is(Place::Location, "/srv/export").into(),
        image: Image::Assumed,
        values: if context.has_env_file { Values::EnvFile } else { Values::Inline },
        scope: Scope::System,
        hardening: Hardening::Default,
        release: Release::LeftOut,
        inittab: Inittab::File("a.inittab".into()),
        service_tree: ServiceTree::Scanned,
        log_limits: None,
        templates: BTreeMap::new(),
    };
    (app, options)
}
