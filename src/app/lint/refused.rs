//! Lint of what a shell refuses to read at all: quotes and expansions that are never closed.

use super::{Finding, Severity, Speaker};
use crate::app::shell::{Lexed, Unread};

/// Finds the sign that is never closed.
pub(super) fn unclosed(say: &Speaker<'_>, lexed: &Lexed) -> Option<Finding> {
    let Some(Unread::Open { at, sign }) = lexed.unread else { return None };
    let (shown, hint) = match sign {
        "'" => (
            "the quote `'`",
            "close it; an apostrophe that is meant as such is `\\'`, or stands in double quotes",
        ),
        "\"" => ("the quote `\"`", "close it; one that is meant as such is `\\\"`"),
        "`" => ("the backquote", "close it, or write `$(...)`"),
        "$(" => ("`$(`", "close it with `)`"),
        _ => ("`${`", "close it with `}`"),
    };
    let message = format!("{shown} is never closed: the shell refuses the command");
    let finding = say.warn("unclosed-quote", at..at + sign.len(), message, hint.into());
    Some(Finding { severity: Severity::Error, ..finding })
}
