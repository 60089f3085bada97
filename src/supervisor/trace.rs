//! Events and actions in one line each, for the traces of tests and of `PM_TRACE`. Names, ids and numbers
//! only: nothing of the environment stands in them.

use super::{
    Action, Event, FileChanges, Group, Message, Next, Note, Reply, ResolvedRequest, RolloutOrder,
    Sample, WaitMode, Why,
};
use crate::app::{App, InstanceId, PortSlot, Reach, RunId};

/// Describes what happened.
pub(crate) fn event(event: &Event, app: &App) -> String {
    let run_of = |run: &RunId| run_name(*run, app);
    match event {
        Event::Began => "began".to_owned(),
        Event::Spawned { run, pid } => format!("spawned {} as {pid}", run_of(run)),
        Event::SpawnFailed { run, error } => format!("spawn failed {}: {error}", run_of(run)),
        Event::Exited { run, exit, group } => {
            let left = match group {
                Group::Gone => "",
                Group::Left => ", leaving others of its group",
            };
            format!("exited {}: {exit}{left}", run_of(run))
        }
        Event::GroupGone { run } => format!("group gone {}", run_of(run)),
        Event::OutputClosed { run } => format!("output closed {}", run_of(run)),
        Event::Measured { run, bytes } => format!("measured {}: {bytes} bytes", run_of(run)),
        Event::BecameReady { run } => format!("became ready {}", run_of(run)),
        Event::ReadyExtended { run, time } => format!("ready extended {} by {time:?}", run_of(run)),
        Event::NotAlive { run, why } => format!("not alive {}: {why}", run_of(run)),
        Event::FilesChanged { process_type, changes } => {
            let FileChanges { file, others, .. } = changes;
            format!("files changed {}: {file} and {others}", type_name(*process_type, app))
        }
        Event::FoundOutside { process_type } => {
            format!("found outside {}", type_name(*process_type, app))
        }
        Event::ProgramEnded { run } => format!("program ended {}", run_of(run)),
        Event::Withdrawn { run } => format!("withdrawn {}", run_of(run)),
        Event::OrphansGone => "orphans gone".to_owned(),
        Event::Signalled(signal) => format!("signalled {signal}"),
        Event::OutputLost(code) => format!("output lost: {code}"),
        Event::OwnerEnded { pid } => format!("owner ended: {pid}"),
        Event::RootRemoved => "root removed".to_owned(),
        Event::RootRestored => "root restored".to_owned(),
        Event::Requested { id, request, wait, grace } => {
            let wait = match wait {
                WaitMode::UntilDone => "",
                WaitMode::Never => ", answered at once",
            };
            let grace = grace.map(|grace| format!(", {grace:?} to stop")).unwrap_or_default();
            format!("requested {}: {}{grace}{wait}", id.0, request_of(request, app))
        }
        Event::Reread(_) => "reread".to_owned(),
        Event::Forgotten(id) => format!("forgotten {}", id.0),
        Event::Ticked => "ticked".to_owned(),
    }
}

/// Describes what is to be done.
pub(crate) fn action(action: &Action, app: &App) -> String {
    let name = |id: InstanceId| app.name_of(id);
    let run_of = |run: &RunId| run_name(*run, app);
    match action {
        Action::Spawn(run, PortSlot::Usual) => format!("spawn {}", run_of(run)),
        Action::Spawn(run, PortSlot::Other) => format!("spawn {} on its other port", run_of(run)),
        Action::Serve(run) => format!("serve {}", run_of(run)),
        Action::Withdraw(run) => format!("withdraw {}", run_of(run)),
        Action::Read(run) => format!("read {}", run_of(run)),
        Action::Signal(run, signal, Reach::Group)
            if *signal == app.type_of(run.instance).policy.stop_signal =>
        {
            format!("{signal} {} group", run_of(run))
        }
        Action::Signal(run, signal, _) | Action::Inform(run, signal) => {
            format!("{signal} {}", run_of(run))
        }
        Action::Sweep(run) => format!("sweep {}", run_of(run)),
        Action::StopHelpers(run, signal) => format!("{signal} to what {} left", run_of(run)),
        Action::StopOrphans(signal) => format!("orphans {signal}"),
        Action::Measure(samples) => {
            let one = |sample: &Sample| {
                let mark = if sample.limit.is_some() { "" } else { "~" };
                format!("{mark}{}", run_of(&sample.run))
            };
            let runs: Vec<_> = samples.iter().map(one).collect();
            format!("measure {}", runs.join(" "))
        }
        Action::Probe(run) => format!("probe {}", run_of(run)),
        Action::ProbePort(run) => format!("probe-port {}", run_of(run)),
        Action::Watch(run) => format!("watch {}", run_of(run)),
        Action::EndProbePort(run) => format!("end-probe-port {}", run_of(run)),
        Action::EndProbe(run) => format!("end-probe {}", run_of(run)),
        Action::ProbeOutside(at) => format!("probe-outside {}", type_name(*at, app)),
        Action::EndProbeOutside(at) => format!("end-probe-outside {}", type_name(*at, app)),
        Action::Pause => "pause".to_owned(),
        Action::Reply(id, Reply::Done) => format!("reply {} done", id.0),
        Action::Reply(id, Reply::Failed(failures)) => {
            let one = |(id, failure): &(InstanceId, _)| format!("{} {failure:?}", name(*id));
            let all: Vec<_> = failures.iter().map(one).collect();
            format!("reply {} failed: {}", id.0, all.join(", "))
        }
        Action::Forget(id) => format!("forget {}", name(*id)),
        Action::Note(id, note) => format!("{} {}", name(*id), note_of(note, app)),
        Action::Say(Message::Stopping(Why::Asked(signal))) => format!("stopping: {signal}"),
        Action::Say(Message::Stopping(Why::Ended(id))) => {
            format!("stopping: {} ended", name(*id))
        }
        Action::Say(Message::Stopping(Why::Quit)) => "stopping: quit".to_owned(),
        Action::Say(Message::Stopping(Why::OutputLost)) => "stopping: output lost".to_owned(),
        Action::Say(Message::Stopping(Why::OwnerEnded { pid })) => {
            format!("stopping: owner {pid} ended")
        }
        Action::Say(Message::Stopping(Why::RootRemoved)) => "stopping: root removed".to_owned(),
        Action::Say(Message::Waiting { on, left }) => {
            let on: Vec<_> = on.iter().map(|id| name(*id)).collect();
            format!("waiting {left:?} on {}", on.join(" "))
        }
        Action::Say(Message::SlowStart { waiting, unready, time }) => {
            let waiting = waiting.iter().map(|waiting| {
                format!("{}x{} on {}", name(waiting.first), waiting.count, name(waiting.on))
            });
            let all: Vec<_> = waiting.chain(unready.iter().map(|id| name(*id))).collect();
            format!("slow {time:?}: {}", all.join(" "))
        }
        Action::Say(Message::NotReplaced { left, failed }) => {
            let left: Vec<_> = left.iter().map(|id| name(*id)).collect();
            format!("not replaced, as {}: {}", name(*failed), left.join(" "))
        }
        Action::Say(Message::KillingAll) => "killing all".to_owned(),
        Action::Say(Message::WaitingForOrphans { left }) => {
            format!("waiting for orphans, {} ms left", left.as_millis())
        }
        Action::Say(Message::KillingOrphans) => "killing orphans".to_owned(),
        Action::Say(Message::RootRemoved { left }) => format!("root removed, {left:?} left"),
        Action::Say(Message::RootRestored) => "root restored".to_owned(),
    }
}

fn type_name(process_type: u16, app: &App) -> &str {
    app.types.get(usize::from(process_type)).map_or("?", |own| &own.name)
}

fn run_name(run: RunId, app: &App) -> String {
    format!("{}#{}", app.name_of(run.instance), run.seq)
}

fn request_of(request: &ResolvedRequest, app: &App) -> String {
    let names = |ids: &[InstanceId]| -> String {
        ids.iter().map(|id| format!(" {}", app.name_of(*id))).collect()
    };
    match request {
        ResolvedRequest::Start(ids) => format!("start{}", names(ids)),
        ResolvedRequest::Stop(ids) => format!("stop{}", names(ids)),
        ResolvedRequest::Restart(ids) => format!("restart{}", names(ids)),
        ResolvedRequest::Scale(counts) => {
            let count =
                |(at, count): &(u16, u16)| format!(" {}={count}", app.types[usize::from(*at)].name);
            format!("scale{}", counts.iter().map(count).collect::<String>())
        }
        ResolvedRequest::ScaleBy(at, more) => format!("scale {}{more:+}", type_name(*at, app)),
        ResolvedRequest::Signal(ids, signal) => format!("{signal}{}", names(ids)),
        ResolvedRequest::Roll(ids, order) => format!("roll{}{}", names(ids), order_of(*order)),
        ResolvedRequest::Reload { rolling, .. } => {
            format!("reload{}", rolling.map(order_of).unwrap_or_default())
        }
        ResolvedRequest::Wait(targets) => {
            let one = |(id, until): &(InstanceId, _)| format!(" {}:{until:?}", app.name_of(*id));
            format!("wait{}", targets.iter().map(one).collect::<String>())
        }
        ResolvedRequest::Quit => "quit".to_owned(),
    }
}

fn order_of(order: RolloutOrder) -> String {
    let RolloutOrder { batch, stop_first } = order;
    format!(" by {batch}{}", if stop_first { ", stopped first" } else { "" })
}

fn note_of(note: &Note, app: &App) -> String {
    match note {
        Note::Started { pid } => format!("started {pid}"),
        Note::CannotStart { error, stays_failed } => {
            format!("cannot start: {error}{}", if *stays_failed { "; stays failed" } else { "" })
        }
        Note::Ended { exit, next, stays_failed, .. } => {
            let next = match next {
                Next::Nothing => String::new(),
                Next::Again => "; again".to_owned(),
                Next::AtOnce => "; at once".to_owned(),
                Next::Replaced => "; replaced".to_owned(),
                Next::NotReplaced => "; not replaced".to_owned(),
                Next::Restart { crash, limit, delay, .. } => {
                    format!("; again in {delay:?} ({crash}/{limit})")
                }
                Next::CannotRun => "; cannot run".to_owned(),
                Next::GaveUp { crashes } => format!("; gave up at {crashes}"),
            };
            format!("{exit}{next}{}", if *stays_failed { "; stays failed" } else { "" })
        }
        Note::OverBudget { used, budget } => format!("uses {used} of {}", budget.size.bytes()),
        Note::Follows { on } => format!("follows {}", app.name_of(*on)),
        Note::FilesChanged { file, others, signal } => {
            let what = signal.map_or("restart".to_owned(), |signal| signal.to_string());
            format!("{what} for {file} and {others}")
        }
        Note::WatchSuspended { file } => format!("watch suspended by {file}"),
        Note::Killed { grace } => format!("killed after {grace:?}"),
        Note::Waiting { on } => format!("waits for {}", app.name_of(*on)),
        Note::Blocked { by, .. } => format!("blocked by {}", app.name_of(*by)),
        Note::Ready { after } => format!("ready after {after:?}"),
        Note::NotReady { timeout } => format!("not ready in {timeout:?}"),
        Note::NotAlive { why } => format!("not alive: {why}"),
    }
}
