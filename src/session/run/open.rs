//! How a session is opened: what must be there before any thread, the threads, the socket of its clients.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{Input, SessionLoop, sources};
use crate::app::{App, Moment};
use crate::control::server::{Listener, MAX_CLIENTS, Server};
use crate::error::Error;
use crate::os::children::Children;
use crate::os::clock::Clock;
use crate::os::job_control::{self, JobControl};
use crate::os::limits::{NoRoom, OpenFiles};
use crate::os::signals::Signals;
use crate::os::spawn::Spawner;
use crate::os::watchdog::Watchdog;
use crate::os::{daemon, inherited, malloc, orphans};
use crate::output::{About, LogFormat, Pump, PumpCommand};
use crate::session::budgets::Budgets;
use crate::session::messages;
use crate::session::readiness::SessionProbes;
use crate::session::requests::{Control, Requests};
use crate::session::trace::Trace;

impl SessionLoop {
    /// Opens a session: nothing has been started yet.
    pub(super) fn open(
        app: Arc<App>,
        form: LogFormat,
        zone: TimeZone,
        control: Control,
    ) -> Result<Self, Error> {
        let fail = |what| move |source: io::Error| Error::Startup { what, source };
        malloc::give_back_what_is_freed();
        inherited::keep_from_children();
        let logs = control.logs.of_types.as_ref().map_or(0, |_| app.types.len());
        let open_files =
            OpenFiles::make_room(&app, MAX_CLIENTS, logs).map_err(|why| match why {
                NoRoom::System(what, source) => fail(what)(source),
                NoRoom::TooMany { instances, needed, limit } => {
                    Error::OpenFiles { instances, needed, limit }
                }
            })?;
        // Before the watchdog, which is to be in pm's own group.
        let (budgets, warning) = Budgets::open(&app);
        // Before any thread: the fork must find one.
        let watchdog = Watchdog::start().map_err(fail("start the guard process"))?;
        let guarded = watchdog.variable();
        orphans::become_subreaper().map_err(|error| fail("become a subreaper")(error.into()))?;
        let (sender, inputs) = crossbeam_channel::unbounded();
        let signals = Signals::catch().map_err(fail("listen to signals"))?;
        let job_control = JobControl::listen().map_err(fail("listen to signals"))?;
        let (pumped, clients) = (sender.clone(), sender.clone());
        // A message to a session that is over is nobody's.
        let tell = move |news| drop(pumped.send(Input::Pump(news)));
        let stdout = std::os::fd::AsFd::as_fd(&io::stdout())
            .try_clone_to_owned()
            .map_err(fail("open standard output"))?;
        let (pump, _thread) =
            job_control::keep_from(|| Pump::start(form, zone, sources(&app), stdout, tell))
                .map_err(fail("start the output thread"))?;
        let own = control.logs.own.map(PumpCommand::RotateLog);
        let of_types = control.logs.of_types.map(PumpCommand::CopyToLogs);
        // Before anything is shown.
        own.into_iter().chain(of_types).for_each(|command| pump.post(command));
        let tell = move |news| drop(clients.send(Input::Client(news)));
        let (opened, listener) = match Server::open(&control.folder, &app.root, tell) {
            Ok((server, listener)) => (Ok(server), Some(listener)),
            // Nobody could ever end it.
            Err(source) if control.launched => {
                watchdog.dismiss();
                return Err(Error::NoControl { folder: control.folder, source });
            }
            Err(error) => (Err(error), None),
        };
        let reports = sender.clone();
        let tell = move |report| drop(reports.send(Input::Probe(report)));
        let readiness = SessionProbes::new(control.folder.clone(), tell);
        let tell = move |heard| drop(sender.send(Input::Heard(heard)));
        job_control::keep_from(|| signals.listen(listener, Listener::accept, tell))
            .map_err(fail("start the thread for signals"))?;
        // Whoever looks which sessions run finds this one.
        drop(control.start_lock);
        if control.launched {
            daemon::tell_ready().map_err(fail("let standard input go"))?;
        }
        let requests = Requests::new(control.procfile, control.reread, pump.clone());
        let mut session = Self {
            app,
            clock: Clock::start(),
            inputs,
            queue: VecDeque::new(),
            spawner: Spawner::new(open_files, guarded),
            terminals: HashMap::new(),
            children: Children::new(watchdog),
            budgets,
            warning,
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
            own_manager: control.notify,
            server: None,
            trace: None,
        };
        if let Some(path) = &control.trace {
            match Trace::open(path) {
                Ok(trace) => session.trace = Some(trace),
                Err(error) => session.say_no_trace(path, &error),
            }
        }
        match opened {
            Ok(server) => {
                session.server = Some(server);
                session.bound_clients();
                Ok(session)
            }
            Err(error) => {
                let text = format!(
                    "`pm status` and the like will not find this session: cannot make a socket in `{}`: {error}",
                    control.folder.display()
                );
                let said =
                    messages::say(About::Session, "no-control", text, serde_json::Value::Null);
                session.say(said.failed());
                Ok(session)
            }
        }
    }
}
