//! The documents: every command that they show is run here, or stands in [`ways::SPECIAL`] with the reason
//! why not; every option that they name is one, and every link leads somewhere.
//!
//! Each section of a document gets a folder of its own with the files that it shows. Its commands are typed
//! on a terminal one after the other. A session that a section starts runs, as in a terminal of its own, until
//! the section starts another or ends; then it gets a Ctrl-C.

mod document;
mod stand_ins;
mod ways;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::sandbox::http::free_port;
use crate::sandbox::{CTRL_C, End, Sandbox, Session, eventually};
use document::{Section, sections};
use ways::{ASKS_A_SESSION, SPECIAL, Way};

/// Every document of this repository that a user or a contributor reads.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "docs/reference.md",
    "docs/recipes.md",
    "docs/readiness.md",
    "docs/terminal.md",
    "docs/watch.md",
    "docs/one-address.md",
    "docs/metrics.md",
    "docs/logs.md",
    "docs/sessions.md",
    "docs/migrating.md",
    "docs/environment.md",
    "docs/signals.md",
    "docs/exit-codes.md",
    "docs/json.md",
    "docs/resources.md",
    "docs/export.md",
    "docs/troubleshooting.md",
    "docs/measurements.md",
    "docs/testing.md",
    "docs/packaging.md",
    "docs/portability.md",
    "examples/node-cluster/README.md",
    "examples/webpack/README.md",
    "examples/leak/README.md",
    "examples/stack/README.md",
];

/// What every stand-in for a server says when it serves.
const READY: &[&str] = &["ready: "];

/// Sections that run at a time: a command waits most of its time.
const WORKERS: usize = 6;

/// Folders in commands that are not the sandbox's.
const ELSEWHERE: &[(&str, &str)] = &[("/etc/systemd/system", "units")];

#[test]
fn every_command_of_the_readme_runs() {
    run_all("README.md");
}

#[test]
fn every_command_of_the_other_documents_runs() {
    for name in &DOCUMENTS[1..] {
        run_all(name);
    }
}

#[test]
fn every_page_of_docs_is_one_of_the_documents() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for entry in std::fs::read_dir(docs).expect("docs is a folder") {
        let name = entry.expect("docs can be listed").file_name();
        let page = format!("docs/{}", name.to_string_lossy());
        let is_listed = DOCUMENTS.contains(&page.as_str());
        assert!(is_listed || !page.ends_with(".md"), "no test reads {page}");
    }
}

#[test]
fn the_readme_has_at_most_1800_words() {
    let words = document::read("README.md").split_whitespace().count();
    assert!(words <= 1_800, "README.md has {words} words; docs/ has room");
}

#[test]
fn the_readme_shows_the_settings_of_the_stack_as_they_are() {
    let settings = document::read("examples/stack/pm.toml");
    let for_editors = "#:schema ../../docs/pm.toml.schema.json\n";
    let shown = settings.strip_prefix(for_editors).expect("editors are told the schema first");
    assert!(document::read("README.md").contains(&format!("\n{shown}```\n")), "{shown}");
}

#[test]
fn every_special_command_stands_in_a_document() {
    let all: HashSet<String> =
        DOCUMENTS.iter().flat_map(|name| sections(name)).flat_map(|s| s.commands).collect();
    let mut seen = HashSet::new();
    for (command, ..) in SPECIAL {
        assert!(all.contains(*command), "no document says `{command}`");
        assert!(seen.insert(command), "`{command}` stands twice in the table");
    }
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in DOCUMENTS {
        let text = document::read(name);
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        for target in document::links(&text) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { PathBuf::from(name) } else { folder.join(path) };
            assert!(top.join(&path).exists(), "{name}: there is no `{target}`");
            let anchors = || document::anchors(&document::read(&path.to_string_lossy()));
            let is_there = anchor.is_empty() || anchors().iter().any(|known| known == anchor);
            assert!(is_there, "{name}: no heading is `{target}`");
        }
    }
}

#[test]
fn each_function_that_contributing_names_is_in_its_file() {
    let text = document::read("CONTRIBUTING.md");
    let table = text.split("## Find it in a minute").nth(1).expect("the heading is there");
    let rows: Vec<&str> = table
        .lines()
        .take_while(|line| !line.starts_with("##"))
        .filter(|line| line.contains("src/"))
        .collect();
    assert!(rows.len() > 5, "{rows:?}");
    for row in rows {
        let (mut source, mut functions) = (String::new(), 0);
        for span in document::spans(row.rsplit(" | ").next().unwrap_or_default()) {
            if span.ends_with(".rs") {
                source = document::read(span);
            } else if !span.ends_with('/') {
                let is_there = source.contains(&format!("fn {span}("))
                    || source.contains(&format!("fn {span}<"));
                assert!(is_there, "CONTRIBUTING.md: no function `{span}` there: {row}");
                functions += 1;
            }
        }
        assert!(functions > 0, "CONTRIBUTING.md: no function is named: {row}");
    }
}

#[test]
fn each_path_that_contributing_names_is_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = document::read("CONTRIBUTING.md").replace("```", "");
    // `FORMAT` stands for the name of one.
    let is_path = |span: &&str| span.contains('/') && !span.contains([' ', '*']);
    let spans = document::spans(&text).filter(is_path).filter(|span| !span.contains("FORMAT"));
    let is_of_sources = |span: &&str| {
        ["src/", "tests/", "benches/", ".ci/"].iter().any(|folder| span.starts_with(folder))
    };
    let paths: Vec<&str> = spans.filter(is_of_sources).collect();
    assert!(paths.len() > 40, "{paths:?}");
    for path in paths {
        assert!(top.join(path).exists(), "CONTRIBUTING.md: there is no `{path}`");
    }
}

#[test]
fn every_option_that_a_document_gives_to_pm_is_one() {
    let app = Sandbox::new();
    let mut help: HashMap<String, String> = HashMap::new();
    for name in DOCUMENTS {
        let text = document::read(name);
        // A fence of three backticks would turn spans and the text between them round.
        let text = text.replace("```", "");
        for span in document::spans(&text).filter(|span| span.starts_with("pm ")) {
            let mut words = span.split_whitespace().skip(1);
            let subcommand = words.next().unwrap_or_default();
            if !subcommand.chars().all(|c| c.is_ascii_lowercase() || "\\|".contains(c)) {
                continue;
            }
            for subcommand in subcommand.split(['\\', '|']).filter(|word| !word.is_empty()) {
                let help = help.entry(subcommand.to_owned()).or_insert_with(|| {
                    let output = app.pm([subcommand, "--help"]).run();
                    assert_eq!(output.code(), 0, "{name}: `{span}`: {output:#?}");
                    output.stdout
                });
                for word in words.clone().filter(|word| word.starts_with("--")) {
                    let option = word.split(['=', ',', ')']).next().unwrap_or(word);
                    assert!(help.contains(option), "{name}: `{span}`: no option `{option}`");
                }
            }
        }
    }
}

/// Runs the sections of a document, a few beside each other, and the commands of each in their order.
#[track_caller]
fn run_all(name: &str) {
    let sections = sections(name);
    let rest = Mutex::new(sections.iter());
    let next = || rest.lock().expect("no section runs under the lock").next();
    let work = || std::iter::from_fn(next).for_each(run_section);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        let failed = workers.into_iter().filter_map(|worker| worker.join().err()).count();
        assert_eq!(failed, 0, "{name}: commands that fail; see above");
    });
}

fn run_section(section: &Section) {
    let (place, is_given) = (&section.place, ASKS_A_SESSION.contains(&section.place.as_str()));
    let app = stand_ins::folder(section);
    // `pm quit --all` must not end what others have started.
    let runtime = app.dir();
    let mut app = app.env("XDG_RUNTIME_DIR", runtime);
    if is_given {
        // Who starts one there has no session; this one is for the others.
        app = app.env("PM_ANOTHER", "true");
    }
    if is_given {
        Typed::new(&app, place, "pm start --daemon", &[]).end(0);
    }
    let mut running: Option<Typed> = None;
    for command in &section.commands {
        let (way, shows) = way_of(command);
        let start = || Typed::new(&app, place, command, shows);
        if command.starts_with("pm start") || way == Way::Stays {
            interrupt(&mut running);
        }
        match way {
            Way::Ends(code) => start().end(code),
            Way::Until(keys, code) => start().seen().type_keys(keys, code),
            Way::Stays => running = Some(start().seen()),
            Way::NotRun(_) => {}
        }
    }
    interrupt(&mut running);
    if is_given {
        Typed::new(&app, place, "pm quit", &[]).end(0);
    }
    app.assert_nothing_left();
}

/// Ends the session that runs, if there is one.
fn interrupt(running: &mut Option<Typed>) {
    if let Some(session) = running.take() {
        session.type_keys(CTRL_C, 0);
    }
}

/// A command that was typed.
struct Typed {
    shown: String,
    shows: &'static [&'static str],
    session: Session,
}

impl Typed {
    fn new(app: &Sandbox, place: &str, command: &str, shows: &'static [&'static str]) -> Self {
        let text =
            ELSEWHERE.iter().fold(command.to_owned(), |text, (from, to)| text.replace(from, to));
        // A shell at which one types survives the Ctrl-C that ends its command.
        let mut invocation = app.sh(&format!("trap : INT\n{text}")).env("TERM", "xterm");
        if command.starts_with("pm check") {
            // What else runs on this machine is no finding.
            invocation = invocation.env("PM_PORT", free_port(1).to_string());
        }
        Self { shown: format!("{place}: `{command}`"), shows, session: invocation.spawn_pty() }
    }

    /// Waits until the command has shown all that it should, or has ended.
    fn seen(self) -> Self {
        eventually(&format!("{}: {:?}", self.shown, self.shows), || {
            let output = self.session.stdout_so_far();
            let all = self.shows.iter().all(|text| output.contains(text));
            (all || !self.session.is_running()).then_some(())
        });
        self
    }

    fn type_keys(self, keys: &str, code: i32) {
        assert!(
            self.session.is_running(),
            "{}: ended: {}",
            self.shown,
            self.session.stdout_so_far()
        );
        self.session.type_keys(keys);
        self.end(code);
    }

    fn end(mut self, code: i32) {
        let (shown, end) = (&self.shown, self.session.wait());
        let output = self.session.stdout_so_far();
        assert_eq!(end, End::Code(code), "{shown}:\n{output}");
        for text in self.shows {
            assert!(output.contains(text), "{shown} does not show {text:?}:\n{output}");
        }
    }
}

/// Returns how to run a command: what the table says, else that a session stays, and all others end.
fn way_of(command: &str) -> (Way, &'static [&'static str]) {
    if let Some((_, way, shows)) = SPECIAL.iter().find(|(known, ..)| *known == command) {
        return (*way, shows);
    }
    match command.starts_with("pm start") {
        true => (Way::Stays, READY),
        false => (Way::Ends(0), &[]),
    }
}
