//! Expansions of a command (POSIX 2.6): where each ends, and which variable it is about.

use std::ops::Range;

use super::is_name;
use super::lexer::{InQuotes, JOINT, Lexer, ListEnd};
use super::token::{Expansion, ParameterExpansion, Unread, Unset, Word};

impl<'a> Lexer<'a> {
    /// Reads `$NAME`, `${…}`, `$(…)` or `` `…` ``.
    pub(super) fn expansion(&mut self, word: &mut Word, quoted: InQuotes) {
        word.expand(match quoted {
            InQuotes::Yes => Expansion::OneWord,
            InQuotes::No => Expansion::AnyWords,
        });
        let start = self.at;
        let rest = self.rest();
        let next = rest[1..].chars().next();
        match next {
            _ if rest.starts_with('`') => self.backquotes(),
            Some('(') => {
                self.at += 2;
                if self.descend() {
                    let (tokens, is_closed) = self.list(ListEnd::Parenthesis);
                    self.lexed.nested.push(tokens);
                    self.depth -= 1;
                    if !is_closed {
                        self.give_up(Unread::Open { at: start, sign: "$(" });
                    }
                }
            }
            Some('{') => {
                if self.descend() {
                    let inner = self.braces(quoted);
                    word.expand(inner);
                    self.depth -= 1;
                }
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                self.at += 1;
                let name = self.skip(|c| c.is_ascii_alphanumeric() || c == '_');
                self.variable(start..self.at, name, Unset::Nothing);
                self.is_whole();
            }
            Some('@') => {
                word.expand(Expansion::AnyWords);
                self.at += 2;
            }
            Some('?' | '*' | '#' | '$' | '!' | '-' | '0'..='9') => self.at += 2,
            _ => {
                self.at += 1;
                self.is_whole();
                // bash knows `$'…'`, in which `\'` does not end it.
                let inner = self.rest().strip_prefix('\'').filter(|_| quoted == InQuotes::No);
                if inner.is_some_and(|inner| inner.split('\'').next().unwrap_or("").contains('\\'))
                {
                    self.give_up(Unread::Unclear);
                }
            }
        }
        word.text.push_str(&self.command[start..self.at]);
    }

    fn variable(&mut self, span: Range<usize>, name: &str, unset: Unset) {
        let unset = if self.guards > 0 { Unset::Otherwise } else { unset };
        self.lexed.variables.push(ParameterExpansion { span, name: name.to_owned(), unset });
    }

    /// Reads `${…}`; returns what is made of it in double quotes.
    fn braces(&mut self, quoted: InQuotes) -> Expansion {
        let start = self.at;
        self.at += 2;
        // `${#X}`, but `${#}` and `${#-x}` are about `$#`.
        let behind_sign = self.rest().strip_prefix('#').and_then(|rest| rest.chars().next());
        if behind_sign.is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
            self.at += 1;
        }
        let name = self.parameter();
        let rest = self.rest();
        let unset = match rest.strip_prefix(':').unwrap_or(rest).chars().next() {
            Some('-' | '+') => Unset::Otherwise,
            Some('=' | '?') => Unset::Ensured,
            _ => Unset::Nothing,
        };
        let is_posix =
            unset != Unset::Nothing || rest.is_empty() || rest.starts_with(['}', '#', '%']);
        if name.is_empty() || rest.starts_with(JOINT) {
            self.give_up(Unread::Unclear);
        }
        let mut inner = Word::default();
        if name == "@" || !is_posix {
            // What other shells know, as `${X[@]}`; dash refuses it when it comes to it.
            inner.expand(Expansion::AnyWords);
        }
        let place = self.lexed.variables.len();
        if is_name(name) {
            self.variable(start..self.at, name, unset);
        }
        let is_guarded = unset != Unset::Nothing;
        self.guards += usize::from(is_guarded);
        loop {
            match self.peek() {
                None => {
                    self.give_up(Unread::Open { at: start, sign: "${" });
                    break;
                }
                Some('}') => {
                    self.at += 1;
                    break;
                }
                // In double quotes, a single quote is itself, but in a pattern as in `${X#'a'}`.
                Some('\'') if quoted == InQuotes::No || !is_guarded => self.single(&mut inner),
                Some('"') => self.double(&mut inner),
                Some('\\') => {
                    self.at += 1;
                    self.bump();
                }
                Some('$' | '`') => self.expansion(&mut inner, quoted),
                Some(_) => self.bump(),
            }
        }
        self.guards -= usize::from(is_guarded);
        if let Some(variable) = self.lexed.variables.get_mut(place).filter(|_| is_name(name)) {
            variable.span.end = self.at;
        }
        inner.expansion
    }

    /// Takes a name, a number, or one of `$?`, `$@` and their kin.
    fn parameter(&mut self) -> &'a str {
        let name = self.skip(|c| c.is_ascii_alphanumeric() || c == '_');
        if !name.is_empty() || !self.rest().starts_with(['?', '*', '@', '#', '$', '!', '-']) {
            return name;
        }
        self.at += 1;
        &self.command[self.at - 1..self.at]
    }

    /// Reads a pair of backquotes. Where a backslash stands between them, what is there is not looked at.
    fn backquotes(&mut self) {
        let start = self.at;
        let inner = &self.rest()[1..];
        let mut is_escaped = false;
        let close = inner.char_indices().find(|&(_, c)| {
            let is_close = c == '`' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_close
        });
        let Some((length, _)) = close else {
            self.give_up(Unread::Open { at: start, sign: "`" });
            self.at = self.end;
            return;
        };
        let (end, close) = (self.end, start + 1 + length);
        if !inner[..length].contains('\\') && self.descend() {
            (self.at, self.end) = (start + 1, close);
            let (tokens, _) = self.list(ListEnd::End);
            self.lexed.nested.push(tokens);
            self.depth -= 1;
        }
        (self.at, self.end) = (close + 1, end);
    }
}
