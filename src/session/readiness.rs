//! The probes of a session and their last answers.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use nix::unistd::Pid;

use super::probes::{ProbeOrder, ProbeReport, Probes, Watched};
use crate::app::readiness::{Probe, Readiness};
use crate::app::shell;
use crate::app::{App, InstanceId, RunId};
use crate::os::notify_socket::NotifySocket;

/// The details of a run's readiness, for `pm status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReadinessDetail {
    /// The probe that must still succeed, as written in pm.toml.
    pub(super) probe: Option<String>,
    /// Its last answer.
    pub(super) answer: Option<String>,
    /// The status text of the program.
    pub(super) status: Option<String>,
}

/// The probes of a session, and what they have found.
pub(super) struct SessionProbes {
    probes: Probes,
    /// Runs that are probed.
    asked: HashSet<RunId>,
    details: HashMap<RunId, ReadinessDetail>,
    /// The notification sockets of runs that will be probed after their start.
    sockets: HashMap<RunId, NotifySocket>,
    /// Runs that have a socket, here or where they are asked.
    notified: HashSet<RunId>,
    /// The PORT of runs that were given one.
    ports: HashMap<RunId, u16>,
    /// The sockets of runs that share one, by their inodes.
    shared: HashMap<RunId, u64>,
    /// The folder for these.
    folder: PathBuf,
}

/// Returns the run that stands for a type that this session does not start.
pub(super) fn outside(process_type: u16) -> RunId {
    RunId { instance: InstanceId { process_type, number: 1 }, seq: 0 }
}

impl SessionProbes {
    pub(super) fn new(folder: PathBuf, tell: impl Fn(ProbeReport) + Send + Sync + 'static) -> Self {
        Self {
            probes: Probes::new(tell),
            asked: HashSet::new(),
            details: HashMap::new(),
            sockets: HashMap::new(),
            notified: HashSet::new(),
            ports: HashMap::new(),
            shared: HashMap::new(),
            folder,
        }
    }

    /// Makes the notification socket of a run that is about to start, if it needs one. Returns the variables for its
    /// environment. The error is for a person.
    pub(super) fn prepare(
        &mut self,
        app: &App,
        run: RunId,
    ) -> Result<Vec<(&'static str, OsString)>, String> {
        let policy = &app.type_of(run.instance).policy;
        if !policy.has_notify_socket() {
            return Ok(Vec::new());
        }
        let watchdog = policy.live.as_ref().filter(|live| live.probe == Probe::Notify);
        let InstanceId { process_type, number } = run.instance;
        // The thread may drop the previous run's socket late, and remove its file.
        let name = format!("{}-{process_type}-{number}-{}.notify", std::process::id(), run.seq);
        let path = self.folder.join(name);
        let socket = NotifySocket::bind(path.clone()).map_err(|error| {
            format!("cannot start: cannot make its NOTIFY_SOCKET `{}`: {error}", path.display())
        })?;
        let mut extra = vec![("NOTIFY_SOCKET", path.into_os_string())];
        if let Some(live) = watchdog {
            extra.push(("WATCHDOG_USEC", live.interval.as_micros().to_string().into()));
        }
        self.sockets.insert(run, socket);
        self.notified.insert(run);
        Ok(extra)
    }

    /// Takes note of the PORT of a run, which its probes may be about.
    pub(super) fn has_port(&mut self, run: RunId, port: u16) {
        self.ports.insert(run, port);
    }

    /// Takes note of the socket that a run was given, by its inode.
    pub(super) fn has_socket(&mut self, run: RunId, inode: u64) {
        self.shared.insert(run, inode);
    }

    /// Begins to probe a run with this leader.
    pub(super) fn begin(&mut self, app: &App, run: RunId, leader: Pid) -> io::Result<()> {
        let watched = self.watched(app, run, leader);
        self.ask(watched)
    }

    /// Begins to look whether a run listens on its PORT, which its type does not ask for.
    pub(super) fn begin_port(&mut self, app: &App, run: RunId, leader: Pid) -> io::Result<()> {
        let timeout = app.type_of(run.instance).policy.ready_timeout;
        let ready = Readiness { probes: vec![Probe::Port(None)], timeout };
        let watched = Watched { ready: Some(ready), ..self.watched(app, run, leader) };
        self.ask(watched)
    }

    /// Ends the look whether a run listens on its PORT; whether it is alive is asked on.
    pub(super) fn end_port(&self, run: RunId) {
        self.post(ProbeOrder::EndStart(run));
    }

    /// Begins to ask a run whether it is alive, if it is to be asked that, and no longer in another way.
    pub(super) fn begin_living(&mut self, app: &App, run: RunId, leader: Pid) -> io::Result<()> {
        let is_living = app.type_of(run.instance).policy.live.is_some();
        if !is_living && !self.is_asked(run) {
            return Ok(());
        }
        let watched = Watched { ready: None, ..self.watched(app, run, leader) };
        self.asked.insert(run);
        self.probes.post(ProbeOrder::Live(Box::new(watched)))
    }

    fn watched(&mut self, app: &App, run: RunId, leader: Pid) -> Watched {
        let own = app.type_of(run.instance);
        Watched {
            run,
            name: app.name_of(run.instance),
            leader,
            port: self.ports.get(&run).copied().or_else(|| app.port_of(run.instance)),
            shared: self.shared.get(&run).copied(),
            is_out_of_sight: shell::is_container_client(&own.command),
            ready: own.policy.ready.clone(),
            live: own.policy.live.clone(),
            notify: self.sockets.remove(&run),
        }
    }

    /// Begins to probe for a type that this session does not start.
    pub(super) fn begin_outside(&mut self, app: &App, process_type: u16) -> io::Result<()> {
        let run = outside(process_type);
        let own = &app.types[usize::from(process_type)];
        let ready = own.policy.ready.clone().map(|mut ready| {
            ready.probes.retain(Probe::works_from_outside);
            ready
        });
        let watched = Watched {
            run,
            name: own.name.clone(),
            leader: Pid::from_raw(0),
            port: None,
            shared: None,
            is_out_of_sight: true,
            ready,
            live: None,
            notify: None,
        };
        self.ask(watched)
    }

    fn ask(&mut self, watched: Watched) -> io::Result<()> {
        self.asked.insert(watched.run);
        self.probes.post(ProbeOrder::Begin(Box::new(watched)))
    }

    /// Ends the probes of a run. Reports that the thread sent before are ignored.
    pub(super) fn end(&mut self, run: RunId) {
        self.asked.remove(&run);
        self.post(ProbeOrder::End(run));
    }

    pub(super) fn is_asked(&self, run: RunId) -> bool {
        self.asked.contains(&run)
    }

    /// Sends an order to the thread. Without a thread, nothing is probed, and the order is dropped.
    pub(super) fn post(&self, order: ProbeOrder) {
        // It only fails if the thread must be started, which only `Begin` and `Live` do.
        let _ = self.probes.post(order);
    }

    pub(super) fn detail(&mut self, run: RunId) -> &mut ReadinessDetail {
        self.details.entry(run).or_default()
    }

    /// Forgets a run that is over.
    pub(super) fn forget(&mut self, run: RunId) {
        if self.asked.remove(&run) {
            self.post(ProbeOrder::End(run));
        }
        self.details.remove(&run);
        self.sockets.remove(&run);
        self.notified.remove(&run);
        self.ports.remove(&run);
        self.shared.remove(&run);
    }

    /// Returns how many runs have a socket for their notices.
    pub(super) fn sockets(&self) -> usize {
        self.notified.len()
    }

    /// Returns the runs that are asked.
    pub(super) fn runs(&self) -> impl Iterator<Item = RunId> {
        self.asked.iter().copied()
    }

    /// Returns how many runs are asked, at most.
    pub(super) fn asked(&self) -> usize {
        self.asked.len()
    }

    /// Returns the details of a run's readiness.
    pub(super) fn of_run(&self, run: RunId) -> Option<&ReadinessDetail> {
        self.details.get(&run)
    }

    /// Returns the details of an instance's readiness: those of its newest run.
    pub(super) fn of(&self, id: InstanceId) -> Option<&ReadinessDetail> {
        let known = self.details.iter().filter(|(run, _)| run.instance == id);
        known.max_by_key(|(run, _)| run.seq).map(|(_, detail)| detail)
    }

    /// Returns the probe that an instance must still pass to be ready.
    pub(super) fn probe_of(&self, id: InstanceId) -> Option<String> {
        self.of(id)?.probe.clone()
    }

    /// Returns why an instance is not ready: the probe and its last answer.
    pub(super) fn cause(&self, id: InstanceId) -> Option<String> {
        let detail = self.of(id)?;
        let probe = detail.probe.as_deref()?;
        Some(match detail.answer.as_deref() {
            None | Some("") => probe.to_owned(),
            Some(answer) => format!("{probe} {answer}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Environment, ExitOn, Policy, ProcessType};

    fn an_app() -> App {
        let ready =
            Readiness { probes: vec![Probe::Notify], timeout: std::time::Duration::from_secs(60) };
        let policy = Policy { ready: Some(ready), ..Policy::default() };
        App {
            root: "/".into(),
            types: vec![ProcessType { policy, ..ProcessType::of("web", "") }],
            environment: Environment::default(),
            base_port: 5000,
            exit_on: ExitOn::Failure,
        }
    }

    fn run(seq: u32) -> RunId {
        RunId { instance: InstanceId { process_type: 0, number: 1 }, seq }
    }

    #[test]
    fn a_socket_that_is_let_go_late_takes_nothing_from_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut readiness = SessionProbes::new(folder.path().to_owned(), |_| {});
        readiness.prepare(&an_app(), run(1)).unwrap();
        let second = readiness.prepare(&an_app(), run(2)).unwrap();
        readiness.forget(run(1));
        assert!(std::path::Path::new(&second[0].1).exists());
    }

    #[test]
    fn a_run_is_asked_from_its_beginning_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut readiness = SessionProbes::new(folder.path().to_owned(), |_| {});
        readiness.begin(&an_app(), run(1), Pid::this()).unwrap();
        assert!(readiness.is_asked(run(1)) && !readiness.is_asked(run(2)));
        readiness.end(run(1));
        assert!(!readiness.is_asked(run(1)));
    }
}
