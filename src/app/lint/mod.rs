//! What `pm check` finds in files that can be read: findings, made by pure functions. Questions about the
//! system (PATH, ports in use) are answered by closures.

mod command;
mod container;
mod daemon;
mod folder;
mod localhost;
pub mod memory;
mod ports;
mod refused;
mod share;
mod variable;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::loaded::{LoadedEnvFile, LoadedEnvironment, LoadedProcfile};
use super::procfile::ProcfileEntry;
use super::shell::lex;
use super::warning::{LineNote, NoteKind};
use super::{App, InstanceId};
pub use command::Lookup;
pub use folder::FolderState;
pub use ports::{BaseOrigin, Holder, HoldingInstance, PortState, UnavailablePort, taken_at_start};

/// Something that the check has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// A word for machines: `skipped-line`.
    pub code: &'static str,
    /// The file as it was named; empty where no file is at fault.
    pub path: PathBuf,
    /// Where in the file, where one place can be named.
    pub place: Option<Excerpt>,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The application cannot start.
    Error,
    /// It will likely not do what was meant.
    Warning,
    /// It works here, and other tools read it differently.
    Note,
}

impl Severity {
    /// Returns `error`, `warning` or `note`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, from 1.
    pub line: usize,
    /// The whole line.
    pub text: String,
    /// The part of it, in bytes.
    pub span: Range<usize>,
}

impl Excerpt {
    /// Returns the part of a line of `text`; without a span, all of the line.
    pub fn of(text: &str, line: usize, span: Option<Range<usize>>) -> Option<Self> {
        let content = text.split('\n').nth(line.checked_sub(1)?)?;
        Some(Self::in_line(content, line, span))
    }

    fn in_line(content: &str, line: usize, span: Option<Range<usize>>) -> Self {
        let text = content.trim_end_matches('\r');
        let whole = text.len() - text.trim_start().len()..text.len();
        let span = span.filter(|span| text.get(span.clone()).is_some()).unwrap_or(whole);
        Self { line, text: text.to_owned(), span }
    }

    /// Returns the column of the first character, from 1, in characters.
    pub fn column(&self) -> usize {
        self.text[..self.span.start].chars().count() + 1
    }

    /// Returns how many characters the part has.
    pub fn length(&self) -> usize {
        self.text[self.span.clone()].chars().count()
    }
}

/// What is checked.
#[derive(Clone, Copy, Debug)]
pub struct LintInput<'a> {
    /// The Procfile.
    pub procfile: &'a LoadedProcfile,
    /// The environment, with its files.
    pub environment: &'a LoadedEnvironment,
    /// How many instances of each entry.
    pub counts: &'a [u16],
    /// PORT of the first instance of the first entry.
    pub base_port: u16,
    /// Who has said that.
    pub base: BaseOrigin,
    /// What `pm start` would run.
    pub app: &'a App,
}

/// What only the system knows.
pub struct System<'a> {
    /// Looks a program up, as the shell in the folder would.
    pub program: &'a dyn Fn(&str, &Path) -> Lookup,
    /// Says why the shell does not even read a command, if it does not.
    pub refusal: &'a dyn Fn(&str) -> Option<String>,
    /// Says what there is under the path of a folder.
    pub folder: &'a dyn Fn(&Path) -> FolderState,
    /// Says whether a port can be had.
    pub port: &'a dyn Fn(u16) -> PortState,
}

/// Returns every finding: those of the Procfile by line, then those of the env files.
pub fn check(subject: LintInput<'_>, system: &System<'_>) -> Vec<Finding> {
    let mut all = of_notes(&subject.procfile.path, &subject.procfile.text, &subject.procfile.notes);
    let pasted = pasted_keys(&subject.environment.files);
    let app = subject.app;
    for (entry, (own, process_type)) in
        subject.procfile.entries.iter().zip(app.types.iter().zip(0_u16..))
    {
        let say = Speaker { procfile: subject.procfile, entry };
        let folder = own.folder(&app.root);
        let environment = app.environment_of(InstanceId { process_type, number: 1 });
        let lexed = lex(&entry.command);
        all.extend(refused::syntax(&say, &lexed, system.refusal));
        let ask = folder::Ask { environment: &environment, folder, what: system.folder };
        all.extend(folder::missing(&say, &lexed, &ask));
        all.extend(variable::unset(&say, &lexed, &environment));
        all.extend(command::pasted(&say, &lexed, &pasted));
        all.extend(command::program(&say, &lexed, &|name| (system.program)(name, folder)));
        all.extend(daemon::background(&say, &lexed));
        all.extend(container::published_port(&say, &lexed, &own.policy));
        all.extend(share::closed_descriptor(&say, &lexed, own));
    }
    all.extend(ports::collisions(subject));
    all.extend(ports::taken(subject, system.port));
    all.extend(ports::refused_by_browsers(subject));
    all.sort_by_key(|finding| finding.place.as_ref().map_or(0, |place| place.line));
    for file in &subject.environment.files {
        all.extend(of_notes(&file.path, &file.text, &file.notes));
        all.extend(localhost::of_another_base(subject, file));
    }
    all
}

/// What foreman would have replaced in a command (process.rb): PORT, PS and every key of an env file.
fn pasted_keys(files: &[LoadedEnvFile]) -> BTreeSet<&str> {
    let of_files =
        files.iter().flat_map(|file| &file.assignments).map(|assignment| assignment.key.as_str());
    of_files.chain(["PORT", "PS"]).collect()
}

/// Makes findings of one entry.
struct Speaker<'a> {
    procfile: &'a LoadedProcfile,
    entry: &'a ProcfileEntry,
}

impl Speaker<'_> {
    /// Returns a warning about a part of the command, in bytes of the command.
    fn warn(
        &self,
        code: &'static str,
        span: Range<usize>,
        message: String,
        hint: String,
    ) -> Finding {
        let line = self.procfile.text.split('\n').nth(self.entry.line - 1).unwrap_or_default();
        let behind_colon = line.get(self.entry.name.len() + 1..).unwrap_or_default();
        let at = line.len() - behind_colon.trim_start().len();
        self.finding(code, at + span.start..at + span.end, message, hint)
    }

    /// Returns a warning about the name.
    fn warn_of_name(&self, code: &'static str, message: String, hint: String) -> Finding {
        self.finding(code, 0..self.entry.name.len(), message, hint)
    }

    fn finding(
        &self,
        code: &'static str,
        span: Range<usize>,
        message: String,
        hint: String,
    ) -> Finding {
        Finding {
            severity: Severity::Warning,
            code,
            path: self.procfile.path.clone(),
            place: Excerpt::of(&self.procfile.text, self.entry.line, Some(span)),
            message,
            hint: Some(hint),
        }
    }
}

/// Turns a parser's notes into findings. What a whole file tends to be written with is said once.
fn of_notes(path: &Path, text: &str, notes: &[LineNote]) -> Vec<Finding> {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut findings: Vec<Finding> = Vec::new();
    for (at, note) in notes.iter().enumerate() {
        let severity = match note.kind {
            NoteKind::Skipped | NoteKind::Malformed | NoteKind::Differs => Severity::Warning,
            NoteKind::Portability => Severity::Note,
        };
        let mut message = note.message.clone();
        if severity == Severity::Note || note.code == "reference" {
            if notes[..at].iter().any(|earlier| earlier.code == note.code) {
                continue;
            }
            let later = notes[at + 1..].iter().filter(|later| later.code == note.code);
            message.push_str(&also(&later.map(|later| later.line).collect::<Vec<_>>()));
        }
        let line = lines.get(note.line - 1).copied().unwrap_or_default();
        findings.push(Finding {
            severity,
            code: note.code,
            path: path.to_owned(),
            place: Some(Excerpt::in_line(line, note.line, Some(note.span.clone()))),
            message,
            hint: note.hint.clone(),
        });
    }
    findings
}

/// Returns ` (also line 4)`, ` (also lines 4, 7 and 9)`, or nothing.
fn also(lines: &[usize]) -> String {
    /// As many lines as a person would look up.
    const SHOWN: usize = 5;
    let shown: Vec<String> = lines.iter().take(SHOWN).map(usize::to_string).collect();
    match (lines.len(), shown.as_slice()) {
        (_, []) => String::new(),
        (1, [line]) => format!(" (also line {line})"),
        (count, _) if count > SHOWN => {
            format!(" (also lines {} and {} more)", shown.join(", "), count - SHOWN)
        }
        (_, [first @ .., last]) => format!(" (also lines {} and {last})", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
