//! The subcommands for a running session: each gives one order, and waits until it is so.

pub mod args;
pub(crate) mod attach;
pub(in crate::cli) mod begin;
pub(in crate::cli) mod find;
pub(crate) mod logs;
pub(crate) mod status;
mod wait;

use crate::app::Signal;
use crate::app::formation;
use crate::cli::sources::Sources;
use crate::control::proto::{Request, Targets};
use crate::error::Error;
use crate::resources::cpus;
use args::{NamesArgs, RestartArgs, ScaleArgs, SignalArgs, WaitArgs, WholeArgs};

/// `pm restart`
pub(crate) fn restart(args: &RestartArgs, sources: &Sources) -> Result<i32, Error> {
    let RestartArgs { names, timeout, target, wait } = args.clone();
    named(&NamesArgs { names, timeout, target, wait }, sources, Request::Restart)
}

/// `pm stop`
pub(crate) fn stop(args: &NamesArgs, sources: &Sources) -> Result<i32, Error> {
    named(args, sources, Request::Stop)
}

fn named(args: &NamesArgs, sources: &Sources, order: fn(Targets) -> Request) -> Result<i32, Error> {
    let session = find::one(&args.target, sources, &args.names, find::has_instances)?;
    let timeout_ms = args.timeout.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let (names, wait) = (args.names.clone(), !args.wait.no_wait);
    let names = Targets { names, wait, timeout_ms };
    wait::until_true(&session.endpoint, order(names), &args.names, &args.wait, sources)
}

/// `pm scale`
pub(crate) fn scale(args: &ScaleArgs, sources: &Sources) -> Result<i32, Error> {
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
    let order = Request::Scale { counts, wait: !args.wait.no_wait };
    wait::until_true(&session.endpoint, order, &names, &args.wait, sources)
}

/// `pm signal`
pub(crate) fn signal(args: &SignalArgs, sources: &Sources) -> Result<i32, Error> {
    let Some(Signal(signal)) = Signal::parse(&args.signal) else {
        return Err(Error::NotASignal { text: args.signal.clone() });
    };
    let session = find::one(&args.target, sources, &args.names, find::has_instances)?;
    let order = Request::Signal { names: args.names.clone(), signal };
    wait::until_true(&session.endpoint, order, &args.names, &WaitArgs::default(), sources)
}

/// `pm reload`
pub(crate) fn reload(args: &WholeArgs, sources: &Sources) -> Result<i32, Error> {
    whole(args, sources, |wait| Request::Reload { wait })
}

/// `pm quit`
pub(crate) fn quit(args: &WholeArgs, sources: &Sources) -> Result<i32, Error> {
    whole(args, sources, |wait| Request::Quit { wait })
}

fn whole(args: &WholeArgs, sources: &Sources, order: fn(bool) -> Request) -> Result<i32, Error> {
    let session = find::one(&args.target, sources, &[], find::has_instances)?;
    wait::until_true(&session.endpoint, order(!args.wait.no_wait), &[], &args.wait, sources)
}
