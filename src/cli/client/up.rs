//! `pm up` in the folder of a running session: starts what is missing or stopped, and waits until all is ready.

use std::path::Path;

use clap::ArgMatches;

use super::args::{WaitArgs, WaitName};
use super::find::SessionInfo;
use super::start::{self, StartTarget};
use super::{find, until, wait};
use crate::app::{Role, formation};
use crate::cli::args::StartArgs;
use crate::cli::diagnostics;
use crate::cli::json::change::SessionChange;
use crate::cli::resolve::Resolved;
use crate::cli::sources::Sources;
use crate::control::proto::{InstanceState, InstanceStatus, Report, Request, Targets};
use crate::error::Error;
use crate::os::clock;

/// A process type that is to be up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    name: String,
    count: u16,
    /// The count was typed: a session that has another one is scaled.
    is_counted: bool,
    /// The type was typed: it is started again although it has ended well, and it is an error where it cannot be.
    is_named: bool,
    /// It is there to end.
    is_once: bool,
}

/// What is done in one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Steps {
    /// Some of what is to be up belongs to it.
    is_concerned: bool,
    /// Types that get another number of instances.
    counts: Vec<(String, u16)>,
    /// Instances that are started.
    names: Vec<String>,
    /// Types that are waited for: all but those that have ended well.
    types: Vec<String>,
}

impl Steps {
    /// Returns what is started, as a person reads it.
    fn started(&self) -> String {
        let counts = self.counts.iter().map(|(name, count)| format!("{name}={count}"));
        counts.chain(self.names.iter().cloned()).collect::<Vec<_>>().join(", ")
    }
}

/// Brings up what was asked for in the sessions of the root and Procfile, where there is one.
pub(crate) fn beside_others(
    args: &StartArgs,
    resolved: &Resolved,
    procfile: &Path,
    folder: &Path,
    sources: &Sources,
) -> Result<StartTarget, Error> {
    let app = &resolved.app;
    let Some(start_lock) = start::take_turn(args, folder, &app.root)? else {
        return Ok(StartTarget::NewSession(None, Vec::new()));
    };
    let sessions = start::of_procfile(app, procfile, folder)?;
    if sessions.is_empty() {
        return Ok(StartTarget::NewSession(Some(start_lock), Vec::new()));
    }
    let wanted = wanted(args, resolved)?;
    let reports: Vec<_> = sessions.iter().map(|session| &session.report).collect();
    let (steps, unknown) = plan(&wanted, &reports);
    if let Some(unknown) = wanted.iter().find(|own| own.is_named && unknown.contains(&own.name)) {
        return Err(Error::Refused {
            reason: format!(
                "`{}` is not in the Procfile that the session of pid {} has read",
                unknown.name, sessions[0].endpoint.pid
            ),
            hint: Some("`pm reload` lets it read the files again".to_owned()),
        });
    }
    for (session, steps) in sessions.iter().zip(&steps) {
        carry_out(session, steps, sources)?;
    }
    // They are found from now on.
    drop(start_lock);
    let concerned = || sessions.iter().zip(&steps).filter(|(_, steps)| steps.is_concerned);
    for (session, steps) in concerned() {
        say_changes(session, sources);
        // Without a name it is everything, also what has ended well.
        if args.types.is_empty() || !steps.types.is_empty() {
            let names = if args.types.is_empty() { &[][..] } else { &steps.types };
            until_ready(session, names, args, sources)?;
        }
    }
    let text = concerned().map(|(session, steps)| said(session.endpoint.pid, steps)).collect();
    let first = concerned().next().map_or(&sessions[0], |(session, _)| session);
    let names: Vec<_> = match args.types.is_empty() {
        true => Vec::new(),
        false => wanted.into_iter().map(|own| own.name).collect(),
    };
    Ok(StartTarget::Existing(SessionChange::of(first, &names).saying(text)))
}

/// Brings up instances by their names or patterns (`web.2`, `w*`), which only a running session has. `None`: other
/// words are asked for, or no session runs.
pub(crate) fn named_instances(
    args: &StartArgs,
    brought: start::Brought<'_>,
    matches: &ArgMatches,
    sources: &Sources,
) -> Result<Option<SessionChange>, Error> {
    if !args.types.iter().any(|name| start::is_instance(name)) {
        return Ok(None);
    }
    let session =
        match find::one(&start::target(matches), sources, &args.types, find::has_instances) {
            // What is wrong with the words is said of the Procfile.
            Err(Error::NoSession { .. } | Error::RuntimeFolder { .. }) => return Ok(None),
            found => found?,
        };
    let chosen = find::chosen(&session.report, &args.types)?;
    let chosen = || chosen.iter().map(|at| &session.report.instances[*at]);
    let down = chosen().filter(|instance| start::is_down(instance.state));
    let come = start::stopped_of(&session.report, brought, chosen());
    let names = down.map(|instance| instance.name.clone()).chain(come).collect();
    let steps = Steps { names, ..Steps::default() };
    carry_out(&session, &steps, sources)?;
    say_changes(&session, sources);
    until_ready(&session, &args.types, args, sources)?;
    let text = said(session.endpoint.pid, &steps);
    Ok(Some(SessionChange::of(&session, &args.types).saying(text)))
}

/// Returns what is to be up: what was typed, or all, with what it depends on.
fn wanted(args: &StartArgs, resolved: &Resolved) -> Result<Vec<Wanted>, Error> {
    let mut named = Vec::new();
    for text in &args.types {
        named.extend(formation::parse(text)?);
    }
    let types = resolved.app.types.iter().filter(|own| own.count > 0);
    let one = |own: &crate::app::ProcessType| Wanted {
        name: own.name.clone(),
        count: own.count,
        is_counted: named.iter().any(|part| part.name == own.name && part.count.is_some()),
        is_named: named.iter().any(|part| part.name == own.name),
        is_once: own.policy.role == Role::Once,
    };
    Ok(types.map(one).collect())
}

/// Says what is to be done in each session, and which types none of them can have.
fn plan(wanted: &[Wanted], sessions: &[&Report]) -> (Vec<Steps>, Vec<String>) {
    let mut steps = vec![Steps::default(); sessions.len()];
    let mut unknown = Vec::new();
    for own in wanted {
        let Some(at) = home(&own.name, sessions) else {
            unknown.push(own.name.clone());
            continue;
        };
        let (report, steps) = (sessions[at], &mut steps[at]);
        steps.is_concerned = true;
        let has = start::instances_of(report, &own.name).count();
        let mut highest = u16::MAX;
        if has == 0 || own.is_counted && has != usize::from(own.count) {
            steps.counts.push((own.name.clone(), own.count));
            highest = own.count;
        }
        let stays = |name: &str| {
            let number = name.rsplit_once('.').and_then(|(_, number)| number.parse::<u16>().ok());
            number.is_none_or(|number| number <= highest)
        };
        let is_to_start = |state| match state {
            InstanceState::Done => own.is_named && !own.is_once,
            state => start::is_down(state),
        };
        let down = start::instances_of(report, &own.name)
            .filter(|instance| is_to_start(instance.state) && stays(&instance.name));
        let names: Vec<_> = down.map(|instance| instance.name.clone()).collect();
        let is_over = |instance: &InstanceStatus| instance.state == InstanceState::Done;
        if !names.is_empty() || has == 0 || !start::instances_of(report, &own.name).all(is_over) {
            steps.types.push(own.name.clone());
        }
        steps.names.extend(names);
    }
    (steps, unknown)
}

/// Returns the session that a type belongs to: one that runs it, else one that has it stopped, else one whose
/// Procfile has it.
fn home(name: &str, sessions: &[&Report]) -> Option<usize> {
    let runs = |report: &&&Report| {
        start::instances_of(report, name).any(|instance| !start::is_down(instance.state))
    };
    let has = |report: &&&Report| start::instances_of(report, name).next().is_some();
    let knows = |report: &&&Report| report.types.iter().any(|known| known == name);
    let first = |fits: &dyn Fn(&&&Report) -> bool| sessions.iter().position(|report| fits(&report));
    first(&runs).or_else(|| first(&has)).or_else(|| first(&knows))
}

/// Has all of it begun; the end is waited for later.
fn carry_out(session: &SessionInfo, steps: &Steps, sources: &Sources) -> Result<(), Error> {
    let Steps { counts, names, .. } = steps;
    let ask = |request, names: &[String]| {
        wait::until_done(session, request, names, &WaitArgs::default(), sources)
    };
    if !counts.is_empty() {
        let types: Vec<_> = counts.iter().map(|(name, _)| name.clone()).collect();
        ask(Request::Scale { counts: counts.clone(), wait: false }, &types)?;
    }
    if !names.is_empty() {
        let targets = Targets { names: names.clone(), wait: false, timeout_ms: None };
        ask(Request::Start(targets), names)?;
    }
    Ok(())
}

/// Says which types `pm reload` would change: files that have changed are not applied here.
fn say_changes(session: &SessionInfo, sources: &Sources) {
    // What cannot be told (an older pm, files that cannot be read) is no reason to fail.
    if let Err(error) =
        wait::until_done(session, Request::Changes, &[], &WaitArgs::default(), sources)
        && !error.to_string().contains("unknown variant")
    {
        diagnostics::warning(&error.to_string(), "`pm check` says what is wrong with the files");
    }
}

/// Waits until types or instances are ready; without a name until all is ready, up or done.
fn until_ready(
    session: &SessionInfo,
    names: &[String],
    args: &StartArgs,
    sources: &Sources,
) -> Result<(), Error> {
    let names = names.iter().map(|name| WaitName { name: name.clone(), goal: None });
    let limit = args.wait.flatten();
    let deadline = limit.and_then(|limit| clock::instant().checked_add(limit));
    until::until(session, &names.collect::<Vec<_>>(), deadline, sources)?.result()
}

/// Says what was started in a session.
fn said(pid: i32, steps: &Steps) -> String {
    match steps.started().as_str() {
        "" => format!("already running (pid {pid})\n"),
        started => format!("{started}: brought up in the session of pid {pid}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(types: &[&str], instances: &[(&str, &str)]) -> Report {
        let one = |(name, state): &(&str, &str)| serde_json::json!({ "name": name, "state": state, "restarts": 0 });
        let instances: Vec<_> = instances.iter().map(one).collect();
        serde_json::from_value(serde_json::json!({
            "session": 1, "root": "/srv/app", "types": types, "instances": instances,
        }))
        .unwrap()
    }

    fn want(name: &str) -> Wanted {
        let name = name.to_owned();
        Wanted { name, count: 1, is_counted: false, is_named: false, is_once: false }
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn what_runs_or_has_ended_well_is_left_alone_and_what_is_stopped_or_has_failed_is_started() {
        let one = report(
            &["web", "job", "seed", "api"],
            &[
                ("web.1", "ready"),
                ("web.2", "stopped"),
                ("job.1", "failed"),
                ("seed.1", "done"),
                ("api.1", "starting"),
            ],
        );
        let all = ["web", "job", "seed", "api"].map(want);
        let (steps, unknown) = plan(&all, &[&one]);
        assert_eq!(unknown, words(&[]));
        assert_eq!(steps[0].names, words(&["web.2", "job.1"]));
        assert_eq!(steps[0].counts, []);
        // What has ended well is not waited for.
        assert_eq!(steps[0].types, words(&["web", "job", "api"]));
        let named = |is_once| Wanted { is_named: true, is_once, ..want("seed") };
        assert_eq!(plan(&[named(false)], &[&one]).0[0].names, words(&["seed.1"]));
        assert_eq!(plan(&[named(true)], &[&one]).0[0].names, words(&[]));
    }

    #[test]
    fn a_type_that_a_session_does_not_run_is_added_to_it_and_a_count_that_was_typed_holds() {
        let one = report(&["web", "job"], &[("web.1", "up"), ("web.2", "stopped")]);
        let two = report(&["web", "job", "api"], &[("api.1", "stopped")]);
        let sessions = [&one, &two];
        let (steps, unknown) = plan(&[want("web"), want("job"), want("new")], &sessions);
        assert_eq!(unknown, words(&["new"]));
        assert_eq!(steps[0].counts, [("job".to_owned(), 1)]);
        assert_eq!(steps[0].names, words(&["web.2"]));
        assert_eq!(steps[1], Steps::default());
        let counted = |count| Wanted { count, is_counted: true, is_named: true, ..want("web") };
        let (steps, _) = plan(&[counted(1)], &sessions);
        // The second is scaled away, and not started before that.
        assert_eq!((&steps[0].counts, &steps[0].names), (&vec![("web".to_owned(), 1)], &vec![]));
        let (steps, _) = plan(&[counted(3)], &sessions);
        assert_eq!(steps[0].started(), "web=3, web.2");
        let (steps, _) = plan(&[want("api")], &sessions);
        assert_eq!((&steps[0], steps[1].started().as_str()), (&Steps::default(), "api.1"));
    }

    #[test]
    fn a_type_belongs_to_the_session_that_runs_it() {
        let stopped = report(&["web"], &[("web.1", "stopped")]);
        let knows = report(&["web"], &[]);
        let runs = report(&["web"], &[("web.1", "backing-off")]);
        assert_eq!(home("web", &[&knows, &stopped, &runs]), Some(2));
        assert_eq!(home("web", &[&knows, &stopped]), Some(1));
        assert_eq!(home("web", &[&knows]), Some(0));
        assert_eq!(home("job", &[&knows, &runs]), None);
    }
}
