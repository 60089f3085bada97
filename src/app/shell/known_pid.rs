//! Commands whose program runs as the process that the shell was: what `LISTEN_PID` needs (sd_listen_fds(3)). The
//! shell sets it to `$$`, and `exec` keeps the process id.

use super::lexer::lex;
use super::simple::{is_function, is_program, with_exec};
use super::token::{Lexed, Token, Word};
use crate::app::Environment;

/// Returns what `/bin/sh -c` gets for a command, so that its program finds its own process id in `variable`. `None`
/// where a shell stays before the program, which would have another one.
pub(crate) fn script_with_pid(
    command: &str,
    variable: &str,
    environment: &[&Environment],
) -> Option<String> {
    let lexed = lex(command);
    let script = match lexed.program() {
        Some(program) if is_function(program, environment) => return None,
        Some(program) => with_exec(command, program),
        None => ends_with_exec(command, &lexed).then(|| command.to_owned())?,
    };
    Some(format!("export {variable}=$$; {script}"))
}

/// Returns whether the program of a command gets the process id of the shell.
pub(crate) fn keeps_pid(command: &str) -> bool {
    let lexed = lex(command);
    lexed.program().is_some() || ends_with_exec(command, &lexed)
}

/// Returns a command with the `exec` that it lacks so that [`keeps_pid`] holds: `cd web && exec node server.js`. `None`
/// where that is not enough: its last program is in a pipe, in the background or in a group.
pub(crate) fn with_last_exec(command: &str) -> Option<String> {
    let lexed = lex(command);
    let last = last_of_list(command, &lexed)?;
    let program = last.into_iter().find(|word| !word.is_assignment)?;
    if !is_program(program) {
        return None;
    }
    let changed = with_exec(command, program);
    keeps_pid(&changed).then_some(changed)
}

/// Returns whether the last of several commands replaces the shell.
fn ends_with_exec(command: &str, lexed: &Lexed) -> bool {
    let Some(last) = last_of_list(command, lexed) else { return false };
    let mut words = last.into_iter().skip_while(|word| word.is_assignment);
    // `exec` alone changes nothing but redirections.
    words.next().is_some_and(|word| word.text == "exec") && words.next().is_some()
}

/// Returns the words of the last command of a list that this shell runs one after the other: `;`, `&&` and newlines
/// stand between them, and none begins with a reserved word.
fn last_of_list<'a>(command: &str, lexed: &'a Lexed) -> Option<Vec<&'a Word>> {
    let is_of_list = |token: &Token| match token {
        Token::Operator(span) => matches!(&command[span.clone()], ";" | "&&" | "\n"),
        Token::Word(_) | Token::Redirection => true,
    };
    let is_list = lexed.unread.is_none() && lexed.tokens.iter().all(is_of_list);
    let parts: Vec<_> = lexed.simple_commands().filter(|words| !words.is_empty()).collect();
    let is_plain = |words: &Vec<&Word>| !words.first().is_some_and(|word| word.is_reserved());
    (is_list && parts.iter().all(is_plain)).then(|| parts.into_iter().last()).flatten()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::app::Source;

    #[test]
    fn one_simple_command_and_a_list_that_ends_with_exec_keep_the_process_id() {
        for command in [
            "./web -p $PORT",
            "A=1 ./web >log 2>&1",
            "exec ./web",
            "cd web && exec ./web",
            "cd web; A=1 exec ./web -p 1 >log",
            "a &&\n exec ./web",
            "a\nexec ./web # a comment",
            "exec ./web;",
        ] {
            assert!(keeps_pid(command), "{command}");
        }
        for command in [
            "cd web && ./web",
            "exec ./web | tee log",
            "exec ./web &",
            "a || exec ./web",
            "(exec ./web)",
            "{ exec ./web; }",
            "if a; then exec ./web; fi",
            "a; exec",
            "exec ./web; b",
            "exec ./web && 'open",
            "echo a",
            "",
        ] {
            assert!(!keeps_pid(command), "{command}");
        }
    }

    #[test]
    fn the_exec_to_write_stands_before_the_last_program() {
        for (command, expected) in [
            ("cd web && ./web -p 1", Some("cd web && exec ./web -p 1")),
            ("a; A=1 ./web", Some("a; A=1 exec ./web")),
            ("a\n./web # b", Some("a\nexec ./web # b")),
            ("./web | tee log", None),
            ("(./web)", None),
            ("a; echo b", None),
            ("if a; then ./web; fi", None),
            ("", None),
        ] {
            assert_eq!(with_last_exec(command).as_deref(), expected, "{command}");
        }
    }

    #[test]
    fn the_program_finds_its_own_process_id() {
        for command in [
            "sh -c 'echo $LISTEN_PID $$'",
            "A=1 sh -c 'echo $LISTEN_PID $$'",
            "true && exec sh -c 'echo $LISTEN_PID $$'",
        ] {
            let script = script_with_pid(command, "LISTEN_PID", &[]).unwrap();
            let done = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
            let text = String::from_utf8(done.stdout).unwrap();
            let (listener, own) = text.trim().split_once(' ').unwrap();
            assert_eq!(listener, own, "{script}");
        }
        assert_eq!(script_with_pid("a | b", "LISTEN_PID", &[]), None);
    }

    #[test]
    fn a_function_of_the_environment_has_no_process_of_its_own() {
        let mut environment = Environment::default();
        environment.set("BASH_FUNC_web%%", "() { :; }", Source::Caller);
        assert_eq!(script_with_pid("web -p 1", "LISTEN_PID", &[&environment]), None);
    }
}
