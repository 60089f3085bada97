//! What a consumer gives to `/bin/sh -c`, so that its stop signal reaches the program and not only the
//! shell around it: `exec` before one simple command, a trap around anything else.
//!
//! It reads just enough of the shell's grammar (POSIX XCU 2.3, 2.9.1) to be sure that a command is simple;
//! whatever it is not sure of counts as compound, which is always right and costs one shell.

use crate::app::Signal;

/// A command for `/bin/sh -c`, by how a signal reaches its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ShellCommand {
    /// The shell is replaced by the program: a signal to the one process is enough.
    Exec(String),
    /// The command as it was written: a shell stays, so the whole group must be signalled.
    Compound(String),
}

impl ShellCommand {
    /// Returns the text for a consumer that signals the whole group.
    pub(crate) fn for_group(&self) -> &str {
        match self {
            Self::Exec(text) | Self::Compound(text) => text,
        }
    }

    /// Returns the text for a consumer that signals one process: a compound command gets a shell that
    /// passes `stop` on to its own group, waits for all that it has started, and reports the signal as
    /// 128 + n. It must lead its process group. The newline ends a comment that the command may end with.
    ///
    /// A shell ignores INT and QUIT in what it runs behind `&` (POSIX XCU 2.11), so those are passed on as TERM.
    pub(crate) fn for_one_process(&self, stop: Signal) -> String {
        match self {
            Self::Exec(text) => text.clone(),
            Self::Compound(text) => {
                let stop_name = short_name(stop);
                let ignored = matches!(stop_name.as_str(), "INT" | "QUIT");
                let passed = if ignored { Signal::TERM } else { stop };
                let name = short_name(passed);
                let code = 128 + passed.0;
                format!(
                    "trap 'trap \"\" {name}; kill -{name} 0; wait; exit {code}' {stop_name}; \
                     {{ trap \"wait; exit {code}\" {name}; {text}\n}} & wait $!"
                )
            }
        }
    }
}

/// Returns `TERM` for SIGTERM, as `kill` and `trap` want it.
pub(crate) fn short_name(signal: Signal) -> String {
    signal.to_string().trim_start_matches("SIG").to_owned()
}

/// Decides how `command` can be run.
pub(crate) fn shell_command(command: &str) -> ShellCommand {
    match exec_form(command.trim()) {
        Some(text) => ShellCommand::Exec(text),
        None => ShellCommand::Compound(command.to_owned()),
    }
}

/// Words that the shell itself understands: reserved words, and builtins of dash, bash and busybox.
/// `exec` would look for a program of that name, or fail.
const SHELL_WORDS: &[&str] = &[
    "!",
    ".",
    ":",
    "[",
    "[[",
    "]]",
    "{",
    "}",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
];

/// Returns the command with `exec` in front, or `None` where it is not surely one simple command.
fn exec_form(command: &str) -> Option<String> {
    let words = words(command)?;
    let is_assignment = |word: &&Word| word.assigns;
    let assignments = words.iter().take_while(is_assignment).count();
    let first = words.get(assignments)?;
    if first.is_plain("exec") {
        return Some(command.to_owned());
    }
    if !first.names_a_program() {
        return None;
    }
    if assignments == 0 {
        return Some(format!("exec {command}"));
    }
    // As arguments of env(1), values are split and expanded like any word, and before each other.
    let keeps_its_value = words[..assignments].iter().all(|word| !word.expands);
    // env(1) would take these as its own option, or as one more assignment.
    let misread = first.text.starts_with('-') || first.text.contains('=');
    (keeps_its_value && !misread).then(|| format!("exec env {command}"))
}

/// A word of the command, as far as its quoting matters.
#[derive(Debug, Default)]
struct Word {
    /// Without its quotes; expansions as they were written.
    text: String,
    /// An unquoted name and `=` stand at its start.
    assigns: bool,
    /// It holds `$`, a backquote, or an unquoted pattern or tilde.
    expands: bool,
    /// A slash stands outside expansions, so that it is a path.
    is_path: bool,
    /// It is, or begins with, a redirection.
    redirects: bool,
}

impl Word {
    fn is_plain(&self, text: &str) -> bool {
        self.text == text && !self.expands
    }

    fn names_a_program(&self) -> bool {
        let known = SHELL_WORDS.contains(&self.text.as_str());
        !self.redirects && !known && (self.is_path || !self.expands) && !self.text.is_empty()
    }
}

/// Splits a simple command into words; `None` where an operator, an open quote or anything unusual is met.
fn words(command: &str) -> Option<Vec<Word>> {
    let chars: Vec<char> = command.chars().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            ' ' | '\t' => at += 1,
            // A comment to the end; a newline in it would start another command.
            '#' => return (!chars[at..].contains(&'\n')).then_some(words),
            _ => {
                let (word, end) = word(&chars, at)?;
                words.push(word);
                at = end;
            }
        }
    }
    Some(words)
}

/// Reads one word from `at`; returns it and where it ends.
fn word(chars: &[char], mut at: usize) -> Option<(Word, usize)> {
    let mut word = Word::default();
    let mut quoted = false;
    while at < chars.len() {
        let c = chars[at];
        match c {
            ' ' | '\t' => break,
            '\n' | ';' | '(' | ')' => return None,
            '|' | '&' => {
                // `>|`, `>&` and `<&` are redirections.
                let after_angle =
                    at > 0 && (chars[at - 1] == '>' || (chars[at - 1] == '<' && c == '&'));
                if !after_angle {
                    return None;
                }
                word.text.push(c);
                at += 1;
            }
            '<' if chars.get(at + 1) == Some(&'<') => return None,
            '<' | '>' => {
                word.redirects = true;
                word.text.push(c);
                at += 1;
            }
            '\'' => {
                let end = (at + 1..chars.len()).find(|&end| chars[end] == '\'')?;
                word.is_path |= chars[at + 1..end].contains(&'/');
                word.text.extend(&chars[at + 1..end]);
                quoted = true;
                at = end + 1;
            }
            '"' => {
                at = double_quoted(chars, at + 1, &mut word)?;
                quoted = true;
            }
            '\\' => {
                let next = *chars.get(at + 1)?;
                if next == '\n' {
                    return None;
                }
                word.text.push(next);
                quoted = true;
                at += 2;
            }
            '$' | '`' => {
                word.expands = true;
                let end = expansion(chars, at)?;
                word.text.extend(&chars[at..end]);
                at = end;
            }
            _ => {
                word.expands |= matches!(c, '*' | '?' | '[' | '~' | '{' | '}');
                word.is_path |= c == '/';
                if c == '=' && !quoted && !word.assigns {
                    word.assigns = super::quote::sh::is_identifier(&word.text);
                }
                word.text.push(c);
                at += 1;
            }
        }
    }
    // `[` alone is a command, not a pattern; as a shell word it is known by its text.
    if word.text.len() == 1 {
        word.expands &= !matches!(word.text.as_str(), "[" | "{" | "}");
    }
    Some((word, at))
}

/// Reads the inside of double quotes from `at`; returns where it goes on behind them.
fn double_quoted(chars: &[char], mut at: usize, word: &mut Word) -> Option<usize> {
    loop {
        match *chars.get(at)? {
            '"' => return Some(at + 1),
            '\\' => {
                let next = *chars.get(at + 1)?;
                if !matches!(next, '$' | '`' | '"' | '\\' | '\n') {
                    word.text.push('\\');
                }
                word.text.push(next);
                at += 2;
            }
            '$' | '`' => {
                word.expands = true;
                let end = expansion(chars, at)?;
                word.text.extend(&chars[at..end]);
                at = end;
            }
            c => {
                word.is_path |= c == '/';
                word.text.push(c);
                at += 1;
            }
        }
    }
}

/// Returns where the expansion that starts at `at` ends; `None` where it does not end or holds quotes that
/// would need a whole parser.
fn expansion(chars: &[char], at: usize) -> Option<usize> {
    if chars[at] == '`' {
        let end = (at + 1..chars.len()).find(|&end| chars[end] == '`')?;
        return (!chars[at..end].contains(&'\\')).then_some(end + 1);
    }
    let (open, close) = match chars.get(at + 1) {
        Some('(') => ('(', ')'),
        Some('{') => ('{', '}'),
        _ => return Some(at + 1),
    };
    let mut depth = 0_usize;
    let mut quote = None;
    let mut end = at + 1;
    while end < chars.len() {
        let c = chars[end];
        match quote {
            Some('"') if c == '\\' => end += 1,
            Some(q) if c == q => quote = None,
            // A nested expansion inside double quotes may hold quotes of its own.
            Some('"')
                if c == '`' || (c == '$' && matches!(chars.get(end + 1), Some('(' | '{'))) =>
            {
                return None;
            }
            Some(_) => {}
            None if c == '\\' => end += 1,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '#' && open == '(' && chars[end - 1].is_whitespace() => return None,
            None if c == open => depth += 1,
            None if c == close => {
                depth -= 1;
                if depth == 0 {
                    return Some(end + 1);
                }
            }
            None => {}
        }
        end += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_simple_command_gets_exec() {
        let table = [
            ("./web -p $PORT", "exec ./web -p $PORT"),
            ("bundle exec puma", "exec bundle exec puma"),
            ("exec ./web", "exec ./web"),
            ("exec env A=1 ./web", "exec env A=1 ./web"),
            ("exec -a x ./web", "exec -a x ./web"),
            ("TZ=$A exec ./web", "TZ=$A exec ./web"),
            ("  node server.js  ", "exec node server.js"),
            ("node 'a; b' \"c && d\" e\\;f", "exec node 'a; b' \"c && d\" e\\;f"),
            ("node a.js 2>&1", "exec node a.js 2>&1"),
            ("node a.js >log 2>/dev/null", "exec node a.js >log 2>/dev/null"),
            ("node a.js >|log", "exec node a.js >|log"),
            ("node \"$(cat a | head; echo)\" `id`", "exec node \"$(cat a | head; echo)\" `id`"),
            ("node $((1 + (2))) ${A:-b;c}", "exec node $((1 + (2))) ${A:-b;c}"),
            (
                "node a#b # a comment; with && operators",
                "exec node a#b # a comment; with && operators",
            ),
            ("$JAVA_HOME/bin/java -jar x", "exec $JAVA_HOME/bin/java -jar x"),
            ("'./my app' x=1", "exec './my app' x=1"),
            ("A=1 ./web $A", "exec env A=1 ./web $A"),
            ("FOO=bar BAR=\"x y\" ./web", "exec env FOO=bar BAR=\"x y\" ./web"),
            ("node [a-z].js", "exec node [a-z].js"),
        ];
        for (command, expected) in table {
            assert_eq!(shell_command(command), ShellCommand::Exec(expected.into()), "{command}");
        }
    }

    #[test]
    fn anything_else_keeps_its_shell() {
        let table = [
            "a && b",
            "a || b",
            "a; b",
            "a | b",
            "a &",
            "a&b",
            "(a)",
            "{ a; }",
            "a\nb",
            "a # c\nb",
            "cd x && exec ./a",
            "for i in 1 2; do a; done",
            "if a",
            "! a",
            ". ./env",
            "test -f x",
            "[ -f x ]",
            "echo hello",
            "'cd' x",
            "A=1",
            "A=1 cd x",
            "A=$B ./web",
            "A=~/x ./web",
            "A=*.js ./web",
            "A=1 ./x=y",
            "$CMD a",
            "\"$CMD\" a",
            "a <<X",
            "a &> log",
            "a 'open",
            "a \"open",
            "a $(open",
            "a `open",
            "a \\",
            ">log a",
            "while true",
            "",
        ];
        for command in table {
            assert_eq!(shell_command(command), ShellCommand::Compound(command.into()), "{command}");
        }
    }

    #[test]
    fn a_compound_command_passes_the_stop_signal_on() {
        let command = shell_command("a; b # c");
        assert_eq!(command.for_group(), "a; b # c");
        assert_eq!(
            command.for_one_process(Signal::TERM),
            "trap 'trap \"\" TERM; kill -TERM 0; wait; exit 143' TERM; { trap \"wait; exit 143\" TERM; a; b # c\n} & wait $!"
        );
        let interrupt = command.for_one_process(Signal::INT);
        assert!(
            interrupt.starts_with("trap 'trap \"\" TERM; kill -TERM 0; wait; exit 143' INT; {"),
            "{interrupt}"
        );
    }
}
