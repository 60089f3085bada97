//! Lints of PORT: instances that get the same one, and ports that are in use.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Finding, LintInput, Severity, Speaker};
use crate::app::App;
use crate::app::id::InstanceId;
use crate::app::ports::{PORTS_PER_TYPE, is_refused_by_browsers, port};
use crate::app::text::printable;

/// Whether a port can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortState {
    /// It can.
    Free,
    /// Someone listens there; who, where that can be seen.
    Taken(Option<Holder>),
    /// This user may not listen there.
    Forbidden,
}

/// A process that has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its name, as the system shows it.
    pub program: String,
    /// What it is of, where pm has started it.
    pub instance: Option<HoldingInstance>,
}

/// An instance of a session that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldingInstance {
    /// `web.1`
    pub name: String,
    /// The root of its session.
    pub root: PathBuf,
}

impl Holder {
    /// Writes `~` for the user's home in the root.
    pub fn below_home(self, home: Option<&Path>) -> Self {
        let instance = self.instance.map(|HoldingInstance { name, root }| {
            let below = home.and_then(|home| root.strip_prefix(home).ok());
            let root = match below {
                Some(below) if below.as_os_str().is_empty() => "~".into(),
                Some(below) => Path::new("~").join(below),
                None => root,
            };
            HoldingInstance { name, root }
        });
        Self { instance, ..self }
    }

    /// Returns `web.1 of ~/app (pid 812, pm)` where pm has started it.
    pub fn as_instance(&self) -> Option<String> {
        let HoldingInstance { name, root } = self.instance.as_ref()?;
        let (name, root) = (printable(name), printable(&root.to_string_lossy()));
        Some(format!("{name} of {root} (pid {}, pm)", self.pid))
    }
}

impl fmt::Display for Holder {
    /// `` `node` (pid 812) ``, or `` `node` (pid 812), web.1 of ~/app ``; without a program, as an instance.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pid, program) = (self.pid, printable(&self.program));
        match &self.instance {
            Some(_) if program.is_empty() => f.write_str(&self.as_instance().unwrap_or_default()),
            Some(HoldingInstance { name, root }) => {
                let (name, root) = (printable(name), printable(&root.to_string_lossy()));
                write!(f, "`{program}` (pid {pid}), {name} of {root}")
            }
            None => write!(f, "`{program}` (pid {pid})"),
        }
    }
}

/// Finds types whose instances reach the ports of a later type, and ports over 65535.
pub(super) fn collisions(subject: LintInput<'_>) -> Vec<Finding> {
    let entries = &subject.procfile.entries;
    let mut found = Vec::new();
    for (at, (entry, &count)) in entries.iter().zip(subject.counts).enumerate() {
        let say = Speaker { procfile: subject.procfile, entry };
        if count > 0 && instance_port(subject, at, count).is_none() {
            let message = format!("PORT of `{}.{count}` would be over 65535", entry.name);
            let finding = say.warn_of_name(
                "port-over-65535",
                message,
                "choose a lower base with `-p`".into(),
            );
            found.push(Finding { severity: Severity::Error, ..finding });
        }
        let reached = entries.iter().zip(subject.counts).enumerate().skip(at + 1).find(
            |(later, (_, later_count))| {
                let distance = PORTS_PER_TYPE * u32::try_from(later - at).unwrap_or(u32::MAX);
                **later_count > 0 && u32::from(count) > distance
            },
        );
        if let Some((later, (other, _))) = reached
            && let Some(port) = instance_port(subject, later, 1)
        {
            let number = PORTS_PER_TYPE * u32::try_from(later - at).unwrap_or(u32::MAX) + 1;
            let message =
                format!("`{}.{number}` and `{}.1` both get port {port}", entry.name, other.name);
            let hint = format!(
                "run at most {} of `{}`, or move it after `{}`",
                number - 1,
                entry.name,
                other.name
            );
            found.push(say.warn_of_name("port-collision", message, hint));
        }
    }
    found
}

/// Finds the ports of what is to run that somebody listens on. One a process type: the first such port, and
/// how many more.
pub fn taken_at_start(app: &App, is_taken: impl Fn(u16) -> bool) -> Vec<UnavailablePort> {
    let mut found: Vec<(u16, UnavailablePort)> = Vec::new();
    for id in app.instances() {
        let Some(port) = app.port_of(id).filter(|port| is_taken(*port)) else { continue };
        match found.last_mut() {
            // Instances that share a socket have one port.
            Some((of, bad)) if *of == id.process_type => bad.more += usize::from(bad.port != port),
            Some(_) | None => {
                found.push((
                    id.process_type,
                    UnavailablePort { name: app.name_of(id), port, more: 0 },
                ));
            }
        }
    }
    found.into_iter().map(|(_, bad)| bad).collect()
}

/// Who has said the base of all ports, and so where another can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseOrigin {
    /// A pm.toml, which every checkout of the project has.
    Project,
    /// A person, or nobody.
    Person,
    /// pm has chosen it.
    Chosen,
}

impl BaseOrigin {
    /// Returns what to do about a port that somebody has, who may be known.
    pub fn instead(self, is_known: bool) -> &'static str {
        match (self, is_known) {
            (Self::Project, true) => {
                "stop it, or write `port = \"auto\"` in pm.toml: each checkout then has ports of its own"
            }
            (Self::Project, false) => {
                "write `port = \"auto\"` in pm.toml: each checkout then has ports of its own"
            }
            (Self::Person, true) => {
                "stop it, or choose another base with `-p`; `-p auto` takes one that is free"
            }
            (Self::Person, false) => {
                "choose another base with `-p`; `-p auto` takes one that is free"
            }
            (Self::Chosen, true) => "stop it, or choose another base with `-p`",
            (Self::Chosen, false) => "choose another base with `-p`",
        }
    }
}

/// A port that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnavailablePort {
    /// The instance that gets it.
    name: String,
    /// The port.
    pub port: u16,
    /// How many more ports of its process type cannot be had.
    more: usize,
}

impl UnavailablePort {
    fn more(&self) -> String {
        match self.more {
            0 => String::new(),
            more => format!(", and {more} more of its ports"),
        }
    }

    /// Says that somebody has it.
    pub fn taken(&self, holder: Option<&Holder>) -> String {
        let (port, name, more) = (self.port, &self.name, self.more());
        match holder {
            Some(holder) => format!("port {port} of `{name}` is taken by {holder}{more}"),
            None => format!("port {port} of `{name}` is taken{more}"),
        }
    }

    /// Says that this user may not listen there, and what to do.
    fn forbidden(&self) -> (String, &'static str) {
        (
            format!("port {} of `{}` is for privileged users{}", self.port, self.name, self.more()),
            "choose a base of 1024 or higher with `-p`",
        )
    }
}

/// Finds ports that cannot be had. One finding a type: the first such port, and how many more.
pub(super) fn taken(subject: LintInput<'_>, state: &dyn Fn(u16) -> PortState) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, (entry, &count)) in subject.procfile.entries.iter().zip(subject.counts).enumerate() {
        let ports =
            (1..=count).filter_map(|number| Some((number, instance_port(subject, at, number)?)));
        let mut bad = ports
            .map(|(number, port)| (number, port, state(port)))
            .filter(|(_, _, state)| *state != PortState::Free);
        let Some((number, port, first)) = bad.next() else { continue };
        let unavailable =
            UnavailablePort { name: format!("{}.{number}", entry.name), port, more: bad.count() };
        let (message, hint) = match first {
            PortState::Free => continue,
            PortState::Taken(holder) => {
                let is_known = holder.is_some();
                (unavailable.taken(holder.as_ref()), subject.base.instead(is_known))
            }
            PortState::Forbidden => unavailable.forbidden(),
        };
        let say = Speaker { procfile: subject.procfile, entry };
        let mut finding = say.warn_of_name("port-taken", message, hint.into());
        // Every instance is given a PORT; that a worker listens there is not to be seen from here.
        if entry.name != "web" && !entry.command.contains("PORT") {
            finding.severity = Severity::Note;
        }
        found.push(finding);
    }
    found
}

/// Finds ports that browsers refuse to connect to. One finding a type: the first such port.
pub(super) fn refused_by_browsers(subject: LintInput<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, (entry, &count)) in subject.procfile.entries.iter().zip(subject.counts).enumerate() {
        let ports =
            (1..=count).filter_map(|number| Some((number, instance_port(subject, at, number)?)));
        let refused = ports.into_iter().find(|(_, port)| is_refused_by_browsers(*port));
        let Some((number, port)) = refused else { continue };
        let message = format!(
            "port {port} of `{}.{number}` is one that browsers refuse (ERR_UNSAFE_PORT)",
            entry.name
        );
        let hint = "choose another base with `-p`, or move the type in the Procfile";
        let say = Speaker { procfile: subject.procfile, entry };
        found.push(say.warn_of_name("unsafe-port", message, hint.into()));
    }
    found
}

fn instance_port(subject: LintInput<'_>, at: usize, number: u16) -> Option<u16> {
    port(subject.base_port, InstanceId { process_type: u16::try_from(at).ok()?, number })
}
