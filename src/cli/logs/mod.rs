//! `pm logs`: the output of the running session, or of one that has ended: what is kept on the disk, chosen,
//! filtered and shown in one of three forms. It never waits for a pager, and a reader that has enough ends it.

mod exits;
mod follow;
pub(in crate::cli) mod json;
mod live;
mod out;
pub(in crate::cli) mod purge;
pub(in crate::cli) mod runs;
mod search;
mod select;
mod show;
pub(in crate::cli) mod text;
mod view;
pub(in crate::cli) mod when;

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;

use jiff::{Timestamp, tz::TimeZone};

use self::exits::Exits;
use self::json::JsonView;
use self::out::Out;
use self::purge::PurgeAnswer;
use self::runs::RunsAnswer;
use self::search::{Letters, Search};
use self::select::{Bound, Selection, Voices};
use self::show::Show;
use self::text::{Cast, Dress, LogView};
use self::view::View;
use super::client::args::{LogForm, LogsArgs};
use super::client::find::{self, SessionInfo};
use super::diagnostics;
use super::json::AnswerForm;
use super::resolve::log_style;
use super::sources::Sources;
use crate::app::select::select as select_names;
use crate::error::Error;
use crate::os;
use crate::os::clock;
use crate::state::folder;
use crate::state::runs::{Purged, Reader, Run, What, Which, choose, list, purge};

/// How many lines `--exits` shows before each end.
const LINES_BEFORE_END: usize = 20;

/// Shows output until all is shown, or with `--follow` until the session ends.
pub(crate) fn logs(args: &LogsArgs, (form, sources): (AnswerForm, &Sources)) -> Result<i32, Error> {
    let zone = os::zone::local(sources.var("TZ").is_some());
    // A wrong expression is an error whatever there is to search.
    let choice = LogChoice { args, search: search(args)?, zone: zone.clone() };
    if args.purge {
        return form.answer(PurgeAnswer(purged(&find::root(&args.target, sources)?, sources)?));
    }
    if args.runs {
        let runs = kept_runs(&find::root(&args.target, sources)?, sources)?;
        return form.answer(RunsAnswer { runs, zone });
    }
    match subject(args, &zone, sources)? {
        LogSubject::Kept(run, session) => {
            kept(&choice, &run, session.as_ref(), sources, Out::stdout())?;
        }
        LogSubject::Unkept(session) => {
            if let Some(option) = needs_kept(args) {
                return Err(Error::Refused {
                    reason: format!("`{option}` needs kept output, and this session keeps none"),
                    hint: Some("start it with `--keep 64M`".to_owned()),
                });
            }
            let view = LogView::new((&session.report).into(), dress(args, sources), zone);
            live::logs(args, &session, view)?;
        }
    }
    Ok(0)
}

/// What is shown.
enum LogSubject {
    /// What is kept of a run; it may be that of a session.
    Kept(Run, Option<SessionInfo>),
    /// What a session has in memory.
    Unkept(SessionInfo),
}

/// What was typed, as far as it needs no log.
struct LogChoice<'a> {
    args: &'a LogsArgs,
    search: Option<Search>,
    zone: TimeZone,
}

/// Removes what is kept of an application.
fn purged(root: &Path, sources: &Sources) -> Result<Purged, Error> {
    let state = sources.state_folder()?;
    let fail = |source| Error::StateFolder { folder: state.clone(), source };
    match folder::is_there(&state).map_err(fail)? {
        true => purge(&folder::of_root(&state, root)).map_err(fail),
        false => Ok(Purged::default()),
    }
}

/// Returns the runs that are kept of an application.
fn kept_runs(root: &Path, sources: &Sources) -> Result<Vec<Run>, Error> {
    let state = sources.state_folder()?;
    let fail = |source| Error::StateFolder { folder: state.clone(), source };
    match folder::is_there(&state).map_err(fail)? {
        true => list(&folder::of_root(&state, root)).map_err(fail),
        false => Ok(Vec::new()),
    }
}

/// Finds what is to be shown: the run that was asked for, else the session, else the last run.
fn subject(args: &LogsArgs, zone: &TimeZone, sources: &Sources) -> Result<LogSubject, Error> {
    let root = find::root(&args.target, sources)?;
    let asked = if args.last { Some(-1) } else { args.run };
    if let Some(number) = asked {
        let runs = kept_runs(&root, sources)?;
        let size = number.unsigned_abs();
        let which = if number < 0 { Which::Ended(size) } else { Which::Number(size) };
        let run = choose(&runs, which).cloned();
        let run = run.ok_or_else(|| Error::NoRun {
            root,
            known: runs.iter().map(|run| run.number).collect(),
        })?;
        let session = if run.is_alive { session_of(&run, args, sources) } else { None };
        return Ok(LogSubject::Kept(run, session));
    }
    match find::one(&args.target, sources, &args.names, find::has_instances) {
        Ok(session) => {
            // A session that keeps nothing is asked, whatever can be read.
            let runs = kept_runs(&root, sources).unwrap_or_default();
            let is_its = |run: &&Run| {
                run.is_alive && i32::try_from(run.start.pid) == Ok(session.endpoint.pid)
            };
            match runs.iter().rev().find(is_its).cloned() {
                Some(run) => Ok(LogSubject::Kept(run, Some(session))),
                None => Ok(LogSubject::Unkept(session)),
            }
        }
        Err(Error::NoSession { root }) => {
            let mut runs = kept_runs(&root, sources)?;
            if let Some(pid) = args.target.session {
                runs.retain(|run| i32::try_from(run.start.pid) == Ok(pid));
            }
            let Some(run) = choose(&runs, Which::Newest).cloned() else {
                return Err(Error::NothingKept { root });
            };
            let ended = run.ended_at().unwrap_or(run.last_write);
            diagnostics::notices(&[format!(
                "no session runs in `{}`; this is its last run, which ended {}: {}",
                root.display(),
                runs::time(ended, zone),
                runs::verdict(&run)
            )]);
            Ok(LogSubject::Kept(run, None))
        }
        Err(error) => Err(error),
    }
}

/// Returns the session that writes a run.
fn session_of(run: &Run, args: &LogsArgs, sources: &Sources) -> Option<SessionInfo> {
    let all = find::all(&args.target, sources).ok()?;
    all.into_iter().find(|session| i32::try_from(run.start.pid) == Ok(session.endpoint.pid))
}

/// Shows what is kept of a run, and with `--follow` what comes.
fn kept(
    choice: &LogChoice<'_>,
    run: &Run,
    session: Option<&SessionInfo>,
    sources: &Sources,
    out: Out,
) -> Result<(), Error> {
    let LogChoice { args, search, .. } = choice;
    let fail = |source| Error::RunRead { number: run.number, source };
    let cast = cast(run, session).map_err(fail)?;
    check_names(run, session, &args.names, &cast).map_err(fail)??;
    let selection = selection(choice, run);
    let has_own =
        selection.voices != Voices::Processes || args.since.is_some() || args.until.is_some();
    let exits = args.exits.then(|| Exits::new(args.lines.unwrap_or(LINES_BEFORE_END)));
    let mut show = Show::new(selection, view(choice, cast, sources), exits, out);
    let bell = match session.filter(|_| args.follow) {
        Some(session) => Some(follow::begin(session, &args.names)?),
        None => None,
    };
    // What comes while this is read is not looked for: all looks see the same.
    let until = if run.is_alive { clock::unix_milliseconds() } else { i64::MAX };
    let open = || {
        let patterns = args.names.clone();
        let is_meant = move |name: &str| match name {
            "" => has_own,
            name => {
                patterns.is_empty() || patterns.iter().any(|it| crate::app::select::fits(it, name))
            }
        };
        run.read(is_meant, until)
    };
    show.prepare(args.lines, open).map_err(fail)?;
    let mut reader = open().map_err(fail)?;
    if show.written(&mut reader).map_err(fail)? {
        match bell {
            Some(bell) => {
                let has_prompts = form(args) == LogForm::Text && search.is_none() && !args.exits;
                follow::follow(bell, &mut reader, &mut show, has_prompts, fail)?;
            }
            None => {
                show.unfinished(&mut reader);
            }
        }
        // What comes after the last end of an instance is before no end while its session lives.
        let has_ended = session.is_none() || args.follow;
        show.end(has_ended);
    }
    show.out().flush().map(drop)
}

/// Returns which lines of a run are asked for.
fn selection(choice: &LogChoice<'_>, run: &Run) -> Selection {
    let LogChoice { args, search, zone } = choice;
    let voices = match (args.exits, args.events, form(args)) {
        (true, _, _) => Voices::Exits,
        (false, true, _) => Voices::Pm,
        (false, false, LogForm::Raw) => Voices::Processes,
        (false, false, LogForm::Text | LogForm::Json) => Voices::All,
    };
    let now = Timestamp::from_millisecond(clock::unix_milliseconds()).unwrap_or_default();
    let time = |when: &when::When| when.millisecond(now, zone);
    Selection {
        voices,
        patterns: args.names.clone(),
        search: search.clone(),
        since: Bound::of(args.since.as_ref(), run.start.at, time),
        until: Bound::of(args.until.as_ref(), run.start.at, time),
    }
}

/// Returns how the lines are shown.
fn view(choice: &LogChoice<'_>, cast: Cast, sources: &Sources) -> View {
    let LogChoice { args, zone, .. } = choice;
    match form(args) {
        LogForm::Text => {
            View::Text(Box::new(LogView::new(cast, dress(args, sources), zone.clone())))
        }
        LogForm::Raw => View::Raw { is_plain: args.plain },
        LogForm::Json => View::Json(JsonView::new(zone.clone(), args.plain)),
    }
}

/// Returns whose lines a run has.
fn cast(run: &Run, session: Option<&SessionInfo>) -> io::Result<Cast> {
    if let Some(session) = session {
        return Ok((&session.report).into());
    }
    let names: Rc<RefCell<Vec<String>>> = Rc::default();
    let found = Rc::clone(&names);
    let take = move |name: &str| {
        if !name.is_empty() {
            found.borrow_mut().push(name.to_owned());
        }
        false
    };
    drop(run.read(take, 0)?);
    let names = names.take();
    let mut types = run.start.types.clone();
    for name in &names {
        let process_type = name.rsplit_once('.').map_or(name.as_str(), |(of_type, _)| of_type);
        if !types.iter().any(|known| known == process_type) {
            types.push(process_type.to_owned());
        }
    }
    Ok(Cast { names, types, terminals: run.start.terminals.clone() })
}

/// Refuses names of nobody. Of one that has written nothing, pm may have said something.
fn check_names(
    run: &Run,
    session: Option<&SessionInfo>,
    patterns: &[String],
    cast: &Cast,
) -> io::Result<Result<(), Error>> {
    if let Some(session) = session {
        return Ok(find::chosen(&session.report, patterns).map(drop));
    }
    let mut names = cast.names.clone();
    if select_names(patterns, &names).is_ok() {
        return Ok(Ok(()));
    }
    let mut reader: Reader = run.read(str::is_empty, i64::MAX)?;
    while let Some(entry) = reader.next()? {
        let is_new = !entry.name.is_empty() && !names.iter().any(|name| name == entry.name);
        if matches!(entry.what, What::Notice(_)) && is_new {
            names.push(entry.name.to_owned());
        }
    }
    let unknown = select_names(patterns, &names).map(drop);
    Ok(unknown.map_err(|unknown| Error::UnknownName {
        reason: format!("no instance `{}` in run {}", unknown.pattern, run.number),
        hint: unknown.hint(),
    }))
}

/// Says that output is missing, and how many bytes, if that is known.
fn gap(lost: Option<u64>) -> String {
    match lost {
        Some(bytes @ 1..) => format!("output is missing here: {bytes} bytes"),
        Some(0) | None => "output is missing here".to_owned(),
    }
}

fn search(args: &LogsArgs) -> Result<Option<Search>, Error> {
    let Some(pattern) = &args.grep else { return Ok(None) };
    let letters = if args.ignore_case { Letters::AnyCase } else { Letters::Exact };
    Search::new(pattern, letters, args.invert_match).map(Some).map_err(|reason| Error::Usage {
        reason: format!("`{pattern}` is not a regular expression: {reason}"),
        hint: r"write `\.` for a dot, `\[` for a bracket and `\(` for a parenthesis".to_owned(),
    })
}

fn form(args: &LogsArgs) -> LogForm {
    if args.json { LogForm::Json } else { args.output.unwrap_or(LogForm::Text) }
}

fn dress(args: &LogsArgs, sources: &Sources) -> Dress {
    Dress {
        color: !args.plain && log_style::color(args.color, sources),
        prefix: !args.no_prefix,
        time: !args.no_timestamp,
        plain: args.plain,
        is_terminal: sources.stdout_is_terminal,
    }
}

/// Returns the first option that needs what is kept.
fn needs_kept(args: &LogsArgs) -> Option<&'static str> {
    let options = [
        ("--since", args.since.is_some()),
        ("--until", args.until.is_some()),
        ("--grep", args.grep.is_some()),
        ("--events", args.events),
        ("--exits", args.exits),
        ("--output", form(args) != LogForm::Text),
    ];
    options.into_iter().find(|(_, is_used)| *is_used).map(|(name, _)| name)
}

#[cfg(test)]
mod tests;
