//! One address for all instances of a process type, and how they are replaced behind it.

use std::net::IpAddr;
use std::time::Duration;

use super::process_type::{App, ProcessType};

/// How long a request waits for an instance where no time is set.
pub const PROXY_WAIT: Duration = Duration::from_secs(30);
/// How long a stop waits for the requests of an instance where no time is set.
pub const DRAIN: Duration = Duration::from_secs(10);

/// The address that pm listens on for all instances of a process type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// Its port. `None`: that of the type's first instance, which the instances then leave to it.
    pub port: Option<u16>,
    /// Where it listens. `None`: on 127.0.0.1 and ::1, for this machine alone.
    pub bind: Option<IpAddr>,
    /// How long a request waits for an instance that answers.
    pub wait: Duration,
}

impl Default for Front {
    fn default() -> Self {
        Self { port: None, bind: None, wait: PROXY_WAIT }
    }
}

impl Front {
    /// Returns whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        self.bind.is_none_or(|address| address.is_loopback())
    }
}

/// A process type that runs, its position, and the port of its front.
#[derive(Clone, Copy, Debug)]
pub struct FrontedType<'a> {
    /// The type.
    pub own: &'a ProcessType,
    /// Where it stands in the Procfile, from 0.
    pub process_type: u16,
    /// Where its front is.
    pub port: u16,
}

impl App {
    /// Returns the types with a front that are to run, in the order of the Procfile.
    pub fn fronted(&self) -> impl Iterator<Item = FrontedType<'_>> {
        let types = self.types.iter().zip(0_u16..);
        types.filter(|(own, _)| own.front.is_some() && own.count > 0).filter_map(
            |(own, process_type)| {
                Some(FrontedType { own, process_type, port: self.address_of(process_type)? })
            },
        )
    }

    /// Returns the ports of all that is to run: of fronts, and of instances in their usual slots.
    pub fn needed_ports(&self) -> Vec<u16> {
        let of_fronts = self.fronted().map(|fronted| fronted.port);
        of_fronts.chain(self.instances().filter_map(|id| self.port_of(id))).collect()
    }
}

/// Which of its two ports a run of an instance behind a front has: the run that replaces another takes the other one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortSlot {
    /// The type's first port + the instance's number.
    #[default]
    Usual,
    /// 50 above that.
    Other,
}

impl PortSlot {
    /// Both slots.
    pub(crate) const BOTH: [Self; 2] = [Self::Usual, Self::Other];

    /// Returns the slot that is not this one.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Usual => Self::Other,
            Self::Other => Self::Usual,
        }
    }
}

/// How the instances of a process type are replaced when they are restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Update {
    /// Each is stopped and then started
    #[default]
    StopStart,
    /// The new one is started beside the old, which is stopped when the new one is ready
    Rolling,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_is_local_unless_it_is_bound_to_another_address() {
        let on = |address: &str| Front { bind: address.parse().ok(), ..Front::default() };
        assert!(Front::default().is_local());
        for (address, is_local) in [
            ("127.0.0.1", true),
            ("127.0.0.2", true),
            ("::1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("192.168.1.4", false),
        ] {
            assert_eq!(on(address).is_local(), is_local, "{address}");
        }
    }
}
