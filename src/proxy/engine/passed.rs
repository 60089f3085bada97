//! Connections that are passed as they are: after 101, and what is not HTTP/1.

use super::Engine;
use super::client::{Client, Stage};
use super::link::InstanceLink;
use super::wire::Wire;
use crate::proxy::slab::PlaceId;

impl Engine {
    /// Passes what has come, both ways, and the end of either side as soon as the other has read what came before it.
    /// Returns whether to go on with the client.
    pub(super) fn pass(&mut self, id: PlaceId) -> bool {
        let Some(client) = self.clients.get_mut(id) else { return false };
        let Some(link) = client.link.and_then(|link| self.links.get_mut(link)) else {
            self.close_client(id);
            return false;
        };
        if link.is_connecting {
            return false;
        }
        pass_on(client, link);
        let (client, link) = (&client.wire, &link.wire);
        let is_broken = client.is_deaf || link.is_deaf || client.is_broken || link.is_broken;
        let is_read = client.is_flushed() && link.is_flushed();
        if is_broken && (client.is_deaf || is_read || client.is_broken)
            || client.has_shut() && link.has_shut()
        {
            self.close_client(id);
        }
        false
    }

    /// Closes what is left of a run's connections, and all that its clients wait for from them.
    pub(super) fn close_links_of(&mut self, key: u64) {
        for id in self.links.ids_where(|link| link.key == key) {
            let client = self.links.get(id).and_then(|link| link.client);
            let Some(client_id) = client else {
                self.close_link(id);
                continue;
            };
            let stage = self.clients.get(client_id).map(|client| client.stage);
            match stage {
                Some(Stage::Asking) => {
                    self.lose_answer(client_id);
                    self.advance(client_id);
                }
                _ => self.abandon(client_id),
            }
        }
    }
}

/// Passes what has come before the connection was passed, and the ends.
fn pass_on(client: &mut Client, link: &mut InstanceLink) {
    pass_one_way(&mut client.wire, &mut link.wire);
    pass_one_way(&mut link.wire, &mut client.wire);
}

fn pass_one_way(from: &mut Wire, to: &mut Wire) {
    if to.is_flushed() && !from.input.is_empty() {
        to.send(&std::mem::take(&mut from.input));
    }
    if from.is_at_end && to.is_flushed() && from.input.is_empty() {
        to.shut();
    }
}
