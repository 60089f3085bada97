//! The commands for a running session: each sends one request and waits until it is done.

pub(in crate::cli) mod address;
pub mod args;
pub(crate) mod attach;
pub(in crate::cli) mod find;
pub(in crate::cli) mod guard;
pub(crate) mod metrics;
mod screen;
pub(in crate::cli) mod sessions;
mod signals;
pub(in crate::cli) mod start;
pub(crate) mod status;
pub(crate) mod top;
pub(in crate::cli) mod until;
pub(in crate::cli) mod up;
mod wait;

use std::num::NonZeroU16;

use clap::ArgMatches;

use crate::app::Signal;
use crate::app::formation;
use crate::cli::json::AnswerForm;
use crate::cli::json::change::SessionChange;
use crate::cli::sources::Sources;
use crate::control::proto::{Request, RollTargets, Targets};
use crate::error::Error;
use crate::resources::cpus;
use args::{
    QuitArgs, ReloadArgs, RestartArgs, RollingArgs, ScaleArgs, SignalArgs, StopArgs, StopOptions,
    WaitArgs, WholeArgs,
};
use sessions::quit::SessionsToEnd;

/// `pm restart`
pub(crate) fn restart(args: &RestartArgs, sources: &Sources) -> Result<SessionChange, Error> {
    match args.rolling.targets() {
        None => stopping(&args.names, &args.options, sources, Request::Restart),
        Some(roll) => stopping(&args.names, &args.options, sources, |targets| {
            let Targets { names, wait, timeout_ms } = targets;
            Request::Roll(RollTargets { names, wait, timeout_ms, ..roll })
        }),
    }
}

/// `pm stop`
pub(crate) fn stop(args: &StopArgs, sources: &Sources) -> Result<SessionChange, Error> {
    stopping(&args.names, &args.options, sources, Request::Stop)
}

fn stopping(
    names: &[String],
    options: &StopOptions,
    sources: &Sources,
    request: impl FnOnce(Targets) -> Request,
) -> Result<SessionChange, Error> {
    let StopOptions { timeout, target, wait, .. } = options;
    let session = find::one(target, sources, names, find::has_instances)?;
    let timeout_ms = timeout.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let targets = Targets { names: names.to_vec(), wait: !wait.no_wait, timeout_ms };
    wait::until_done(&session, request(targets), names, wait, sources)?;
    Ok(SessionChange::of(&session, names))
}

/// `pm scale`
pub(crate) fn scale(args: &ScaleArgs, sources: &Sources) -> Result<SessionChange, Error> {
    let mut counts = Vec::new();
    for text in &args.counts {
        for part in formation::parse(text)? {
            let count = match part.count {
                Some(count) => count.number(cpus::available),
                None => {
                    let reason = format!("`{}` has no count", part.name);
                    let hint = Some(format!("write `{}=2`", part.name));
                    return Err(Error::Refused { reason, hint });
                }
            };
            counts.push((part.name, count));
        }
    }
    let names: Vec<String> = counts.iter().map(|(name, _)| name.clone()).collect();
    let session = find::one(&args.target, sources, &names, find::runs_types)?;
    let request = Request::Scale { counts, wait: !args.wait.no_wait };
    wait::until_done(&session, request, &names, &args.wait, sources)?;
    Ok(SessionChange::of(&session, &names))
}

/// `pm signal`
pub(crate) fn signal(args: &SignalArgs, sources: &Sources) -> Result<SessionChange, Error> {
    let Some(Signal(signal)) = Signal::parse(&args.signal) else {
        return Err(Error::NotASignal { text: args.signal.clone() });
    };
    let session = find::one(&args.target, sources, &args.names, find::has_instances)?;
    let request = Request::Signal { names: args.names.clone(), signal };
    wait::until_done(&session, request, &args.names, &WaitArgs::default(), sources)?;
    Ok(SessionChange::of(&session, &args.names))
}

/// `pm reload`
pub(crate) fn reload(args: &ReloadArgs, sources: &Sources) -> Result<SessionChange, Error> {
    match args.rolling.targets() {
        None => whole(&args.whole, sources, |wait| Request::Reload { wait }),
        Some(roll) => whole(&args.whole, sources, |wait| {
            Request::Roll(RollTargets { wait, reload: true, ..roll })
        }),
    }
}

impl RollingArgs {
    /// Returns a request for a rollout, if that is what is asked for; whom it is for is not said yet.
    fn targets(&self) -> Option<RollTargets> {
        self.rolling.then(|| RollTargets {
            names: Vec::new(),
            reload: false,
            batch: self.batch.unwrap_or(NonZeroU16::MIN),
            stop_first: self.stop_first,
            wait: true,
            timeout_ms: None,
        })
    }
}

/// `pm quit`
pub(crate) fn quit(
    args: &QuitArgs,
    matches: &ArgMatches,
    (form, sources): (AnswerForm, &Sources),
) -> Result<i32, Error> {
    let which = match args {
        QuitArgs { all: true, .. } => Some(SessionsToEnd::All),
        QuitArgs { gone: true, .. } => Some(SessionsToEnd::Gone),
        QuitArgs { .. } => None,
    };
    if let Some(which) = which {
        sessions::refuse_target(matches)?;
        return form.answer(sessions::quit::quit(which, &args.whole.wait, sources)?);
    }
    let change = whole(&args.whole, sources, |wait| Request::Quit { wait })?;
    form.answer(if args.whole.wait.no_wait { change } else { change.over() })
}

fn whole(
    args: &WholeArgs,
    sources: &Sources,
    request: impl FnOnce(bool) -> Request,
) -> Result<SessionChange, Error> {
    let session = find::one(&args.target, sources, &[], find::has_instances)?;
    wait::until_done(&session, request(!args.wait.no_wait), &[], &args.wait, sources)?;
    Ok(SessionChange::of(&session, &[]))
}
