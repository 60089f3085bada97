//! docs/reference.md, as far as it follows from the options: the table of `pm start`, and that none is left out. Of their
//! variables, docs/environment.md leaves none out.

use std::fs;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use super::args::Cli;
use crate::config::schema::is_current;

const PAGE: &str = "docs/reference.md";
/// What stands around the table.
const MARKS: (&str, &str) = ("<!-- PM_BLESS=1 cargo test --lib reference -->\n", "<!-- end -->\n");

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap()
}

fn grammar() -> Command {
    let mut grammar = Cli::command();
    grammar.build();
    grammar
}

/// Returns the options of a command that its help shows, but `--help`.
fn options(command: &Command) -> impl Iterator<Item = (&Arg, &str)> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "help");
    shown.filter_map(|arg| Some((arg, arg.get_long()?)))
}

fn row((arg, long): (&Arg, &str)) -> String {
    let help = arg.get_help().unwrap().to_string();
    let (meaning, default) = match help.split_once(" [default: ") {
        Some((meaning, default)) => (meaning, default.trim_end_matches(']')),
        None => (help.as_str(), ""),
    };
    let words: Vec<_> =
        arg.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
    let value = match arg.get_value_names() {
        Some([name]) if words.is_empty() => name.to_string(),
        Some(_) | None => words.join("|"),
    };
    let value = match (arg.get_action().takes_values(), arg.is_require_equals_set()) {
        (false, _) => String::new(),
        (true, true) => format!("[={value}]"),
        (true, false) => format!(" {value}"),
    };
    let short = arg.get_short().map(|letter| format!("`-{letter}`, ")).unwrap_or_default();
    let [value, meaning] = [&value, meaning].map(|text| text.replace('|', "\\|"));
    format!("| {short}`--{long}{value}` | {default} | {meaning} |\n")
}

#[test]
fn the_table_of_the_reference_follows_from_the_options_of_start() {
    let grammar = grammar();
    let start = grammar.find_subcommand("start").unwrap();
    let rows: String = options(start).map(row).collect();
    let page = page();
    let (before, rest) = page.split_once(MARKS.0).expect("the first mark is there");
    let (_, after) = rest.split_once(MARKS.1).expect("the second mark is there");
    let table = format!("| option | default | meaning |\n|---|---|---|\n{rows}");
    is_current(PAGE, &[before, MARKS.0, &table, MARKS.1, after].concat());
}

#[test]
fn the_reference_and_the_page_on_exports_name_every_command_and_every_option() {
    let export = include_str!("../../docs/export.md");
    let page = page() + export;
    let grammar = grammar();
    for command in grammar.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        assert!(name == "help" || page.contains(&format!("pm {name}")), "pm {name}");
        for (_, long) in options(command) {
            let option = format!("--{long}");
            // It is the whole word: `--timeout` is not that of `--timeout-signal`.
            let mut places = page.match_indices(&option).map(|(at, _)| &page[at + option.len()..]);
            let is_named =
                places.any(|rest| !rest.starts_with(|c: char| c == '-' || c.is_alphanumeric()));
            assert!(is_named, "pm {name} {option}");
        }
    }
}

#[test]
fn the_page_on_the_environment_names_the_variable_of_every_option() {
    let page = include_str!("../../docs/environment.md");
    for command in grammar().get_subcommands() {
        for variable in command.get_arguments().filter_map(Arg::get_env) {
            let variable = variable.to_string_lossy();
            assert!(page.contains(&format!("`{variable}`")), "{variable}");
        }
    }
}
