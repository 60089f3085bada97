//! What a session does with its terminal: the settings and the surroundings → [`TerminalUse`].

use super::client::status;
use super::sources::Sources;
use crate::config::SessionSettings;
use crate::config::value::{Keys, Switch};
use crate::os::terminal;
use crate::output::LogFormat;
use crate::session::keyboard::TerminalUse;

/// Returns whether the session has a line below its output, and takes keys. Never where the output is for a program.
pub(super) fn of(session: &SessionSettings, format: &LogFormat, sources: &Sources) -> TerminalUse {
    let is_text = matches!(format, LogFormat::Text(_));
    let has_screen = sources.stdout_is_terminal && is_text && is_for_a_person(sources);
    let status = session.status.as_ref().map(|status| status.value);
    let keys = match session.keys.as_ref().map_or(Keys::Auto, |keys| keys.value) {
        Keys::Auto => has_screen && terminal::stdin_is_that_of_stdout(),
        Keys::Never => false,
    };
    TerminalUse {
        line: has_screen && status != Some(Switch::Off),
        keys,
        table: status::plain_table,
    }
}

/// Returns whether a terminal can move its cursor, and a person looks at it.
fn is_for_a_person(sources: &Sources) -> bool {
    !sources.has_dumb_terminal() && sources.var("CI").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Setting};
    use crate::output::Look;

    #[test]
    fn a_line_is_for_a_person_at_a_terminal_that_is_not_dumb() {
        let sources = |is_terminal, variables: &[(&str, &str)]| Sources {
            env: variables.iter().map(|(key, value)| (key.into(), value.into())).collect(),
            stdout_is_terminal: is_terminal,
            ..Sources::default()
        };
        let xterm = ("TERM", "xterm-256color");
        let text = LogFormat::Text(Look::plain());
        let off = Some(Setting { value: Switch::Off, origin: Origin::Flag });
        let none = SessionSettings::default();
        let no_status = SessionSettings { status: off, ..none.clone() };
        for (session, format, sources, expected) in [
            (&none, &text, sources(true, &[xterm]), true),
            (&none, &text, sources(false, &[xterm]), false),
            (&none, &text, sources(true, &[("TERM", "dumb")]), false),
            (&none, &text, sources(true, &[]), false),
            (&none, &text, sources(true, &[xterm, ("CI", "true")]), false),
            (&none, &LogFormat::Json, sources(true, &[xterm]), false),
            (&no_status, &text, sources(true, &[xterm]), false),
        ] {
            assert_eq!(of(session, format, &sources).line, expected, "{session:?} {sources:?}");
        }
    }
}
