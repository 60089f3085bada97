//! Splits a command into words, operators and redirections (POSIX, Shell Command Language 2.2, 2.3, 2.6,
//! 2.7), each with its place. Nothing is expanded; `expansion.rs` finds where an expansion ends.
//!
//! Any text is split: what a shell would refuse, and what it takes a whole parser to understand, is said in
//! [`Lexed::unread`].

use super::is_name;
use super::token::{Expansion, Frozen, FrozenBy, Lexed, Token, Unread, Word};

/// What joins two lines, before anything else is looked at (XCU 2.2.1).
pub(super) const JOINT: &str = "\\\n";

/// How deep `$(…)`, `${…}` and backquotes may stand in each other: more than anyone writes, and far less
/// than a stack holds.
const DEPTH_MAX: usize = 64;

/// Splits a command.
pub fn lex(command: &str) -> Lexed {
    let mut lexer =
        Lexer { command, at: 0, end: command.len(), depth: 0, guards: 0, lexed: Lexed::default() };
    let (tokens, _) = lexer.list(ListEnd::End);
    Lexed { tokens, ..lexer.lexed }
}

/// Returns whether a character ends a word, where it is not quoted.
fn ends_word(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '|' | '&' | ';' | '(' | ')' | '<' | '>')
}

/// Where a list of commands ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ListEnd {
    End,
    /// The parenthesis that closes one before the list.
    Parenthesis,
}

/// Whether something stands in double quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum InQuotes {
    Yes,
    No,
}

pub(super) struct Lexer<'a> {
    pub(super) command: &'a str,
    pub(super) at: usize,
    /// Where the part that is read ends.
    pub(super) end: usize,
    pub(super) depth: usize,
    /// The number of words `y` of `${X:-y}` that are open.
    pub(super) guards: usize,
    pub(super) lexed: Lexed,
}

impl<'a> Lexer<'a> {
    pub(super) fn rest(&self) -> &'a str {
        &self.command[self.at..self.end]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Passes over the characters at the front that are such.
    pub(super) fn skip(&mut self, is_such: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let skipped = &rest[..rest.len() - rest.trim_start_matches(is_such).len()];
        self.at += skipped.len();
        skipped
    }

    pub(super) fn bump(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    /// Takes a text, if it is next.
    fn eat(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    /// Skips spaces and joined lines.
    fn blanks(&mut self) {
        while self.eat(" ") || self.eat("\t") || self.eat(JOINT) {}
    }

    /// Notes a sign of several characters that may go on in the next line.
    pub(super) fn is_whole(&mut self) {
        if self.rest().starts_with(JOINT) {
            self.give_up(Unread::Unclear);
        }
    }

    pub(super) fn give_up(&mut self, unread: Unread) {
        self.lexed.unread.get_or_insert(unread);
    }

    /// Goes one level down; at the bottom, the rest is ignored.
    pub(super) fn descend(&mut self) -> bool {
        let is_deep = self.depth == DEPTH_MAX;
        if is_deep {
            self.give_up(Unread::Unclear);
            self.at = self.end;
        } else {
            self.depth += 1;
        }
        !is_deep
    }

    /// Reads a list of commands; returns it, and whether its end was met.
    pub(super) fn list(&mut self, until: ListEnd) -> (Vec<Token>, bool) {
        let mut tokens = Vec::new();
        let mut open = 0_usize;
        loop {
            self.blanks();
            let Some(c) = self.peek() else { break };
            match c {
                '#' => drop(self.skip(|c| c != '\n')),
                '<' | '>' => self.redirection(&mut tokens),
                ')' if open == 0 && until == ListEnd::Parenthesis => {
                    self.at += 1;
                    return (tokens, true);
                }
                '\n' | '|' | '&' | ';' | '(' | ')' => {
                    open += usize::from(c == '(');
                    open = open.saturating_sub(usize::from(c == ')'));
                    tokens.push(self.operator(c));
                }
                _ => {
                    let word = self.word();
                    // The `)` of its patterns would end the list too early.
                    if until == ListEnd::Parenthesis && word.text == "case" {
                        self.give_up(Unread::Unclear);
                    }
                    tokens.push(Token::Word(word));
                }
            }
        }
        (tokens, until == ListEnd::End)
    }

    fn operator(&mut self, first: char) -> Token {
        let start = self.at;
        self.at += 1;
        if matches!(first, '|' | '&' | ';') {
            self.is_whole();
            self.at += usize::from(self.peek() == Some(first));
        }
        Token::Operator(start..self.at)
    }

    /// Takes the operator and the word behind it. A digit right before it is a descriptor; what a longer
    /// number is, shells do not agree on.
    fn redirection(&mut self, tokens: &mut Vec<Token>) {
        if let Some(Token::Word(word)) = tokens.last()
            && word.span.end == self.at
            && word.is_number()
        {
            if word.text.len() > 1 {
                self.give_up(Unread::Unclear);
            }
            tokens.pop();
        }
        let operators = ["<<", "<>", "<&", ">>", ">&", ">|", "<", ">"];
        let is_here_document = operators.into_iter().find(|sign| self.eat(sign)) == Some("<<");
        self.is_whole();
        self.blanks();
        let has_target = self.peek().is_some_and(|c| !ends_word(c) && c != '#');
        if is_here_document || !has_target {
            self.give_up(Unread::Unclear);
        }
        // `>2>f` has no target: `2>` is one sign.
        if has_target
            && self.word().is_number()
            && self.peek().is_some_and(|c| matches!(c, '<' | '>'))
        {
            self.give_up(Unread::Unclear);
        }
        tokens.push(Token::Redirection);
    }

    fn word(&mut self) -> Word {
        let mut word = Word { span: self.at..self.at, ..Word::default() };
        while let Some(c) = self.peek() {
            match c {
                c if ends_word(c) => break,
                '\'' => self.single(&mut word),
                '"' => self.double(&mut word),
                '\\' => self.backslash(&mut word),
                '$' | '`' => self.expansion(&mut word, InQuotes::No),
                _ => {
                    match c {
                        '*' | '?' | '[' => word.expand(Expansion::AnyWords),
                        '~' => word.expand(Expansion::OneWord),
                        _ => {}
                    }
                    word.is_path |= c == '/';
                    word.is_assignment |= c == '=' && !word.is_quoted && is_name(&word.text);
                    word.text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        word.span.end = self.at;
        word
    }

    pub(super) fn single(&mut self, word: &mut Word) {
        let start = self.at;
        self.at += 1;
        word.is_quoted = true;
        let inner = self.skip(|c| c != '\'');
        let dollars = inner
            .match_indices('$')
            .map(|(at, _)| Frozen { at: start + 1 + at, by: FrozenBy::SingleQuotes });
        word.frozen.extend(dollars);
        word.is_path |= inner.contains('/');
        word.text.push_str(inner);
        if self.peek().is_none() {
            self.give_up(Unread::Open { at: start, sign: "'" });
        }
        self.bump();
    }

    pub(super) fn double(&mut self, word: &mut Word) {
        let start = self.at;
        self.at += 1;
        word.is_quoted = true;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => match self.rest()[1..].chars().next() {
                    Some('$' | '`' | '"' | '\\' | '\n') => self.backslash(word),
                    _ => {
                        word.text.push('\\');
                        self.at += 1;
                    }
                },
                '$' | '`' => self.expansion(word, InQuotes::Yes),
                _ => {
                    word.is_path |= c == '/';
                    word.text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        self.give_up(Unread::Open { at: start, sign: "\"" });
    }

    fn backslash(&mut self, word: &mut Word) {
        if self.eat(JOINT) {
            return;
        }
        word.is_quoted = true;
        self.at += 1;
        match self.peek() {
            // It stands for itself, unless something is put behind the command.
            None => {
                word.text.push('\\');
                self.give_up(Unread::Unclear);
            }
            Some('$') => {
                word.frozen.push(Frozen { at: self.at, by: FrozenBy::Backslash });
                word.text.push('$');
            }
            Some(escaped) => {
                word.is_path |= escaped == '/';
                word.text.push(escaped);
            }
        }
        self.bump();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::token::{ParameterExpansion, Unset};
    use super::*;

    fn shown(command: &str, tokens: &[Token]) -> String {
        let show = |token: &Token| match token {
            Token::Word(word) => {
                let sign = match word.expansion {
                    Expansion::None => "",
                    Expansion::OneWord => "+",
                    Expansion::AnyWords => "*",
                };
                format!("{}{sign}", word.text)
            }
            Token::Operator(span) => format!("<{}>", &command[span.clone()]),
            Token::Redirection => "<redirection>".into(),
        };
        tokens.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn commands_are_split_as_the_shell_does() {
        let table = [
            ("node server.js", "node server.js"),
            ("a 'b c' \"d e\" f\\ g", "a b c d e f g"),
            ("a \"b \\d \\\" \\\\\" 'c\\'", "a b \\d \" \\ c\\"),
            ("a && b||c;d|e&", "a <&&> b <||> c <;> d <|> e <&>"),
            ("a >log 2>&1 <in", "a <redirection> <redirection> <redirection>"),
            ("a>log 2>|'x y'z b", "a <redirection> <redirection> b"),
            ("a 2 > log", "a 2 <redirection>"),
            ("a \\>& b", "a > <&> b"),
            ("a # b & c", "a"),
            ("a b#c", "a b#c"),
            ("a # b\nc", "a <\n> c"),
            ("A=$X b${Y} \"c$(d ')' e)\" `f g`", "A=$X* b${Y}* c$(d ')' e)+ `f g`*"),
            ("${A:-'}'} \"${B:-'}\" \"${C#'}'}\" d", "${A:-'}'}* ${B:-'}+ ${C#'}'}+ d"),
            (
                "$(a \"$(b ')')\" (c) # d\n) $((1+(2))) e",
                "$(a \"$(b ')')\" (c) # d\n)* $((1+(2)))* e",
            ),
            ("(cd x && y)", "<(> cd x <&&> y <)>"),
            ("a *.js ~/x [b] c?", "a *.js* ~/x+ [b]* c?*"),
            ("\"$@\" \"${@}\" \"${A-$@}\" \"$*\" $#", "$@* ${@}* ${A-$@}* $*+ $#*"),
            ("a \\\n b\\\nc \"d\\\ne\" 'f\\\ng' \\\n# h", "a bc de f\\\ng"),
            ("a 2\\\n>f b2>g \\2>h", "a <redirection> b2 <redirection> 2 <redirection>"),
            ("a\tb\rc", "a b\rc"),
            ("a $ b$ \"$\" $'c d' $\"e f\"", "a $* b$* $+ $c d* $e f*"),
            ("${A^^} \"${A[@]}\" ${!A}", "${A^^}* ${A[@]}* ${!A}*"),
            ("\"echo hi\"", "echo hi"),
            ("a 'unclosed", "a unclosed"),
            ("a \"$(unclosed", "a $(unclosed+"),
            ("a \\", "a \\"),
        ];
        for (command, expected) in table {
            assert_eq!(shown(command, &lex(command).tokens), expected, "{command:?}");
        }
    }

    #[test]
    fn what_is_never_closed_is_told_with_its_place() {
        let table = [
            ("a 'b", 2, "'"),
            ("a \"b'", 2, "\""),
            ("it's", 2, "'"),
            ("a \"b\" \"", 6, "\""),
            ("a $(b", 2, "$("),
            ("a $(b 'c)", 6, "'"),
            ("a \"${b", 3, "${"),
            ("a `b", 2, "`"),
            ("a `b 'c`", 5, "'"),
            ("a ${b:-\"c}", 7, "\""),
        ];
        for (command, at, sign) in table {
            assert_eq!(lex(command).unread, Some(Unread::Open { at, sign }), "{command:?}");
        }
        let closed = [
            "a \"it's\" 'a\"b' \\' # it's",
            "\"${a:-it's}\"",
            "`a \"b\"` \"`c 'd'`\"",
            "a \"\\\"\" '\\'",
            "awk '{print \"it\"}' $$ $? \"$\" ${#} ${#a} ${a%'}'}",
        ];
        for command in closed {
            assert_eq!(lex(command).unread, None, "{command:?}");
        }
        let unclear = [
            "a <<b",
            "$(case a in a) b;; esac)",
            "a $'b\\'c'",
            "a >",
            "a >2>b",
            "a 10>b",
            "a \\",
            "a &\\\n& b",
            "a >\\\n>b",
            "a $\\\nB",
            "a $B\\\nC",
            "a ${B\\\nC}",
        ];
        for command in unclear {
            assert_eq!(lex(command).unread, Some(Unread::Unclear), "{command:?}");
        }
        assert_eq!(lex(&"$(".repeat(100_000)).unread, Some(Unread::Unclear), "no stack is so deep");
    }

    #[test]
    fn every_variable_is_listed_with_what_happens_where_it_is_not_set() {
        let command = "a $B \"$C-${D}x\" '$E' \\$F ${G:-$H} ${I=j} ${K:+l} ${#M} ${N#$O} $(p $Q) `r $S` >$T $1 $$ $? ${!} ${10} é$U";
        let lexed = lex(command);
        let show = |variable: &ParameterExpansion| {
            let sign = match variable.unset {
                Unset::Nothing => "",
                Unset::Otherwise => "-",
                Unset::Ensured => "=",
            };
            format!("{}{sign} {}", variable.name, &command[variable.span.clone()])
        };
        let variables: Vec<String> = lexed.variables.iter().map(show).collect();
        assert_eq!(
            variables,
            [
                "B $B",
                "C $C",
                "D ${D}",
                "G- ${G:-$H}",
                "H- $H",
                "I= ${I=j}",
                "K- ${K:+l}",
                "M ${#M}",
                "N ${N#$O}",
                "O $O",
                "Q $Q",
                "S $S",
                "T $T",
                "U $U"
            ]
        );
        let nested: Vec<String> = lexed.nested.iter().map(|list| shown(command, list)).collect();
        assert_eq!(nested, ["p $Q*", "r $S*"]);
        assert_eq!(lexed.unread, None);
    }

    proptest! {
        #[test]
        fn each_place_is_where_it_is_said_in_any_text(command in "([ab '\"\\\\$`(){}<>|&;#é:-]|.){0,30}") {
            let lexed = lex(&command);
            for token in lexed.tokens.iter().chain(lexed.nested.iter().flatten()) {
                match token {
                    Token::Word(word) => {
                        prop_assert!(command.get(word.span.clone()).is_some_and(|text| !text.is_empty()));
                        prop_assert!(word.frozen.iter().all(|frozen| command[frozen.at..].starts_with('$')));
                    }
                    Token::Operator(span) => prop_assert!(command.get(span.clone()).is_some()),
                    Token::Redirection => {}
                }
            }
            for variable in &lexed.variables {
                prop_assert!(command[variable.span.clone()].starts_with('$'));
            }
            if let Some(Unread::Open { at, sign }) = lexed.unread {
                prop_assert!(command[at..].starts_with(sign));
            }
        }
    }
}
