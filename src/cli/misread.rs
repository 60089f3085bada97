//! What pm knows of a command line that clap cannot read: which option was typed, where it may stand, and whether it was
//! its variable.

use std::error::Error as _;
use std::ffi::OsString;

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};

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
pub(super) fn error(
    error: &clap::Error,
    words: CommandWords<'_>,
    grammar: impl Fn() -> clap::Command,
) -> Option<Error> {
    match error.kind() {
        ErrorKind::UnknownArgument => moved(error, words),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            of_variable(error, words, grammar())
        }
        _ => None, // clap's enum may grow; of all others it names what was typed.
    }
}

/// Returns that the command has no such option, where it stood before the command.
fn moved(error: &clap::Error, words: CommandWords<'_>) -> Option<Error> {
    let option = leading_options::as_typed(words.typed, &argument(error)?)?;
    let command = words.read.get(1)?.to_string_lossy();
    Some(Error::Usage {
        reason: format!("`{option}` is not an option of `pm {command}`"),
        hint: format!("`pm {command} --help` lists its options"),
    })
}

/// Returns what is wrong with a variable, where it is one: then the option can be read without it.
fn of_variable(
    error: &clap::Error,
    words: CommandWords<'_>,
    grammar: clap::Command,
) -> Option<Error> {
    let long = argument(error)?;
    let command = grammar.find_subcommand(words.read.get(1)?)?;
    let option = command.get_arguments().find(|arg| arg.get_long() == Some(&long))?;
    let variable = option.get_env()?.to_owned();
    let unset = |arg: clap::Arg| match arg.get_env() == Some(&variable) {
        true => arg.env(Resettable::Reset),
        false => arg,
    };
    let without = grammar.mut_subcommands(|command| command.mut_args(unset));
    let is_same = |again: clap::Error| {
        again.kind() == error.kind() && argument(&again).as_ref() == Some(&long)
    };
    if without.try_get_matches_from(words.read).is_err_and(is_same) {
        return None;
    }
    let value = error.get(ContextKind::InvalidValue)?.to_string();
    let why = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(words)) => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("not one of {}", words.join(", "))
        }
        _ => error.source()?.to_string(), // It is for enums alone.
    };
    Some(Error::Usage {
        reason: format!(
            "`{}` is `{}`, which is {why}",
            variable.to_string_lossy(),
            value.escape_debug()
        ),
        hint: "set it to another value, or unset it".to_owned(),
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
