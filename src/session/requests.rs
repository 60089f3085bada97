//! The requests of clients: names become instances, replies of the supervisor become responses.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::kept::KeepPlan;
use super::keyboard::TerminalUse;
use super::messages;
use super::watching::OwnPaths;
use super::{subscriber, wait};
use crate::app::ports::MOST_BEHIND_FRONT;
use crate::app::select::select;
use crate::app::{App, InstanceId, Role};
use crate::control::outbox::Outbox;
use crate::control::proto::{InstanceFailure, LogQuery, Response};
use crate::control::server::ClientId;
use crate::control::start_lock::StartLock;
use crate::os::lifetime::ProcessEnd;
use crate::output::{
    About, Bell, MAX_SUBSCRIBERS, OwnLog, PumpCommand, PumpHandle, Subscriber, TypeLogFolder,
};
use crate::state::ports::PortsLock;
use crate::supervisor::{Event, Failure, Reply, RequestId, ResolvedRequest, Supervisor};

/// The requests of who types on the session's own terminal: no client has this id.
pub(super) const KEYS: RequestId = RequestId(u64::MAX);

/// Reads the application's files again, with the options that the session was started with. The error is for a person.
pub(crate) type Reread = Box<dyn FnMut() -> Result<Rereading, String>>;

/// The application's files, read again.
#[derive(Debug)]
pub(crate) struct Rereading {
    /// The application.
    pub(crate) app: App,
    /// Warnings about the files that were not shown yet.
    pub(crate) warnings: Vec<String>,
    /// What a start says before it starts anything.
    pub(crate) notices: Vec<String>,
}

/// What keeps others from starting until a session can be found.
#[derive(Debug, Default)]
pub(crate) struct StartLocks {
    /// No other session of this root begins.
    pub(crate) root: Option<StartLock>,
    /// No other session gets a base that pm chooses.
    pub(crate) ports: Option<PortsLock>,
}

/// What a session needs to be controlled.
pub(crate) struct Control {
    /// The folder for its socket.
    pub(crate) folder: PathBuf,
    /// The Procfile, absolute and without symbolic links.
    pub(crate) procfile: PathBuf,
    /// What started the session: `terminal`, `daemon`, or the name of the parent program.
    pub(crate) by: String,
    /// The locks that keep others from starting until this session accepts requests.
    pub(crate) locks: StartLocks,
    /// The launcher waits until pm accepts requests (`pm start --daemon`).
    pub(crate) launched: bool,
    /// Reads the files again.
    pub(crate) reread: Reread,
    /// The file for a trace of events and actions.
    pub(crate) trace: Option<PathBuf>,
    /// The socket of pm's own service manager, which is told when everything is ready (`NOTIFY_SOCKET`).
    pub(crate) notify: Option<OsString>,
    /// The files that its output goes to.
    pub(crate) logs: LogOutputs,
    /// The folder of pm's state, where this session and others write.
    pub(crate) state: Option<PathBuf>,
    /// Where a copy of the output is kept, if it is to be.
    pub(crate) keep: Option<KeepPlan>,
    /// The process that it is to live as long as (`--with`).
    pub(crate) owner: Option<SessionOwner>,
    /// What it does with the terminal that it was started on.
    pub(crate) terminal: TerminalUse,
}

/// The files that the output of a session goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogOutputs {
    /// The one that stdout is, of a session in the background.
    pub(crate) own: Option<OwnLog>,
    /// Those of the process types.
    pub(crate) of_types: Option<TypeLogFolder>,
}

impl Control {
    /// Returns where sessions of this root write by themselves: this one, and one in the background beside it.
    pub(super) fn own_paths(&self, root: &Path) -> OwnPaths {
        let LogOutputs { own, of_types } = &self.logs;
        let beside = root.join(OwnLog::NAME);
        OwnPaths {
            folders: self.state.iter().chain([&self.folder]).cloned().collect(),
            files: own
                .iter()
                .map(|log| &log.path)
                .chain(&self.trace)
                .chain([&beside])
                .cloned()
                .collect(),
            of_types: of_types.clone(),
        }
    }
}

/// A process that a session is to live as long as.
#[derive(Debug)]
pub(crate) struct SessionOwner {
    /// Its process id.
    pub(crate) pid: i32,
    /// Its end.
    pub(crate) end: ProcessEnd,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Clients that wait for an answer of the supervisor or get a stream.
pub(crate) struct Requests {
    waiting: HashMap<RequestId, WaitingClient>,
    /// The last reload.
    reload: Option<RequestId>,
    streams: HashMap<ClientId, Stream>,
    /// How many streams there may be.
    max_streams: usize,
    /// What was said before anything was started, or by the last reload.
    pub(super) notices: Vec<String>,
    reread: Reread,
    pump: PumpHandle,
}

/// A client that waits for an answer of the supervisor.
#[derive(Debug)]
struct WaitingClient {
    outbox: Outbox,
    form: FailureForm,
    /// What has failed of its request besides, of which the supervisor knows nothing.
    failures: Vec<InstanceFailure>,
}

/// What a client is sent if its request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureForm {
    /// The reasons.
    Reasons,
    /// The reasons and the last lines of output (`pm wait`).
    WithOutput,
    /// The reasons, and the last lines of the run that has failed (`--rolling`).
    OfRollout,
}

/// What a client gets for as long as it is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Lines of output (`pm logs -f`).
    Logs,
    /// The output of a terminal (`pm attach`).
    Terminal,
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Requests {
    pub(crate) fn new(reread: Reread, pump: PumpHandle) -> Self {
        let (waiting, streams, max_streams) = (HashMap::new(), HashMap::new(), 0);
        let (reload, notices) = (None, Vec::new());
        Self { waiting, reload, streams, max_streams, notices, reread, pump }
    }

    /// Limits how many clients may have a stream.
    pub(crate) fn limit_streams(&mut self, most: usize) {
        self.max_streams = most;
    }

    /// Counts a client that gets a stream, or returns why it may not have one.
    pub(super) fn add_stream(&mut self, client: ClientId, stream: Stream) -> Result<(), Response> {
        let logs = self.streams.values().filter(|known| **known == Stream::Logs).count();
        if stream == Stream::Logs && logs >= MAX_SUBSCRIBERS {
            return Err(Response::Refused {
                reason: format!("{MAX_SUBSCRIBERS} others follow the output already"),
                hint: Some("`pm logs` without `-f` shows what is kept".to_owned()),
            });
        }
        if self.streams.len() >= self.max_streams {
            return Err(Response::Refused {
                reason: format!(
                    "{} follow the output or are attached already; more would take the open files that a \
                     restart needs",
                    self.streams.len()
                ),
                hint: Some("start the session with a higher limit (`ulimit -n`)".to_owned()),
            });
        }
        self.streams.insert(client, stream);
        Ok(())
    }

    /// Sends kept output to a client, and with `follow` what comes later.
    pub(super) fn send_logs(
        &mut self,
        client: ClientId,
        LogQuery { names, lines, follow, bell }: LogQuery,
        outbox: Outbox,
        core: &Supervisor,
    ) {
        let may = select_instances(&names, core)
            .and_then(|_| if follow { self.add_stream(client, Stream::Logs) } else { Ok(()) });
        if let Err(response) = may {
            outbox.respond(response);
            return;
        }
        if bell {
            let bell = Bell { id: client.0, ring: subscriber::bell(outbox) };
            self.pump.post(PumpCommand::RingAtNews(bell));
            self.pump.wake();
            return;
        }
        let follower = Subscriber {
            id: client.0,
            patterns: names,
            history: lines,
            output_alone: false,
            follows: follow,
            send: subscriber::whole_lines(outbox),
        };
        self.pump.post(PumpCommand::Subscribe(follower));
        self.pump.wake();
    }

    /// Remembers a client whose request the supervisor will answer.
    pub(super) fn wait_for_reply(
        &mut self,
        client: ClientId,
        outbox: Outbox,
        form: FailureForm,
        request: &ResolvedRequest,
    ) -> RequestId {
        let id = RequestId(client.0);
        if let ResolvedRequest::Reload { .. } = request {
            self.reload = Some(id);
        }
        self.waiting.insert(id, WaitingClient { outbox, form, failures: Vec::new() });
        id
    }

    /// What the last reload wants for a process type cannot be had: it fails, unless it has been answered.
    pub(super) fn fail_reload(&mut self, process_type: &str, why: String) {
        if let Some(client) = self.reload.and_then(|id| self.waiting.get_mut(&id)) {
            let name = process_type.to_owned();
            client.failures.push(InstanceFailure { name, why, code: None });
        }
    }

    /// Forgets a client that has left.
    pub(crate) fn client_left(&mut self, client: ClientId) -> Option<Event> {
        let id = RequestId(client.0);
        self.streams.remove(&client);
        self.pump.post(PumpCommand::Unsubscribe(client.0));
        self.pump.wake();
        self.waiting.remove(&id).map(|_| Event::Forgotten(id))
    }

    /// Sends a reply of the supervisor to its client.
    pub(crate) fn answer(&mut self, id: RequestId, reply: Reply, app: &App) {
        let Some(client) = self.waiting.remove(&id) else { return };
        let WaitingClient { outbox, form, failures: others } = client;
        outbox.respond(match reply {
            Reply::Done if others.is_empty() => Response::Done,
            Reply::Done => Response::Failed { failures: others },
            Reply::Failed(failures) if form == FailureForm::WithOutput => {
                let why = |failure: &Failure| wait::why(failure, app);
                return wait::tell_failure(&failures, app, why, (id.0, outbox), &self.pump);
            }
            Reply::Failed(failures) if form == FailureForm::OfRollout => {
                return wait::tell_failure(&failures, app, why, (id.0, outbox), &self.pump);
            }
            Reply::Failed(failures) => {
                let one = |(id, failure): (InstanceId, Failure)| InstanceFailure {
                    name: app.name_of(id),
                    why: why(&failure),
                    code: None,
                };
                let failures = failures.into_iter().map(one).chain(others);
                Response::Failed { failures: failures.collect() }
            }
        });
    }

    /// Reads the files again. Warnings about them go to the client that asked, if it is one, and to the output of the
    /// session.
    pub(super) fn reread(&mut self, outbox: Option<&Outbox>) -> Result<Rereading, Response> {
        let mut read = (self.reread)().map_err(|reason| Response::Refused {
            reason,
            hint: Some("nothing was changed".to_owned()),
        })?;
        for text in read.warnings.drain(..) {
            let said = format!("warning: {text}");
            let say = messages::say(About::Session, "warning", said, Value::Null).failed();
            self.pump.post(PumpCommand::Show(say));
            outbox.inspect(|outbox| outbox.respond(Response::Warning { text: text.clone() }));
        }
        Ok(read)
    }
}

/// Resolves the names of process types to positions, with the requested counts.
pub(super) fn select_types(
    counts: Vec<(String, u16)>,
    app: &App,
) -> Result<Vec<(u16, u16)>, Response> {
    counts.into_iter().map(|(name, count)| Ok((select_type(&name, app)?, count))).collect()
}

/// Returns the position of a process type.
pub(super) fn select_type(name: &str, app: &App) -> Result<u16, Response> {
    let at = app.types.iter().position(|known| known.name == name);
    at.and_then(|at| u16::try_from(at).ok()).ok_or_else(|| no_type(name, app))
}

fn no_type(name: &str, app: &App) -> Response {
    let known: Vec<_> = app.types.iter().map(|known| known.name.as_str()).collect();
    Response::Refused {
        reason: format!("no process type `{name}` in this session"),
        hint: Some(format!("it has: {}", known.join(", "))),
    }
}

/// Returns the instances that the names select.
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
        Ok(chosen) => Ok(chosen.into_iter().map(|at| ids[at]).collect()),
        Err(unknown) => {
            Err(Response::Refused { reason: unknown.to_string(), hint: unknown.hint() })
        }
    }
}

/// Returns every instance except those of `release`, which runs once before the others; all if there is nothing else.
pub(super) fn all_but_release(core: &Supervisor) -> Vec<InstanceId> {
    let is_release = |id: &InstanceId| core.app().type_of(*id).policy.role == Role::Release;
    let (release, others): (Vec<_>, Vec<_>) = core.instances().partition(is_release);
    if others.is_empty() { release } else { others }
}

pub(super) fn why(failure: &Failure) -> String {
    match failure {
        Failure::NotStarted(error) => error.clone(),
        Failure::Ended(exit) => format!("{exit} instead"),
        Failure::Lost => "did not end, not even by SIGKILL".to_owned(),
        Failure::NotRunning => "does not run".to_owned(),
        Failure::NoPort => "would get a port over 65535".to_owned(),
        Failure::NoRoomBehindFront => {
            format!("at most {MOST_BEHIND_FRONT} instances of a type fit behind `proxy`")
        }
        Failure::Overruled => "a later request wanted something else".to_owned(),
        Failure::ReplacementEnded(exit) => {
            format!("the new instance {exit} before it was ready; the old one keeps running")
        }
        Failure::ReplacementNotReady => {
            "the new instance was not ready in time; the old one keeps running".to_owned()
        }
        Failure::SessionEnds | Failure::EndedWith { .. } => "the session ends".to_owned(),
        Failure::Failed(exit) | Failure::EndedBefore(exit) => exit.to_string(),
        Failure::NotReady => "it was not ready in time".to_owned(),
        Failure::Stopped | Failure::Gone => "it was stopped".to_owned(),
        Failure::Blocked { .. } | Failure::Held { .. } => "it is not started".to_owned(),
    }
}
