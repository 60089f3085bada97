//! `pm schema --json NAME`: the schema of what a command prints with `--json`, from the structs that are printed.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::Printed;
use super::change::{ChangeObject, EndedObject};
use super::failure::FailureObject;
use super::status::{SessionsObject, StatusObject};
use super::texts::{CompletionsAnswer, ManualAnswer};
use super::top::TopObject;
use crate::app::nearest::nearest;
use crate::cli::check::render::CheckLine;
use crate::cli::client::address::AddressObject;
use crate::cli::env::EnvObject;
use crate::cli::export::answer::ExportObject;
use crate::cli::logs::json::LogEntry;
use crate::cli::logs::purge::PurgedRuns;
use crate::cli::logs::runs::KeptRuns;
use crate::cli::version::VersionAnswer;
use crate::error::{Error, ErrorCode};
use crate::output::{EventLine, OutputLine};

/// What a name stands for: it adds the forms that an object may have.
type Forms = fn(&mut SchemaGenerator) -> Vec<Schema>;

/// Each name, with what it stands for: the commands, and `error` for what any of them prints where it fails.
const NAMES: [(&str, Forms); 27] = [
    ("error", |_| Vec::new()),
    ("attach", |_| Vec::new()),
    ("run", |_| Vec::new()),
    ("check", answer::<CheckLine<'_>>),
    ("completions", answer::<CompletionsAnswer>),
    ("down", quit),
    ("env", answer::<EnvObject>),
    ("export", answer::<ExportObject>),
    ("logs", |generator| {
        let mut forms = lines::<LogEntry<'_>>(generator);
        forms.extend(answer::<KeptRuns>(generator));
        forms.extend(answer::<PurgedRuns>(generator));
        forms
    }),
    ("man", answer::<ManualAnswer>),
    ("metrics", |_| Vec::new()),
    ("port", answer::<AddressObject>),
    ("ps", status),
    ("quit", quit),
    ("reload", answer::<ChangeObject>),
    ("restart", answer::<ChangeObject>),
    ("scale", answer::<ChangeObject>),
    ("signal", answer::<ChangeObject>),
    ("start", |generator| {
        let mut forms = answer::<ChangeObject>(generator);
        forms.extend(lines::<OutputLine<'_>>(generator));
        forms.extend(lines::<EventLine<'_>>(generator));
        forms
    }),
    ("status", status),
    ("stop", answer::<ChangeObject>),
    ("top", answer::<TopObject>),
    ("ui", |_| Vec::new()),
    ("up", answer::<ChangeObject>),
    ("url", answer::<AddressObject>),
    ("version", answer::<VersionAnswer>),
    ("wait", answer::<ChangeObject>),
];

/// Adds an object that [`AnswerForm`](super::AnswerForm) prints.
fn answer<T: JsonSchema>(generator: &mut SchemaGenerator) -> Vec<Schema> {
    vec![generator.subschema_for::<Printed<T>>()]
}

/// With `--all` it is another object.
fn status(generator: &mut SchemaGenerator) -> Vec<Schema> {
    [answer::<StatusObject>(generator), answer::<SessionsObject>(generator)].concat()
}

/// With `--all` or `--gone` it is another object.
fn quit(generator: &mut SchemaGenerator) -> Vec<Schema> {
    [answer::<ChangeObject>(generator), answer::<EndedObject>(generator)].concat()
}

/// Adds a line of a running session, which the output prints.
fn lines<T: JsonSchema>(generator: &mut SchemaGenerator) -> Vec<Schema> {
    vec![generator.subschema_for::<T>()]
}

/// Returns the schema of what a command prints.
///
/// # Errors
/// There is no such command.
pub(crate) fn of(name: &str) -> Result<Value, Error> {
    let names = NAMES.iter().map(|(known, _)| *known);
    let Some((name, forms)) = NAMES.iter().find(|(known, _)| *known == name) else {
        let hint = match nearest(name, names.clone()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
        };
        let reason = format!("no command `{name}` has a schema");
        return Err(Error::UnknownName { reason, hint: Some(hint) });
    };
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut any = forms(&mut generator);
    any.push(generator.subschema_for::<Printed<FailureObject>>());
    Ok(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("pm {name} --json"),
        "anyOf": any,
        "$defs": generator.take_definitions(true),
    }))
}

/// Returns each code of an error and what it means, in the order of the list.
pub(crate) fn codes() -> Vec<(String, String)> {
    let schema = schemars::schema_for!(ErrorCode).to_value();
    let text = |code: &Value, key| code[key].as_str().unwrap_or_default().to_owned();
    let codes = schema["oneOf"].as_array().into_iter().flatten();
    codes.map(|code| (text(code, "const"), text(code, "description"))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_code_and_what_it_means_is_in_the_documentation() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md");
        let page = fs::read_to_string(page).unwrap();
        let codes = codes();
        assert!(codes.len() > 20, "{codes:?}");
        for (code, meaning) in &codes {
            assert!(!code.is_empty() && meaning.ends_with('.'), "{code}: {meaning}");
            let row = format!("\n| `{code}` | {} |\n", meaning.trim_end_matches('.'));
            assert!(page.contains(&row), "docs/json.md has no row{row}");
        }
        let table = page.split("| `code` | |").nth(1).unwrap();
        assert_eq!(table.matches("\n| `").count(), codes.len(), "one that is none is there");
    }

    #[test]
    fn a_schema_is_for_a_command_that_there_is_and_every_command_has_one() {
        use clap::CommandFactory;
        let command = crate::cli::args::Cli::command();
        let of_grammar = command.get_subcommands().flat_map(|subcommand| {
            let names = [subcommand.get_name()].into_iter().chain(subcommand.get_all_aliases());
            names.map(str::to_owned).collect::<Vec<_>>()
        });
        // It prints what others print, and no object of its own.
        let mut names: Vec<_> = of_grammar.filter(|name| name != "schema").collect();
        names.push("error".to_owned());
        for name in &names {
            let schema = of(name).unwrap();
            assert!(schema["anyOf"].as_array().is_some_and(|any| !any.is_empty()), "{name}");
        }
        let known = NAMES.iter().filter(|(name, _)| !names.iter().any(|known| known == name));
        assert_eq!(known.count(), 0, "a name of no command");
        let Err(Error::UnknownName { hint, .. }) = of("restrat") else { panic!("it is known") };
        assert_eq!(hint.as_deref(), Some("did you mean `restart`?"));
    }
}
