//! Who listens is not told here.

use crate::app::lint::Holder;

/// The sockets that listen: none.
#[derive(Debug, Default)]
pub(crate) struct Listeners;

impl Listeners {
    /// Returns that there are none.
    pub(crate) fn read() -> Self {
        Self
    }

    /// Returns that nobody listens there.
    pub(crate) fn has(&self, _port: u16) -> bool {
        false
    }

    /// Returns nobody.
    pub(crate) fn holders(&self, _ports: &[u16]) -> Vec<(u16, Holder)> {
        Vec::new()
    }
}
