//! Warnings, notices and errors on stderr, in one format for all commands. For a program they are kept until the command
//! answers: then they stand in its one object, and stderr stays empty.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

use super::refusal::with_causes;
use crate::app::Warning;
use crate::app::text::printable;
use crate::error::Error;

/// What is kept, where it is. A process has one stderr, so it has one of these.
static KEPT: Mutex<Option<KeptDiagnostics>> = Mutex::new(None);

/// What a command says beside its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Diagnostic {
    severity: DiagnosticSeverity,
    /// What a person would read.
    message: String,
    /// What to do about it.
    hint: Option<String>,
    /// The place in a file, `FILE:LINE:COLUMN`.
    #[serde(rename = "where")]
    place: Option<String>,
}

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DiagnosticSeverity {
    /// Something was ignored, or may go wrong.
    Warning,
    /// Nothing is wrong.
    Notice,
}

impl Diagnostic {
    /// Returns what a person should know though nothing is wrong.
    pub(crate) fn notice(text: impl Into<String>) -> Self {
        let (severity, message) = (DiagnosticSeverity::Notice, text.into());
        Self { severity, message, hint: None, place: None }
    }

    fn warning(message: impl Into<String>, hint: Option<String>) -> Self {
        let (severity, message) = (DiagnosticSeverity::Warning, message.into());
        Self { severity, message, hint, place: None }
    }
}

/// What was said since it is kept, with the lines that stderr would have of it.
#[derive(Debug, Default)]
pub(crate) struct KeptDiagnostics {
    pub(crate) diagnostics: Vec<Diagnostic>,
    lines: Vec<String>,
    output: Vec<u8>,
}

impl KeptDiagnostics {
    /// Returns the output of instances that was to be shown.
    pub(crate) fn tail(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.output).lines().map(str::to_owned).collect()
    }
}

fn kept() -> MutexGuard<'static, Option<KeptDiagnostics>> {
    // A list of texts is whole at every moment.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on keeps what is said.
pub(crate) fn keep() {
    *kept() = Some(KeptDiagnostics::default());
}

/// Returns what was said until now; nothing where it was not kept.
pub(crate) fn take() -> KeptDiagnostics {
    kept().as_mut().map(std::mem::take).unwrap_or_default()
}

/// Returns what is kept, each on one line; it stays kept.
pub(crate) fn kept_lines() -> Vec<String> {
    let kept = kept();
    let lines = kept.iter().flat_map(|kept| &kept.lines);
    lines.map(|text| text.replace("\nhint: ", "; ").replace('\n', "; ")).collect()
}

/// Says on stderr what was kept, and from now on all else: what follows on stdout is not pm's answer.
pub(crate) fn release() {
    let Some(KeptDiagnostics { lines, output: bytes, .. }) = kept().take() else { return };
    lines.iter().for_each(line);
    output(&bytes);
}

/// Says it now, or keeps it. `text` is what stderr has of it.
fn say(diagnostic: impl FnOnce() -> Diagnostic, text: String) {
    match &mut *kept() {
        Some(kept) => {
            kept.diagnostics.push(diagnostic());
            kept.lines.push(text);
        }
        None => line(text),
    }
}

/// Says what was ignored in the files.
pub(crate) fn warnings<'a>(warnings: impl IntoIterator<Item = &'a Warning>) {
    for warning in warnings {
        let text = with_hint(format!("warning: {warning}"), warning.hint.as_deref());
        let diagnostic = || Diagnostic {
            place: Some(format!("{}:{}:1", warning.path.display(), warning.line)),
            ..Diagnostic::warning(&*warning.message, warning.hint.clone())
        };
        say(diagnostic, text);
    }
}

/// Says what may go wrong, and what to do.
pub(crate) fn warning(message: &str, hint: &str) {
    let text = with_hint(format!("warning: {message}"), Some(hint));
    say(|| Diagnostic::warning(message, Some(hint.to_owned())), text);
}

/// Says what may go wrong, as the session says it.
pub(crate) fn warning_of_session(text: &str) {
    say(|| Diagnostic::warning(text, None), format!("warning: {text}"));
}

/// Returns what was ignored, and what to do.
pub(crate) fn warning_in_one_line(warning: &Warning) -> String {
    match &warning.hint {
        Some(hint) => format!("{warning}; {hint}"),
        None => warning.to_string(),
    }
}

/// Says something beside the output.
pub(crate) fn note(text: &str) {
    say(|| Diagnostic::notice(text), text.to_owned());
}

/// Shows output of instances.
pub(crate) fn output(bytes: &[u8]) {
    match &mut *kept() {
        Some(kept) => kept.output.extend_from_slice(bytes),
        // As for any line: nobody is left to tell.
        None => drop(io::stderr().write_all(bytes)),
    }
}

/// Says why a command failed, with its causes and what to do.
pub(crate) fn error(error: &Error) {
    line(with_hint(format!("error: {}", with_causes(error)), error.hint().as_deref()));
}

/// Says what a person should know though nothing is wrong.
pub(crate) fn notices(texts: &[String]) {
    for text in texts {
        say(|| Diagnostic::notice(text), harmless(&format!("notice: {text}")));
    }
}

/// Returns both, on lines of their own.
fn with_hint(text: String, hint: Option<&str>) -> String {
    let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    harmless(&(text + &hint))
}

/// Returns a text that a terminal shows as it is: what it quotes comes from files. A message of several lines
/// keeps them.
fn harmless(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Writes a line.
fn line(text: impl Display) {
    write(format_args!("{text}\n"));
}

/// Writes a text. A full or closed stderr, where std's macros panic, leaves nobody to tell.
fn write(text: impl Display) {
    let _ = write!(io::stderr(), "{text}");
}

/// A line on stderr that says what is waited for: on a terminal it is written over, and goes when it is
/// done; elsewhere each text is said once.
#[derive(Debug)]
pub(crate) struct LiveLine {
    on_terminal: bool,
    shown: String,
}

impl LiveLine {
    pub(crate) fn new(on_terminal: bool) -> Self {
        Self { on_terminal, shown: String::new() }
    }

    /// Shows a text in place of the one before.
    pub(crate) fn show(&mut self, text: &str) {
        // A program has asked for the answer alone.
        if self.shown == text || kept().is_some() {
            return;
        }
        if self.on_terminal {
            write(format_args!("\r\x1b[K{text}"));
        } else {
            line(text);
        }
        text.clone_into(&mut self.shown);
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        if self.on_terminal && !self.shown.is_empty() {
            write("\r\x1b[K");
        }
    }
}
