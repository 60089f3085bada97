//! Where requests of clients come in: names become instances, orders become events, replies become
//! answers.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::messages;
use super::subscriber;
use crate::app::select::select;
use crate::app::{App, Exit, InstanceId, Moment, Role, Signal, Stdio, reload};
use crate::control::proto::{
    InstanceFailure, InstanceState, InstanceStatus, Report, Request, Response, Targets,
};
use crate::control::server::{ClientId, Outbox};
use crate::control::start_lock::StartLock;
use crate::os::job_control;
use crate::os::sampler::{Root, Sampler};
use crate::output::subscription::FOLLOWERS;
use crate::output::{Follower, PumpHandle, Speaker, ToPump};
use crate::supervisor::{self, Ask, Doing, Event, Failure, Patience, Reply, RequestId, Supervisor};

/// Reads the application's files again, by the options that the session was started with. Returns what is
/// passed over in them, beside the application; the error is for a person.
pub(crate) type Reread = Box<dyn FnMut() -> Result<(App, Vec<String>), String>>;

/// What a session needs to be controlled.
pub(crate) struct Control {
    /// The folder for its socket.
    pub(crate) folder: PathBuf,
    /// The Procfile, absolute and without symbolic links.
    pub(crate) procfile: PathBuf,
    /// No other session of this root begins until this one can be asked.
    pub(crate) start_lock: Option<StartLock>,
    /// Who started pm waits until it can be asked (`pm start --daemon`).
    pub(crate) launched: bool,
    /// Reads the files again.
    pub(crate) reread: Reread,
    /// The file for a trace of events and actions.
    pub(crate) trace: Option<PathBuf>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The requests that wait for their answer.
pub(crate) struct Requests {
    waiting: HashMap<RequestId, Outbox>,
    /// Who follows the output.
    followers: HashSet<ClientId>,
    /// Who follows or is attached, and how many of these there may be.
    streaming: HashSet<ClientId>,
    max_streaming: usize,
    procfile: PathBuf,
    reread: Reread,
    pump: PumpHandle,
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

/// A request that can be made, or why not.
type Understood = Result<(supervisor::Request, Patience), Response>;

impl Requests {
    pub(crate) fn new(procfile: PathBuf, reread: Reread, pump: PumpHandle) -> Self {
        Self {
            waiting: HashMap::new(),
            followers: HashSet::new(),
            streaming: HashSet::new(),
            max_streaming: 0,
            procfile,
            reread,
            pump,
        }
    }

    /// Bounds how many clients may follow or be attached.
    pub(crate) fn limit_streaming(&mut self, most: usize) {
        self.max_streaming = most;
    }

    /// Counts a client that stays, or says why it may not.
    pub(crate) fn add_streaming(&mut self, client: ClientId) -> Result<(), Response> {
        if self.streaming.len() >= self.max_streaming {
            return Err(Response::Refused {
                reason: format!(
                    "{} follow the output or are attached already; more would take the open files that a \
                     restart needs",
                    self.streaming.len()
                ),
                hint: Some("start the session with a higher limit (`ulimit -n`)".to_owned()),
            });
        }
        self.streaming.insert(client);
        Ok(())
    }

    fn follow(&mut self, client: ClientId) -> Result<(), Response> {
        if self.followers.len() >= FOLLOWERS {
            return Err(Response::Refused {
                reason: format!("{FOLLOWERS} others follow the output already"),
                hint: Some("`pm logs` without `-f` shows what is kept".to_owned()),
            });
        }
        self.add_streaming(client)?;
        self.followers.insert(client);
        Ok(())
    }

    /// Takes an order. What comes of it is answered here at once, or told as events.
    pub(crate) fn handle(
        &mut self,
        client: ClientId,
        order: Request,
        outbox: Outbox,
        core: &Supervisor,
    ) -> Vec<Event> {
        match order {
            Request::Logs { names, lines, follow } => {
                let may = select_instances(&names, core);
                match may.and_then(|_| if follow { self.follow(client) } else { Ok(()) }) {
                    Ok(()) => {
                        let follower = follower(client, names, lines, follow, outbox);
                        self.pump.post(ToPump::Subscribe(follower));
                        self.pump.wake();
                    }
                    Err(body) => outbox.respond(body),
                }
                return Vec::new();
            }
            // The shell knows the terminals, and what to measure.
            Request::Attach { .. } | Request::Status => return Vec::new(),
            // These go to the supervisor.
            Request::Start(_)
            | Request::Stop(_)
            | Request::Restart(_)
            | Request::Scale { .. }
            | Request::Signal { .. }
            | Request::Reload { .. }
            | Request::Quit { .. } => {}
        }
        let grace = match &order {
            Request::Stop(names) | Request::Restart(names) => {
                names.timeout_ms.map(Duration::from_millis)
            }
            _ => None, // Nothing else says so.
        };
        let mut events = Vec::new();
        match self.translate(order, core, &outbox, &mut events) {
            Ok((request, patience)) => {
                let id = RequestId(client.0);
                self.waiting.insert(id, outbox);
                events.push(Event::Requested(id, Ask { request, patience, grace }));
            }
            Err(body) => outbox.respond(body),
        }
        events
    }

    /// Returns what every instance does.
    pub(crate) fn report(&self, core: &Supervisor, now: Moment) -> Report {
        let procfile = self.procfile.to_string_lossy().into_owned();
        Report { procfile, ..report(core, now) }
    }

    /// Takes the news that a client is gone.
    pub(crate) fn client_left(&mut self, client: ClientId) -> Option<Event> {
        let id = RequestId(client.0);
        self.followers.remove(&client);
        self.streaming.remove(&client);
        self.pump.post(ToPump::Unsubscribe(client.0));
        self.pump.wake();
        self.waiting.remove(&id).map(|_| Event::Forgotten(id))
    }

    /// Passes a reply on.
    pub(crate) fn answer(&mut self, id: RequestId, reply: Reply, app: &App) {
        let Some(outbox) = self.waiting.remove(&id) else { return };
        outbox.respond(match reply {
            Reply::Done => Response::Done,
            Reply::Failed(failures) => {
                let one = |(id, failure): (InstanceId, Failure)| InstanceFailure {
                    name: app.name_of(id),
                    why: why(&failure),
                };
                Response::Failed { failures: failures.into_iter().map(one).collect() }
            }
        });
    }

    /// Reads the files again. What is passed over in them is said to who asked, and in the session.
    fn reread(&mut self, outbox: &Outbox) -> Result<App, Response> {
        let (app, warnings) = (self.reread)().map_err(|reason| Response::Refused {
            reason,
            hint: Some("nothing was changed".to_owned()),
        })?;
        for text in warnings {
            let said = format!("warning: {text}");
            let say = messages::say(Speaker::System, "warning", said, Value::Null).failed();
            self.pump.post(ToPump::Say(say));
            outbox.respond(Response::Warning { text });
        }
        Ok(app)
    }

    fn translate(
        &mut self,
        order: Request,
        core: &Supervisor,
        outbox: &Outbox,
        events: &mut Vec<Event>,
    ) -> Understood {
        match order {
            // Answered before.
            Request::Status | Request::Logs { .. } | Request::Attach { .. } => {
                Ok((supervisor::Request::Start(Vec::new()), Patience::None))
            }
            Request::Start(names) => Ok((
                supervisor::Request::Start(select_instances(&names.names, core)?),
                patience(names.wait),
            )),
            Request::Stop(names) => Ok((
                supervisor::Request::Stop(select_instances(&names.names, core)?),
                patience(names.wait),
            )),
            Request::Restart(Targets { names, wait, .. }) => {
                let ids = match names.is_empty() {
                    true => all_but_release(core),
                    false => select_instances(&names, core)?,
                };
                let new = self.reread(outbox)?;
                let app = reload::with_environment_of(core.app(), &new);
                events.push(Event::Reread(Arc::new(app)));
                Ok((supervisor::Request::Restart(ids), patience(wait)))
            }
            Request::Scale { counts, wait } => {
                let mut wanted = Vec::new();
                for (name, count) in counts {
                    let at = core.app().types.iter().position(|known| known.name == name);
                    let at = at.and_then(|at| u16::try_from(at).ok());
                    wanted.push((at.ok_or_else(|| no_type(&name, core.app()))?, count));
                }
                Ok((supervisor::Request::Scale(wanted), patience(wait)))
            }
            Request::Signal { names, signal } => {
                let ids = select_instances(&names, core)?;
                Ok((supervisor::Request::Signal(ids, Signal(signal)), Patience::UntilTrue))
            }
            Request::Reload { wait } => {
                let new = self.reread(outbox)?;
                let reload::Fitted { app, gone } = reload::fit(core.app(), new);
                Ok((supervisor::Request::Reload { app: Arc::new(app), gone }, patience(wait)))
            }
            Request::Quit { wait } => Ok((supervisor::Request::Quit, patience(wait))),
        }
    }
}

fn follower(
    client: ClientId,
    patterns: Vec<String>,
    history: usize,
    follows: bool,
    outbox: Outbox,
) -> Follower {
    Follower { id: client.0, patterns, history, follows, send: subscriber::whole_lines(outbox) }
}

fn patience(wait: bool) -> Patience {
    if wait { Patience::UntilTrue } else { Patience::None }
}

fn no_type(name: &str, app: &App) -> Response {
    let known: Vec<_> = app.types.iter().map(|known| known.name.as_str()).collect();
    Response::Refused {
        reason: format!("no process type `{name}` in this session"),
        hint: Some(format!("it has: {}", known.join(", "))),
    }
}

/// Returns the instances that the names mean.
pub(super) fn select_instances(
    patterns: &[String],
    core: &Supervisor,
) -> Result<Vec<InstanceId>, Response> {
    let ids: Vec<InstanceId> = core.instances().collect();
    if patterns.is_empty() {
        return Ok(ids);
    }
    let names: Vec<String> = ids.iter().map(|id| core.app().name_of(*id)).collect();
    match select(patterns, &names) {
        Ok(select_instances) => Ok(select_instances.into_iter().map(|at| ids[at]).collect()),
        Err(unknown) => {
            Err(Response::Refused { reason: unknown.to_string(), hint: unknown.hint() })
        }
    }
}

/// Returns every instance, but those of `release` where there is anything else: it runs once, before the others.
fn all_but_release(core: &Supervisor) -> Vec<InstanceId> {
    let is_release = |id: &InstanceId| core.app().type_of(*id).policy.role == Role::Release;
    let (release, others): (Vec<_>, Vec<_>) = core.instances().partition(is_release);
    if others.is_empty() { release } else { others }
}

fn why(failure: &Failure) -> String {
    match failure {
        Failure::NotStarted(error) => error.clone(),
        Failure::Ended(exit) => format!("{exit} instead"),
        Failure::Lost => "did not end, not even by SIGKILL".to_owned(),
        Failure::NotRunning => "does not run".to_owned(),
        Failure::NoPort => "would get a port over 65535".to_owned(),
        Failure::Overruled => "a later request wanted something else".to_owned(),
        Failure::SessionEnds => "the session ends".to_owned(),
    }
}

fn report(core: &Supervisor, now: Moment) -> Report {
    let app = core.app();
    let instances = core.status(now).into_iter().map(|status| {
        let (state, restart_in, end) = match status.doing {
            Doing::Waiting => (InstanceState::Waiting, None, None),
            Doing::Starting => (InstanceState::Starting, None, None),
            Doing::Running => (InstanceState::Running, None, None),
            Doing::Stopping => (InstanceState::Stopping, None, None),
            Doing::BackingOff(left) => (InstanceState::BackingOff, Some(left.as_secs_f64()), None),
            Doing::Stopped => (InstanceState::Stopped, None, None),
            Doing::Ended(exit) if exit.is_success() => (InstanceState::Done, None, Some(exit)),
            Doing::Ended(exit) => (InstanceState::Failed, None, Some(exit)),
        };
        InstanceStatus {
            name: app.name_of(status.id),
            state,
            pid: status.pid,
            port: app.port_of(status.id),
            uptime: status.uptime.map(|uptime| uptime.as_secs_f64()),
            restarts: status.restarts,
            restart_in,
            end: end.as_ref().map(Exit::to_string),
            rss: None,
            cpu: None,
        }
    });
    let has_terminal = app.types.iter().filter(|known| known.stdio == Stdio::Terminal);
    Report {
        session: i32::try_from(std::process::id()).unwrap_or_default(),
        root: app.root.to_string_lossy().into_owned(),
        procfile: String::new(),
        ending: core.is_ending(),
        types: app.types.iter().map(|known| known.name.clone()).collect(),
        terminals: has_terminal.map(|known| known.name.clone()).collect(),
        instances: instances.collect(),
    }
}

/// Says how the session is. `helpers` are what has left the groups of leaders. It is measured on a thread of its
/// own: with many processes it takes longer than a signal may wait.
pub(crate) fn answer_status(report: Report, helpers: HashMap<i32, Vec<i32>>, outbox: Outbox) {
    let bare = (report.clone(), outbox.clone());
    let thread = std::thread::Builder::new().name("status".into()).stack_size(256 << 10);
    let measuring = move || {
        let mut report = report;
        measure(&mut report, &helpers);
        outbox.respond(Response::Status(Box::new(report)));
    };
    let started = job_control::keep_from(|| thread.spawn(measuring));
    if started.is_err() {
        let (report, outbox) = bare;
        outbox.respond(Response::Status(Box::new(report)));
    }
}

/// Where nothing can be measured, the figures stay away.
fn measure(report: &mut Report, helpers: &HashMap<i32, Vec<i32>>) {
    let Ok(mut sampler) = Sampler::new() else { return };
    let leaders: Vec<i32> = report.instances.iter().filter_map(|instance| instance.pid).collect();
    let helpers_of = |leader| helpers.get(&leader).map_or(&[][..], Vec::as_slice);
    let root = |&leader| Root { leader, limit: None, helpers: helpers_of(leader), group: None };
    let roots: Vec<_> = leaders.iter().map(root).collect();
    let usages = sampler.sample(&roots);
    for (leader, usage) in leaders.into_iter().zip(usages) {
        let found = report.instances.iter_mut().find(|instance| instance.pid == Some(leader));
        if let Some(instance) = found {
            instance.rss = usage.map(|usage| usage.bytes);
            instance.cpu = sampler.cpu(leader).map(|time| time.as_secs_f64());
        }
    }
}
