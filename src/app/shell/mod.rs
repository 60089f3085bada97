//! Commands as `/bin/sh` reads them: the lexer, and what can be said of a command by it. Pure; knows no
//! Procfile and runs nothing.

mod lexer;
mod simple;
mod token;

pub(crate) use lexer::lex;
pub use simple::script;
pub(crate) use simple::{ShellCommand, is_shell_word, shell_command, short_name};
pub(crate) use token::{Frozen, FrozenBy, Lexed, Token, Unread, Unset, Word};

/// Returns whether `name` is a name as POSIX defines it: letters, digits and `_`, no digit first.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
