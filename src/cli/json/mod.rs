//! How a command answers: text for a person, or with `--json` one object for a program, `"v": 1` first. Here alone
//! either is printed, and here are the structs of what is printed, from which `pm schema` makes its schemas.
//!
//! A command returns a `CommandAnswer`, and what it ignored or wants to be known goes to
//! `diagnostics`. A command that streams prints its own lines, by `of_stream`.

pub(crate) mod change;
pub(crate) mod failure;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod texts;
pub(crate) mod top;

use std::borrow::Cow;
use std::io::{self, Write};

use clap::{ArgMatches, Args};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::client::args::LogForm;
use super::diagnostics::{self, Diagnostic};
use crate::error::Error;
use failure::FailureObject;

/// How the answer is printed.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct JsonArgs {
    /// Print one JSON object, also for an error
    #[arg(long)]
    pub json: bool,
}

/// The version of what is printed: 1. Under it fields are only added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct V1;

impl Serialize for V1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl JsonSchema for V1 {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "V1".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": 1, "description": "The version. Under it fields are only added." })
    }
}

/// What a command has to say.
pub(crate) trait CommandAnswer {
    /// What a program gets of it.
    type Object: Serialize + JsonSchema;

    /// Returns what a person gets on standard output.
    fn text(&self) -> Vec<u8>;

    /// Returns what a program gets. It may look for more than the text has.
    fn object(self) -> Self::Object;
}

// Without a doc comment: that of the object stands in the schema.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}")]
struct Printed<T> {
    v: V1,
    #[serde(flatten)]
    object: T,
    /// Warnings and notices, which stand on standard error without `--json`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<Diagnostic>,
}

/// For whom a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerForm {
    /// For a person: the answer on standard output, all else on standard error.
    Text,
    /// For a program: all in one object on standard output.
    Json,
}

impl AnswerForm {
    /// Returns what was asked for by `--json`, or its variable; `matches` are the subcommand's.
    pub(crate) fn of(matches: &ArgMatches) -> Self {
        // `pm logs -o json` says it in another way.
        let is_form = matches!(matches.try_get_one("output"), Ok(Some(LogForm::Json)));
        match matches.try_get_one::<bool>("json") {
            Ok(Some(true)) => Self::Json,
            _ if is_form => Self::Json,
            // A command that has no such option, too.
            Ok(_) | Err(_) => Self::Text,
        }
    }

    /// Returns what a command line that cannot be read asks for.
    pub(crate) fn of_words(words: &[std::ffi::OsString]) -> Self {
        // Behind these the words may be another program's.
        let is_run = words.get(1).is_some_and(|command| command == "run");
        let mut own = words.iter().skip(if is_run { 2 } else { 1 }).take_while(|word| {
            *word != "--" && (!is_run || word.as_encoded_bytes().starts_with(b"-"))
        });
        if own.any(|word| word == "--json") { Self::Json } else { Self::Text }
    }

    /// For a program, what is said beside the answer is kept from now on.
    pub(crate) fn begin(self) -> Self {
        if self == Self::Json {
            diagnostics::keep();
        }
        self
    }

    /// Prints the answer of a command that has succeeded.
    pub(crate) fn answer(self, answer: impl CommandAnswer) -> Result<i32, Error> {
        let bytes = match self {
            Self::Text => answer.text(),
            Self::Json => {
                let object = answer.object();
                printed(object, diagnostics::take().diagnostics)
            }
        };
        print(&bytes).map(|()| 0)
    }

    /// Says why a command failed. Where stdout and stderr are closed nobody is left to tell.
    pub(crate) fn fail(self, error: &Error) {
        match self {
            _ if error.is_silent() => {}
            Self::Text => diagnostics::error(error),
            Self::Json => Self::fail_with(FailureObject::of(error)),
        }
    }

    /// The same of a command line that cannot be read; `hint` is what pm itself knows about it.
    pub(crate) fn refuse(self, error: &clap::Error, hint: Option<&str>) {
        match self {
            Self::Json if error.use_stderr() => {
                Self::fail_with(FailureObject::of_words(error, hint));
            }
            Self::Text | Self::Json => {
                let _ = error.print();
                if let Some(hint) = hint {
                    diagnostics::note(&format!("hint: {hint}"));
                }
            }
        }
    }

    fn fail_with(mut failure: FailureObject) {
        let kept = diagnostics::take();
        failure.error.tail = kept.tail();
        let _ = print(&printed(failure, kept.diagnostics));
    }
}

/// Returns an object of a stream, as a line.
pub(crate) fn of_stream(object: impl Serialize) -> Vec<u8> {
    printed(object, Vec::new())
}

fn printed(object: impl Serialize, diagnostics: Vec<Diagnostic>) -> Vec<u8> {
    // Strings, numbers, lists and maps with strings for keys always become JSON.
    let mut line = serde_json::to_vec(&Printed { v: V1, object, diagnostics }).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Writes the answer of a command, or a part of it, to stdout.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|source| Error::Output { source })
}

/// Returns a time in milliseconds since 1970 as RFC 3339 has it, in UTC and with milliseconds.
pub(crate) fn time(at: i64) -> Option<String> {
    jiff::Timestamp::from_millisecond(at).ok().map(|at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[derive(Serialize, JsonSchema)]
    struct Two {
        b: u8,
        a: Option<String>,
    }

    #[test]
    fn the_version_is_first_and_diagnostics_are_last_where_there_are_any() {
        let two = || Two { b: 2, a: None };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(text(printed(two(), Vec::new())), "{\"v\":1,\"b\":2,\"a\":null}\n");
        let said = vec![Diagnostic::notice("look")];
        assert_eq!(
            text(printed(two(), said)),
            "{\"v\":1,\"b\":2,\"a\":null,\"diagnostics\":[{\"severity\":\"notice\",\"message\":\"look\",\
             \"hint\":null,\"where\":null}]}\n"
        );
    }

    #[test]
    fn what_stands_behind_the_command_of_run_or_two_dashes_is_not_for_pm() {
        let words = |text: &str| -> Vec<OsString> { text.split(' ').map(Into::into).collect() };
        for (text, expected) in [
            ("pm ps --json --bogus", AnswerForm::Json),
            ("pm ps --bogus", AnswerForm::Text),
            ("pm run --json --bogus", AnswerForm::Json),
            ("pm run node --json", AnswerForm::Text),
            ("pm ps -- --json", AnswerForm::Text),
            ("pm --json ps", AnswerForm::Json),
            ("pm -f P --json start", AnswerForm::Json),
        ] {
            assert_eq!(AnswerForm::of_words(&words(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_time_is_said_as_rfc_3339_with_milliseconds() {
        assert_eq!(time(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(time(1_796_000_000_120).as_deref(), Some("2026-11-30T00:53:20.120Z"));
        assert_eq!(time(i64::MAX), None);
    }
}
