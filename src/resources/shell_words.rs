//! The words of a shell command, each with its place in the text: as much of POSIX's token
//! recognition (XCU 2.3) as it takes to find the program that a simple command runs. Nothing is
//! expanded; a word with an expansion in it has no known text.

use std::ops::Range;

/// Stands for the value of `"$X"` in a word's text. No argument of a program can hold it.
const UNKNOWN: &str = "\0";

/// A piece of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word.
    Word(Word),
    /// `;`, `&`, `&&`, `||`, `|`, a parenthesis or the end of a line: a simple command ends here.
    Separator(char),
    /// `>`, `2>`, `<` and their kin; the next word is a file, not an argument.
    Redirection,
}

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Where it stands in the command, in bytes.
    pub(super) place: Range<usize>,
    /// Its text without quotes; [`UNKNOWN`] stands for what an expansion in quotes puts in. `None`: an
    /// expansion outside quotes, which may even make it several words, or none.
    pub(super) text: Option<String>,
    /// No part of it is quoted, so that it may be a keyword or an assignment.
    pub(super) bare: bool,
}

/// Why a command cannot be split into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A quote, `$(`, `${` or backtick is not closed.
    Open,
    /// A here-document: its text looks like commands.
    HereDocument,
}

/// Splits a command.
pub(super) fn tokens(command: &str) -> Result<Vec<Token>, Unreadable> {
    let mut scanner = Scanner { text: command, at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = scanner.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

/// Whether an expansion stands in double quotes.
#[derive(Clone, Copy)]
enum Quoted {
    Yes,
    No,
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn token(&mut self) -> Result<Option<Token>, Unreadable> {
        while matches!(self.peek(), Some(' ' | '\t' | '\r'))
            || self.text[self.at..].starts_with("\\\n")
        {
            let blank = self.bump();
            if blank == Some('\\') {
                self.bump();
            }
        }
        let Some(next) = self.peek() else { return Ok(None) };
        match next {
            '#' => {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.bump();
                }
                self.token()
            }
            '\n' | ';' | '(' | ')' | '&' | '|' => {
                self.bump();
                if matches!(next, '&' | '|' | ';') {
                    self.eat(next);
                }
                Ok(Some(Token::Separator(next)))
            }
            '<' | '>' => self.redirection(next).map(Some),
            _ => self.word_or_descriptor().map(Some),
        }
    }

    fn redirection(&mut self, sign: char) -> Result<Token, Unreadable> {
        self.bump();
        if sign == '<' && self.eat('<') {
            return Err(Unreadable::HereDocument);
        }
        if !self.eat('>') && !self.eat('&') {
            self.eat('|');
        }
        Ok(Token::Redirection)
    }

    /// Reads a word; digits right before `<` or `>` belong to the redirection.
    fn word_or_descriptor(&mut self) -> Result<Token, Unreadable> {
        let word = self.word()?;
        let digits = word.bare && self.text[word.place.clone()].bytes().all(|b| b.is_ascii_digit());
        match self.peek() {
            Some(sign @ ('<' | '>')) if digits => self.redirection(sign),
            _ => Ok(Token::Word(word)),
        }
    }

    fn word(&mut self) -> Result<Word, Unreadable> {
        let start = self.at;
        let mut text = Some(String::new());
        let mut bare = true;
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '\'' => {
                    self.bump();
                    bare = false;
                    let from = self.at;
                    self.skip_to('\'')?;
                    push(&mut text, &self.text[from..self.at - 1]);
                }
                '"' => {
                    self.bump();
                    bare = false;
                    self.double_quoted(&mut text)?;
                }
                '\\' => {
                    self.bump();
                    bare = false;
                    match self.bump() {
                        // A backslash at the end of a line joins the lines (XCU 2.2.1).
                        Some('\n') => {}
                        // With nothing behind it, shells take it for itself.
                        None => push(&mut text, "\\"),
                        Some(escaped) => push(&mut text, escaped.encode_utf8(&mut [0; 4])),
                    }
                }
                '$' | '`' => self.expansion(&mut text, Quoted::No)?,
                '*' | '?' | '[' => {
                    // A pattern: which files there are is not known here.
                    self.bump();
                    text = None;
                }
                '~' if self.at == start => {
                    self.bump();
                    // Only the last part of a path matters here, and `~` is never that.
                    push(&mut text, "~");
                }
                _ => {
                    self.bump();
                    push(&mut text, next.encode_utf8(&mut [0; 4]));
                }
            }
        }
        Ok(Word { place: start..self.at, text, bare })
    }

    fn double_quoted(&mut self, text: &mut Option<String>) -> Result<(), Unreadable> {
        loop {
            match self.peek().ok_or(Unreadable::Open)? {
                '"' => {
                    self.bump();
                    return Ok(());
                }
                '\\' => {
                    self.bump();
                    match self.bump().ok_or(Unreadable::Open)? {
                        '\n' => {}
                        escaped @ ('"' | '\\' | '$' | '`') => {
                            push(text, escaped.encode_utf8(&mut [0; 4]));
                        }
                        other => {
                            push(text, "\\");
                            push(text, other.encode_utf8(&mut [0; 4]));
                        }
                    }
                }
                '$' | '`' => self.expansion(text, Quoted::Yes)?,
                other => {
                    self.bump();
                    push(text, other.encode_utf8(&mut [0; 4]));
                }
            }
        }
    }

    /// Passes over `$NAME`, `${…}`, `$(…)` or a pair of backticks, whose value is not known.
    fn expansion(&mut self, text: &mut Option<String>, quoted: Quoted) -> Result<(), Unreadable> {
        let is_backtick = self.bump() == Some('`');
        // A backslash at the end of a line is gone before anything else is looked at (XCU 2.2.1).
        while self.text[self.at..].starts_with("\\\n") {
            self.at += 2;
        }
        let next = self.peek();
        let expands =
            next.is_some_and(|c| c.is_ascii_alphanumeric() || "_?!#$*@-({\"'".contains(c));
        if !is_backtick && !expands {
            push(text, "$");
            return Ok(());
        }
        match (quoted, next) {
            // In quotes, a `$` before the closing one is itself.
            (Quoted::Yes, Some('"' | '\'')) if !is_backtick => {
                push(text, "$");
                return Ok(());
            }
            // `"$@"` is as many words as there are arguments, even in quotes.
            (Quoted::Yes, next) if next != Some('@') => push(text, UNKNOWN),
            (Quoted::Yes | Quoted::No, _) => *text = None,
        }
        if is_backtick {
            return self.skip_to('`');
        }
        match next {
            Some(open @ ('(' | '{')) => {
                self.bump();
                self.skip_nested(if open == '(' { ')' } else { '}' })
            }
            // A quote is no name: `$'a'` and `$"a"` have still to be read.
            Some('"' | '\'') | None => Ok(()),
            // The first letter of a name, or a whole special parameter, as `$$`. The other letters stay
            // in the word: behind UNKNOWN, they cannot make it a known one.
            Some(_) => {
                self.bump();
                Ok(())
            }
        }
    }

    /// Passes over everything up to `end`, which closes what has just been opened.
    fn skip_to(&mut self, end: char) -> Result<(), Unreadable> {
        loop {
            match self.bump().ok_or(Unreadable::Open)? {
                c if c == end => return Ok(()),
                '\\' if end == '`' => {
                    self.bump();
                }
                _ => {}
            }
        }
    }

    /// Passes over `$(…)` or `${…}` with the quotes and further levels in it. A `case` pattern's lone
    /// `)` in there would end it too early, and leave a `)` that no rule below can place.
    fn skip_nested(&mut self, end: char) -> Result<(), Unreadable> {
        let mut ends = vec![end];
        while let Some(&closing) = ends.last() {
            match self.bump().ok_or(Unreadable::Open)? {
                c if c == closing => {
                    ends.pop();
                }
                '\'' => self.skip_to('\'')?,
                '"' => self.double_quoted(&mut None)?,
                '`' => self.skip_to('`')?,
                '\\' => {
                    self.bump();
                }
                '(' => ends.push(')'),
                '{' => ends.push('}'),
                _ => {}
            }
        }
        Ok(())
    }
}

fn push(text: &mut Option<String>, more: &str) {
    if let Some(text) = text {
        text.push_str(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(command: &str) -> String {
        let Ok(tokens) = tokens(command) else { return "unreadable".into() };
        let shown = tokens.iter().map(|token| match token {
            Token::Word(word) => word.text.as_ref().map_or("?".into(), |text| format!("[{text}]")),
            Token::Separator('\n') => "\\n".into(),
            Token::Separator(sign) => sign.to_string(),
            Token::Redirection => ">".into(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn commands_are_split_as_the_shell_splits_them() {
        let table = [
            ("node x.js", "[node] [x.js]"),
            ("  node\tx ", "[node] [x]"),
            ("'no'd\"e\" \\x", "[node] [x]"),
            ("a \"b \\\" \\$c \\d\" 'e \\f'", "[a] [b \" $c \\d] [e \\f]"),
            ("a&&b||c|d;e&f", "[a] & [b] | [c] | [d] ; [e] & [f]"),
            ("(a\nb)", "( [a] \\n [b] )"),
            ("a >f 2>&1 <g b2>h 2 >i", "[a] > [f] > [1] > [g] [b2] > [h] [2] > [i]"),
            ("a # node\nb", "[a] \\n [b]"),
            ("a#b", "[a#b]"),
            ("$A ${B:-c d} $(e \"f)\" (g)) `h i` \"$J\" k", "? ? ? ? [\0] [k]"),
            ("a $ b$", "[a] [$] [b$]"),
            ("a \\\n b\\\nc", "[a] [bc]"),
            ("ls *.js", "[ls] ?"),
            ("é'ü'", "[éü]"),
        ];
        for (command, expected) in table {
            assert_eq!(shown(command), expected, "{command}");
        }
    }

    #[test]
    fn what_is_not_closed_is_unreadable() {
        for command in ["'a", "\"a", "`a", "$(a", "${a", "\"$(a\"", "a \"\\"] {
            assert_eq!(tokens(command), Err(Unreadable::Open), "{command}");
        }
        assert_eq!(tokens("cat <<X\nnode x\nX"), Err(Unreadable::HereDocument));
    }

    proptest::proptest! {
        // Each case starts a shell.
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

        #[test]
        fn the_shell_itself_has_the_same_words(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    " ", "\t", "a", "'b c'", "\"d 'e\"", "\\ ", "\\'", "\\\\", "\"\\$f\\g\"", "\"\\\"\"", "''", "\"\"", "\\\n", "é",
                    "#h", "=", "-", "$", "{", "}", "!", "%", "2", " 2>&1 ", " <&0 ", " 0</dev/null ",
                ]),
                1..10,
            ),
        ) {
            let command = format!("printf '<%s>' . {}", parts.concat());
            let output = std::process::Command::new("/bin/sh").arg("-c").arg(&command).output().unwrap();
            // `2>&1a` is an error: no such descriptor.
            proptest::prop_assume!(output.status.success());
            let stdout = String::from_utf8_lossy(&output.stdout);
            let tokens = tokens(&command).unwrap_or_default();
            // `$"a"` is one thing to dash and another to bash, so its text is not known here.
            proptest::prop_assume!(!tokens.iter().any(|token| matches!(token, Token::Word(Word { text: None, .. }))));
            let mut words = String::new();
            let mut is_file = false;
            for token in tokens.into_iter().skip(2) {
                match token {
                    Token::Word(_) if is_file => is_file = false,
                    Token::Word(word) => words.push_str(&format!("<{}>", word.text.unwrap_or_default())),
                    Token::Redirection => is_file = true,
                    Token::Separator(_) => {}
                }
            }
            proptest::prop_assert_eq!(words, stdout, "{:?}", command);
        }
    }

    proptest::proptest! {
        #[test]
        fn words_lie_in_the_command_in_order(command in "[a-z '\"\\\\$(){}`;&|<>#\n=é]{0,40}") {
            let mut end = 0;
            for token in tokens(&command).unwrap_or_default() {
                if let Token::Word(word) = token {
                    proptest::prop_assert!(word.place.start >= end && word.place.end > word.place.start);
                    proptest::prop_assert!(command.get(word.place.clone()).is_some());
                    end = word.place.end;
                }
            }
        }
    }
}
