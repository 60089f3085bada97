//! What goes to stderr: warnings and errors, one form for all commands.

use std::error::Error as _;
use std::fmt::Display;
use std::io::{self, Write};

use crate::app::Warning;
use crate::error::Error;

/// Says what was passed over in the files.
pub(crate) fn warnings<'a>(warnings: impl IntoIterator<Item = &'a Warning>) {
    for warning in warnings {
        line(format_args!("warning: {warning}"));
        if let Some(hint) = &warning.hint {
            line(format_args!("hint: {hint}"));
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
    line(text);
    if let Some(hint) = error.hint() {
        line(format_args!("hint: {hint}"));
    }
}

/// Says what a person should know though nothing is wrong.
pub(crate) fn notices(texts: &[String]) {
    for text in texts {
        line(format_args!("notice: {text}"));
    }
}

/// Writes a line. A full or closed stderr, where std's macros panic, leaves nobody to tell.
fn line(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
