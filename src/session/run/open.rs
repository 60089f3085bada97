//! How a session is opened: what must be done before there are threads, the threads, and the socket for clients.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::Sender;
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
use crate::session::fronts::{RunPorts, SessionFronts};
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
        control: Control,
    ) -> Result<Self, Error> {
        malloc::give_back_what_is_freed();
        inherited::keep_from_children();
        let logs = control.logs.of_types.as_ref().map_or(0, |_| app.types.len());
        let files = logs + SharedSockets::descriptors(&app);
        let open_files = OpenFiles::make_room(&app, MAX_CLIENTS, files).map_err(no_room)?;
        // Before the watchdog, which must be in pm's own cgroup.
        let (budgets, warning) = Budgets::open(&app);
        // Before any thread: the watchdog is forked.
        let plan = control.terminal;
        // Whoever cannot remember the modes does not change them.
        let modes = plan.keys.then(|| OwnModes::of_stdin().ok()).flatten();
        let guarded_modes = modes.as_ref().and_then(|modes| modes.try_clone().ok());
        let modes = modes.filter(|_| guarded_modes.is_some());
        let watchdog = Watchdog::start(guarded_modes).map_err(failed("start the guard process"))?;
        let guarded = watchdog.variable();
        // Behind the watchdog, which would keep them open.
        let sockets = match SharedSockets::open(&app) {
            Ok(sockets) => sockets,
            Err(error) => {
                watchdog.dismiss();
                return Err(cannot_listen(&error));
            }
        };
        let left = orphans::become_subreaper();
        let left = left.map_err(|error| failed("become a subreaper")(error.into()))?;
        let warnings = warning.into_iter().chain(left).collect();
        let (sender, inputs) = crossbeam_channel::unbounded();
        let signals = Signals::catch().map_err(failed("listen to signals"))?;
        let job_control = JobControl::listen().map_err(failed("listen to signals"))?;
        let pump = start_pump(&app, form, zone, sender.clone())?;
        let news = sender.clone();
        let mut fronts = SessionFronts::new(move |told| drop(news.send(Input::Front(told))));
        // Before anything is started, and before anybody is told that the session is there.
        let opened = match fronts.open_all(&app) {
            Ok(opened) => opened,
            Err(error) => {
                watchdog.dismiss();
                let (reason, hint) = (error.reason(), Some(error.hint()));
                return Err(Error::PortTaken { reason, hint });
            }
        };
        let own_paths = control.own_paths();
        let own = control.logs.own.map(PumpCommand::RotateLog);
        let of_types = control.logs.of_types.map(PumpCommand::CopyToLogs);
        // Before anything is shown.
        own.into_iter().chain(of_types).for_each(|command| pump.post(command));
        let clients = sender.clone();
        let tell = move |news| drop(clients.send(Input::Client(news)));
        let (server, listener) = match Server::open(&control.folder, &app.root, tell) {
            Ok((server, listener)) => (Ok(server), Some(listener)),
            // Without a socket, nobody could end a session in the background.
            Err(source) if control.launched => {
                watchdog.dismiss();
                return Err(Error::NoControl { folder: control.folder, source });
            }
            Err(error) => (Err(error), None),
        };
        let reports = sender.clone();
        let tell = move |report| drop(reports.send(Input::Probe(report)));
        let readiness = SessionProbes::new(control.folder.clone(), tell);
        let reports = sender.clone();
        let tell = move |report| drop(reports.send(Input::Watch(report)));
        let watching = SessionWatch::new(own_paths, tell);
        let typed = sender.clone();
        let tell = move |bytes| drop(typed.send(Input::Typed(bytes)));
        let screen = job_control::keep_from(|| OwnScreen::open(plan, modes, tell))
            .map_err(failed("start the thread for keys"))?;
        let looks = sender.clone();
        let tell = move |heard| drop(sender.send(Input::Heard(heard)));
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
            looks,
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
        if let Some(plan) = &control.keep {
            match KeptRun::begin(plan, &session.pump) {
                Ok(kept) => session.kept = Some(kept),
                Err(error) => session.say_not_kept(plan, &error),
            }
        }
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

/// Starts the output thread, which sends its events to the session.
fn start_pump(
    app: &App,
    form: LogFormat,
    zone: TimeZone,
    sender: Sender<Input>,
) -> Result<PumpHandle, Error> {
    let stdout =
        io::stdout().as_fd().try_clone_to_owned().map_err(failed("open standard output"))?;
    // After the end of the session, its events are dropped.
    let tell = move |news| drop(sender.send(Input::Pump(news)));
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
