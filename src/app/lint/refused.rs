//! Lint of what a shell rejects: quotes that are not closed, and other syntax errors.

use super::{Finding, Severity, Speaker};
use crate::app::shell::{Lexed, Unread};
use crate::app::text::printable;

/// Finds a command that the shell refuses, by asking the shell; where it is a sign that is never closed, its
/// place is named.
pub(super) fn syntax(
    say: &Speaker<'_>,
    lexed: &Lexed,
    ask: &dyn Fn(&str) -> Option<String>,
) -> Option<Finding> {
    let command = &say.entry.command;
    // What has words and redirections only, all of them closed, cannot be refused, unless a `$(…)` is.
    if lexed.program().is_some() && lexed.nested.is_empty() {
        return None;
    }
    let reason = ask(command)?;
    Some(match lexed.unread {
        Some(Unread::Open { at, sign }) => {
            let (shown, hint) = unclosed(sign);
            let message = format!("{shown} is not closed: the shell rejects the command");
            let finding = say.warn("unclosed-quote", at..at + sign.len(), message, hint.into());
            Finding { severity: Severity::Error, ..finding }
        }
        Some(Unread::Unclear) | None => {
            let message = format!("the shell rejects the command: {}", printable(&reason));
            let hint = "a command is one line of /bin/sh: correct it, or put it in a script".into();
            // A template of a Procfile may stand there: the others can run.
            say.warn("syntax-error", 0..command.len(), message, hint)
        }
    })
}

/// Returns how a sign is called, and what to do about it.
fn unclosed(sign: &str) -> (&'static str, &'static str) {
    match sign {
        "'" => {
            ("the quote `'`", "close it; write a literal apostrophe as `\\'` or in double quotes")
        }
        "\"" => ("the quote `\"`", "close it; write a literal one as `\\\"`"),
        "`" => ("the backquote", "close it, or write `$(...)`"),
        "$(" => ("`$(`", "close it with `)`"),
        _ => ("`${`", "close it with `}`"),
    }
}
