//! What pm knows of a command line that clap cannot read: which option was typed, and where it may stand.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};

use super::{env, leading_options};
use crate::error::Error;

/// A command line as it was typed, and as clap has read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommandWords<'a> {
    /// As it was typed.
    pub(super) typed: &'a [OsString],
    /// With the options of the application behind the command.
    pub(super) read: &'a [OsString],
}

/// Returns what is wrong, where clap would blame what nobody has typed.
pub(super) fn error(error: &clap::Error, words: CommandWords<'_>) -> Option<Error> {
    let long = argument(error)?;
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let option = leading_options::as_typed(words.typed, &long)?;
    let command = words.read.get(1)?.to_string_lossy();
    Some(Error::Usage {
        reason: format!("`{option}` is not an option of `pm {command}`"),
        hint: format!("`pm {command} --help` lists its options"),
    })
}

/// Returns what to do about it, where clap does not know that.
pub(super) fn hint(error: &clap::Error, words: CommandWords<'_>) -> Option<&'static str> {
    let stands_before =
        words.read.get(1).is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
    match error.kind() {
        ErrorKind::UnknownArgument if stands_before => Some(leading_options::HINT),
        ErrorKind::InvalidValue if lacks_config(error) => Some(env::CONFIG_HINT),
        _ => None, // clap's enum may grow; it says itself what it knows.
    }
}

/// Returns the long name of the option that an error is about.
fn argument(error: &clap::Error) -> Option<String> {
    let argument = error.get(ContextKind::InvalidArg)?.to_string();
    let name = argument.strip_prefix("--")?.split([' ', '=', '[']).next()?;
    Some(name.to_owned())
}

/// Returns whether `--config` stands without a file.
fn lacks_config(error: &clap::Error) -> bool {
    error.get(ContextKind::InvalidValue).is_some_and(|value| value.to_string().is_empty())
        && argument(error).is_some_and(|argument| argument == "config")
}
