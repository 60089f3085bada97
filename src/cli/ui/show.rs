//! `pm ui` itself.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Parser};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{keys, older};
use crate::cli::args::{Cli, Command};
use crate::cli::client::args::UiArgs;
use crate::cli::client::guard::terminal_guard;
use crate::cli::client::{find, sessions};
use crate::cli::diagnostics;
use crate::cli::json::AnswerForm;
use crate::cli::logs;
use crate::cli::resolve::log_style;
use crate::cli::sources::Sources;
use crate::error::Error;
use crate::os::terminal::stdout_without_blocking;
use crate::os::{clock, job_control};
use crate::tui::{self, OlderReader, StopReach, UiEnd, UiLook, UiSession, UiSetup};

/// Shows the session, or all of the user's, until the person leaves.
pub(crate) fn ui(
    args: &UiArgs,
    matches: &ArgMatches,
    (form, sources): (AnswerForm, &Sources),
) -> Result<i32, Error> {
    let keys = keys::of_user(sources)?;
    let refused = |reason: &str| Error::Usage {
        reason: reason.to_owned(),
        hint: "`pm ps` shows the instances without one, `pm logs -f` their output".to_owned(),
    };
    if !io::stdin().is_terminal() || !sources.stdout_is_terminal {
        return Err(refused("`pm ui` needs a terminal for its input and output"));
    }
    if sources.has_dumb_terminal() {
        return Err(refused("`pm ui` needs a terminal that draws, and TERM is not set or `dumb`"));
    }
    // Sessions are asked on threads, after which no copy of this process may be made.
    let guard = terminal_guard();
    let found = shown(args, matches, sources)?;
    diagnostics::release();
    let setup = UiSetup {
        sessions: found,
        keys,
        look: UiLook {
            unicode: sources.has_unicode(),
            color: log_style::color(args.color, sources),
        },
        pager: pager(sources),
        scratch: sources.var("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from),
        older: OlderReader(match sources.state_folder() {
            Ok(state) => Box::new(move |query| older::output(&state, query)),
            // Nothing can be kept there.
            Err(_) => Box::new(|_| Ok(Vec::new())),
        }),
        clock: clock::instant,
        time_of_day,
        stop: |whom| match whom {
            StopReach::Process => job_control::stop_process(),
            StopReach::Job => job_control::stop_job(),
        },
    };
    let end = stdout_without_blocking()
        .and_then(|out| tui::run(setup, out))
        .map_err(|source| Error::Startup { what: "show the ui", source })?;
    drop(guard);
    match end {
        UiEnd::Left => Ok(0),
        UiEnd::Signal(signal) => Ok(128 + signal),
        UiEnd::Stream { session, root, names } => {
            stream((session, root.as_deref(), &names), (form, sources))
        }
    }
}

fn shown(args: &UiArgs, matches: &ArgMatches, sources: &Sources) -> Result<Vec<UiSession>, Error> {
    if !args.all {
        let session = find::one(&args.target, sources, &[], find::has_instances)?;
        let label = label(Path::new(&session.report.root));
        let (pid, socket) = (session.endpoint.pid, session.endpoint.socket);
        let root = Some(PathBuf::from(&session.report.root));
        return Ok(vec![UiSession { label, pid, socket, root, report: Some(session.report) }]);
    }
    sessions::refuse_target(matches)?;
    let all = sessions::all(&find::folder(sources))?;
    let one = |session: sessions::UserSession| UiSession {
        label: session.root.as_deref().map(label).unwrap_or_default(),
        pid: session.endpoint.pid,
        socket: session.endpoint.socket,
        root: session.root,
        report: session.answer.ok(),
    };
    let all: Vec<_> = all.into_iter().map(one).collect();
    if all.is_empty() {
        let reason = "no session of this user runs".to_owned();
        return Err(Error::Refused { reason, hint: Some("`pm start` starts one".to_owned()) });
    }
    Ok(all)
}

/// Returns the name of a folder.
fn label(root: &Path) -> String {
    let name = root.file_name().unwrap_or(root.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Returns the command that shows a file: PAGER, else EDITOR, else less(1).
fn pager(sources: &Sources) -> String {
    let set = |key: &&str| sources.var(key).filter(|value| !value.is_empty());
    let named = ["PAGER", "EDITOR"].iter().find_map(set);
    named.map_or_else(|| "less".to_owned(), |command| command.to_string_lossy().into_owned())
}

fn time_of_day() -> String {
    let now = Timestamp::from_millisecond(clock::unix_milliseconds()).unwrap_or_default();
    let time = TimeZone::system().to_datetime(now).time();
    format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

/// Goes on as `pm logs -f`.
fn stream(
    (session, root, names): (i32, Option<&Path>, &[String]),
    (form, sources): (AnswerForm, &Sources),
) -> Result<i32, Error> {
    match Cli::try_parse_from(words(session, root, names)).map(|cli| cli.command) {
        Ok(Command::Logs(args)) => logs::logs(&args, (form, sources)),
        _ => Err(Error::Refused {
            reason: format!("the output of session {session} cannot be shown"),
            hint: Some(format!("`pm logs -f --session {session}` shows it in its folder")),
        }),
    }
}

/// Returns the words that a person would have typed.
fn words(session: i32, root: Option<&Path>, names: &[String]) -> Vec<OsString> {
    let session = session.to_string();
    let mut words: Vec<OsString> =
        ["pm", "logs", "-f", "-n", "50", "--session", &session].map(Into::into).to_vec();
    if let Some(root) = root {
        words.extend(["-d".into(), root.into()]);
    }
    words.push("--".into());
    words.extend(names.iter().map(Into::into));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_stream_is_pm_logs_with_and_without_a_root() {
        for root in [None, Some(Path::new("/srv/my app"))] {
            for names in [&[][..], &["web.1".to_owned()]] {
                let cli = Cli::try_parse_from(words(7, root, names)).unwrap();
                let Command::Logs(args) = cli.command else { panic!("{root:?} {names:?}") };
                assert_eq!(args.target.root.as_deref(), root);
                assert_eq!((args.target.session, &args.names[..]), (Some(7), names));
            }
        }
    }
}
