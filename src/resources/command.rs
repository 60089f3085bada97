//! Puts V8's flags into a command, right after the word `node`. `NODE_OPTIONS` refuses these flags,
//! so the command is the only place for them. Where it is not certain that a word of the command is
//! the program `node`, this is an error: a guess would break a command that works.

use crate::app::shell::{Expansion, Word, lex};

/// Why the flags cannot be put into a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No word of it is the program `node`.
    #[error("the command does not run `node` itself")]
    NotNode,
    /// More than one.
    #[error("the command runs `node` more than once, so it is not clear which one is meant")]
    Several,
    /// A quote that is not closed, a here-document, a `case`: words that cannot be told apart for sure.
    #[error("the command is too complex to find the word `node` in it reliably")]
    Unclear,
}

impl CommandError {
    /// Returns what to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NotNode => {
                "write the program out, as in `node server.js` for `npm start`, or put \
                 `--optimize-for-size` after `node` where it is written (package.json, a script)"
            }
            Self::Several => {
                "put `--optimize-for-size` after the right `node` yourself, or make it two process types"
            }
            Self::Unclear => {
                "move it to a script, and put `--optimize-for-size` after `node` there"
            }
        }
    }
}

/// Returns `command` with those of `flags` after the word `node` that are not there yet; `_` and `-`
/// are the same to V8, and `--no-x` speaks of the same flag as `--x`.
pub fn with_v8_flags(command: &str, flags: &[&str]) -> Result<String, CommandError> {
    let lexed = lex(command);
    if lexed.unread.is_some() {
        return Err(CommandError::Unclear);
    }
    let mut found: Option<(usize, Vec<String>)> = None;
    let mut may_hide_another = false;
    for words in lexed.simple_commands() {
        let first = words.iter().find(|word| !word.opens_command());
        let is_grammar =
            |word: &&Word| !word.is_quoted && matches!(&*word.text, "case" | "function");
        if first.is_some_and(is_grammar) {
            return Err(CommandError::Unclear);
        }
        let at = match program_of(&words) {
            Some(at) if one_word(words[at]).is_some() => at,
            // What runs is not known: `$WRAPPER node x`.
            Some(_) | None => {
                may_hide_another |= words.iter().any(|word| is_node(word));
                continue;
            }
        };
        if !is_node(words[at]) {
            continue;
        }
        if found.is_some() {
            return Err(CommandError::Several);
        }
        found = Some((words[at].span.end, options_after(&words[at + 1..])));
    }
    let (end, present) = found.ok_or(CommandError::NotNode)?;
    if may_hide_another {
        return Err(CommandError::Several);
    }
    // A function called `node` is none of ours: `node() {` or `node () {`.
    if command[end..].trim_start().starts_with('(') {
        return Err(CommandError::Unclear);
    }
    let mut edited = command[..end].to_owned();
    for flag in flags.iter().filter(|flag| !present.contains(&flag_name(flag))) {
        edited.push(' ');
        edited.push_str(flag);
    }
    edited.push_str(&command[end..]);
    Ok(edited)
}

/// Programs that are surely no Node.js: V8's flags mean nothing to them.
const OTHER_RUNTIMES: [&str; 22] = [
    "bundle", "celery", "clojure", "dotnet", "elixir", "erl", "go", "gunicorn", "java", "mix",
    "perl", "php", "puma", "python", "python2", "python3", "rackup", "rails", "rake", "ruby",
    "sidekiq", "uvicorn",
];

/// Programs that prepare for the one that matters.
const PREPARATIONS: [&str; 11] =
    [":", "[", "cd", "echo", "export", "mkdir", "rm", "set", "sleep", "test", "true"];

/// Returns whether a command surely runs another runtime than Node.js, so that the lack of `node` in it is
/// no mistake: `--gc all=size` may be meant for a worker in Ruby too.
pub fn is_other_runtime(command: &str) -> bool {
    let lexed = lex(command);
    let simple = lexed.simple_commands().filter(|words| !words.is_empty());
    let programs: Option<Vec<&str>> = simple
        .map(|words| {
            let program = words[program_of(&words)?];
            one_word(program).map(|_| program.base_name())
        })
        .collect();
    programs.is_some_and(|programs| {
        let is_other = |name: &&str| OTHER_RUNTIMES.contains(name);
        lexed.unread.is_none()
            && programs.iter().any(is_other)
            && programs.iter().all(|name| is_other(name) || PREPARATIONS.contains(name))
    })
}

/// A program that runs the program named in its own arguments.
struct Wrapper {
    name: &'static str,
    /// Its options that stand alone.
    alone: &'static [&'static str],
    /// Its options whose value is the next word, or follows a `=`.
    with_value: &'static [&'static str],
    /// Words between its options and the program.
    operands: usize,
    /// `NAME=value` words may stand before the program.
    assignments: bool,
}

const WRAPPERS: [Wrapper; 8] = [
    Wrapper { name: "exec", alone: &[], with_value: &[], operands: 0, assignments: false },
    Wrapper { name: "command", alone: &["-p"], with_value: &[], operands: 0, assignments: false },
    Wrapper { name: "nohup", alone: &[], with_value: &[], operands: 0, assignments: false },
    Wrapper {
        name: "setsid",
        alone: &["-w", "--wait"],
        with_value: &[],
        operands: 0,
        assignments: false,
    },
    Wrapper { name: "time", alone: &["-p"], with_value: &[], operands: 0, assignments: false },
    Wrapper {
        name: "nice",
        alone: &[],
        with_value: &["-n", "--adjustment"],
        operands: 0,
        assignments: false,
    },
    Wrapper {
        name: "timeout",
        alone: &["-v", "--verbose", "--foreground", "--preserve-status"],
        with_value: &["-k", "-s", "--kill-after", "--signal"],
        operands: 1,
        assignments: false,
    },
    Wrapper {
        name: "env",
        alone: &["-", "-i", "--ignore-environment"],
        with_value: &["-u", "-C", "--unset", "--chdir"],
        operands: 0,
        assignments: true,
    },
];

/// Returns the text of what is surely one word.
fn one_word(word: &Word) -> Option<&str> {
    match word.expansion {
        Expansion::None | Expansion::OneWord => Some(&word.text),
        Expansion::AnyWords => None,
    }
}

/// Returns where the program stands in a simple command. `None`: there is none, or an option is in
/// the way whose meaning is not known.
fn program_of(words: &[&Word]) -> Option<usize> {
    let text = |at: usize| words.get(at).and_then(|word| one_word(word));
    let mut at = words.iter().take_while(|word| word.opens_command()).count();
    at += count_assignments(&words[at..]);
    while let Some(wrapper) =
        text(at).and_then(|_| WRAPPERS.iter().find(|wrapper| wrapper.name == words[at].base_name()))
    {
        at += 1;
        while let Some(option) = text(at).filter(|text| text.starts_with('-')) {
            let (name, steps) = option.split_once('=').map_or((option, 2), |(name, _)| (name, 1));
            at += 1;
            if option == "--" {
                break;
            }
            if wrapper.with_value.contains(&name) {
                at += steps - 1;
            } else if !wrapper.alone.contains(&option) {
                return None;
            }
        }
        at += wrapper.operands;
        if wrapper.assignments {
            at += count_assignments(words.get(at..)?);
        }
    }
    (at < words.len()).then_some(at)
}

/// Counts the `NAME=value` words at the front.
fn count_assignments(words: &[&Word]) -> usize {
    words.iter().take_while(|word| word.is_assignment).count()
}

fn is_node(word: &Word) -> bool {
    one_word(word).is_some() && matches!(word.base_name(), "node" | "nodejs")
}

/// Options of node whose value is the next word. The script is the first word that is neither an
/// option nor such a value; what follows it is not node's.
const NODE_OPTIONS_WITH_VALUE: [&str; 10] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--title",
    "--env-file",
    "--input-type",
];

/// Returns the names of the options of node itself.
fn options_after(words: &[&Word]) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_value = false;
    for word in words {
        match one_word(word) {
            _ if is_value => is_value = false,
            Some("--") => break,
            Some(option) if option.starts_with('-') => {
                is_value = NODE_OPTIONS_WITH_VALUE.contains(&option);
                names.push(flag_name(option));
            }
            // The script, or an expansion that may be one or hold further options.
            Some(_) | None => break,
        }
    }
    names
}

/// Returns the name that V8 knows a flag by: without `=value`, with `-` for `_`, and without the
/// `no` that turns it off (`--no-x`, `--nox`).
fn flag_name(flag: &str) -> String {
    let name = flag.split('=').next().unwrap_or(flag).replace('_', "-");
    match name.strip_prefix("--no-").or_else(|| name.strip_prefix("--no")) {
        Some(rest) => format!("--{rest}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const FLAGS: [&str; 2] = ["--optimize-for-size", "--gc-interval=100"];

    #[test]
    fn flags_follow_the_word_node_however_it_is_written() {
        // `@` marks where the flags go.
        let table = [
            "node@ x.js",
            "node@",
            "  node@ x.js  ",
            "FOO=1 node@ x.js",
            "FOO='a b' BAR=\"$X\" node@ x.js",
            "env A=b node@ x.js",
            "env -i -u B A=b node@ x.js",
            "/usr/bin/env A=b node@ x.js",
            "/usr/bin/node@ x.js",
            "./node_modules/.bin/node@ x.js",
            "~/bin/node@ x.js",
            "\"$HOME\"/bin/node@ x.js",
            "\"$HOME/bin/node\"@ x.js",
            "env -- node@ x.js",
            "env --unset=A node@ x.js",
            "cd app && node@ x.js",
            "cd app; node@ x.js",
            "cd app\nnode@ x.js",
            "(cd app && node@ x.js)",
            "{ node@ x.js; }",
            "exec node@ x",
            "\"node\"@ x",
            "'/opt/my node/node'@ x",
            "no\\de@ x",
            "nodejs@ x",
            "node@ --inspect x",
            "node@ x | tee log",
            "cat f | node@ x",
            "node@ x > node 2>&1",
            ">log 2>&1 node@ x",
            "exec nice -n 5 env A=1 timeout -k 5 --foreground 10 node@ x",
            "while true; do node@ x; done",
            "if test -f node; then node@ x; fi",
            "! node@ x",
            "sleep 1 & node@ x",
            "echo node; node@ x",
            "echo 'node x' && node@ x",
            "V=$(node -v) node@ x",
            "node@ $(node -p 1)",
            "node@ x # node y",
            "node@ -e 'node'",
            "node@ ${A^^} $'x'",
            "\\\nno\\\nde@ x",
        ];
        for marked in table {
            let command = marked.replace('@', "");
            let expected = marked.replace('@', " --optimize-for-size --gc-interval=100");
            assert_eq!(with_v8_flags(&command, &FLAGS), Ok(expected), "{command}");
        }
    }

    #[test]
    fn where_it_cannot_know_it_says_so() {
        let table = [
            ("npm start", CommandError::NotNode),
            ("yarn dev", CommandError::NotNode),
            ("nodemon x.js", CommandError::NotNode),
            ("npx node x.js", CommandError::NotNode),
            ("sh -c 'node x.js'", CommandError::NotNode),
            ("sh -c \"node x.js\"", CommandError::NotNode),
            ("echo node", CommandError::NotNode),
            ("$NODE x.js", CommandError::NotNode),
            ("$(which node) x.js", CommandError::NotNode),
            ("$HOME/bin/node x.js", CommandError::NotNode),
            ("\"$node\" x.js", CommandError::NotNode),
            ("\"$@\"/node x.js", CommandError::NotNode),
            ("env --split-string='node x' node", CommandError::NotNode),
            ("${NODE:-node} x.js", CommandError::NotNode),
            ("for node in a b; do echo; done", CommandError::NotNode),
            ("env -S 'node x.js'", CommandError::NotNode),
            ("env --split-string 'node x' node", CommandError::NotNode),
            ("exec -a app node x.js", CommandError::NotNode),
            ("> node x", CommandError::NotNode),
            ("A=node", CommandError::NotNode),
            ("", CommandError::NotNode),
            ("# node x", CommandError::NotNode),
            ("node a | node b", CommandError::Several),
            ("node build.js && node server.js", CommandError::Several),
            ("node a & nodejs b", CommandError::Several),
            ("node a; $WRAPPER node b", CommandError::Several),
            ("nice -5 node a & node b", CommandError::Several),
            ("node\r x", CommandError::NotNode),
            (r"node\", CommandError::Unclear),
            ("node 10>f x", CommandError::Unclear),
            ("node 'x", CommandError::Unclear),
            ("node <<X\nnode\nX", CommandError::Unclear),
            ("case $1 in node) node x;; esac", CommandError::Unclear),
            ("node() { :; }", CommandError::Unclear),
        ];
        for (command, error) in table {
            assert_eq!(with_v8_flags(command, &FLAGS), Err(error), "{command}");
        }
    }

    #[test]
    fn another_runtime_is_told_from_what_is_not_known() {
        let others = [
            "bundle exec puma",
            "java -jar x.jar",
            "cd a && A=1 exec /usr/bin/python3 x.py",
            "env A=1 ruby x",
        ];
        for command in others {
            assert!(is_other_runtime(command), "{command}");
        }
        for command in [
            "npm start",
            "node x",
            "./start.sh",
            "$RUBY x",
            "npm run build && bundle exec puma",
            "echo",
            "'",
        ] {
            assert!(!is_other_runtime(command), "{command}");
        }
    }

    #[test]
    fn flags_that_are_there_are_not_doubled() {
        let table = [
            ("node --optimize-for-size x", "node --gc-interval=100 --optimize-for-size x"),
            ("node --optimize_for_size x", "node --gc-interval=100 --optimize_for_size x"),
            ("node --no-optimize-for-size x", "node --gc-interval=100 --no-optimize-for-size x"),
            ("node --gc_interval=50 x", "node --optimize-for-size --gc_interval=50 x"),
            (
                "node -r dotenv/config '--gc-interval=50' x",
                "node --optimize-for-size -r dotenv/config '--gc-interval=50' x",
            ),
            (
                "node x --gc-interval=50",
                "node --optimize-for-size --gc-interval=100 x --gc-interval=50",
            ),
            (
                "node --gc-interval=1 --optimize-for-size",
                "node --gc-interval=1 --optimize-for-size",
            ),
        ];
        for (command, expected) in table {
            assert_eq!(with_v8_flags(command, &FLAGS).as_deref(), Ok(expected), "{command}");
        }
    }

    #[test]
    fn node_itself_reports_the_flags() {
        if !crate::skipped::has_program("node") {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.js"), "console.log(process.execArgv.join(' '))")
            .unwrap();
        std::fs::create_dir(folder.path().join("app")).unwrap();
        std::fs::write(folder.path().join("app/x.js"), "console.log(process.execArgv.join(' '))")
            .unwrap();
        let table = [
            ("node x.js", ""),
            ("FOO=1 node x.js", ""),
            ("env A=b node x.js", ""),
            ("cd app && node x.js", ""),
            ("cd app; exec node x.js 2>&1", ""),
            ("exec node x", ""),
            ("\"node\" x", ""),
            ("\"$(dirname \"$(command -v node)\")\"/node x.js", ""),
            ("(node x.js) | cat", ""),
            ("if true; then node x.js; fi", ""),
            ("timeout 20 nice -n 1 node --no-warnings x.js", " --no-warnings"),
        ];
        for (command, own) in table {
            let edited = with_v8_flags(command, &FLAGS).unwrap();
            let output = Command::new("/bin/sh")
                .arg("-c")
                .arg(&edited)
                .current_dir(folder.path())
                .output()
                .unwrap();
            let printed = String::from_utf8_lossy(&output.stdout);
            assert_eq!(
                printed.trim_end(),
                format!("--optimize-for-size --gc-interval=100{own}"),
                "{edited}"
            );
        }
    }

    /// Runs a command with a `node` that only writes down its arguments, one call a line.
    fn calls_of_node(command: &str, folder: &std::path::Path) -> Vec<String> {
        let log = folder.join("log");
        std::fs::write(&log, "").unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command).env("PATH", path).env("LOG", &log).current_dir(folder);
        shell.stdin(std::process::Stdio::null()).output().unwrap();
        std::fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect()
    }

    proptest::proptest! {
        // Each case starts two shells.
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(crate::long::cases(64)))]

        #[test]
        fn the_shell_gives_the_flags_to_the_node_that_it_runs(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "node", "node", "n'o'de", "./node", "x", "-i", "A=1", "env", "exec", "nice", "timeout 9", "timeout -s",
                    "&&", "||", ";", "|", "\n", "'a b'", "\"$HOME\"", "$EMPTY", "$(echo node)", "`echo x`", "2>&1", ">f", "#",
                    "(", ")", "{", "}", "if", "then", "fi", "!", "do", "while", "command", "env -u", "-n 5", "--", "time",
                    "\\\n", "sh -c 'node y'", "true", "false", "nohup", "$$",
                ]),
                1..7,
            ),
        ) {
            use std::os::unix::fs::PermissionsExt;
            let command = parts.join(" ");
            if let Ok(edited) = with_v8_flags(&command, &FLAGS) {
                let folder = tempfile::tempdir().unwrap();
                let node = folder.path().join("node");
                std::fs::write(&node, "#!/bin/sh\necho \"$*\" >>\"$LOG\"\n").unwrap();
                std::fs::set_permissions(&node, std::fs::Permissions::from_mode(0o755)).unwrap();
                let (before, after) = (calls_of_node(&command, folder.path()), calls_of_node(&edited, folder.path()));
                let flags = FLAGS.join(" ");
                let own = |call: &String| call.strip_prefix(&flags).map(|rest| rest.trim_start().to_owned());
                let with_flags = after.iter().filter(|call| own(call).is_some()).count();
                // `sh -c 'node y'` and `$(echo node)` are nodes that nobody can see.
                let hidden = before.iter().any(|call| call == "y" || call.ends_with(" y")) || command.contains("$(");
                proptest::prop_assert!(before.len() == after.len(), "{:?} became {:?}: {:?}, {:?}", command, edited, before, after);
                proptest::prop_assert!(before.len() <= 1 || hidden, "{:?}: {:?}", command, before);
                let expected = usize::from(!before.is_empty());
                proptest::prop_assert!(hidden || with_flags == expected, "{:?} became {:?}: {:?}, {:?}", command, edited, before, after);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn an_edited_command_differs_only_by_the_flags(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "node", "nodejs", "'node'", "/usr/bin/node", " ", " ", " ", "x.js", "A=1", "env", "exec", "&&",
                    ";", "|", "\n", "'a b'", "\"$X\"", "$(node x)", "`y`", "2>&1", ">f", "#", "(", ")", "\\", "'",
                    "--gc-interval=1", "--optimize_for_size", "é", "do", "timeout 5",
                ]),
                0..12,
            ),
        ) {
            let command = parts.concat();
            if let Ok(edited) = with_v8_flags(&command, &FLAGS) {
                let possible = ["", " --optimize-for-size", " --gc-interval=100", " --optimize-for-size --gc-interval=100"];
                let inserted = edited.len() - command.len();
                let only_flags = (0..=command.len()).filter(|&at| command.is_char_boundary(at)).any(|at| {
                    edited.starts_with(&command[..at])
                        && edited.ends_with(&command[at..])
                        && possible.contains(&&edited[at..at + inserted])
                });
                proptest::prop_assert!(only_flags, "{command:?} became {edited:?}");
            }
        }
    }
}
