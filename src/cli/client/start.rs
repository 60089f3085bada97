//! `pm start` in the folder of a running session: a type runs in only one session of a folder and Procfile.

use std::collections::BTreeSet;
use std::path::Path;

use clap::ArgMatches;
use nix::poll::{PollTimeout, poll};

use super::args::{TargetArgs, WaitArgs};
use super::find::{self, SessionInfo};
use super::wait;
use crate::app::App;
use crate::app::formation;
use crate::cli::args::StartArgs;
use crate::cli::json::change::SessionChange;
use crate::cli::resolve::Resolved;
use crate::cli::sources::Sources;
use crate::cli::{diagnostics, layers};
use crate::control::proto::{InstanceState, InstanceStatus, Report, Request, Targets};
use crate::control::start_lock::StartLock;
use crate::error::Error;

/// Between two looks whether a session has ended, in milliseconds.
const POLL_MS: u16 = 50;
/// How often it looks at a session that is ending: 5 s in all.
const POLLS: usize = 100;

/// What a start comes to.
#[derive(Debug)]
pub(crate) enum StartTarget {
    /// A session of its own, which begins within this turn; without one where there is no runtime folder. With the
    /// types that it need not bring, since another session runs them.
    NewSession(Option<StartLock>, Vec<String>),
    /// It is done: what was asked for runs in a session that was there.
    Existing(SessionChange),
}

/// What was asked for, and where it stands.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    /// No session knows any of it.
    New,
    /// These run: names and the session's process id.
    Runs(Vec<(String, i32)>),
    /// All of it is known and does not run, in one session or several: their positions, and the types of each.
    Down(Vec<(usize, Vec<String>)>),
    /// Some of it is known and does not run, some is unknown.
    Mixed(Vec<(String, i32)>, Vec<String>),
    /// More than one session knows this and does not run it.
    DownInMany(String, Vec<i32>),
}

/// Starts instances by their names or globs (`web.2`, `w*`), which only a running session has, and what their types
/// bring that is stopped there. `None` where other words are asked for.
pub(crate) fn named_instances(
    args: &StartArgs,
    brought: Brought<'_>,
    matches: &ArgMatches,
    sources: &Sources,
) -> Result<Option<SessionChange>, Error> {
    if !args.types.iter().any(|name| is_instance(name)) {
        return Ok(None);
    }
    let target = target(matches);
    let session = match find::one(&target, sources, &args.types, find::has_instances) {
        // What is wrong with the words is said of the Procfile.
        Err(Error::NoSession { .. } | Error::RuntimeFolder { .. }) => return Ok(None),
        found => found?,
    };
    let chosen = find::chosen(&session.report, &args.types)?;
    let chosen = || chosen.iter().map(|at| &session.report.instances[*at]);
    let running: Vec<_> = chosen()
        .filter(|instance| !is_down(instance.state))
        .map(|instance| (instance.name.clone(), session.endpoint.pid))
        .collect();
    if !running.is_empty() {
        return Err(Error::AlreadyRuns { running });
    }
    let come = stopped_of(&session.report, brought, chosen());
    let names = args.types.iter().cloned().chain(come).collect();
    start(&session, names, sources)?;
    Ok(Some(SessionChange::of(&session, &args.types)))
}

/// Returns the types that others bring, which depend on them.
pub(crate) type Brought<'a> = &'a dyn Fn(Vec<String>) -> Vec<String>;

/// Returns what the types of these instances bring that is stopped in their session.
pub(super) fn stopped_of<'a>(
    report: &'a Report,
    brought: Brought<'_>,
    instances: impl Iterator<Item = &'a InstanceStatus>,
) -> Vec<String> {
    let types = instances.filter_map(|instance| instance.name.rsplit_once('.'));
    let types: BTreeSet<String> = types.map(|(name, _)| name.to_owned()).collect();
    let mut come = brought(types.into_iter().collect());
    come.retain(|name| is_stopped(report, name));
    come
}

/// Returns which session the options of a start mean.
pub(in crate::cli) fn target(matches: &ArgMatches) -> TargetArgs {
    TargetArgs {
        procfile: layers::path(matches, "procfile"),
        root: layers::path(matches, "root"),
        session: None,
    }
}

/// Returns whether a word names instances, and no process type: `web.2`, `w*`.
pub(super) fn is_instance(name: &str) -> bool {
    name.contains(['.', '*', '?']) && !name.contains(['=', ','])
}

/// Looks which sessions of the application's root and Procfile run, and what is left to do beside them. Nothing
/// is started where some of it runs.
pub(crate) fn beside_others(
    args: &StartArgs,
    resolved: &Resolved,
    procfile: &Path,
    folder: &Path,
    sources: &Sources,
) -> Result<StartTarget, Error> {
    let app = &resolved.app;
    let Some(start_lock) = take_turn(args, folder, &app.root)? else {
        return Ok(StartTarget::NewSession(None, Vec::new()));
    };
    let (mut wanted, mut brought) = (Vec::new(), Vec::new());
    for (own, at) in app.types.iter().zip(0_u16..).filter(|(own, _)| own.count > 0) {
        let is_brought = resolved.brought.contains(&at);
        let names = if is_brought { &mut brought } else { &mut wanted };
        names.push(own.name.clone());
    }
    let sessions = of_procfile(app, procfile, folder)?;
    let reports: Vec<_> =
        sessions.iter().map(|session| (session.endpoint.pid, &session.report)).collect();
    match judge(&wanted, &reports) {
        Judgement::New => {
            let elsewhere = match judge(&brought, &reports) {
                Judgement::Runs(running) => running.into_iter().map(|(name, _)| name).collect(),
                Judgement::New
                | Judgement::Down(_)
                | Judgement::Mixed(..)
                | Judgement::DownInMany(..) => Vec::new(),
            };
            Ok(StartTarget::NewSession(Some(start_lock), elsewhere))
        }
        Judgement::Runs(running) => Err(Error::AlreadyRuns { running }),
        Judgement::Mixed(down, unknown) => Err(Error::PartlyKnown { down, unknown }),
        Judgement::DownInMany(name, sessions) => Err(down_in_many(&name, &sessions)),
        Judgement::Down(places) => {
            let mut change = None;
            for (at, mut names) in places {
                let session = &sessions[at];
                let come = brought.iter().filter(|name| is_stopped(&session.report, name));
                names.extend(come.cloned());
                scale(session, &args.types, (app, &names), sources)?;
                start(session, names.clone(), sources)?;
                // Where it is in several sessions, the first stands for all.
                change.get_or_insert_with(|| SessionChange::of(session, &names));
            }
            // Without a place there is nothing that is down.
            Ok(change.map_or_else(
                || StartTarget::NewSession(Some(start_lock), Vec::new()),
                StartTarget::Existing,
            ))
        }
    }
}

fn down_in_many(name: &str, sessions: &[i32]) -> Error {
    let sessions: Vec<_> = sessions.iter().map(i32::to_string).collect();
    Error::Refused {
        reason: format!(
            "`{name}` is not running, and the sessions of pid {} know it",
            sessions.join(" and ")
        ),
        hint: Some(format!(
            "`pm restart {name} --session PID` starts it in one of them, `pm start --another` in a new one"
        )),
    }
}

/// Waits until no other start of this root looks for sessions or begins one. `None` where nobody is to look: with
/// `--another`, and without a runtime folder, where the session says that it cannot be controlled and nobody else can
/// be found either.
pub(super) fn take_turn(
    args: &StartArgs,
    folder: &Path,
    root: &Path,
) -> Result<Option<StartLock>, Error> {
    if args.another {
        return Ok(None);
    }
    match StartLock::take(folder, root) {
        Ok(Some(start_lock)) => Ok(Some(start_lock)),
        Ok(None) => Err(Error::Refused {
            reason: format!("another `pm start` in `{}` is stuck", root.display()),
            hint: Some(
                "it may be suspended (Ctrl-Z); `pm start --another` does not wait for it".into(),
            ),
        }),
        Err(_) => Ok(None),
    }
}

/// Returns the sessions of the root and the Procfile, when none of them is about to end.
pub(super) fn of_procfile(
    app: &App,
    procfile: &Path,
    folder: &Path,
) -> Result<Vec<SessionInfo>, Error> {
    let mut ending = None;
    for _ in 0..POLLS {
        let mut sessions = Vec::new();
        ending = None;
        for (endpoint, report) in find::of_root(folder, &app.root)? {
            match report {
                Ok(report) if !is_of(&report, procfile) => {}
                Ok(report) if report.ending => ending = Some(endpoint.pid),
                Ok(report) => sessions.push(SessionInfo { endpoint, report }),
                // Closed without an answer: it is at its end.
                Err(Error::Session { session, source })
                    if source.kind() == std::io::ErrorKind::UnexpectedEof =>
                {
                    ending = Some(session);
                }
                Err(Error::Session { session, source }) => {
                    return Err(Error::Refused {
                        reason: format!(
                            "cannot see what the session of pid {session} runs: {source}"
                        ),
                        hint: Some(format!(
                            "kill it (`kill -KILL {session}`) or resume it (`kill -CONT {session}`); `pm start \
                             --another` starts a second session anyway"
                        )),
                    });
                }
                Err(other) => return Err(other),
            }
        }
        if ending.is_none() {
            return Ok(sessions);
        }
        // An interrupted wait is a short one.
        let _ = poll(&mut [], PollTimeout::from(POLL_MS));
    }
    Err(Error::Refused {
        reason: format!("the session of pid {} is still ending", ending.unwrap_or_default()),
        hint: Some("try again when it has ended, or `pm start --another`".into()),
    })
}

/// A session that does not say of which Procfile it is (an older pm) is of this one.
fn is_of(report: &Report, procfile: &Path) -> bool {
    report.procfile.is_empty() || report.procfile == procfile.to_string_lossy()
}

pub(super) fn is_down(state: InstanceState) -> bool {
    // One that stops is started again, when it is down.
    state.is_over() || state == InstanceState::Stopping
}

/// Returns the states of the instances of a type.
fn of_type<'a>(report: &'a Report, name: &'a str) -> impl Iterator<Item = InstanceState> + 'a {
    instances_of(report, name).map(|instance| instance.state)
}

/// Returns the instances of a type.
pub(super) fn instances_of<'a>(
    report: &'a Report,
    name: &'a str,
) -> impl Iterator<Item = &'a InstanceStatus> + 'a {
    let is_of = move |instance: &&InstanceStatus| {
        instance.name.rsplit_once('.').is_some_and(|(of, _)| of == name)
    };
    report.instances.iter().filter(is_of)
}

/// Returns whether no instance of a type runs, and one of them could: it is not done.
fn is_stopped(report: &Report, name: &str) -> bool {
    of_type(report, name).all(is_down)
        && of_type(report, name).any(|state| state != InstanceState::Done)
}

/// Says where the process types stand that are wanted.
fn judge(wanted: &[String], sessions: &[(i32, &Report)]) -> Judgement {
    let mut running = Vec::new();
    let mut down: Vec<(usize, Vec<String>)> = Vec::new();
    let mut stopped = Vec::new();
    let mut unknown = Vec::new();
    let mut many = None;
    for name in wanted {
        let runs = |report: &Report| of_type(report, name).any(|state| !is_down(state));
        if let Some((pid, _)) = sessions.iter().find(|(_, report)| runs(report)) {
            running.push((name.clone(), *pid));
            continue;
        }
        let knows = |report: &Report| {
            of_type(report, name).next().is_some() || report.scaled_to_zero.contains(name)
        };
        let known: Vec<usize> = (0..sessions.len()).filter(|at| knows(sessions[*at].1)).collect();
        match known[..] {
            [] => unknown.push(name.clone()),
            [at] => {
                stopped.push((name.clone(), sessions[at].0));
                match down.iter_mut().find(|(place, _)| *place == at) {
                    Some((_, names)) => names.push(name.clone()),
                    None => down.push((at, vec![name.clone()])),
                }
            }
            [..] => {
                let pids = known.iter().map(|at| sessions[*at].0).collect();
                many.get_or_insert((name.clone(), pids));
            }
        }
    }
    if !running.is_empty() {
        return Judgement::Runs(running);
    }
    if let Some((name, pids)) = many {
        return Judgement::DownInMany(name, pids);
    }
    match (stopped.is_empty(), unknown.is_empty()) {
        (true, _) => Judgement::New,
        (false, true) => Judgement::Down(down),
        (false, false) => Judgement::Mixed(stopped, unknown),
    }
}

/// Gives the session as many instances as the start has: where a count was typed, and where it has none.
fn scale(
    session: &SessionInfo,
    typed: &[String],
    (app, names): (&App, &[String]),
    sources: &Sources,
) -> Result<(), Error> {
    let mut with_count = Vec::new();
    for text in typed {
        let parts = formation::parse(text)?.into_iter();
        with_count.extend(parts.filter(|part| part.count.is_some()).map(|part| part.name));
    }
    let mut counts = Vec::new();
    for wanted in app.types.iter().filter(|wanted| names.contains(&wanted.name)) {
        let has = of_type(&session.report, &wanted.name).count();
        let is_asked = has == 0 || with_count.contains(&wanted.name);
        if is_asked && has != usize::from(wanted.count) {
            counts.push((wanted.name.clone(), wanted.count));
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = counts.iter().map(|(name, _)| name.clone()).collect();
    let request = Request::Scale { counts, wait: true };
    wait::until_done(session, request, &names, &WaitArgs::default(), sources)
}

fn start(session: &SessionInfo, names: Vec<String>, sources: &Sources) -> Result<(), Error> {
    let request = Request::Start(Targets { names: names.clone(), wait: true, timeout_ms: None });
    wait::until_done(session, request, &names, &WaitArgs::default(), sources)?;
    diagnostics::note(&format!(
        "{}: started in the session of pid {}; `pm logs -f` shows the output",
        names.join(", "),
        session.endpoint.pid
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(instances: &[(&str, InstanceState)]) -> Report {
        let instance = |(name, state): &(&str, InstanceState)| InstanceStatus::of(name, *state);
        Report::of(instances.iter().map(instance).collect())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_asked_for_is_new_or_runs_or_is_started_where_it_is_known() {
        use InstanceState::{BackingOff, Done, Failed, Stopped, Stopping, Up, Waiting};
        let one = report(&[("web.1", Up), ("web.2", Stopped), ("job.1", Done)]);
        let two = report(&[("clock.1", Stopped), ("mail.1", Failed), ("cron.1", Stopping)]);
        let mut two = two;
        two.scaled_to_zero = names(&["none"]);
        let three = report(&[("slow.1", BackingOff), ("late.1", Waiting), ("mail.1", Stopped)]);
        let sessions = [(1, &one), (2, &two), (3, &three)];
        let judged = |wanted: &[&str]| judge(&names(wanted), &sessions);
        let at = |name: &str, pid| (name.to_owned(), pid);
        assert_eq!(judged(&["web-2", "we"]), Judgement::New);
        assert_eq!(judged(&["web"]), Judgement::Runs(vec![at("web", 1)]));
        assert_eq!(judged(&["slow", "job", "new"]), Judgement::Runs(vec![at("slow", 3)]));
        assert_eq!(judged(&["web", "late"]), Judgement::Runs(vec![at("web", 1), at("late", 3)]));
        assert_eq!(judged(&["job"]), Judgement::Down(vec![(0, names(&["job"]))]));
        assert_eq!(
            judged(&["clock", "job", "cron"]),
            Judgement::Down(vec![(1, names(&["clock", "cron"])), (0, names(&["job"]))])
        );
        assert_eq!(judged(&["none"]), Judgement::Down(vec![(1, names(&["none"]))]));
        assert_eq!(judged(&["job", "new"]), Judgement::Mixed(vec![at("job", 1)], names(&["new"])));
        assert_eq!(judged(&["mail"]), Judgement::DownInMany("mail".into(), vec![2, 3]));
        assert_eq!(judge(&names(&["web"]), &[]), Judgement::New);
    }

    #[test]
    fn a_session_is_of_the_procfile_that_it_names_and_an_older_one_of_any() {
        let mut report = report(&[]);
        assert!(is_of(&report, Path::new("/srv/app/Procfile")));
        assert!(!is_of(&report, Path::new("/srv/app/Procfile.dev")));
        report.procfile.clear();
        assert!(is_of(&report, Path::new("/srv/app/Procfile.dev")));
    }
}
