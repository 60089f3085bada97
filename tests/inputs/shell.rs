//! What pm says of a command, and what exports write for a shell, compared with what the real one does.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use pm::app::shell::{Expansion, Unread, Unset, Word, lex};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tempfile::TempDir;

use crate::long::cases;
use crate::properties::quoting::statement_of;

/// What commands are made of: words and quotes, spaces and joined lines, expansions, redirections, operators
/// and reserved words.
const PIECES: &[&str] = &[
    " ",
    " ",
    " ",
    "\t",
    "\\\n",
    "p",
    "a",
    "é",
    "2",
    "-",
    "=",
    "%",
    "$",
    "{",
    "}",
    "!",
    "#",
    "\r",
    "C=1 ",
    "'b c'",
    "\"d 'e\"",
    "\\ ",
    "\\'",
    "\\\\",
    "\"\\$f\\g\"",
    "\"h\\\ni\"",
    "''",
    "\"\"",
    "~",
    "~/x",
    "*",
    "?1",
    "[f]1",
    "\\*",
    "$A",
    "\"$A\"",
    "${A}",
    "\"x$A/p\"",
    "$E",
    "\"$E\"",
    "${A:-x y}",
    "\"${E:-x y}\"",
    "${U-'c d'}",
    "\"${U-'}\"",
    "${A#'}'}",
    "${U:-\"c d\"}",
    "$*",
    "\"$*\"",
    "$@",
    "\"$@\"",
    "\"${@}\"",
    "\"${U-$@}\"",
    "$#",
    "$U",
    "$\\\nA",
    "$(echo x y)",
    "\"$(echo x ')' y)\"",
    "`echo z`",
    "\"`echo x y`\"",
    "$((1+2))",
    "$'a b'",
    "$'a\\'b'",
    "$\"a b\"",
    " >f ",
    "3>&1",
    " <&0 ",
    " 0</dev/null ",
    "12>f ",
    "2\\\n>f ",
    ">|f ",
    " >",
    " <<X ",
    " # x",
    ";",
    " && ",
    "|",
    "||",
    "&",
    "&\\\n&",
    "(",
    ")",
    "\n",
    " if ",
    " then ",
    " fi ",
    " do ",
    " case ",
    "'",
    "\"",
    "`",
    "$(",
    "${",
];

/// A command, mostly one that runs `p`.
fn command() -> impl Strategy<Value = String> {
    let first = select(vec!["p ", "p ", "p ", "'p' ", "C=1 p ", "C=$A p ", ">f p ", "\\\np ", ""]);
    (first, proptest::collection::vec(select(PIECES), 0..8))
        .prop_map(|(first, parts)| first.to_owned() + &parts.concat())
        // A process id is another in each run.
        .prop_filter("no process id", |command| !command.contains("$$"))
}

/// A folder in which `p` and some others are programs that write their arguments down.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let program = "#!/bin/sh\nfor word in \"${0##*/}\" \"$@\"; do printf '%s\\0' \"$word\"; done >>\"$LOG\"\n\
                       printf '\\1\\0' >>\"$LOG\"\n";
        for name in ["p", "a", "pa", "b c", "2", "if", "é"] {
            let path = folder.path().join(name);
            std::fs::write(&path, program).expect("it can be written");
            let executable = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&path, executable).expect("it is ours");
        }
        for name in ["f1", "g1"] {
            std::fs::write(folder.path().join(name), "").expect("it can be written");
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn shell(&self, options: &[&str], command: &str) -> Output {
        let mut shell = Command::new("/bin/sh");
        // A command that begins with a hyphen would be one more option of the shell.
        shell
            .args(options)
            .arg("-c")
            .arg(format!(" {command}"))
            .current_dir(self.path())
            .env_clear();
        shell.env("PATH", self.path()).env("LOG", self.path().join("log")).env("HOME", "/h");
        shell.env("A", "a  b").env("E", "").stdin(Stdio::null());
        shell.output().expect("there is a shell")
    }

    /// Runs a command; returns the words of each program that it ran.
    fn calls(&self, command: &str) -> Vec<Vec<String>> {
        let log = self.path().join("log");
        std::fs::write(&log, "").expect("it can be written");
        self.shell(&[], command);
        let log = std::fs::read_to_string(&log).expect("words are text");
        let calls = log.split("\u{1}\0").filter(|call| !call.is_empty());
        calls.map(|call| call.split_terminator('\0').map(str::to_owned).collect()).collect()
    }
}

/// Returns whether a program can have got these words, where the lexer says those.
fn agree(words: &[&Word], got: &[String]) -> bool {
    let Some((word, words)) = words.split_first() else { return got.is_empty() };
    match word.expansion {
        Expansion::None => got.first() == Some(&word.text) && agree(words, &got[1..]),
        Expansion::OneWord => !got.is_empty() && agree(words, &got[1..]),
        Expansion::AnyWords => (0..=got.len()).any(|count| agree(words, &got[count..])),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(256)))]

    #[test]
    fn one_simple_command_runs_one_program_with_its_words(command in command()) {
        let folder = Folder::new();
        let lexed = lex(&command);
        if let Some(words) = lexed.one_simple_command() {
            let calls = folder.calls(&command);
            prop_assert!(calls.len() <= 1, "{:?}: {:?}", command, calls);
            let words: Vec<&Word> = words.into_iter().skip_while(|word| word.is_assignment).collect();
            for call in calls {
                prop_assert!(agree(&words, &call), "{:?}: {:?}, not {:?}", command, call, words);
            }
        }
    }

    #[test]
    fn a_word_that_is_put_behind_another_is_one_more_and_changes_none(command in command(), at in any::<Index>()) {
        const FLAG: &str = "--flag=1";
        let lexed = lex(&command);
        let all: Vec<&Word> = lexed.simple_commands().flatten().collect();
        if lexed.unread.is_some() || all.is_empty() {
            return Ok(());
        }
        let at = at.index(all.len());
        let end = all[at].span.end;
        let edited = format!("{} {FLAG}{}", &command[..end], &command[end..]);
        let lexed = lex(&edited);
        let texts: Vec<&str> = lexed.simple_commands().flatten().map(|word| word.text.as_str()).collect();
        let mut expected: Vec<&str> = all.iter().map(|word| word.text.as_str()).collect();
        expected.insert(at + 1, FLAG);
        prop_assert_eq!(texts, expected, "{:?}", edited);
        // Of one simple command, the real shell gives it to the program.
        let Some(words) = lexed.one_simple_command() else { return Ok(()) };
        let is_argument = words.iter().take(at + 1).any(|word| !word.is_assignment);
        if let ([before], [after]) = (&*Folder::new().calls(&command), &*Folder::new().calls(&edited)) && is_argument {
            let flags = after.iter().filter(|word| *word == FLAG).count();
            let others: Vec<&String> = after.iter().filter(|word| *word != FLAG).collect();
            prop_assert_eq!((flags, others), (1, before.iter().collect()), "{:?}", edited);
        }
    }

    #[test]
    fn what_is_not_set_is_listed(command in command()) {
        let folder = Folder::new();
        let lexed = lex(&command);
        if lexed.unread.is_some() {
            return Ok(());
        }
        // `-u` makes it an error to use what is not set.
        let output = folder.shell(&["-u"], &command);
        let said = String::from_utf8_lossy(&output.stderr);
        let is_told = said.contains("U: parameter not set") || said.contains("U: unbound variable");
        if is_told {
            let is_listed = lexed.variables.iter().any(|variable| variable.name == "U");
            prop_assert!(is_listed, "{:?}: {:?}", command, said);
        }
        let is_used = lexed.variables.iter().any(|variable| variable.name == "U" && variable.unset == Unset::Nothing);
        if is_used && lexed.one_simple_command().is_some() && !said.contains("not found") && !said.contains("cannot") {
            // A substitution that fails does not fail the command that it is in: `p $($U)`.
            prop_assert!(is_told || !output.status.success(), "{:?}: {:?}", command, said);
        }
    }

    #[test]
    fn the_shell_refuses_what_is_never_closed_and_nothing_else(command in command()) {
        // With `-n` the shell reads and runs nothing.
        let text = format!(" {command}");
        let output = Command::new("/bin/sh").args(["-n", "-c", &text]).output().expect("there is a shell");
        let lexed = lex(&command);
        match lexed.unread {
            Some(Unread::Open { .. }) => prop_assert!(!output.status.success(), "{:?}", command),
            Some(Unread::Unclear) => {}
            None if lexed.nested.is_empty() && lexed.one_simple_command().is_some() => prop_assert!(output.status.success(), "{:?}: {:?}", command, output),
            // A list can be refused for other reasons.
            None => {}
        }
    }
}

fn printed(script: &str) -> Vec<u8> {
    let output = Command::new("/bin/sh").arg("-c").arg(script).env_clear().output();
    output.expect("there is a shell").stdout
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(96)))]

    #[test]
    fn an_exported_variable_reaches_the_program(
        value in "([^\0]|['\"\\\\$`%\n\r\t #;&|{}()<>*?~!]){0,20}",
    ) {
        for context in ["sh word", "sh line"] {
            let statement = statement_of(context, &value).expect("a shell can be given any value");
            let script = format!("{statement}\nexec /usr/bin/printenv V");
            let expected = format!("{value}\n").into_bytes();
            prop_assert_eq!(printed(&script), expected, "{}", statement);
        }
    }
}
