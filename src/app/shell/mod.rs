//! Commands as `/bin/sh` reads them: the lexer, and what can be said of a command by it. Pure; knows no
//! Procfile and runs nothing.

mod expansion;
mod known_pid;
mod lexer;
mod simple;
mod token;

pub(crate) use known_pid::{keeps_pid, script_with_pid, with_last_exec};
#[doc(hidden)]
pub use lexer::lex;
pub use simple::script;
pub(crate) use simple::{ShellCommand, is_shell_word, shell_command, short_name};
pub(crate) use token::simple_commands;
#[doc(hidden)]
pub use token::{
    Expansion, Frozen, FrozenBy, Lexed, ParameterExpansion, Token, Unread, Unset, Word,
};

/// Returns whether `name` is a name as POSIX defines it: letters, digits and `_`, no digit first.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns the letters, digits and `_` at the front of a text.
pub(crate) fn name_at(text: &str) -> &str {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    &text[..text.len() - rest.len()]
}

/// Returns whether a command uses a variable, or gives another shell a text that does: `sh -c 'echo $PORT'`.
pub(crate) fn uses_variable(command: &str, name: &str) -> bool {
    let lexed = lex(command);
    let words = lexed.nested.iter().chain([&lexed.tokens]).flatten().filter_map(Token::word);
    let is_frozen = |frozen: &Frozen| {
        let behind = &command[frozen.at + 1..];
        name_at(behind.strip_prefix('{').unwrap_or(behind)) == name
    };
    lexed.variables.iter().any(|variable| variable.name == name)
        || words.flat_map(|word| &word.frozen).any(is_frozen)
}

/// Returns whether a command is the client of a container engine, whose processes are elsewhere: `docker run -p 80:80 x`.
pub(crate) fn is_container_client(command: &str) -> bool {
    let is_client = |words: Vec<&Word>| {
        let words = words.iter().skip_while(|word| word.is_assignment).map(|word| word.base_name());
        let mut names = words.filter(|name| !matches!(*name, "exec" | "sudo"));
        names
            .next()
            .is_some_and(|name| matches!(name, "docker" | "podman" | "nerdctl" | "docker-compose"))
    };
    lex(command).simple_commands().any(is_client)
}

#[cfg(test)]
mod tests {
    use super::{is_container_client, uses_variable};

    #[test]
    fn the_client_of_a_container_engine_is_known_in_front_of_its_arguments() {
        for (command, expected) in [
            ("docker run -p 80:80 x", true),
            ("exec /usr/bin/podman run x", true),
            ("A=1 docker run x", true),
            ("sleep 1; sudo docker compose up", true),
            ("node docker.js", false),
            ("echo docker", false),
            ("", false),
        ] {
            assert_eq!(is_container_client(command), expected, "{command}");
        }
    }

    #[test]
    fn a_variable_is_used_where_this_shell_or_another_one_gets_it() {
        let uses = [
            "a -p $PORT",
            "a \"b:${PORT:-80}\"",
            "a ${X:-$PORT}",
            "a $(b $PORT)",
            "sh -c 'a $PORT'",
            "sh -c 'a ${PORT}'",
            "sh -c \"a \\$PORT\"",
        ];
        for command in uses {
            assert!(uses_variable(command, "PORT"), "{command}");
        }
        for command in ["a", "a PORT", "a $PORTAL", "a ${PORTS}", "sh -c 'a $PORTAL'", "a # $PORT"]
        {
            assert!(!uses_variable(command, "PORT"), "{command}");
        }
    }
}
