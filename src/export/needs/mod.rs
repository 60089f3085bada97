//! What an instance waits for, and what it says of itself: whom it depends on, when it is ready, and what becomes of
//! it after its end.

mod ask;
mod waits;

use serde_json::{Value, json};

use super::context::{Export, Instance, Service, whole_seconds};
use super::quote::sh;
use crate::app::dependencies::Milestone;
use crate::app::readiness::Probe;
use crate::app::shell::uses_variable;
use crate::app::{OnDependencyRestart, ProcessType, Restart, Role};

pub(crate) use ask::{At, PM_WAIT, http_at, is_elsewhere, one_line, port_at};
pub(crate) use waits::{Otherwise, Whom};

/// Something that an instance depends on.
pub(crate) struct Need<'s> {
    /// Its type.
    pub(crate) service: &'s Service<'s>,
    /// Which of its instances.
    pub(crate) instances: Vec<Instance<'s>>,
    /// What they must have reached.
    pub(crate) milestone: Milestone,
}

impl Need<'_> {
    /// Returns whether its end is waited for.
    pub(crate) fn is_done(&self) -> bool {
        self.milestone == Milestone::Done
    }
}

impl<'a> Export<'a> {
    /// Returns what a type depends on, without what is not exported. `release` is not among it: it runs before all.
    pub(crate) fn needs_of<'s>(&'s self, service: &Service<'_>) -> Vec<Need<'s>>
    where
        'a: 's,
    {
        let mut needs = Vec::new();
        for need in &service.policy.depends_on {
            let found = self.services.iter().find(|other| other.position == need.process_type);
            let Some(found) = found else { continue };
            let is_meant = |number: usize| need.number.is_none_or(|n| usize::from(n) == number);
            let all = (1..).zip(self.instances_of(found));
            let instances: Vec<_> =
                all.filter(|(number, _)| is_meant(*number)).map(|(_, one)| one).collect();
            if !instances.is_empty() {
                needs.push(Need { service: found, instances, milestone: need.milestone });
            }
        }
        needs
    }

    /// Returns what a type depends on and somebody else runs, where it can be asked from outside: its first instance.
    pub(crate) fn outside_of<'s>(&'s self, service: &Service<'_>) -> Vec<Instance<'s>>
    where
        'a: 's,
    {
        let is_needed = |other: &&Service<'_>| {
            service.policy.depends_on.iter().any(|need| need.process_type == other.position)
        };
        let found = self.outside.iter().filter(is_needed);
        found.flat_map(|other| self.instances_of(other).take(1)).collect()
    }
}

/// Returns whether a probe tells that its type has a port that others connect to.
pub(crate) fn opens_port(probe: &Probe) -> bool {
    match probe {
        Probe::Port(_) => true,
        Probe::Http(http) => http.authority.is_none(),
        Probe::Log(_) | Probe::Command(_) | Probe::Notify | Probe::Delay(_) => false,
    }
}

/// Returns whether other programs connect to a type: it is called `web`, its command names PORT, or it is ready when a
/// port is open.
pub(crate) fn has_port(own: &ProcessType) -> bool {
    own.name == "web"
        || uses_variable(&own.command, "PORT")
        || own.policy.ready_probes().any(opens_port)
}

impl Service<'_> {
    /// Returns the seconds that it may take to be ready.
    pub(crate) fn ready_seconds(&self) -> u64 {
        self.policy.ready.as_ref().map_or(1, |ready| whole_seconds(ready.timeout))
    }

    /// Returns the seconds of `delay`, the longest where there are several.
    pub(crate) fn delay_seconds(&self) -> Option<u64> {
        let delays = self.policy.ready_probes().filter_map(|probe| match probe {
            Probe::Delay(time) => Some(whole_seconds(*time)),
            _ => None,
        });
        delays.max()
    }

    /// Returns the one port that other containers reach: what `ready` names where its command does not name PORT.
    pub(crate) fn open_port(&self) -> u16 {
        let named = self.policy.ready_probes().find_map(|probe| match probe {
            Probe::Port(port) => *port,
            _ => None,
        });
        named.filter(|_| !self.listens).unwrap_or_else(|| self.port())
    }

    /// Returns whether others connect to its [`Self::open_port`].
    pub(crate) fn has_open_port(&self) -> bool {
        self.listens || self.policy.ready_probes().any(opens_port)
    }

    /// Returns its folder as a word of shell, for a container that is in that of the application, `root`; `None` where
    /// the two are one.
    pub(crate) fn folder_below(&self, root: &str) -> Option<String> {
        let below = self.folder.strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
        (self.folder != root).then(|| sh::word(below.unwrap_or(&self.folder)))
    }

    /// Returns whether it is to end by itself.
    pub(crate) fn is_once(&self) -> bool {
        self.policy.role == Role::Once
    }

    /// Returns whether it runs until it has once ended well.
    pub(crate) fn is_tried_again(&self) -> bool {
        self.is_once() && self.restart() != Restart::Never
    }

    /// Returns which of its ends are followed by a restart: never that of a `once` that has ended well.
    pub(crate) fn restart(&self) -> Restart {
        match self.policy.restart {
            Restart::Always if self.is_once() => Restart::OnFailure,
            restart => restart,
        }
    }

    /// Returns whether it follows a restart of what it depends on.
    pub(crate) fn follows_restarts(&self) -> bool {
        self.policy.on_dependency_restart == OnDependencyRestart::Restart
    }

    /// Returns how often it is asked whether it is alive, and how many failures in a row count.
    pub(crate) fn check(&self) -> Value {
        let live = self.policy.live.as_ref();
        json!({
            "interval": live.map_or(10, |live| whole_seconds(live.interval)),
            "failures": live.map_or(3, |live| live.failures),
        })
    }
}
