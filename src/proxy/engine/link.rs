//! A connection to an instance: made for a request, and kept for others.

use std::io;

use super::Engine;
use super::client::{Client, Stage};
use super::front::{Admission, KEPT_FOR, MOST_KEPT};
use super::wire::{BULK, Got, Wire};
use crate::os::poller::{FdReady, Poller};
use crate::proxy::FrontId;
use crate::proxy::slab::PlaceId;

/// So often a large body is read before others have their turn.
const READS_IN_A_ROW: usize = 4;

/// A connection to an instance.
#[derive(Debug)]
pub(super) struct InstanceLink {
    pub(super) wire: Wire,
    pub(super) front: FrontId,
    /// The run that it is to.
    pub(super) key: u64,
    /// The client that it works for; `None` while it is kept.
    pub(super) client: Option<PlaceId>,
    /// It is to ::1, and not to 127.0.0.1.
    pub(super) is_v6: bool,
    /// The system has not said yet whether somebody listens.
    pub(super) is_connecting: bool,
    /// It has served a request before: the instance may have ended it in this moment.
    pub(super) is_reused: bool,
}

impl InstanceLink {
    /// Waits for what is wanted; for the outcome of the connect first.
    pub(super) fn arm(&mut self, poller: &Poller, wants_read: bool) -> io::Result<()> {
        if self.is_connecting {
            return self.wire.arm_connect(poller);
        }
        self.wire.arm(poller, wants_read)
    }
}

impl Engine {
    /// Takes what is ready at an instance's connection.
    pub(super) fn on_link(&mut self, id: PlaceId, ready: FdReady) {
        let Some(link) = self.links.get_mut(id) else { return };
        let Some(client) = link.client else {
            // Nobody has asked: it has ended, or says what is no answer.
            self.close_link(id);
            return;
        };
        if link.is_connecting {
            if ready.write || ready.is_over {
                self.end_of_connect(id, client);
            }
            return;
        }
        if ready.write {
            link.wire.flush(&mut self.pipes);
        }
        if ready.read || ready.is_over {
            if self.wants_of_link(client) {
                self.read_body(id, client);
            } else if let Some(link) = self.links.get_mut(id) {
                link.wire.ignore(ready.is_over);
            }
        }
        self.advance(client);
    }

    /// Returns whether bytes of the instance that a client asks can be used now.
    pub(super) fn wants_of_link(&self, client: PlaceId) -> bool {
        self.clients.get(client).is_some_and(|client| {
            let link = client.link.and_then(|link| self.links.get(link));
            link.is_some_and(|link| !link.wire.is_at_end)
                && matches!(client.stage, Stage::Asking | Stage::Passed)
                && client.wire.is_flushed()
        })
    }

    /// Reads, and again as long as there is more than one read brings and the client takes it all.
    fn read_body(&mut self, id: PlaceId, client: PlaceId) {
        for _ in 0..READS_IN_A_ROW {
            let has_more = self.read_link(id, client);
            if !has_more || !self.wants_of_link(client) {
                return;
            }
        }
    }

    /// Reads once, and passes it on as far as it is the body of an answer. Returns whether all of a full read was passed.
    fn read_link(&mut self, id: PlaceId, client: PlaceId) -> bool {
        let Some(link) = self.links.get_mut(id) else { return false };
        let Some(client) = self.clients.get_mut(client) else { return false };
        if let Some(most) = plain_left(client, link).filter(|most| *most >= BULK)
            && let Some(got) = client.wire.relay(&mut link.wire, most, &mut self.pipes)
        {
            let Got::Bytes(count) = got else { return false };
            if let Some(ask) = client.ask.as_mut() {
                ask.answer.body.pass_plain(count);
            }
            return link.wire.is_bulky;
        }
        let Got::Bytes(count) = link.wire.read(&mut self.scratch) else { return false };
        let is_full = count == self.scratch.len();
        let mut bytes = &self.scratch[..count];
        if client.stage == Stage::Passed {
            if let Some(ask) = client.ask.as_mut() {
                ask.answer.has_begun = true;
            }
            client.wire.send(bytes);
            return is_full;
        }
        // The body of known length passes without a copy.
        if let Some(ask) = client.ask.as_mut().filter(|_| link.wire.input.is_empty()) {
            ask.answer.has_begun = true;
            if ask.answer.head.is_some()
                && let Some(plain) = ask.answer.body.pass_plain(count)
            {
                client.wire.send(&bytes[..plain]);
                bytes = &bytes[plain..];
            }
        }
        link.wire.input.extend_from_slice(bytes);
        is_full && bytes.is_empty()
    }

    /// Keeps a connection for the next request, or closes it.
    pub(super) fn keep_link(&mut self, id: PlaceId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(id) else { return };
        link.client = None;
        link.is_reused = true;
        link.wire.shrink();
        let is_armed = link.wire.arm(&self.poller, true).is_ok();
        let run = self.fronts.get_mut(&link.front).and_then(|front| front.run(link.key));
        match run.filter(|run| is_armed && !run.is_withdrawn && run.idle.len() < MOST_KEPT) {
            Some(run) => run.idle.push_back((now, id)),
            None => self.close_link(id),
        }
    }

    /// Closes a connection to an instance, kept or not.
    pub(super) fn close_link(&mut self, id: PlaceId) {
        let Some(mut link) = self.links.remove(id) else { return };
        link.wire.give_back(&mut self.pipes);
        let now = self.now;
        let Some(front) = self.fronts.get_mut(&link.front) else { return };
        let Some(run) = front.run(link.key) else { return };
        run.idle.retain(|(_, idle)| *idle != id);
        if run.admission == Admission::Tried(id) {
            // Who tried it has gone without an outcome: the next one tries.
            run.admission = Admission::Refused(now);
            front.look(now);
        }
    }

    /// Closes the connections of a front's runs that were idle for long enough.
    pub(super) fn close_idle(&mut self, id: FrontId) {
        let now = self.now;
        let Some(front) = self.fronts.get_mut(&id) else { return };
        let mut idle = Vec::new();
        for run in &mut front.runs {
            while let Some((_, link)) = run.idle.pop_front_if(|(since, _)| *since + KEPT_FOR <= now)
            {
                idle.push(link);
            }
        }
        for link in idle {
            self.close_link(link);
        }
    }
}

/// Returns how many bytes, at most, the client gets as they come, if the last read says that there are many.
fn plain_left(client: &Client, link: &InstanceLink) -> Option<usize> {
    if !link.wire.is_bulky || !link.wire.input.is_empty() {
        return None;
    }
    match &client.ask {
        _ if client.stage == Stage::Passed => Some(usize::MAX),
        Some(ask) if ask.answer.head.is_some() => ask.answer.body.plain_left(),
        _ => None,
    }
}
