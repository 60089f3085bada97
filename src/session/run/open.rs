//! How a session is opened: what must be done before there are threads, the threads, and the socket for clients.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use jiff::tz::TimeZone;

use super::held_port::SeenHolders;
use super::{Input, SessionLoop, sources};
use crate::app::{App, Moment};
use crate::control::server::{Listener, MAX_CLIENTS, Server};
use crate::error::Error;
use crate::os::children::Children;
use crate::os::clock::{self, Clock};
use crate::os::job_control::{self, JobControl};
use crate::os::lifetime::Lifetime;
use crate::os::limits::{NoRoom, OpenFiles};
use crate::os::signals::Signals;
use crate::os::spawn::Spawner;
use crate::os::terminal::OwnModes;
use crate::os::watchdog::Watchdog;
use crate::os::{daemon, inherited, malloc, orphans};
use crate::output::{About, LogFormat, Pump, PumpCommand, PumpHandle};
use crate::session::budgets::Budgets;
use crate::session::figures::Figures;
use crate::session::fronts::{Opened, RunPorts, SessionFronts};
use crate::session::kept::{KeepPlan, KeptRun};
use crate::session::keyboard::OwnScreen;
use crate::session::last_exits::LastExits;
use crate::session::messages;
use crate::session::readiness::SessionProbes;
use crate::session::report::SessionOrigin;
use crate::session::requests::{Control, Requests, StartLocks};
use crate::session::shared_sockets::{CannotListen, SharedSockets};
use crate::session::trace::Trace;
use crate::session::watching::SessionWatch;

impl SessionLoop {
    /// Opens a session: nothing has been started yet.
    pub(super) fn open(
        app: Arc<App>,
        form: LogFormat,
        zone: TimeZone,
        mut control: Control,
    ) -> Result<Self, Error> {
        let Foundation { open_files, budgets, warnings, modes, watchdog, sockets } =
            Foundation::lay(&app, &control)?;
        let guarded = watchdog.variable();
        let own_paths = control.own_paths(&app.root);
        let peers = match SessionPeers::open(&app, (form, zone), &mut control) {
            Ok(peers) => peers,
            Err(error) => {
                watchdog.dismiss();
                return Err(error);
            }
        };
        let SessionPeers { sender, inputs, signals, job_control, pump, fronts, opened, server } =
            peers;
        let (server, listener) = server;
        let readiness = SessionProbes::new(control.folder.clone(), teller(&sender, Input::Probe));
        let watching = SessionWatch::new(own_paths, teller(&sender, Input::Watch));
        let tell = teller(&sender, Input::Typed);
        let screen = job_control::keep_from(|| OwnScreen::open(control.terminal, modes, tell))
            .map_err(failed("start the thread for keys"))?;
        let tell = teller(&sender, Input::Heard);
        let (owner, end) = control.owner.map_or((0, None), |owner| (owner.pid, Some(owner.end)));
        // In the foreground somebody is there: no descriptor is spent on it.
        let watched = control.launched.then_some(control.procfile.as_path());
        let lifetime = Lifetime::of(&app.root, watched, end);
        job_control::keep_from(|| signals.listen(listener, Listener::accept, lifetime, tell))
            .map_err(failed("start the thread for signals"))?;
        // From here on, other starts find this session.
        let StartLocks { root, ports } = control.locks;
        drop((root, ports));
        if control.launched {
            daemon::tell_ready().map_err(failed("let standard input go"))?;
        }
        let requests = Requests::new(control.reread, pump.clone());
        let mut session = Self {
            app,
            clock: Clock::start(),
            inputs,
            queue: VecDeque::new(),
            spawner: Spawner::new(open_files, guarded),
            terminals: HashMap::new(),
            children: Children::new(watchdog),
            budgets,
            warnings,
            unread: Vec::new(),
            pump,
            unseen: false,
            woken: Moment::default(),
            output_error: None,
            lost: None,
            launched: control.launched,
            job_control,
            requests,
            readiness,
            seen_holders: SeenHolders::default(),
            sockets,
            last_exits: LastExits::default(),
            figures: Figures::new(),
            looks: sender,
            origin: SessionOrigin {
                procfile: control.procfile,
                started: clock::unix_milliseconds(),
                by: control.by,
            },
            owner,
            watching,
            fronts,
            ports: RunPorts::default(),
            own_manager: control.notify,
            server: None,
            trace: None,
            kept: None,
            screen,
        };
        session.enter_terminal();
        opened.into_iter().for_each(|opened| session.say_of_front(Ok(opened)));
        session.begin_copy(control.keep.as_ref());
        session.open_trace(control.trace.as_deref());
        match server {
            Ok(server) => {
                session.server = Some(server);
                session.bound_clients();
            }
            Err(error) => session.say_no_control(&control.folder, &error),
        }
        Ok(session)
    }

    fn begin_copy(&mut self, plan: Option<&KeepPlan>) {
        let Some(plan) = plan else { return };
        match KeptRun::begin(plan, &self.pump) {
            Ok(kept) => self.kept = Some(kept),
            Err(error) => self.say_not_kept(plan, &error),
        }
    }

    /// The session goes on: it is a copy that is missing.
    fn say_not_kept(&mut self, plan: &KeepPlan, error: &io::Error) {
        let folder = plan.root.display();
        let text =
            format!("this session is not kept for `pm logs`: cannot write in `{folder}`: {error}");
        let said = messages::say(About::Session, "not-kept", text, serde_json::Value::Null);
        self.say(said.failed());
    }

    fn open_trace(&mut self, path: Option<&Path>) {
        match path.map(|path| (path, Trace::open(path))) {
            Some((_, Ok(trace))) => self.trace = Some(trace),
            Some((path, Err(error))) => self.say_no_trace(path, &error),
            None => {}
        }
    }

    fn say_no_control(&mut self, folder: &Path, error: &io::Error) {
        let text = format!(
            "`pm status` and other commands cannot find this session: cannot create a socket in `{}`: {error}",
            folder.display()
        );
        let said = messages::say(About::Session, "no-control", text, serde_json::Value::Null);
        self.say(said.failed());
    }
}

/// What a session has before it has threads.
struct Foundation {
    open_files: OpenFiles,
    budgets: Budgets,
    /// Shown before anything starts.
    warnings: Vec<String>,
    /// Those of pm's own terminal, where its keys are read.
    modes: Option<OwnModes>,
    watchdog: Watchdog,
    sockets: SharedSockets,
}

impl Foundation {
    /// Makes it. The order matters: limits are inherited, the watchdog is forked, and it must hold no socket open.
    fn lay(app: &App, control: &Control) -> Result<Self, Error> {
        malloc::give_back_what_is_freed();
        inherited::keep_from_children();
        let logs = control.logs.of_types.as_ref().map_or(0, |_| app.types.len());
        let files = logs + SharedSockets::descriptors(app);
        let open_files = OpenFiles::make_room(app, MAX_CLIENTS, files).map_err(no_room)?;
        // Before the watchdog, which must be in pm's own cgroup.
        let (budgets, warning) = Budgets::open(app);
        // Before any thread: the watchdog is forked.
        // Whoever cannot remember the modes does not change them.
        let modes = control.terminal.keys.then(|| OwnModes::of_stdin().ok()).flatten();
        let guarded_modes = modes.as_ref().and_then(|modes| modes.try_clone().ok());
        let modes = modes.filter(|_| guarded_modes.is_some());
        let watchdog = Watchdog::start(guarded_modes).map_err(failed("start the watchdog"))?;
        // Behind the watchdog, which would keep them open.
        let sockets = match SharedSockets::open(app) {
            Ok(sockets) => sockets,
            Err(error) => {
                watchdog.dismiss();
                return Err(cannot_listen(&error));
            }
        };
        let left = orphans::become_subreaper();
        let left = left.map_err(|error| failed("become a subreaper")(error.into()))?;
        let warnings = warning.into_iter().chain(left).collect();
        Ok(Self { open_files, budgets, warnings, modes, watchdog, sockets })
    }
}

/// What a session hears and speaks to, before anybody is told that it is there.
struct SessionPeers {
    sender: Sender<Input>,
    inputs: Receiver<Input>,
    signals: Signals,
    job_control: JobControl,
    pump: PumpHandle,
    fronts: SessionFronts,
    opened: Vec<Opened>,
    /// The socket for clients. Without one, a session in the foreground runs all the same.
    server: (io::Result<Server>, Option<Listener>),
}

impl SessionPeers {
    fn open(
        app: &Arc<App>,
        (form, zone): (LogFormat, TimeZone),
        control: &mut Control,
    ) -> Result<Self, Error> {
        let (sender, inputs) = crossbeam_channel::unbounded();
        let signals = Signals::catch().map_err(failed("listen to signals"))?;
        let job_control = JobControl::listen().map_err(failed("listen to signals"))?;
        let pump = start_pump(app, form, zone, &sender)?;
        let mut fronts = SessionFronts::new(teller(&sender, Input::Front));
        // Before anything is started, and before anybody is told that the session is there.
        let opened = fronts.open_all(app).map_err(|error| {
            let (reason, hint) = (error.reason(), Some(error.hint()));
            Error::PortTaken { reason, hint }
        })?;
        let own = control.logs.own.take().map(PumpCommand::RotateLog);
        let of_types = control.logs.of_types.take().map(PumpCommand::CopyToLogs);
        // Before anything is shown.
        own.into_iter().chain(of_types).for_each(|command| pump.post(command));
        let tell = teller(&sender, Input::Client);
        let server = match Server::open(&control.folder, &app.root, tell) {
            Ok((server, listener)) => (Ok(server), Some(listener)),
            // Without a socket, nobody could end a session in the background.
            Err(source) if control.launched => {
                return Err(Error::NoControl { folder: control.folder.clone(), source });
            }
            Err(error) => (Err(error), None),
        };
        Ok(Self { sender, inputs, signals, job_control, pump, fronts, opened, server })
    }
}

/// Returns what sends facts to the session. After its end, they are dropped.
fn teller<T: 'static>(
    sender: &Sender<Input>,
    input: fn(T) -> Input,
) -> impl Fn(T) + Send + Sync + 'static + use<T> {
    let sender = sender.clone();
    move |fact| drop(sender.send(input(fact)))
}

/// Starts the output thread, which sends its events to the session.
fn start_pump(
    app: &App,
    form: LogFormat,
    zone: TimeZone,
    sender: &Sender<Input>,
) -> Result<PumpHandle, Error> {
    let stdout =
        io::stdout().as_fd().try_clone_to_owned().map_err(failed("open standard output"))?;
    let tell = teller(sender, Input::Pump);
    let (pump, _thread) =
        job_control::keep_from(|| Pump::start(form, zone, sources(app), stdout, tell))
            .map_err(failed("start the output thread"))?;
    Ok(pump)
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Startup { what, source }
}

fn cannot_listen(error: &CannotListen) -> Error {
    Error::PortTaken { reason: error.reason(), hint: Some(error.hint()) }
}

fn no_room(why: NoRoom) -> Error {
    match why {
        NoRoom::System(what, source) => failed(what)(source),
        NoRoom::TooMany { instances, needed, limit } => {
            Error::OpenFiles { instances, needed, limit }
        }
    }
}
