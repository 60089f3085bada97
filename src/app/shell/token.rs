//! What a command is made of.

use std::ops::Range;

/// A command, split.
#[derive(Debug, Default)]
pub struct Lexed {
    /// What the command is made of.
    pub tokens: Vec<Token>,
    /// What each `$(…)` and pair of backquotes in it is made of.
    pub nested: Vec<Vec<Token>>,
    /// Every variable that the shell would replace by its value.
    pub variables: Vec<ParameterExpansion>,
    /// The first thing that the lexer cannot read: what stands behind it may be read wrong.
    pub unread: Option<Unread>,
}

impl Lexed {
    /// Returns the words of each simple command, without redirections and their files.
    pub fn simple_commands(&self) -> impl Iterator<Item = Vec<&Word>> {
        simple_commands(&self.tokens)
    }

    /// Returns the words of the command where it is surely one simple command (XCU 2.9.1), or no command at
    /// all: redirections and comments.
    pub fn one_simple_command(&self) -> Option<Vec<&Word>> {
        let is_operator = |token: &Token| matches!(token, Token::Operator(_));
        let words: Vec<&Word> = self.tokens.iter().filter_map(Token::word).collect();
        let is_compound = self.tokens.iter().any(is_operator)
            || words.first().is_some_and(|word| word.is_reserved());
        (self.unread.is_none() && !is_compound).then_some(words)
    }
}

/// Returns the words of each simple command of a list, without redirections and their files.
pub(crate) fn simple_commands(tokens: &[Token]) -> impl Iterator<Item = Vec<&Word>> {
    let parts = tokens.split(|token| matches!(token, Token::Operator(_)));
    parts.map(|part| part.iter().filter_map(Token::word).collect())
}

/// A piece of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word.
    Word(Word),
    /// `&&`, `;`, `|`, `(`, a newline, … in bytes of the command.
    Operator(Range<usize>),
    /// `>`, `<`, `2>&`, with the file or descriptor behind it.
    Redirection,
}

impl Token {
    /// Returns the word that it is.
    pub fn word(&self) -> Option<&Word> {
        match self {
            Self::Word(word) => Some(word),
            Self::Operator(_) | Self::Redirection => None,
        }
    }
}

/// Reserved words behind which a command begins.
const OPENERS: [&str; 9] = ["!", "{", "do", "elif", "else", "if", "then", "until", "while"];

/// The other reserved words, with those of bash.
const OTHER_RESERVED: [&str; 13] = [
    "}", "[[", "]]", "case", "coproc", "done", "esac", "fi", "for", "function", "in", "select",
    "time",
];

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Where it stands, in bytes of the command.
    pub span: Range<usize>,
    /// Without its quotes; expansions as they were written.
    pub text: String,
    /// A part of it is quoted, so that it is no reserved word.
    pub is_quoted: bool,
    /// What the shell makes of it.
    pub expansion: Expansion,
    /// A slash stands outside expansions.
    pub is_path: bool,
    /// An unquoted `NAME=` stands at its start: it assigns a value where it stands before a command.
    pub is_assignment: bool,
    /// Each `$` that the shell leaves alone.
    pub frozen: Vec<Frozen>,
}

impl Word {
    /// Returns whether the program gets `text`, exactly.
    pub fn is_literal(&self) -> bool {
        self.expansion == Expansion::None
    }

    /// Returns the part behind the last slash.
    pub(crate) fn base_name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or(&self.text)
    }

    /// Returns whether it is a reserved word behind which a command begins.
    pub(crate) fn opens_command(&self) -> bool {
        !self.is_quoted && OPENERS.contains(&self.text.as_str())
    }

    /// Returns whether it is a reserved word of some shell, where it stands first (XCU 2.4).
    pub(super) fn is_reserved(&self) -> bool {
        self.opens_command() || (!self.is_quoted && OTHER_RESERVED.contains(&self.text.as_str()))
    }

    /// Returns whether it is digits, which right before `<` or `>` name a descriptor.
    pub(super) fn is_number(&self) -> bool {
        !self.is_quoted && self.text.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Notes an expansion in it.
    pub(super) fn expand(&mut self, expansion: Expansion) {
        self.expansion = self.expansion.max(expansion);
    }
}

/// What the shell makes of a word (POSIX 2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expansion {
    /// Its text without the quotes.
    #[default]
    None,
    /// One word, of which not all is known: an expansion in double quotes, or `~`.
    OneWord,
    /// None, one or several: an expansion without quotes, `"$@"`, or a pattern.
    AnyWords,
}

/// A `$` that the shell leaves alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Where it stands, in bytes of the command.
    pub at: usize,
    /// Why.
    pub by: FrozenBy,
}

/// What keeps the shell from expanding a `$`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrozenBy {
    /// `'$NAME'`
    SingleQuotes,
    /// `\$NAME`
    Backslash,
}

/// `$NAME` or `${NAME…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterExpansion {
    /// Where it stands, in bytes of the command.
    pub span: Range<usize>,
    /// `NAME`
    pub name: String,
    /// What happens where it is not set.
    pub unset: Unset,
}

/// What the shell does where a variable is not set (POSIX 2.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// It puts nothing in.
    Nothing,
    /// `${X:-y}`, `${X+y}`: something else is used; so it is in the part `y` of another such variable.
    Otherwise,
    /// `${X:=y}`, `${X?y}`: behind it, it is set.
    Ensured,
}

/// What keeps a command from being read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// A quote or another sign that is never closed: a shell refuses the command.
    Open {
        /// Where it stands, in bytes of the command.
        at: usize,
        /// `'`, `"`, a backquote, `$(` or `${`.
        sign: &'static str,
    },
    /// Something that needs a whole parser, or that shells read differently: a here-document, `case` in
    /// `$(…)`, `$'\\''`, a `&&` over two lines, `10>f`.
    Unclear,
}
