//! Lint of a type with `share-port`: what keeps its program from getting the socket.

use std::ops::Range;

use super::{Finding, Speaker};
use crate::app::ProcessType;
use crate::app::shell::{Lexed, Word};

/// Python programs that start another one by `subprocess`, which closes every descriptor but the first three.
const PYTHON_WRAPPERS: [&str; 8] =
    ["conda", "honcho", "inv", "invoke", "nox", "tox", "watchfiles", "watchmedo"];

/// Finds a wrapper that closes descriptor 3 in the program that it starts.
pub(super) fn closed_descriptor(
    say: &Speaker<'_>,
    lexed: &Lexed,
    own: &ProcessType,
) -> Option<Finding> {
    own.share_port.as_ref()?;
    let (span, wrapper) = lexed.simple_commands().find_map(|words| closing(&words))?;
    let message = format!(
        "`{wrapper}` closes descriptor 3 in what it starts, so `{}` does not get its socket",
        own.name
    );
    let hint = "run the program itself; sh and ruby keep the descriptor";
    Some(say.warn("closed-socket", span, message, hint.to_owned()))
}

/// Returns what of a command closes descriptor 3, and where it stands.
fn closing(words: &[&Word]) -> Option<(Range<usize>, String)> {
    let mut rest = words.iter().skip_while(|word| word.is_assignment || word.text == "exec");
    let program = rest.next()?;
    let name = program.base_name();
    let arguments: Vec<_> = rest.collect();
    if name == "npx" {
        let is_call = |word: &str| matches!(word, "-c" | "--call") || word.starts_with("--call=");
        let call = arguments.iter().find(|word| is_call(&word.text))?;
        return Some((program.span.start..call.span.end, format!("npx {}", call.text)));
    }
    if PYTHON_WRAPPERS.contains(&name) {
        return Some((program.span.clone(), name.to_owned()));
    }
    let is_python = name.strip_prefix("python");
    is_python.filter(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))?;
    let at = arguments.iter().position(|word| word.text == "-m")?;
    let module = arguments.get(at + 1).filter(|word| PYTHON_WRAPPERS.contains(&&*word.text))?;
    Some((module.span.clone(), format!("{name} -m {}", module.text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::shell::lex;

    #[test]
    fn wrappers_that_close_descriptors_are_known_and_those_that_keep_them_are_not() {
        let found = |command: &str| {
            let found = lex(command).simple_commands().find_map(|words| closing(&words));
            found.map(|(span, wrapper)| (command[span].to_owned(), wrapper))
        };
        for (command, part, wrapper) in [
            ("npx -c 'vite'", "npx -c", "npx -c"),
            ("exec npx --yes --call 'vite'", "npx --yes --call", "npx --call"),
            ("cd web && exec npx --call=vite", "npx --call=vite", "npx --call=vite"),
            ("watchfiles 'uvicorn app'", "watchfiles", "watchfiles"),
            ("A=1 .venv/bin/honcho start", ".venv/bin/honcho", "honcho"),
            ("python3.12 -u -m watchfiles x", "watchfiles", "python3.12 -m watchfiles"),
        ] {
            assert_eq!(found(command), Some((part.to_owned(), wrapper.to_owned())), "{command}");
        }
        for command in [
            "npm start",
            "npx vite",
            "sh -c 'exec puma'",
            "uvicorn app:app --fd 3",
            "python -m uvicorn app:app --fd 3",
            "pythonic -m nox",
            "echo npx -c",
            "",
        ] {
            assert_eq!(found(command), None, "{command}");
        }
    }
}
