//! What a command is made of.

use std::ops::Range;

/// A command, split.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    /// What the command is made of.
    pub(crate) tokens: Vec<Token>,
    /// What each `$(…)` and pair of backquotes in it is made of.
    pub(crate) nested: Vec<Vec<Token>>,
    /// Every variable that the shell would put a value in for.
    pub(crate) variables: Vec<Variable>,
    /// The first thing that keeps the tokens from being all of the truth.
    pub(crate) unread: Option<Unread>,
}

/// A piece of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A word.
    Word(Word),
    /// `&&`, `;`, `|`, `(`, a newline, … in bytes of the command.
    Operator(Range<usize>),
    /// `>`, `<`, `2>&`, with the file or descriptor behind it.
    Redirection,
}

impl Token {
    /// Returns the word that it is.
    pub(crate) fn word(&self) -> Option<&Word> {
        match self {
            Self::Word(word) => Some(word),
            Self::Operator(_) | Self::Redirection => None,
        }
    }
}

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Where it stands, in bytes of the command.
    pub(crate) span: Range<usize>,
    /// Without its quotes; expansions as they were written.
    pub(crate) text: String,
    /// A part of it is quoted, so that it is no reserved word.
    pub(crate) is_quoted: bool,
    /// It holds `$`, a backquote, or an unquoted `*`, `?`, `[` or `~`, so that `text` is not what the
    /// program gets.
    pub(crate) is_expanded: bool,
    /// A slash stands outside expansions.
    pub(crate) is_path: bool,
    /// An unquoted `NAME=` stands at its start: it assigns a value where it stands before a command.
    pub(crate) is_assignment: bool,
    /// Each `$` that the shell leaves alone.
    pub(crate) frozen: Vec<Frozen>,
}

/// A `$` that the shell leaves alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frozen {
    /// Where it stands, in bytes of the command.
    pub(crate) at: usize,
    /// Why.
    pub(crate) by: FrozenBy,
}

/// What keeps the shell from expanding a `$`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrozenBy {
    SingleQuotes,
    Backslash,
}

/// `$NAME` or `${NAME…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Where it stands, in bytes of the command.
    pub(crate) span: Range<usize>,
    /// `NAME`
    pub(crate) name: String,
    /// What happens where it is not set.
    pub(crate) unset: Unset,
}

/// What the shell does where a variable is not set (POSIX 2.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unset {
    /// It puts nothing in.
    Nothing,
    /// `${X:-y}`, `${X+y}`: something else is used; so it is in the part `y` of another such variable.
    Otherwise,
    /// `${X:=y}`, `${X?y}`: behind it, it is set.
    Ensured,
}

/// What keeps a command from being read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// A quote or another sign that is never closed: a shell refuses the command.
    Open {
        /// Where it stands, in bytes of the command.
        at: usize,
        /// `'`, `"`, a backquote, `$(` or `${`.
        sign: &'static str,
    },
    /// Something that needs a whole parser, or that shells read differently: a here-document, `case` in
    /// `$(…)`, `$'…'`, joined lines.
    Unclear,
}
