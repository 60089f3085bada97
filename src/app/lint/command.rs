//! Lints of one command: programs that are not there, and `$KEY` that foreman would have replaced.

use std::collections::BTreeSet;

use super::shell::{Frozen, FrozenBy, Token, Word, tokens};
use super::{Finding, Speaker};

/// What the shell finds under the name of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A program.
    Found,
    /// A file that may not be executed.
    NotExecutable,
    /// Nothing.
    Missing,
    /// Nothing on PATH, but a program of this name in node_modules/.bin.
    InNodeModules,
}

/// Words that begin something else than a program: reserved words (POSIX shell 2.4) and built-ins.
/// `source` is one where /bin/sh is bash.
const SHELL_WORDS: [&str; 59] = [
    "!", ".", ":", "[", "[[", "alias", "bg", "break", "builtin", "case", "cd", "command",
    "continue", "do", "done", "echo", "elif", "else", "esac", "eval", "exec", "exit", "export",
    "false", "fc", "fg", "fi", "for", "function", "getopts", "hash", "if", "jobs", "kill", "local",
    "printf", "pwd", "read", "readonly", "return", "select", "set", "shift", "source", "test",
    "then", "time", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset",
    "until", "wait", "while", "{",
];

/// Finds a command whose first word is no program.
pub(super) fn program(say: &Speaker<'_>, lookup: &dyn Fn(&str) -> Lookup) -> Option<Finding> {
    let tokens = tokens(&say.entry.command);
    let mut words = tokens.iter().map_while(|token| match token {
        Token::Word(word) => Some(word),
        Token::Operator(_) | Token::Redirection => None,
    });
    let mut first = words.next()?;
    while is_assignment(first) || first.text == "exec" {
        // The shell looks in the PATH of the assignment, if it looks at all.
        if first.text.starts_with("PATH=") {
            return None;
        }
        first = words.next()?;
    }
    // `name()` defines a function.
    let is_function = tokens.iter().any(|token| {
        matches!(token, Token::Operator(span) if span.start == first.span.end && say.entry.command[span.clone()].starts_with('('))
    });
    if first.is_expanded
        || is_function
        || first.text.starts_with('-')
        || SHELL_WORDS.contains(&first.text.as_str())
    {
        return None;
    }
    let name = &first.text;
    let is_path = name.contains('/');
    let (message, hint) = match lookup(name) {
        Lookup::Found => return None,
        Lookup::NotExecutable => (
            format!("`{name}` is not executable"),
            format!("make it executable: `chmod +x {name}`"),
        ),
        Lookup::InNodeModules => (
            format!("`{name}` is not on PATH, but in node_modules/.bin"),
            format!("write `npx {name}`, or put node_modules/.bin on PATH in .env"),
        ),
        Lookup::Missing if name.contains(' ') => {
            (format!("no program is called `{name}`"), "delete the quotes round the command".into())
        }
        Lookup::Missing if is_path => (
            format!("`{name}` is not there"),
            "commands run in the application's root (`-d`)".into(),
        ),
        Lookup::Missing => (
            format!("`{name}` is not on PATH"),
            "install it, or set PATH in .env to where it is".into(),
        ),
    };
    Some(say.warn("program-not-found", first.span.clone(), message, hint))
}

/// Returns whether a word is `NAME=value`.
pub(super) fn is_assignment(word: &Word) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    word.text.split_once('=').is_some_and(|(name, _)| is_name(name))
}

/// Finds `'…$KEY…'` and `\$KEY`: the shell leaves them alone, foreman put the value there.
pub(super) fn pasted(say: &Speaker<'_>, keys: &BTreeSet<&str>) -> Vec<Finding> {
    let command = &say.entry.command;
    let tokens = tokens(command);
    let mut found = Vec::new();
    let mut before: Vec<&str> = Vec::new();
    for token in &tokens {
        match token {
            Token::Operator(_) => before.clear(),
            Token::Redirection => {}
            Token::Word(word) => {
                if !expands_later(&before) {
                    found.extend(
                        word.frozen.iter().filter_map(|frozen| one_pasted(say, *frozen, keys)),
                    );
                }
                before.push(&word.text);
            }
        }
    }
    found
}

/// Returns whether the word behind these is read by another shell, or by a program that does with
/// `$NAME` what foreman does.
fn expands_later(before: &[&str]) -> bool {
    let is_shell_option =
        |word: &&str| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    before.last().is_some_and(is_shell_option)
        || before.iter().any(|word| matches!(*word, "eval" | "trap" | "envsubst"))
}

fn one_pasted(say: &Speaker<'_>, frozen: Frozen, keys: &BTreeSet<&str>) -> Option<Finding> {
    let behind = &say.entry.command[frozen.at + 1..];
    let name = &behind[..behind.len()
        - behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len()];
    if !keys.contains(name) {
        return None;
    }
    let end = frozen.at + 1 + name.len();
    let (start, message, hint) = match frozen.by {
        FrozenBy::SingleQuotes => (
            frozen.at,
            format!(
                "`${name}` in single quotes stays as it is written; foreman put the value there"
            ),
            "put it in double quotes, if the value is meant",
        ),
        FrozenBy::Backslash => (
            frozen.at - 1,
            format!("`\\${name}` stays `${name}`; foreman put the value there"),
            "delete the backslash, if the value is meant",
        ),
    };
    Some(say.warn("foreman-paste", start..end, message, hint.into()))
}
