//! Listeners are not known here.

use nix::unistd::Pid;

use crate::app::lint::Holder;

/// The listening sockets: none.
#[derive(Debug, Default)]
pub(crate) struct Listeners;

impl Listeners {
    /// Whether this system can tell.
    pub(crate) const CAN_TELL: bool = false;

    /// Returns none.
    pub(crate) fn read() -> Self {
        Self
    }

    /// Returns false.
    pub(crate) fn has(&self, _port: u16) -> bool {
        false
    }

    /// Returns false.
    pub(crate) fn is_held_by(&self, _port: u16, _pid: Pid) -> bool {
        false
    }

    /// Returns nothing.
    pub(crate) fn holders(&self, _ports: &[u16]) -> Vec<(u16, Holder)> {
        Vec::new()
    }
}

/// The ports that instances of a session listen on: not told here.
#[derive(Debug)]
pub(crate) struct InstancePorts;

impl InstancePorts {
    /// Looks at nothing.
    pub(crate) fn look(_session: Pid) -> Self {
        Self
    }

    /// Returns that it is not known.
    pub(crate) fn holds(&self, _leader: Pid, _inode: u64) -> Option<bool> {
        None
    }

    /// Returns that it is not known.
    pub(crate) fn accepts(&self, _leader: Pid, _inode: u64) -> Option<bool> {
        None
    }

    /// Returns that it is not known.
    pub(crate) fn of(&self, _leader: Pid) -> Option<Vec<u16>> {
        None
    }
}
