//! Warnings and errors on stderr, in one format for all commands.

use std::fmt::Display;
use std::io::{self, Write};

use super::refusal::with_causes;
use crate::app::Warning;
use crate::app::text::printable;
use crate::error::Error;

/// Says what was ignored in the files.
pub(crate) fn warnings<'a>(warnings: impl IntoIterator<Item = &'a Warning>) {
    for warning in warnings {
        line(harmless(&format!("warning: {warning}")));
        if let Some(hint) = &warning.hint {
            line(harmless(&format!("hint: {hint}")));
        }
    }
}

/// Says what may go wrong, and what to do.
pub(crate) fn warning(message: &str, hint: &str) {
    line(harmless(&format!("warning: {message}\nhint: {hint}")));
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
    line(text);
}

/// Shows output of instances.
pub(crate) fn output(bytes: &[u8]) {
    // As for any line: nobody is left to tell.
    let _ = io::stderr().write_all(bytes);
}

/// Says why a command failed, with its causes and what to do.
pub(crate) fn error(error: &Error) {
    line(harmless(&format!("error: {}", with_causes(error))));
    if let Some(hint) = error.hint() {
        line(harmless(&format!("hint: {hint}")));
    }
}

/// Says what a person should know though nothing is wrong.
pub(crate) fn notices(texts: &[String]) {
    for text in texts {
        line(harmless(&format!("notice: {text}")));
    }
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
        if self.shown == text {
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
