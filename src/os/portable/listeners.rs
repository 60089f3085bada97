//! Who listens is not told here.

use nix::unistd::Pid;

use crate::app::lint::Holder;

/// The sockets that listen: none.
#[derive(Debug, Default)]
pub(crate) struct Listeners;

impl Listeners {
    /// Whether this system tells at all.
    pub(crate) const CAN_TELL: bool = false;

    /// Returns that there are none.
    pub(crate) fn read() -> Self {
        Self
    }

    /// Returns that nobody listens there.
    pub(crate) fn has(&self, _port: u16) -> bool {
        false
    }

    /// Returns that it is not seen.
    pub(crate) fn is_held_by(&self, _port: u16, _pid: Pid) -> bool {
        false
    }

    /// Returns nobody.
    pub(crate) fn holders(&self, _ports: &[u16]) -> Vec<(u16, Holder)> {
        Vec::new()
    }
}
