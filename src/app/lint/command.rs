//! Lints of one command: programs that do not exist, and `$KEY` that foreman would have replaced.

use std::collections::BTreeSet;

use super::{Finding, Speaker};
use crate::app::shell::{Frozen, FrozenBy, Lexed, Token, Word, is_shell_word, name_at};

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

/// Finds a command whose first word is no program.
pub(super) fn program(
    say: &Speaker<'_>,
    lexed: &Lexed,
    lookup: &dyn Fn(&str) -> Lookup,
) -> Option<Finding> {
    let mut words = lexed.simple_commands().next()?.into_iter();
    let mut first = words.next()?;
    while first.is_assignment || first.text == "exec" {
        // The shell looks in the PATH of the assignment, if it looks at all.
        if first.text.starts_with("PATH=") {
            return None;
        }
        first = words.next()?;
    }
    // `name()` defines a function.
    let is_function = lexed.tokens.iter().any(|token| {
        matches!(token, Token::Operator(span) if span.start == first.span.end && say.entry.command[span.clone()].starts_with('('))
    });
    if !first.is_literal()
        || is_function
        || first.text.starts_with('-')
        || is_shell_word(&first.text)
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
        Lookup::Missing if name.contains('=') && first.is_quoted => (
            format!("there is no program named `{name}`"),
            "remove the quotes before the `=`: a quoted word is the name of a program, not an assignment"
                .into(),
        ),
        Lookup::Missing if name.contains(' ') => {
            (format!("there is no program named `{name}`"), "remove the quotes around the command".into())
        }
        Lookup::Missing if is_path => (
            format!("file not found: `{name}`"),
            "commands run in the application's root (`-d`)".into(),
        ),
        Lookup::Missing => (
            format!("`{name}` is not on PATH"),
            "install it, or set PATH in .env to where it is".into(),
        ),
    };
    Some(say.warn("program-not-found", first.span.clone(), message, hint))
}

/// Finds `'…$KEY…'` and `\$KEY`: the shell leaves them alone, foreman put the value there.
pub(super) fn pasted(say: &Speaker<'_>, lexed: &Lexed, keys: &BTreeSet<&str>) -> Vec<Finding> {
    let mut found = Vec::new();
    for words in lexed.simple_commands() {
        for (at, word) in words.iter().enumerate() {
            if !expands_later(&words[..at]) {
                found
                    .extend(word.frozen.iter().filter_map(|&frozen| one_pasted(say, frozen, keys)));
            }
        }
    }
    found
}

/// Returns whether the word behind these is read by another shell, or by a program that does with
/// `$NAME` what foreman does.
fn expands_later(before: &[&Word]) -> bool {
    let is_shell_option =
        |text: &str| text.starts_with('-') && !text.starts_with("--") && text.ends_with('c');
    before.last().is_some_and(|word| is_shell_option(&word.text))
        || before.iter().any(|word| matches!(&*word.text, "eval" | "trap" | "envsubst"))
}

fn one_pasted(say: &Speaker<'_>, frozen: Frozen, keys: &BTreeSet<&str>) -> Option<Finding> {
    let name = name_at(&say.entry.command[frozen.at + 1..]);
    if !keys.contains(name) {
        return None;
    }
    let end = frozen.at + 1 + name.len();
    let (start, message, hint) = match frozen.by {
        FrozenBy::SingleQuotes => (
            frozen.at,
            format!("`${name}` in single quotes is not replaced; foreman would insert the value"),
            "use double quotes if you want the value",
        ),
        FrozenBy::Backslash => (
            frozen.at - 1,
            format!("`\\${name}` stays `${name}`; foreman would insert the value"),
            "remove the backslash if you want the value",
        ),
    };
    Some(say.warn("foreman-paste", start..end, message, hint.into()))
}
