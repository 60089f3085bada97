//! The loop of a session: it passes an event to the supervisor, carries out the actions, and waits for the next event.

mod attach;
mod children;
mod close;
mod figures;
mod fronts;
mod heard;
mod held_port;
mod keys;
mod notes;
mod open;
mod own_attach;
mod readiness;
mod requests;

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use jiff::tz::TimeZone;

use self::held_port::SeenHolders;
use super::budgets::Budgets;
use super::console::Terminal;
use super::figures::{Figures, FiguresSample};
use super::fronts::{FrontNews, RunPorts, SessionFronts};
use super::kept::KeptRun;
use super::keyboard::OwnScreen;
use super::last_exits::LastExits;
use super::messages;
use super::probes::{ProbeOrder, ProbeReport};
use super::readiness::{SessionProbes, outside};
use super::report::SessionOrigin;
use super::requests::{Control, KEYS, Requests};
use super::shared_sockets::SharedSockets;
use super::trace::Trace;
use super::watching::SessionWatch;
use crate::app::{App, InstanceId, Moment, RunId, Signal};
use crate::control::server::{ClientEvent, Server};
use crate::error::Error;
use crate::os::children::Children;
use crate::os::clock::Clock;
use crate::os::job_control::JobControl;
use crate::os::processes;
use crate::os::signals::SignalEvent;
use crate::os::spawn::Spawner;
use crate::output::{About, LogFormat, Notice, OutputSource, PumpCommand, PumpEvent, PumpHandle};
use crate::supervisor::{Action, Event, Supervisor};
use crate::watch::WatchReport;

/// Longest time that messages to the pump are collected before it is woken.
const WAKE_EVERY: Duration = Duration::from_millis(5);

/// What other threads send to the session's thread.
#[derive(Debug)]
enum Input {
    Heard(SignalEvent),
    Pump(PumpEvent),
    Client(ClientEvent),
    Probe(ProbeReport),
    Watch(WatchReport),
    /// Of what the instances use.
    Figures(FiguresSample),
    Front(FrontNews),
    /// On the session's own terminal; nothing: it is the session's again.
    Typed(Vec<u8>),
}

/// Runs the application until it has ended, and returns the exit code. `first` are messages that are shown before
/// anything starts.
pub(crate) fn run(
    app: Arc<App>,
    form: LogFormat,
    zone: TimeZone,
    first: Vec<String>,
    control: Control,
) -> Result<i32, Error> {
    let mut session = SessionLoop::open(app.clone(), form, zone, control)?;
    session.requests.notices.clone_from(&first);
    let warnings = std::mem::take(&mut session.warnings);
    let first = first.into_iter().chain(warnings).chain(processes::missing());
    for text in first {
        session.say(messages::say(About::Session, "notice", text, serde_json::Value::Null));
    }
    session.watch_files();
    let mut core = Supervisor::new(app);
    let mut event = Event::Began;
    loop {
        let now = session.clock.now();
        if let Event::Exited { run, .. } = event {
            session.release(run);
        }
        session.trace(|trace, app| trace.event(now, &event, app));
        let actions = core.handle(event, now);
        if !Arc::ptr_eq(&session.app, core.app()) {
            session.app = Arc::clone(core.app());
            session.sockets.close_others(&session.app);
            session.watch_files();
            session.settle_fronts();
        }
        if core.is_ending() {
            session.children.end_session();
        }
        session.trace(|trace, app| trace.actions(now, &actions, app));
        for action in actions {
            session.perform(action);
        }
        session.tell_fronts(&core);
        if session.own_manager.is_some() && core.is_started() {
            session.tell_own_manager();
        }
        session.wake_pump(now);
        if let Some(code) = core.finished() {
            return Ok(session.close(code, &core));
        }
        event = session.next(&core);
    }
}

struct SessionLoop {
    app: Arc<App>,
    clock: Clock,
    inputs: Receiver<Input>,
    /// Events that wait for their turn. Signals come before them.
    queue: VecDeque<Event>,
    spawner: Spawner,
    children: Children,
    budgets: Budgets,
    /// Warnings that are shown before anything starts.
    warnings: Vec<String>,
    /// pm's ends of the terminals of runs.
    terminals: HashMap<RunId, Terminal>,
    /// Pipes of runs that were started and whose output is not read yet.
    unread: Vec<(RunId, OwnedFd)>,
    pump: PumpHandle,
    /// The pump has messages and was not woken since.
    unseen: bool,
    /// When the pump was last woken.
    woken: Moment,
    output_error: Option<String>,
    /// The exit code once the output cannot be written any more.
    lost: Option<i32>,
    /// The output is the log of a session in the background.
    launched: bool,
    job_control: JobControl,
    requests: Requests,
    readiness: SessionProbes,
    seen_holders: SeenHolders,
    sockets: SharedSockets,
    last_exits: LastExits,
    figures: Figures,
    /// Where the threads that look at them send what they have seen.
    looks: Sender<Input>,
    /// When the session began and what started it.
    origin: SessionOrigin,
    /// The process that this session is to live as long as; 0: none.
    owner: i32,
    watching: SessionWatch,
    fronts: SessionFronts,
    ports: RunPorts,
    /// The socket of pm's own service manager, until it was told that everything is ready.
    own_manager: Option<OsString>,
    server: Option<Server>,
    trace: Option<Trace>,
    kept: Option<KeptRun>,
    /// The terminal that the session was started on.
    screen: OwnScreen,
}

impl SessionLoop {
    /// Writes to the trace, if there is one. If that fails, pm reports it and closes the trace.
    fn trace(&mut self, write: impl FnOnce(&mut Trace, &App) -> io::Result<()>) {
        if let Some(trace) = &mut self.trace
            && let Err(error) = write(trace, &self.app)
        {
            let path = trace.path.clone();
            self.trace = None;
            self.say_no_trace(&path, &error);
        }
    }

    fn say_no_trace(&mut self, path: &Path, error: &io::Error) {
        let text = format!("PM_TRACE: cannot write `{}`: {error}", path.display());
        let said = messages::say(About::Session, "no-trace", text, serde_json::Value::Null);
        self.say(said.failed());
    }

    /// Carries out one action. Nothing here blocks.
    fn perform(&mut self, action: Action) {
        match action {
            Action::Spawn(run, slot) => self.spawn(run, slot),
            Action::Read(run) => {
                if let Some(at) = self.unread.iter().position(|(unread, _)| *unread == run) {
                    let (_, output) = self.unread.swap_remove(at);
                    self.post(PumpCommand::Open(run, output));
                }
            }
            Action::Signal(run, signal, reach) => self.signal(run, signal, reach),
            Action::Inform(run, signal) => self.children.inform(run, signal),
            Action::Probe(run) => self.probe(run),
            Action::ProbePort(run) => self.probe_port(run),
            Action::Watch(run) => self.watch(run),
            Action::EndProbePort(run) => self.readiness.end_port(run),
            Action::EndProbe(run) => self.end_probe(run),
            Action::ProbeOutside(process_type) => self.probe_outside(process_type),
            Action::EndProbeOutside(process_type) => self.end_probe(outside(process_type)),
            Action::Serve(run) => self.serve(run),
            Action::Withdraw(run) => self.withdraw(run),
            Action::Sweep(run) => {
                let used = self.children.sweep(run);
                self.figures.ended(run, used);
                self.fronts.cut(run);
                self.ports.forget(run);
                self.open_waiting_fronts();
                self.terminals.remove(&run);
                self.budgets.ended(run);
                self.readiness.forget(run);
                self.sockets.forget(run);
                self.post(PumpCommand::CloseRun(run));
            }
            Action::StopHelpers(run, signal) => self.children.stop_helpers(run, signal),
            Action::StopOrphans(signal) => self.stop_orphans(signal),
            Action::Measure(samples) => self.measure(&samples),
            Action::Pause => self.pause(),
            Action::Reply(KEYS, reply) => self.answer_typist(reply),
            Action::Reply(id, reply) => self.requests.answer(id, reply, &self.app),
            Action::Forget(id) => {
                self.last_exits.forget(id);
                self.figures.left(id);
                // A type that has nobody is not one whose instances have all failed.
                self.fronts.heard(id);
                self.post(PumpCommand::Forget(id));
            }
            Action::Note(id, note) => self.note(id, &note),
            Action::Say(message) => {
                self.say(messages::message(
                    &self.app,
                    &message,
                    || self.children.orphans(),
                    |id| self.readiness.probe_of(id),
                ));
                // The message must be shown before its consequences, such as what children print on a signal.
                self.pump.wake();
            }
        }
    }

    /// Wakes the pump for posted messages: before this thread waits, and at intervals during a long series of events,
    /// because each wake-up costs two context switches.
    fn wake_pump(&mut self, now: Moment) {
        if self.unseen && (self.queue.is_empty() || now.since(self.woken) >= WAKE_EVERY) {
            self.pump.wake();
            self.unseen = false;
            self.woken = now;
        }
    }

    fn say(&mut self, say: Notice) {
        self.post(PumpCommand::Show(say));
    }

    fn post(&mut self, message: PumpCommand) {
        self.pump.post(message);
        self.unseen = true;
    }

    /// Returns the next event: a signal first, then a queued event, then what comes before the deadline.
    fn next(&mut self, core: &Supervisor) -> Event {
        let deadline = core.next_deadline();
        loop {
            // pm may have been stopped before it waits here.
            if let Some(at) = deadline {
                self.overslept(at);
            }
            if let Ok(input) = self.inputs.try_recv() {
                if let Some(event) = self.take(input, core) {
                    return event;
                }
                continue;
            }
            self.look_at_children();
            self.look_at_sockets();
            if let Some(event) = self.queue.pop_front() {
                return event;
            }
            self.look_at_prompts();
            self.show_status(core);
            // An input that is no event may have posted messages.
            self.wake_pump(self.clock.now());
            let own = [self.children.watchdog_due(), self.sockets.due(), self.screen.due()];
            let until = deadline.into_iter().chain(own.into_iter().flatten()).min();
            let input = match until {
                None => self.inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => self.inputs.recv_deadline(self.clock.instant_of(at)),
            };
            let overslept = deadline.is_some_and(|at| self.overslept(at));
            match input {
                Ok(input) => {
                    if let Some(event) = self.take(input, core) {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout) if overslept => {}
                // It was the deadline of the watchdog, of a look at a socket or a prompt, or of the line below the output.
                Err(RecvTimeoutError::Timeout) if until != deadline => {}
                Err(RecvTimeoutError::Timeout) => return Event::Ticked,
                // All senders are gone, which only a bug can cause: stop gracefully.
                Err(RecvTimeoutError::Disconnected) => return Event::Signalled(Signal::TERM),
            }
        }
    }

    /// Has the files watched that the application names.
    fn watch_files(&mut self) {
        if let Err(error) = self.watching.watch(&self.app) {
            let text = format!("cannot watch files: {error}");
            let said = messages::say(About::Session, "no-watch", text, serde_json::Value::Null);
            self.say(said.failed());
        }
    }

    fn bound_clients(&mut self) {
        let room = self.spawner.room_for_clients();
        self.requests.limit_streams(room.streaming);
        if let Some(server) = &self.server {
            server.limit_connections(room.connections);
        }
    }

    fn take(&mut self, input: Input, core: &Supervisor) -> Option<Event> {
        match input {
            Input::Client(ClientEvent::Requested(client, request, outbox)) => {
                self.handle_request(client, request, outbox, core);
                None
            }
            Input::Client(ClientEvent::Left(client)) => {
                self.queue.extend(self.requests.client_left(client));
                self.let_go(client);
                None
            }
            Input::Heard(event) => self.heard(event),
            Input::Typed(bytes) => {
                match bytes.is_empty() {
                    true => self.screen.enter(),
                    false => self.typed(&bytes, core),
                }
                None
            }
            Input::Pump(PumpEvent::Prompted(run)) => {
                self.prompted(run);
                None
            }
            Input::Pump(PumpEvent::Closed(run)) => {
                self.run_is_over(run);
                self.queue.push_back(Event::OutputClosed { run });
                None
            }
            Input::Pump(PumpEvent::Matched(run)) => {
                self.readiness.post(ProbeOrder::LineSeen(run));
                None
            }
            Input::Probe(report) => self.take_report(report),
            Input::Figures(sample) => {
                self.show_figures(sample, core);
                None
            }
            Input::Front(news) => self.take_news(news, core),
            Input::Watch(report) => {
                let (notice, event) = self.watching.take(report, &self.app, &self.clock);
                notice.into_iter().for_each(|notice| self.say(notice));
                event
            }
            Input::Pump(news) => {
                self.note_loss(&news);
                self.lost.map(Event::OutputLost)
            }
        }
    }
}

fn sources(app: &App) -> Vec<OutputSource> {
    app.instances().map(|id| source(app, id)).collect()
}

fn source(app: &App, id: InstanceId) -> OutputSource {
    OutputSource { id, name: app.name_of(id), quiet: app.type_of(id).quiet }
}
