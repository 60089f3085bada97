//! The application as the supervisor and the exporters see it: every process type of the
//! Procfile with its command, count and policy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::dependencies::Dependency;
use super::environment::Environment;
use super::file_watch::FileWatch;
use super::front::{DRAIN, Front, PortSlot, Update};
use super::id::InstanceId;
use super::limits::{Budget, Limits};
use super::ports;
use super::readiness::{Liveness, Probe, READY_TIMEOUT, Readiness};
use super::siblings;
use super::signal::Signal;

/// Everything that is needed to run or export the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The folder that commands run in; absolute.
    pub root: PathBuf,
    /// Every process type of the Procfile, in its order, also those that do not run.
    pub types: Vec<ProcessType>,
    /// What every instance gets, before its own PORT and name.
    pub environment: Environment,
    /// PORT of the first instance of the first process type.
    pub base_port: u16,
    /// Which end of an instance ends the session.
    pub exit_on: ExitOn,
}

/// A named command of the Procfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessType {
    /// `web`
    pub name: String,
    /// The command, for `/bin/sh -c`.
    pub command: String,
    /// Where it stands in the Procfile, from 1.
    pub line: usize,
    /// How many instances are wanted; 0: it does not run.
    pub count: u16,
    /// Variables of this type alone, over the application's.
    pub environment: Environment,
    /// The folder of this type's commands, where it is not the root.
    pub directory: Option<PathBuf>,
    /// Its output is read but not printed.
    pub quiet: bool,
    /// What the kernel holds each of its processes to.
    pub limits: Limits,
    /// What its standard input and output are.
    pub stdio: Stdio,
    /// The one address of all its instances. `None`: each is reached at its own.
    pub front: Option<Front>,
    /// The host of the socket that all its instances share, on the port of the first. `None`: each has a port.
    pub share_port: Option<String>,
    /// How it lives and dies.
    pub policy: Policy,
}

impl ProcessType {
    /// Returns the folder that its commands run in.
    pub fn folder<'a>(&'a self, root: &'a Path) -> &'a Path {
        self.directory.as_deref().unwrap_or(root)
    }
}

#[cfg(test)]
impl ProcessType {
    /// Returns one instance of a command, with nothing else said about it.
    pub(crate) fn of(name: &str, command: &str) -> Self {
        Self {
            name: name.to_owned(),
            command: command.to_owned(),
            line: 1,
            count: 1,
            environment: Environment::default(),
            directory: None,
            quiet: false,
            limits: Limits::default(),
            stdio: Stdio::default(),
            front: None,
            share_port: None,
            policy: Policy::default(),
        }
    }
}

/// What an instance reads from and writes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stdio {
    /// Pipes; nothing ever comes on standard input, and it does not end.
    #[default]
    Pipes,
    /// A terminal of its own.
    Terminal,
}

/// How instances of a process type live and die.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which ends lead to a new start.
    pub restart: Restart,
    /// How many restarts in a row before it has failed for good.
    pub max_restarts: u32,
    /// What asks it to end.
    pub stop_signal: Signal,
    /// Whom that goes to first.
    pub stop_signal_to: Reach,
    /// Time between the stop signal and SIGKILL.
    pub grace: Duration,
    /// When it runs.
    pub role: Role,
    /// The memory that it may use.
    pub budget: Option<Budget>,
    /// When it is ready. `None`: as soon as it is started.
    pub ready: Option<Readiness>,
    /// How long a run may take to be ready: also one without `ready` of which only the port is asked (behind a front).
    pub ready_timeout: Duration,
    /// How it is asked whether it still works, from when it is ready.
    pub live: Option<Liveness>,
    /// What must be there before it starts.
    pub depends_on: Vec<Dependency>,
    /// What follows when something that it depends on was started again.
    pub on_dependency_restart: OnDependencyRestart,
    /// Which of its files are watched, and what a change leads to.
    pub watch: Option<FileWatch>,
    /// How long a stop waits for the requests that it is answering behind a front.
    pub drain: Duration,
    /// How it is replaced when it is restarted.
    pub update: Update,
}

impl Policy {
    /// Returns what must hold for an instance to be ready; nothing where it has no `ready`.
    pub fn ready_probes(&self) -> impl Iterator<Item = &Probe> {
        self.ready.iter().flat_map(|ready| &ready.probes)
    }

    /// Returns whether its instances are asked whether they are ready or alive.
    pub fn is_probed(&self) -> bool {
        self.ready.is_some() || self.live.is_some()
    }

    /// Returns whether its instances are told a `NOTIFY_SOCKET`.
    pub fn has_notify_socket(&self) -> bool {
        let live = self.live.iter().map(|live| &live.probe);
        self.ready_probes().chain(live).any(|probe| *probe == Probe::Notify)
    }

    /// Returns the memory budget in bytes.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.budget.map(|budget| budget.size.bytes())
    }
}

impl Policy {
    /// Returns how long a run that is asked whether it is ready may take.
    pub(crate) fn time_to_be_ready(&self) -> Duration {
        self.ready.as_ref().map_or(self.ready_timeout, |ready| ready.timeout)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            restart: Restart::OnFailure,
            max_restarts: 5,
            stop_signal: Signal::TERM,
            stop_signal_to: Reach::Program,
            grace: Duration::from_secs(5),
            role: Role::Service,
            budget: None,
            ready: None,
            ready_timeout: READY_TIMEOUT,
            live: None,
            depends_on: Vec::new(),
            on_dependency_restart: OnDependencyRestart::Ignore,
            watch: None,
            drain: DRAIN,
            update: Update::default(),
        }
    }
}

/// Whom of an instance a signal goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Reach {
    /// The program, and not what it has started; where a shell leads, what the shell has started itself, too
    Program,
    /// Every process of its group
    Group,
}

/// When a process type runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// With the others, for as long as the session lasts.
    Service,
    /// With the others, to its end: exit 0 is what it is for.
    Once,
    /// Once, alone, before the others; they start when it has exited 0 (Heroku's `release`).
    Release,
}

/// What follows for an instance when something that it depends on was started again and is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnDependencyRestart {
    /// Nothing; it goes on
    Ignore,
    /// It is restarted
    Restart,
}

/// Which ends of an instance lead to a new start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Restart {
    /// Never
    Never,
    /// After an exit code other than 0, or a signal that pm did not send
    OnFailure,
    /// After every end
    Always,
}

/// Which end of an instance ends the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExitOn {
    /// When the first instance ends, with its exit code; nothing is restarted
    First,
    /// When an instance has failed for good, with its exit code
    Failure,
    /// When all instances have ended, with the first exit code other than 0
    All,
}

impl App {
    /// Returns what each process type depends on, in the order of the Procfile.
    pub fn dependencies(&self) -> Vec<&[Dependency]> {
        self.types.iter().map(|own| own.policy.depends_on.as_slice()).collect()
    }

    /// Returns the process type of an instance.
    ///
    /// # Panics
    /// When the instance is not one of this application: ids are only made from it.
    pub fn type_of(&self, id: InstanceId) -> &ProcessType {
        &self.types[usize::from(id.process_type)]
    }

    /// Returns `web.2`.
    pub fn name_of(&self, id: InstanceId) -> String {
        format!("{}.{}", self.type_of(id).name, id.number)
    }

    /// Returns every wanted instance, in the order of the Procfile.
    pub fn instances(&self) -> impl Iterator<Item = InstanceId> + '_ {
        let types = self.types.iter().zip(0_u16..);
        types.flat_map(|(t, process_type)| {
            (1..=t.count).map(move |number| InstanceId { process_type, number })
        })
    }

    /// Returns the PORT of an instance, by foreman's rule (engine.rb, `port_for`):
    /// base + 100 × position of the type + number - 1. Instances that share a socket have the port of the first; behind
    /// a front, theirs begin with the next one. `None` where that is over 65535.
    pub fn port_of(&self, id: InstanceId) -> Option<u16> {
        self.port_in(id, PortSlot::Usual)
    }

    /// Returns the PORT of a run in this slot. Only behind a front there are two: elsewhere both are the same port.
    pub fn port_in(&self, id: InstanceId, slot: PortSlot) -> Option<u16> {
        let Some(own) = self.types.get(usize::from(id.process_type)) else {
            return ports::port(self.base_port, id);
        };
        match (&own.front, &own.share_port) {
            (Some(_), _) => ports::behind_front(self.base_port, id, slot),
            (None, Some(_)) => ports::port(self.base_port, InstanceId { number: 1, ..id }),
            (None, None) => ports::port(self.base_port, id),
        }
    }

    /// Returns the port at which a process type is reached: that of its front, else that of its first instance.
    pub fn address_of(&self, process_type: u16) -> Option<u16> {
        let first = InstanceId { process_type, number: 1 };
        match self.types.get(usize::from(process_type)).and_then(|own| own.front.as_ref()) {
            Some(front) => front.port.or_else(|| ports::port(self.base_port, first)),
            None => self.port_of(first),
        }
    }

    /// Returns the whole environment of one instance.
    pub fn environment_of(&self, id: InstanceId) -> Environment {
        let mut all = self.environment.clone();
        all.extend(&self.type_of(id).environment);
        all.extend(&self.own_environment_of(id));
        all.extend(&self.ports_environment());
        all
    }

    /// Returns what every instance gets, with the ports of all: for a command that is none of them.
    pub(crate) fn shared_environment(&self) -> Environment {
        let mut all = self.environment.clone();
        siblings::resolve_references(self, &Environment::default(), &mut all);
        all.extend(&self.ports_environment());
        all
    }

    /// Returns the ports and addresses of all types, which every instance gets over everything else.
    pub(crate) fn ports_environment(&self) -> Environment {
        siblings::ports_environment(self)
    }

    /// Returns what one instance has for itself, over the application's environment and its type's: PORT, and its name
    /// as foreman (PS), node-foreman (`FOREMAN_WORKER_NAME`) and honcho (`HONCHO_PROCESS_NAME`) say it.
    pub(crate) fn own_environment_of(&self, id: InstanceId) -> Environment {
        let mut own = Environment::default();
        siblings::resolve_references(self, &self.type_of(id).environment, &mut own);
        if let Some(port) = self.port_of(id) {
            own.set_by_pm("PORT", &port.to_string());
        }
        let name = self.name_of(id);
        for key in ["PS", "FOREMAN_WORKER_NAME", "HONCHO_PROCESS_NAME"] {
            own.set_by_pm(key, &name);
        }
        own
    }
}
