//! `pm wait`: resolves names to conditions, and turns failures into reasons with the last lines of output.

use super::messages;
use super::requests::{self, all_but_release, select_instances};
use super::subscriber;
use crate::app::select::{fits, select};
use crate::app::{App, InstanceId};
use crate::control::outbox::Outbox;
use crate::control::proto::{InstanceFailure, Response, WaitGoal, WaitTarget};
use crate::output::{PumpCommand, PumpHandle, Subscriber};
use crate::supervisor::{Failure, Supervisor, Until};

/// How many lines of output are sent with a reason.
const LAST_LINES: usize = 10;

/// Returns the instances to wait for, and the state of each.
pub(super) fn select_targets(
    targets: &[WaitTarget],
    core: &Supervisor,
) -> Result<Vec<(InstanceId, Until)>, Response> {
    if targets.is_empty() {
        let wanted: Vec<_> = core.wanted().collect();
        let all = all_but_release(core).into_iter().filter(|id| wanted.contains(id));
        let settled = |id| match core.usual_wait(id) {
            Until::Done => (id, Until::Done),
            _ => (id, Until::Settled), // It may have ended well before this.
        };
        return Ok(all.map(settled).collect());
    }
    let mut chosen = Vec::new();
    for target in targets {
        chosen.extend(select_target(target, core)?);
    }
    Ok(chosen)
}

fn select_target(
    WaitTarget { name, goal }: &WaitTarget,
    core: &Supervisor,
) -> Result<Vec<(InstanceId, Until)>, Response> {
    let pattern = std::slice::from_ref(name);
    let until = match goal {
        Some(WaitGoal::Stopped) if is_of_known_type(name, core.app()) => {
            // An instance that does not exist does not run.
            let ids = select_instances(pattern, core).unwrap_or_default();
            return Ok(ids.into_iter().map(|id| (id, Until::Stopped)).collect());
        }
        None => None,
        Some(WaitGoal::Ready) => Some(Until::Ready),
        Some(WaitGoal::Done) => Some(Until::Done),
        Some(WaitGoal::Started) => Some(Until::Started),
        Some(WaitGoal::Stopped) => Some(Until::Stopped),
    };
    let ids: Vec<_> = core.wanted().collect();
    let names: Vec<_> = ids.iter().map(|id| core.app().name_of(*id)).collect();
    let ids = match select(pattern, &names) {
        Ok(chosen) => chosen.into_iter().map(|at| ids[at]),
        Err(unknown) => {
            return Err(Response::Refused { reason: unknown.to_string(), hint: unknown.hint() });
        }
    };
    let has_ready = |id: &InstanceId| core.app().type_of(*id).policy.ready.is_some();
    let is_possible = |id: &InstanceId| until != Some(Until::Ready) || has_ready(id);
    let chosen: Vec<_> = ids
        .filter(is_possible)
        .map(|id| (id, until.unwrap_or_else(|| core.usual_wait(id))))
        .collect();
    if chosen.is_empty() {
        return Err(Response::Refused {
            reason: format!("`{name}:ready` can never be, since `{name}` has no `ready`"),
            hint: Some(format!(
                "set `ready` of `{name}`, for example to \"port\", or wait for `{name}:started`"
            )),
        });
    }
    Ok(chosen)
}

/// Returns whether a name is that of a process type, also of one without instances.
fn is_of_known_type(name: &str, app: &App) -> bool {
    let process_type = match name.rsplit_once('.') {
        Some((process_type, number)) if number.parse::<u16>().is_ok() => process_type,
        Some(_) | None => name,
    };
    app.types.iter().any(|known| fits(process_type, &known.name))
}

/// Tells a client that its condition will never be met, and sends the last lines of the instances that caused it.
pub(super) fn tell_failure(
    failures: &[(InstanceId, Failure)],
    app: &App,
    why: impl Fn(&Failure) -> String,
    (client, outbox): (u64, Outbox),
    pump: &PumpHandle,
) {
    let one = |(id, failure): &(InstanceId, Failure)| InstanceFailure {
        name: app.name_of(*id),
        why: why(failure),
        code: Some(failure.code()),
    };
    outbox.respond(Response::Failed { failures: failures.iter().map(one).collect() });
    // What was asked for later is no failure that lines would explain.
    let failed = failures.iter().filter(|(_, failure)| *failure != Failure::Overruled);
    let culprits = failed.map(|(id, failure)| app.name_of(failure.culprit(*id)));
    pump.post(PumpCommand::Subscribe(Subscriber {
        id: client,
        patterns: culprits.collect(),
        history: LAST_LINES,
        output_alone: true,
        follows: false,
        send: subscriber::whole_lines(outbox),
    }));
    pump.wake();
}

/// Returns why an instance will never reach the state, to be shown after its name.
pub(super) fn why(failure: &Failure, app: &App) -> String {
    match failure {
        Failure::Failed(exit) => format!("failed: {exit}"),
        Failure::NotReady => "failed: it was not ready in time".to_owned(),
        Failure::NotStarted(error) => format!("failed: {error}"),
        Failure::Ended(exit) | Failure::EndedBefore(exit) => format!("ended before: {exit}"),
        Failure::Lost => "did not end, not even by SIGKILL".to_owned(),
        Failure::Stopped => "was stopped by request".to_owned(),
        Failure::Gone => "was scaled away".to_owned(),
        Failure::Blocked { by, exit } => {
            format!("not started: {} {}", app.name_of(*by), messages::failed(*exit))
        }
        Failure::Held { by } => {
            format!("not started: {} was stopped by request", app.name_of(*by))
        }
        Failure::EndedWith { by, exit } => {
            format!("did not get there: the session ends, since {} {exit}", app.name_of(*by))
        }
        Failure::ReplacementEnded(_) | Failure::ReplacementNotReady => requests::why(failure),
        Failure::SessionEnds
        | Failure::NotRunning
        | Failure::NoPort
        | Failure::NoRoomBehindFront
        | Failure::Overruled => "did not get there: the session ends".to_owned(),
    }
}
