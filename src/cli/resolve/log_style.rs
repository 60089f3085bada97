//! How the log looks: the settings and the surroundings → [`LogFormat`].

use crate::app::App;
use crate::cli::sources::Sources;
use crate::config::SessionSettings;
use crate::config::value::{Color, Switch};
use crate::output::{LogFormat, Look, SYSTEM};

/// foreman's form of the time.
const TIMESTAMP: &str = "%H:%M:%S";

/// Returns how the lines of the log look.
pub(crate) fn text(session: &SessionSettings, app: &App, sources: &Sources) -> LogFormat {
    let format = session.timestamp_format.as_ref().map_or(TIMESTAMP, |format| &format.value.0);
    let is_off = |switch: Option<Switch>| switch == Some(Switch::Off);
    let longest = app.instances().map(|id| app.name_of(id).len()).max().unwrap_or(0);
    LogFormat::Text(Look {
        color: color(session.color.as_ref().map(|color| color.value), sources),
        timestamp: (!is_off(session.timestamp.as_ref().map(|switch| switch.value)))
            .then(|| format.to_owned()),
        prefix: !is_off(session.prefix.as_ref().map(|switch| switch.value)),
        width: longest.max(SYSTEM.len()),
    })
}

/// Decides on colour: the option, then NO_COLOR (no-color.org), then FORCE_COLOR (force-color.org) and
/// CLICOLOR_FORCE, then CLICOLOR=0 and TERM=dumb, then whether stdout is a terminal.
pub(crate) fn color(choice: Option<Color>, sources: &Sources) -> bool {
    let set = |name: &str| sources.var(name).is_some();
    let is = |name: &str, text: &str| sources.var(name).is_some_and(|value| value == text);
    match choice.unwrap_or(Color::Auto) {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("NO_COLOR") => false,
        Color::Auto if set("FORCE_COLOR") => !is("FORCE_COLOR", "0") && !is("FORCE_COLOR", "false"),
        Color::Auto if set("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", "0") => true,
        Color::Auto if is("CLICOLOR", "0") || is("TERM", "dumb") => false,
        Color::Auto => sources.stdout_is_terminal,
    }
}
