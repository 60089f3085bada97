//! Requests that nobody can be asked, until somebody can, or the time is over.

use std::time::Instant;

use super::Engine;
use super::client::Stage;
use super::front::RETRY;
use crate::proxy::FrontId;
use crate::proxy::page::PageReason;
use crate::proxy::slab::PlaceId;

impl Engine {
    /// Lets a request wait for a run; answers it at once where all have failed for good.
    pub(super) fn wait_for_run(&mut self, id: PlaceId) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(id) else { return };
        let Some(front) = self.fronts.get_mut(&client.front) else { return };
        let Some(ask) = client.ask.as_ref() else { return };
        client.stage = Stage::Waiting;
        let until = ask.began + front.wait;
        if front.failure.is_some() || until <= now {
            self.give_up(id);
            return;
        }
        let next = if front.has_hope() { until.min(now + RETRY) } else { until };
        self.enqueue(id, next);
    }

    /// Lets a client have its turn when the queue is looked through, at this time or before.
    pub(super) fn enqueue(&mut self, id: PlaceId, at: Instant) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let Some(front) = self.fronts.get_mut(&client.front) else { return };
        if !std::mem::replace(&mut client.is_queued, true) {
            front.queue.push_back(id);
        }
        front.look(at);
    }

    /// Looks through those that wait: who may ask now, and whose time is over.
    pub(super) fn look_through_queue(&mut self, front_id: FrontId) {
        let now = self.now;
        let Some(front) = self.fronts.get_mut(&front_id) else { return };
        if front.look_at.is_none_or(|at| at > now) {
            return;
        }
        front.look_at = None;
        let wait = front.wait;
        let queue = std::mem::take(&mut front.queue);
        for id in queue {
            let Some(client) = self.clients.get_mut(id) else { continue };
            client.is_queued = false;
            let Some(ask) = client.ask.as_ref() else { continue };
            let until = ask.began + wait;
            let is_connecting = client
                .link
                .and_then(|link| self.links.get(link))
                .is_some_and(|link| link.is_connecting);
            let stage = client.stage;
            match stage {
                Stage::Waiting if until <= now || self.has_news(front_id) => {
                    // Puts itself into the queue again, if nobody takes it, and is answered if its time is over.
                    self.dispatch(id, false);
                    self.advance(id);
                }
                Stage::Waiting => self.wait_for_run(id),
                Stage::Asking | Stage::Passed if is_connecting && until <= now => {
                    self.take_back(id);
                    self.give_up(id);
                    self.advance(id);
                }
                Stage::Asking | Stage::Passed if is_connecting => self.enqueue(id, until),
                Stage::New | Stage::Head | Stage::Asking | Stage::Passed | Stage::Lingering => {}
            }
        }
    }

    fn has_news(&self, front: FrontId) -> bool {
        self.fronts.get(&front).is_some_and(|front| front.has_news(self.now))
    }

    /// Judges a client that waits and writes no more. It has left, or has only shut its side (`nc -N`), which nobody can
    /// tell apart before something is written to it. What may be repeated goes on waiting, since the answer may be read.
    /// What changes something (POST) is not done later for somebody who may be gone and have asked again: it is answered
    /// at once, and reaches nobody. Returns whether to go on with the client.
    pub(super) fn judge_end_of_waiting(&mut self, id: PlaceId) -> bool {
        let Some(client) = self.clients.get(id).filter(|client| client.wire.is_at_end) else {
            return false;
        };
        if client.ask.as_ref().is_some_and(|ask| ask.is_silent) {
            self.close_client(id);
        } else if client.leaves_undone() {
            self.refuse(id, PageReason::Left);
        } else {
            return false;
        }
        true
    }

    /// Tells a client that nobody serves it, in HTTP if it speaks it.
    fn give_up(&mut self, id: PlaceId) {
        let Some(client) = self.clients.get(id) else { return };
        if client.ask.as_ref().is_some_and(|ask| ask.request.is_none()) {
            self.close_client(id);
            return;
        }
        let failure = self.fronts.get(&client.front).and_then(|front| front.failure.clone());
        match &failure {
            Some(failure) => self.refuse(id, PageReason::Failed(failure)),
            None => self.refuse(id, PageReason::NotReady),
        }
    }
}
