//! Lints of PORT: instances that get the same one, and ports that are in use.

use super::{Finding, LintInput, Severity, Speaker};
use crate::app::App;
use crate::app::id::InstanceId;
use crate::app::ports::{PORTS_PER_TYPE, port};
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

/// A process that listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its name, as the system shows it.
    pub program: String,
}

/// Finds types with so many instances that they reach the ports of a later type, and ports over 65535.
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
            Some((of, bad)) if *of == id.process_type => bad.more += 1,
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

    /// Says that somebody has it, and what to do.
    pub fn taken(&self, holder: Option<&Holder>) -> (String, &'static str) {
        let (port, name, more) = (self.port, &self.name, self.more());
        match holder {
            Some(Holder { pid, program }) => (
                format!(
                    "port {port} of `{name}` is taken by `{}` (pid {pid}){more}",
                    printable(program)
                ),
                "stop it, or choose another base with `-p`",
            ),
            None => {
                (format!("port {port} of `{name}` is taken{more}"), "choose another base with `-p`")
            }
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
            PortState::Taken(holder) => unavailable.taken(holder.as_ref()),
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

fn instance_port(subject: LintInput<'_>, at: usize, number: u16) -> Option<u16> {
    port(subject.base_port, InstanceId { process_type: u16::try_from(at).ok()?, number })
}
