//! What is given to `/bin/sh -c`, so that signals reach the program and not only the shell before it:
//! `exec` before the program of one simple command (POSIX XCU 2.9.1). For exports there is a trap around
//! anything else.
//!
//! Whatever is not surely one simple command that runs a program counts as compound, which is always right
//! and costs one shell.

use std::borrow::Cow;

use super::lexer::lex;
use super::token::{Lexed, Word};
use crate::app::{Environment, Signal};

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

/// Returns what `/bin/sh -c` gets for a command: with `exec` before its program where it is one simple
/// command, so that no shell stays, else verbatim. A function that bash has put into a layer of the environment
/// is no program.
pub fn script<'a>(command: &'a str, environment: &[&Environment]) -> Cow<'a, str> {
    match lex(command).program() {
        Some(program) if !is_function(program, environment) => {
            Cow::Owned(with_exec(command, program))
        }
        Some(_) | None => Cow::Borrowed(command),
    }
}

/// Returns whether bash has put a function of this name into a layer of the environment.
pub(super) fn is_function(program: &Word, environment: &[&Environment]) -> bool {
    let key = format!("BASH_FUNC_{}%%", program.text);
    environment.iter().any(|layer| layer.get(&key).is_some())
}

/// Decides how an exported command is run.
pub(crate) fn shell_command(command: &str) -> ShellCommand {
    match lex(command).program() {
        Some(program) => ShellCommand::Exec(with_exec(command, program)),
        None => ShellCommand::Compound(command.to_owned()),
    }
}

/// Puts `exec` before the program, behind the assignments: the program gets these as its variables
/// (POSIX, `exec`, rationale), and their values are read by the same rules as without it, which those of
/// arguments of env(1) would not be.
pub(super) fn with_exec(command: &str, program: &Word) -> String {
    if program.text == "exec" {
        return command.to_owned();
    }
    let (before, behind) = command.split_at(program.span.start);
    format!("{before}exec {behind}")
}

/// Words that the shell itself understands: reserved words, and builtins of dash, bash, busybox and the Korn
/// shells. `exec` would look for a program of that name, or fail.
const SHELL_WORDS: &str = "\
    ! . : [ [[ ]] alias autoload bg bind break builtin caller case cd chdir command compgen \
    complete compopt continue coproc declare dirs disown do done echo elif else enable esac eval \
    exit export false fc fg fi float for function functions getopts hash help history if in \
    integer jobs kill let local logout mapfile nameref popd print printf pushd pwd read \
    readarray readonly return select set setvar shift shopt source suspend test then time times \
    trap true type typeset ulimit umask unalias unset until wait whence while { }";

/// Returns whether a word is known to the shell itself, so that it looks for no program of this name.
pub(crate) fn is_shell_word(text: &str) -> bool {
    SHELL_WORDS.as_bytes().split(|byte| *byte == b' ').any(|word| word == text.as_bytes())
}

/// Programs that start another one in a session of its own, which the leader of a process group can only
/// have by a fork: behind `exec` they would end at once.
const SESSION_MAKERS: [&str; 3] = ["setsid", "pgrphack", "chpst"];

impl Lexed {
    /// Returns the word of the program, or of `exec`; `None` where the command is not surely one simple
    /// command that `exec` can run.
    pub(crate) fn program(&self) -> Option<&Word> {
        let words = self.one_simple_command()?;
        let makes_a_session = words.iter().any(|word| SESSION_MAKERS.contains(&word.base_name()));
        let program = words.into_iter().find(|word| !word.is_assignment)?;
        let is_exec = program.text == "exec";
        (is_exec || (is_program(program) && !makes_a_session)).then_some(program)
    }
}

pub(super) fn is_program(word: &Word) -> bool {
    // What an expansion puts in is looked up as it is: `$X` may be a builtin, `$X/bin/java` is a path.
    let is_known = word.is_path || (word.is_literal() && !word.text.contains(['{', '}']));
    // `exec` would take the first for an option of its own; others are more than a name in some shell.
    // bash expands the tilde of `exec '~/x'`.
    let is_special = word.text.starts_with(['-', '%'])
        || word.text.contains('=')
        || (word.text.starts_with('~') && word.is_quoted);
    is_known && !is_special && !word.text.is_empty() && !is_shell_word(&word.text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::app::Source;

    #[test]
    fn one_simple_command_gets_exec() {
        let table = [
            ("./web -p $PORT", "exec ./web -p $PORT"),
            ("./web \\\n -p 1", "exec ./web \\\n -p 1"),
            ("./web $'a b' ${A^^}", "exec ./web $'a b' ${A^^}"),
            ("bundle exec puma", "exec bundle exec puma"),
            ("exec ./web", "exec ./web"),
            ("exec env A=1 ./web", "exec env A=1 ./web"),
            ("exec -a x ./web", "exec -a x ./web"),
            ("TZ=$A exec ./web", "TZ=$A exec ./web"),
            ("  node server.js  ", "  exec node server.js  "),
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
            ("A=1 ./web $A", "A=1 exec ./web $A"),
            ("A=$B ./web", "A=$B exec ./web"),
            ("A=~/x B=\"$A\" C=*.js ./web", "A=~/x B=\"$A\" C=*.js exec ./web"),
            ("FOO=bar BAR=\"x y\" ./web", "FOO=bar BAR=\"x y\" exec ./web"),
            ("node [a-z].js", "exec node [a-z].js"),
            (">log 2>&1 node a.js", ">log 2>&1 exec node a.js"),
            ("A=1 > log node>b", "A=1 > log exec node>b"),
            ("~/bin/web", "exec ~/bin/web"),
            ("node \\>a '>'b", "exec node \\>a '>'b"),
            ("node a=b -x", "exec node a=b -x"),
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
            "A=1 ./x=y",
            "'A=b' sleep 1",
            "A+=1 a",
            "-x a",
            "\\~/a",
            "%1",
            "{a,b} c",
            "~ a",
            "*.sh",
            "a \\>& b",
            "a \\>|b",
            "a >",
            "a $'b\\'; c'",
            "setsid a",
            "nice /usr/bin/setsid a",
            "umask 027",
            "command -v a",
            ">log",
            ">log umask 027",
            "$CMD a",
            "\"$CMD\" a",
            "a <<X",
            "a &> log",
            "a 'open",
            "a \"open",
            "a $(open",
            "a `open",
            "a \\",
            "a 10>f",
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

    #[test]
    fn a_function_of_the_environment_is_no_program() {
        let mut environment = Environment::default();
        assert_eq!(script("which a", &[&environment]), "exec which a");
        environment.set("BASH_FUNC_which%%", "() { :; }", Source::Caller);
        assert_eq!(script("which a", &[&environment]), "which a");
        assert_eq!(script("witch a", &[&environment]), "exec witch a");
    }

    /// What a command did: its exit code, what it wrote, the file `f`, and whether its program was the
    /// process that was started.
    #[derive(Debug, PartialEq, Eq)]
    struct Done {
        code: Option<i32>,
        stdout: String,
        file: Option<String>,
        is_the_process: bool,
    }

    fn done(script: &str) -> Done {
        let folder = tempfile::tempdir().unwrap();
        let program = "#!/bin/sh\necho $$ >>\"$LOG\"\nprintf '<%s>' \"$@\" \"A=$A\" \"B=$B\" \"$PATH\"\n\
                       [ \"$1\" != kill ] || kill -9 $$\n exit ${C:-0}\n";
        for name in ["p", "my p", "bin/q"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, program).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::fs::write(folder.path().join("text"), "no program").unwrap();
        let log = folder.path().join("log");
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(script).current_dir(folder.path()).env_clear().env("LOG", &log);
        shell
            .env("HOME", folder.path())
            .env("PATH", "/usr/bin:/bin")
            .env("A", "a  b")
            .env("D", "./");
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = shell.spawn().unwrap();
        let pid = child.id().to_string();
        let output = child.wait_with_output().unwrap();
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let name = folder.path().to_str().unwrap();
        // `sh: 1: exec: nope: not found` where it was `sh: 1: nope: not found`.
        let same =
            |text: &str| text.replace(name, "HOME").replace(&pid, "PID").replace(" exec: ", " ");
        Done {
            code: output.status.code().or(output.status.signal().map(|signal| 128 + signal)),
            stdout: same(&String::from_utf8_lossy(&output.stdout)),
            file: std::fs::read_to_string(folder.path().join("f")).ok().map(|text| same(&text)),
            is_the_process: log.lines().any(|line| line == pid),
        }
    }

    /// Runs a command with and without what [`script`] does to it, and returns the first.
    fn done_as_before(command: &str) -> Done {
        let script = script(command, &[]);
        let after = done(&script);
        if script != command {
            let before = Done { is_the_process: after.is_the_process, ..done(command) };
            assert_eq!(before, after, "{command:?} became {script:?}");
        }
        after
    }

    #[test]
    fn the_program_of_a_simple_command_is_the_process_and_does_as_without_exec() {
        let table = [
            "./p",
            "./p kill",
            "C=3 ./p $A '$A' \"$A\"",
            "A=1 B=$A ./p $A $B",
            "A=$A B=~/x ./p",
            "A=\"$A \" B=$(echo x y) ./p",
            "B=`echo x y` ./p",
            "A='b c' B=*  ./p *",
            "PATH=bin q",
            "PATH=$PATH:bin q x",
            "PATH=bin:$PATH A= q",
            "./p >f",
            ">f ./p 2>&1",
            "A=1 >f B=2 ./p>>f",
            "./p <text # comment; kill",
            "'./my p' x",
            "./my\\ p x",
            "\"$HOME\"/p",
            "~/p $1 \"$@\" $#",
            "$D/'p' ${B:-x; y} \"${B-'z'}\" $((1 + (2)))",
            "IFS=' ' ./p $A",
            "env -i LOG=\"$LOG\" ./p",
            "exec ./p a",
            "A=2 exec ./p a",
            "nohup ./p a",
            "sh -c './p $A; exit 4'",
            "./p a\\;b c'&'d \"e | f\" \\>g",
        ];
        for command in table {
            let done = done_as_before(command);
            let starts_another = command.starts_with("sh -c");
            assert!(done.is_the_process != starts_another, "{command}: {done:?}");
        }
    }

    #[test]
    fn what_is_no_program_does_as_before() {
        let table = [
            "nope x",
            "'A=b' ./p",
            "./text",
            "./nope",
            "./bin",
            "\"\"",
            "$EMPTY",
            "$EMPTY ./p",
            "A=1",
            "umask 027",
            "echo x >f",
            "cd bin",
            "pwd",
            "test -f p",
            "[ -f q ]",
            "printf %s x",
            "true",
            "kill -0 $$",
            "type p",
            "command -v sh",
            "command ./p",
            "eval ./p x",
            ". ./text",
            "export A",
            "set -- a",
            "trap",
            "times",
            ": ${A}",
            "! ./p",
            "{ ./p; }",
            "if ./p; then ./p; fi",
            "for i in 1 2; do ./p $i; done",
            "case a in a) ./p;; esac",
            "p() { echo function; }; p",
            "./p & wait",
            "./p && ./p",
            "./p | cat",
            "(./p)",
            "./p \\>& true",
            "./p >/nowhere/f",
            "A=${B?not set} ./p",
            "./p 'open",
            "./p $(",
            "-x ./p",
            "setsid true",
            "cat <<X\nit's\nX",
            "./p a \\\n b",
            "./p a\n./p b",
            "./p # a\n./p b",
        ];
        for command in table {
            done_as_before(command);
        }
    }

    proptest::proptest! {
        // Each case starts two shells.
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(crate::long::cases(64)))]

        #[test]
        fn any_command_does_as_before(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "./p", "./p", " ./p ", " p ", " 'my p' ", "./my\\ p", " ", " ", " ", "A=1 ", " B=$A", "C=3 ", " A=\"$A\" ", "'A=b' ",
                    "A+=1 ", "=", "PATH=bin ", " q ", "$D", "$A", "${B:-c;d}", "\"${B:-'}\"", "${B#'}'}", "$(echo x; ./p)", "`echo y`", "$((1<2))",
                    "~/p", "*", " -x ", "'", "\"", "\\", "\\>", " >f ", "3>&1", " <&0", ">|f ", "&", " & ", "|", " | ", ";", " && ", "||", "\n",
                    " #", "#", "(", ")", " { ", " } ", " ! ", " if ", " then ", " fi", "exec ", " env ./p ", "echo ", " true ", " cd bin", " eval ", "command ",
                    "test ", " [ ", "]", "nope ", "é", "%1", "$", "$$ ", "$'", "kill ", "setsid ", "\t", "()", "umask ", "export ",
                ]),
                1..9,
            ),
        ) {
            done_as_before(&parts.concat());
        }
    }
}
