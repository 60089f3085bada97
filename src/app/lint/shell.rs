//! Splits a command into words and operators as `/bin/sh` would, as far as the lints ask: what is a
//! word, what is quoted, what would be expanded. POSIX, Shell Command Language 2.2, 2.3.

use std::ops::Range;

/// A piece of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word, quotes removed.
    Word(Word),
    /// `&&`, `;`, `|`, `(`, …
    Operator(Range<usize>),
    /// `>`, `<`, `2>&`, with the file or descriptor behind it.
    Redirection,
}

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// Where it stands, in bytes of the command.
    pub(super) span: Range<usize>,
    /// What the program gets, where nothing is expanded.
    pub(super) text: String,
    /// Holds `$`, a backquote, or an unquoted `*`, `?`, `[` or `~`, so that `text` is not what the
    /// program gets.
    pub(super) is_expanded: bool,
    /// Each `$` that the shell leaves alone.
    pub(super) frozen: Vec<Frozen>,
}

/// A `$` that the shell leaves alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frozen {
    /// Where it stands, in bytes of the command.
    pub(super) at: usize,
    pub(super) by: FrozenBy,
}

/// What keeps the shell from expanding a `$`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrozenBy {
    SingleQuotes,
    Backslash,
}

/// Splits a command.
pub(super) fn tokens(command: &str) -> Vec<Token> {
    let mut lexer = Lexer { command, at: 0, tokens: Vec::new() };
    while let Some(c) = lexer.peek() {
        match c {
            ' ' | '\t' | '\r' | '\n' => lexer.at += 1,
            '#' => break,
            '<' | '>' => lexer.redirection(),
            '|' | '&' | ';' | '(' | ')' => lexer.operator(c),
            _ => lexer.word(),
        }
    }
    lexer.tokens
}

struct Lexer<'a> {
    command: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.command[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn operator(&mut self, first: char) {
        let start = self.at;
        self.at += 1;
        if matches!(first, '|' | '&' | ';') && self.peek() == Some(first) {
            self.at += 1;
        }
        self.tokens.push(Token::Operator(start..self.at));
    }

    /// Takes the operator and the word behind it. A number right before it is a descriptor.
    fn redirection(&mut self) {
        if let Some(Token::Word(word)) = self.tokens.last()
            && word.span.end == self.at
            && word.text.bytes().all(|byte| byte.is_ascii_digit())
        {
            self.tokens.pop();
        }
        let is_part = |c: char| matches!(c, '<' | '>' | '&' | '|' | '-');
        self.at += self.rest().len() - self.rest().trim_start_matches(is_part).len();
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        if self.peek().is_some_and(|c| !matches!(c, '|' | '&' | ';' | '(' | ')' | '#')) {
            self.word();
            self.tokens.pop();
        }
        self.tokens.push(Token::Redirection);
    }

    fn word(&mut self) {
        let mut word = Word { span: self.at..self.at, ..Word::default() };
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' | '\n' | '|' | '&' | ';' | '(' | ')' | '<' | '>' => break,
                '\'' => self.single(&mut word),
                '"' => self.double(&mut word),
                '\\' => self.backslash(&mut word),
                '$' | '`' => self.expansion(&mut word),
                _ => {
                    word.is_expanded |= matches!(c, '*' | '?' | '[' | '~');
                    word.text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        word.span.end = self.at;
        self.tokens.push(Token::Word(word));
    }

    fn single(&mut self, word: &mut Word) {
        self.at += 1;
        let inner = self.rest().split('\'').next().unwrap_or_default();
        let dollars = inner
            .match_indices('$')
            .map(|(at, _)| Frozen { at: self.at + at, by: FrozenBy::SingleQuotes });
        word.frozen.extend(dollars);
        word.text.push_str(inner);
        self.at = (self.at + inner.len() + 1).min(self.command.len());
    }

    fn double(&mut self, word: &mut Word) {
        self.at += 1;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => self.backslash(word),
                '$' | '`' => self.expansion(word),
                _ => {
                    word.text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    fn backslash(&mut self, word: &mut Word) {
        let Some(escaped) = self.rest().chars().nth(1) else {
            word.text.push('\\');
            self.at += 1;
            return;
        };
        if escaped == '$' {
            word.frozen.push(Frozen { at: self.at + 1, by: FrozenBy::Backslash });
        }
        word.text.push(escaped);
        self.at += 1 + escaped.len_utf8();
    }

    /// Skips `$NAME`, `${…}`, `$(…)` or `` `…` ``; what is in it is not looked at.
    fn expansion(&mut self, word: &mut Word) {
        word.is_expanded = true;
        let rest = self.rest();
        let (open, close) = match rest.as_bytes().get(..2) {
            Some(b"$(") => ('(', ')'),
            Some(b"${") => ('{', '}'),
            _ if rest.starts_with('`') => {
                self.at += rest[1..].find('`').map_or(rest.len(), |end| end + 2);
                return;
            }
            _ => {
                self.at += 1;
                return;
            }
        };
        let mut depth = 0_usize;
        let mut quote = None;
        for (at, c) in rest.char_indices() {
            match quote {
                Some(q) if c == q => quote = None,
                Some(_) => {}
                None if c == '\'' || c == '"' => quote = Some(c),
                None if c == open => depth += 1,
                None if c == close => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += at + 1;
                        return;
                    }
                }
                None => {}
            }
        }
        self.at = self.command.len();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(command: &str) -> String {
        let show = |token: Token| match token {
            Token::Word(word) => {
                format!("{}{}", word.text, if word.is_expanded { "*" } else { "" })
            }
            Token::Operator(span) => format!("<{}>", &command[span]),
            Token::Redirection => "<redirection>".into(),
        };
        tokens(command).into_iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn commands_are_split_as_the_shell_does() {
        let table = [
            ("node server.js", "node server.js"),
            ("a 'b c' \"d e\" f\\ g", "a b c d e f g"),
            ("a && b||c;d|e&", "a <&&> b <||> c <;> d <|> e <&>"),
            ("a >log 2>&1 <in", "a <redirection> <redirection> <redirection>"),
            ("a 2 > log", "a 2 <redirection>"),
            ("a # b & c", "a"),
            ("a b#c", "a b#c"),
            ("A=$X b${Y} \"c$(d ')' e)\" `f g`", "A=X* b* c* *"),
            ("(cd x && y)", "<(> cd x <&&> y <)>"),
            ("a *.js ~/x", "a *.js* ~/x*"),
            ("\"echo hi\"", "echo hi"),
            ("a 'unclosed", "a unclosed"),
            ("a \"$(unclosed", "a *"),
            ("a \\", "a \\"),
        ];
        for (command, expected) in table {
            assert_eq!(shown(command), expected, "{command:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_split_without_a_panic(command in "([ab '\"\\\\$`(){}<>|&;#é]|.){0,30}") {
            for token in tokens(&command) {
                if let Token::Word(word) = token {
                    prop_assert!(command.get(word.span).is_some());
                    prop_assert!(word.frozen.iter().all(|frozen| command[frozen.at..].starts_with('$')));
                }
            }
        }
    }
}
