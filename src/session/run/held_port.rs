//! The loop's look at who has the port of an instance that has crashed: between the look before the start and the
//! program's own bind(2) another may have taken it.

use std::path::Path;
use std::time::Duration;

use super::SessionLoop;
use crate::app::lint::Holder;
use crate::app::{InstanceId, Moment};
use crate::os::listeners::Listeners;
use crate::os::port_owner;

/// How long what was seen is good for the next crash: to find the holder of a port, every descriptor of the machine is
/// looked at.
const FRESH: Duration = Duration::from_secs(1);

/// Who was last seen to have ports of the session.
#[derive(Debug, Default)]
pub(super) struct SeenHolders {
    at: Option<Moment>,
    holders: Vec<(u16, Holder)>,
}

impl SessionLoop {
    /// Says who has the port of an instance, where somebody else does: that may be why it has crashed.
    pub(super) fn say_who_has_port(&mut self, id: InstanceId) {
        // A shared one is held by pm itself.
        if self.app.type_of(id).share_port.is_some() {
            return;
        }
        let Some(port) = self.ports.of(&self.app, id) else { return };
        let listeners = Listeners::read();
        if !listeners.has(port) {
            return;
        }
        let now = self.clock.now();
        if self.seen_holders.at.is_none_or(|at| now.since(at) >= FRESH) {
            let ports: Vec<u16> =
                self.app.instances().filter_map(|id| self.ports.of(&self.app, id)).collect();
            let holders = listeners.holders(&ports).into_iter();
            let holders = holders.map(|(port, holder)| (port, port_owner::identified(holder)));
            self.seen_holders = SeenHolders { at: Some(now), holders: holders.collect() };
        }
        let name = self.app.name_of(id);
        // What is left of the instance itself is about to end.
        let is_own = |holder: &Holder| {
            let instance = holder.instance.as_ref();
            instance.is_some_and(|of| of.name == name && of.root == self.app.root)
        };
        let holders = self.seen_holders.holders.iter().filter(|(of, _)| *of == port);
        let (own, others): (Vec<_>, Vec<_>) = holders.partition(|(_, holder)| is_own(holder));
        if others.is_empty() && !own.is_empty() {
            return;
        }
        let home = self.app.environment.get("HOME").map(|home| Path::new(&home.text));
        let holder = others.first().map(|(_, holder)| holder.clone().below_home(home));
        self.say(super::messages::port_held(id, port, holder.as_ref()));
    }
}
