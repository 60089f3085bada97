//! What goes to stderr: warnings and errors, one form for all commands.

#![expect(clippy::print_stderr, reason = "the one place that speaks to stderr for the subcommands")]

use std::error::Error as _;

use crate::app::Warning;
use crate::error::Error;

/// Says what was passed over in the files.
pub(crate) fn warnings<'a>(warnings: impl IntoIterator<Item = &'a Warning>) {
    for warning in warnings {
        eprintln!("warning: {warning}");
        if let Some(hint) = &warning.hint {
            eprintln!("hint: {hint}");
        }
    }
}

/// Says something beside the output.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// Returns what went wrong, with its causes.
pub(crate) fn in_one_line(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}

/// Says why a command failed, with its causes and what to do.
pub(crate) fn error(error: &Error) {
    eprintln!("error: {}", in_one_line(error));
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
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
            eprint!("\r\x1b[K{text}");
        } else {
            eprintln!("{text}");
        }
        text.clone_into(&mut self.shown);
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        if self.on_terminal && !self.shown.is_empty() {
            eprint!("\r\x1b[K");
        }
    }
}
