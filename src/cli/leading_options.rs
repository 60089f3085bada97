//! Options of the application may come before the command, too: `pm -f Procfile.dev start`. They are moved
//! behind the command and before its own options, so that each command reads them in one place and later
//! options win.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::builder::Resettable;

/// The options: the long name, which is the id in clap too, and the short one. Each takes a value.
const OPTIONS: [(&str, Option<u8>); 7] = [
    ("procfile", Some(b'f')),
    ("root", Some(b'd')),
    ("env", Some(b'e')),
    ("set", None),
    ("config", None),
    ("formation", Some(b'm')),
    ("port", Some(b'p')),
];

/// The command whose options they are, for the help.
const OF: &str = "start";

/// What is said of another option that stands before the command.
pub(super) const HINT: &str = "only -f, -d, -e, -m, -p, --set and --config may come before the \
                               command; its own options come after it";

/// Puts the options that stand before the command behind it, by their long names: a short one may mean
/// something else there (`pm logs -f`). Where something else stands there, all stays as it is.
pub(super) fn behind(arguments: Vec<OsString>) -> Vec<OsString> {
    if !arguments.get(1).is_some_and(is_option) {
        return arguments;
    }
    let mut moved = Vec::new();
    let mut words = arguments.iter().skip(1);
    while let Some(word) = words.next() {
        if !is_option(word) {
            let mut all = Vec::with_capacity(arguments.len());
            all.extend(arguments.first().cloned());
            all.push(word.clone());
            all.append(&mut moved);
            all.extend(words.cloned());
            return all;
        }
        let Some((name, value)) = option(word) else { return arguments };
        let Some(value) = value.or_else(|| words.next().cloned()) else { return arguments };
        moved.push(format!("--{name}").into());
        moved.push(value);
    }
    arguments
}

/// Returns how an option that stands before the command was typed there (`-p`), by the long name that it is moved with.
pub(super) fn as_typed(arguments: &[OsString], long: &str) -> Option<String> {
    let mut words = arguments.iter().skip(1);
    loop {
        let word = words.next()?;
        let (name, value) = option(word)?;
        if name == long {
            let short = word.as_bytes().get(1).filter(|byte| **byte != b'-');
            return Some(
                short.map_or(format!("--{name}"), |short| format!("-{}", char::from(*short))),
            );
        }
        if value.is_none() {
            words.next()?;
        }
    }
}

fn is_option(word: impl AsRef<OsStr>) -> bool {
    word.as_ref().as_bytes().starts_with(b"-")
}

/// Returns the long name of the option that a word is, and the value where the word has it.
fn option(word: &OsStr) -> Option<(&'static str, Option<OsString>)> {
    let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let word = word.as_bytes();
    if let Some(long) = word.strip_prefix(b"--") {
        return OPTIONS.iter().find_map(|(name, _)| match long.strip_prefix(name.as_bytes())? {
            [] => Some((*name, None)),
            [b'=', value @ ..] => Some((*name, Some(owned(value)))),
            _ => None,
        });
    }
    let [b'-', short, value @ ..] = word else { return None };
    let (name, _) = OPTIONS.iter().find(|(_, own)| *own == Some(*short))?;
    let value = value.strip_prefix(b"=").or(Some(value).filter(|value| !value.is_empty()));
    Some((*name, value.map(owned)))
}

/// Adds the options to the grammar before the command: the help, the manual and completion show them there.
pub(super) fn shown(command: clap::Command) -> clap::Command {
    let Some(start) = command.find_subcommand(OF) else { return command };
    let named = |(name, _): &(&str, _)| start.get_arguments().find(|arg| arg.get_id() == *name);
    let options = OPTIONS.iter().filter_map(named).cloned().enumerate().map(|(at, arg)| {
        // A variable counts in the command itself, and the rest is said there.
        let arg = arg.env(Resettable::Reset).long_help(None::<&str>).display_order(at);
        arg.help_heading("Options of the application, before or after the command")
    });
    let options = options.collect::<Vec<_>>();
    command.args(options)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    fn moved(text: &str) -> String {
        behind(text.split(' ').map(OsString::from).collect())
            .join(OsStr::new(" "))
            .into_string()
            .unwrap()
    }

    #[test]
    fn options_before_the_command_are_put_behind_it_by_their_long_names() {
        let table = [
            ("pm start -p 1", "pm start -p 1"),
            ("pm -f P start", "pm start --procfile P"),
            ("pm -fP start", "pm start --procfile P"),
            ("pm -f=P start", "pm start --procfile P"),
            ("pm --procfile=P start", "pm start --procfile P"),
            ("pm --procfile P logs -f", "pm logs --procfile P -f"),
            ("pm -d app -p 3000 start web=2", "pm start --root app --port 3000 web=2"),
            ("pm -e .env.x run ./task -e y", "pm run --env .env.x ./task -e y"),
            ("pm -p 3000 run web", "pm run --port 3000 web"),
            ("pm -e a -e b start -e c", "pm start --env a --env b -e c"),
            ("pm --set A=b=c check", "pm check --set A=b=c"),
            ("pm --set=A=b check", "pm check --set A=b"),
            ("pm --config x.toml -m web=2 env", "pm env --config x.toml --formation web=2"),
            ("pm -f start start", "pm start --procfile start"),
            ("pm -f P strat", "pm strat --procfile P"),
        ];
        for (typed, expected) in table {
            assert_eq!(moved(typed), expected);
        }
        let bytes = OsString::from_vec(b"-e\xff".to_vec());
        let kept = behind(vec!["pm".into(), bytes, "start".into()]);
        assert_eq!(kept[3], OsString::from_vec(b"\xff".to_vec()));
    }

    #[test]
    fn what_is_no_such_option_leaves_all_as_it_is() {
        for typed in [
            "pm",
            "pm -f",
            "pm -f P",
            "pm -f P -p 1",
            "pm --help",
            "pm -f P --help",
            "pm -f P -t 1 start",
            "pm -V",
            "pm -- start",
            "pm - start",
            "pm --procfiles P start",
            "pm --port",
            "pm --json start",
        ] {
            assert_eq!(moved(typed), typed);
        }
    }

    #[test]
    fn a_moved_option_is_named_as_it_was_typed() {
        for (typed, long, expected) in [
            ("pm -p 1 ps", "port", Some("-p")),
            ("pm -p1 ps", "port", Some("-p")),
            ("pm --port=1 ps", "port", Some("--port")),
            ("pm -f port -mweb=2 ps", "formation", Some("-m")),
            ("pm -f port ps", "port", None),
            ("pm ps -p 1", "port", None),
            ("pm", "port", None),
        ] {
            let words: Vec<_> = typed.split(' ').map(OsString::from).collect();
            assert_eq!(as_typed(&words, long).as_deref(), expected, "{typed}");
        }
    }

    #[test]
    fn the_options_are_those_of_the_command() {
        let command = Cli::command();
        let start = command.find_subcommand(OF).unwrap();
        for (name, short) in OPTIONS {
            let arg = start.get_arguments().find(|arg| arg.get_id() == name).unwrap();
            assert_eq!(arg.get_long(), Some(name));
            assert_eq!(arg.get_short(), short.map(char::from), "{name}");
            assert!(arg.get_action().takes_values(), "{name}");
        }
        assert_eq!(shown(command).get_arguments().count(), OPTIONS.len());
    }
}
