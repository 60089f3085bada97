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

/// Says why a command failed, with its causes and what to do.
pub(crate) fn error(error: &Error) {
    let mut text = format!("error: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    eprintln!("{text}");
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
}

/// Says what a person should know though nothing is wrong.
pub(crate) fn notices(texts: &[String]) {
    for text in texts {
        eprintln!("notice: {text}");
    }
}
