//! What a format is, and the table of all of them: one file per format, and beside them what several share:
//! [`container`], [`script`], [`service_folder`] and [`xml`].

pub(crate) mod bluepill;
pub(crate) mod compose;
mod container;
pub(crate) mod daemon;
pub(crate) mod inittab;
pub(crate) mod kubernetes;
pub(crate) mod launchd;
pub(crate) mod nomad;
pub(crate) mod quadlet;
pub(crate) mod runit;
pub(crate) mod s6;
mod script;
mod service_folder;
pub(crate) mod smf;
pub(crate) mod supervisord;
pub(crate) mod systemd;
pub(crate) mod upstart;
mod xml;

use super::context::Export;
use super::{ExportError, File, verify};
use crate::app::ProcessType;
use crate::app::nearest::nearest;

/// One format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What it is called.
    pub name: &'static str,
    /// When to use it, for `--help`.
    pub when: &'static str,
    /// What to do with the files, with `DIR` for the export's folder, `APP` for the application, `LOG` for the folder of
    /// its logs and `INITTAB` for the file with the lines of an inittab.
    pub install: &'static str,
    /// Its templates: file name and text.
    pub templates: &'static [(&'static str, &'static str)],
    /// What it can write: paths below the export's folder, with `APP`, `TYPE` and `N` for the application, a
    /// process type and the number of an instance.
    pub paths: &'static [&'static str],
    /// What it runs: programs of this machine, or a container image.
    pub runs: Runs,
    /// It can write for a person's own service manager ([`Scope::User`](super::Scope::User)).
    pub has_user_scope: bool,
    /// It can close services in ([`Hardening::Sandbox`](super::Hardening::Sandbox)).
    pub has_sandbox: bool,
    /// Who keeps its logs short.
    pub logs: Logs,
    /// What an application may ask for and this format cannot say.
    pub leaves_out: &'static [Feature],
    /// What of readiness, dependencies and liveness it can say.
    pub asks: Can,
    /// What becomes of the address that several instances have in common.
    pub addresses: Addresses,
    /// How its consumer's own checker is called.
    pub checkers: &'static [verify::Checker],
    /// Makes its files.
    pub(crate) render: fn(&Export<'_>) -> Result<Vec<File>, ExportError>,
}

/// Who keeps the logs of a format short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logs {
    /// Its consumer, as its files say.
    Consumer,
    /// logrotate(8), as a file beside the others says: they are files that grow.
    Logrotate,
    /// Something else, which has a setting of its own.
    Other {
        /// What, and where.
        setting: &'static str,
    },
}

/// What the consumer of a format starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Programs on the machine that it runs on.
    Programs,
    /// Containers of an image.
    Containers {
        /// What happens where none was named, with `APP` for the application.
        without_image: &'static str,
    },
}

/// What a format can say of `share-port`, `proxy` and `update`.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Who gets the listening socket of a type.
    pub socket: SocketFor,
    /// Its consumer has one address for all instances of a type, and can replace them one after the other.
    pub are_balanced: bool,
    /// Where an instance finds the other types.
    pub others: Others,
}

/// Where an instance finds another type: what `${PM_URL_API}` of pm.toml becomes.
#[derive(Clone, Copy, Debug)]
pub enum Others {
    /// On its own machine, at the ports that pm gives.
    Here,
    /// On a host for each type, which this names for an application: at the ports that pm gives. `None` for a type without one.
    Hosts(fn(&str, &ProcessType) -> Option<String>),
    /// Where nobody can tell: a container of its own.
    Apart,
    /// Where its consumer starts it, at a port that it chooses.
    Chosen,
}

impl Others {
    /// Returns the host of a type of an application, where it has one of its own.
    pub(crate) fn host(self, app: &str, other: &ProcessType) -> Option<String> {
        match self {
            Self::Hosts(host) => host(app, other),
            Self::Here | Self::Apart | Self::Chosen => None,
        }
    }
}

/// Who gets a shared listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketFor {
    /// Every instance.
    All,
    /// One instance: a socket belongs to one service.
    One,
    /// Nobody.
    Nobody,
}

impl Addresses {
    /// Each instance has a port of its own.
    pub(crate) const APART: Self =
        Self { socket: SocketFor::Nobody, are_balanced: false, others: Others::Here };
    /// They have one address, and no socket.
    pub(crate) const BALANCED: Self = Self { are_balanced: true, ..Self::APART };
}

/// What a format can say of `ready`, `live` and `depends-on`.
#[derive(Clone, Copy, Debug)]
pub struct Can {
    /// Its consumer knows when a service is ready.
    pub readiness: bool,
    /// `notify` is one of the things that make it ready.
    pub notify: bool,
    /// So is `delay`.
    pub delay: bool,
    /// Only one thing makes ready: `notify`, or what is asked.
    pub has_one_sign: bool,
    /// How it learns that something else is ready: [`Asks::Notify`] if its consumer tells it.
    pub others: Asks,
    /// It leaves alone what has ended well.
    pub once: bool,
    /// How it waits for a start.
    pub starts: Starts,
    /// It waits for the end of a `once`.
    pub ends: bool,
    /// It restarts what no longer works.
    pub liveness: Asks,
    /// It restarts what depends on something that is restarted.
    pub restarts_with: bool,
    /// It restarts what is not ready in time.
    pub ends_unready: bool,
    /// What it asks of what is not exported.
    pub outside: Outside,
}

/// How something is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// By what the service tells.
    Notify,
    /// By asking.
    Probes,
    /// By a connection to its one open port, for which its consumer has a name.
    Port,
    /// Not at all.
    Nothing,
}

/// How a start is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// By itself.
    Told,
    /// With readiness, or with the end of what runs once: there is one state for both.
    WithReadiness,
    /// What depends on it is started after it.
    InOrder,
    /// With what is known of its open port.
    Port,
    /// Not at all.
    Unknown,
}

/// What is asked of what somebody else runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Ports of this machine too.
    Asked,
    /// Commands and other hosts: a container has its own ports.
    Elsewhere,
}

impl Can {
    /// A script asks what it depends on before it becomes the service.
    pub(crate) const SCRIPT: Self = Self {
        readiness: false,
        notify: false,
        delay: false,
        has_one_sign: false,
        others: Asks::Probes,
        once: true,
        starts: Starts::Unknown,
        ends: false,
        liveness: Asks::Nothing,
        restarts_with: false,
        ends_unready: false,
        outside: Outside::Asked,
    };
    /// As [`Self::SCRIPT`], in a container.
    pub(crate) const CONTAINER: Self = Self { outside: Outside::Elsewhere, ..Self::SCRIPT };
}

/// Something that carries over to most formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// A memory limit.
    Memory,
    /// The one-shot type `release`.
    Release,
    /// Which ends are restarted.
    Restart,
    /// A stop signal other than TERM.
    StopSignal,
    /// The time between the stop signal and SIGKILL.
    StopTimeout,
    /// A limit of open files.
    OpenFiles,
    /// How far it stands back for others.
    Niceness,
    /// A limit of CPU time.
    CpuTime,
    /// The CPUs that it may use.
    CpuNumbers,
}

/// Every format, in the order of the help.
pub const FORMATS: [&Format; 14] = [
    &systemd::FORMAT,
    &supervisord::FORMAT,
    &runit::FORMAT,
    &s6::FORMAT,
    &launchd::FORMAT,
    &upstart::FORMAT,
    &inittab::FORMAT,
    &daemon::FORMAT,
    &bluepill::FORMAT,
    &smf::FORMAT,
    &compose::FORMAT,
    &quadlet::FORMAT,
    &kubernetes::FORMAT,
    &nomad::FORMAT,
];

/// Returns the format called `name`.
pub fn format(name: Option<&str>) -> Result<&'static Format, ExportError> {
    let known: Vec<&'static str> = FORMATS.iter().map(|format| format.name).collect();
    let Some(name) = name else {
        return Err(ExportError::NoFormat { known });
    };
    FORMATS.into_iter().find(|format| format.name == name).ok_or_else(|| {
        let nearest = nearest(name, known.iter().copied());
        ExportError::UnknownFormat { name: name.to_owned(), nearest, known }
    })
}
