//! The value of a `PM_` variable for a flag: a word for yes or no, and nothing else.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;

const YES: [&str; 6] = ["1", "true", "yes", "on", "y", "t"];
const NO: [&str; 6] = ["0", "false", "no", "off", "n", "f"];

/// Reads the variable of a flag. The flag itself takes no value, so what comes here is the variable's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct YesOrNo;

impl TypedValueParser for YesOrNo {
    type Value = bool;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<bool, clap::Error> {
        let word = value.to_str().map(str::to_lowercase).unwrap_or_default();
        let is_one_of = |words: &[&str]| words.contains(&word.as_str());
        if is_one_of(&YES) || is_one_of(&NO) {
            return Ok(is_one_of(&YES));
        }
        let variable = arg.and_then(clap::Arg::get_env).unwrap_or_default().to_string_lossy();
        let text = format!(
            "`{variable}` is `{}`, which is neither true nor false\nhint: set it to `true` or `false`, or unset it",
            value.to_string_lossy().escape_debug(),
        );
        Err(command.clone().error(ErrorKind::ValueValidation, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    use crate::cli::args::Cli;

    /// Returns every flag that has a variable, with its subcommand.
    fn flags() -> Vec<(String, clap::Arg)> {
        let is_flag =
            |arg: &&clap::Arg| arg.get_env().is_some() && !arg.get_action().takes_values();
        let command = Cli::command();
        let of = |command: &clap::Command| {
            let name = command.get_name().to_owned();
            let flags = command.get_arguments().filter(is_flag).cloned();
            flags.map(|flag| (name.clone(), flag)).collect::<Vec<_>>()
        };
        command.get_subcommands().flat_map(of).collect()
    }

    /// Returns what a flag makes of a value of its variable: here it takes the value itself, since clap
    /// reads variables from the environment of the tests.
    fn read(name: &str, flag: &clap::Arg, value: &str) -> Result<bool, String> {
        let (id, long) = (flag.get_id(), flag.get_long().unwrap());
        let takes = |arg: clap::Arg| arg.action(clap::ArgAction::Set).num_args(1);
        let command = Cli::command().mut_subcommand(name, |one| one.mut_arg(id, takes));
        let matches = command.try_get_matches_from(["pm", name, &format!("--{long}={value}")]);
        let matches = matches.map_err(|error| error.to_string())?;
        Ok(matches.subcommand().unwrap().1.get_flag(id.as_str()))
    }

    #[test]
    fn the_variable_of_every_flag_takes_a_word_for_yes_or_no_and_refuses_any_other() {
        let mut names = std::collections::BTreeSet::new();
        for (command, flag) in flags() {
            let name = flag.get_env().unwrap().to_str().unwrap();
            names.insert(name.to_owned());
            for yes in YES.into_iter().chain(["TRUE", "Yes", "oN"]) {
                assert_eq!(read(&command, &flag, yes), Ok(true), "{name}={yes}");
            }
            for no in NO.into_iter().chain(["FALSE", "No", "oFf"]) {
                assert_eq!(read(&command, &flag, no), Ok(false), "{name}={no}");
            }
            for other in ["maybe", "2", "-1", " 1", "truee", "ja", "null", "\u{1b}[31m"] {
                let refusal = read(&command, &flag, other).unwrap_err();
                let said = format!(
                    "error: `{name}` is `{}`, which is neither true nor false\nhint: set it",
                    other.escape_debug()
                );
                assert!(refusal.starts_with(&said), "{refusal}");
            }
        }
        for known in ["PM_JSON", "PM_STRICT", "PM_RELEASE", "PM_HARDEN", "PM_DAEMON"] {
            assert!(names.contains(known), "{known} of {names:?}");
        }
    }
}
