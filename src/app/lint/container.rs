//! Lint of `docker run -p` with a `port` probe: the port is open before the program in the container listens.

use std::ops::Range;

use super::{Finding, Speaker};
use crate::app::Policy;
use crate::app::readiness::Probe;
use crate::app::shell::{Lexed, Word, is_container_client};

/// Finds a published port of a container that is asked for by `port`: the container engine listens there itself
/// from the start (docker-proxy).
pub(super) fn published_port(say: &Speaker<'_>, lexed: &Lexed, policy: &Policy) -> Option<Finding> {
    let probes = policy.ready_probes();
    let probe = probes.into_iter().find(|probe| matches!(probe, Probe::Port(_)))?;
    if !is_container_client(&say.entry.command) {
        return None;
    }
    let span = lexed.simple_commands().find_map(|words| published(&words))?;
    let name = &say.entry.name;
    let message = format!(
        "`ready = \"{probe}\"` of `{name}` holds too early: the container engine opens a published port before the \
         program in the container listens"
    );
    let hint =
        "wait for its output (`log:REGEX`) or ask it (`http:`, `cmd:pg_isready -h localhost`)";
    Some(say.warn("container-port", span, message, hint.to_owned()))
}

/// Returns where `run` publishes a port.
fn published(words: &[&Word]) -> Option<Range<usize>> {
    let at = words.iter().position(|word| word.text == "run")?;
    let is_option = |word: &&&Word| {
        let text = word.text.as_str();
        matches!(text, "-p" | "-P" | "--publish" | "--publish-all")
            || text.starts_with("--publish=")
            || text
                .strip_prefix("-p")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    words[at..].iter().find(is_option).map(|word| word.span.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::shell::lex;

    #[test]
    fn a_port_is_published_by_an_option_of_run() {
        let found = |command: &str| {
            let span = lex(command).simple_commands().find_map(|words| published(&words));
            span.map(|span| command[span].to_owned())
        };
        for (command, option) in [
            ("docker run --rm -p 5432:5432 postgres", Some("-p")),
            ("exec docker run --publish=5432:5432 postgres", Some("--publish=5432:5432")),
            ("docker pull x && sudo podman run -p $PORT:80 x", Some("-p")),
            ("docker run -p80:80 x", Some("-p80:80")),
            ("docker run -P x", Some("-P")),
            ("docker run --rm x", None),
            ("docker -p x", None),
        ] {
            assert_eq!(found(command).as_deref(), option, "{command}");
        }
    }
}
