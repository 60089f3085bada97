//! Requests that nobody can be asked, until somebody can, or the time is over.

use std::time::{Duration, Instant};

use super::Engine;
use super::client::Stage;
use super::front::RETRY;
use crate::proxy::page::PageReason;
use crate::proxy::slab::PlaceId;
use crate::proxy::{FrontFailure, FrontId, ProxyReport};

/// The session says in this time why nobody is ready, or the page is without a reason.
const ASKED_FOR: Duration = Duration::from_secs(1);

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
        let next = if front.may_recover() { until.min(now + RETRY) } else { until };
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
        let was_asked = front.asked_until.is_some_and(|until| until <= now);
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
        if let Some(front) = self.fronts.get_mut(&front_id).filter(|_| was_asked) {
            // Who is overdue from here on asks again.
            front.asked_until = None;
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
            None => self.ask_why(id),
        }
    }

    /// Asks the session why nobody is ready, and lets the request wait for that; answers it where nothing is said.
    fn ask_why(&mut self, id: PlaceId) {
        let now = self.now;
        let Some(client) = self.clients.get(id) else { return };
        let front_id = client.front;
        if client.ask.as_ref().is_some_and(|ask| ask.number().is_some()) {
            // What the session says is of all instances, and not of the one that is asked for.
            self.refuse(id, PageReason::NotReady(None));
            return;
        }
        let Some(front) = self.fronts.get_mut(&front_id) else { return };
        let until = *front.asked_until.get_or_insert_with(|| {
            (self.report)(ProxyReport::Overdue(front_id));
            now + ASKED_FOR
        });
        if until <= now {
            self.refuse(id, PageReason::NotReady(None));
        } else {
            self.enqueue(id, until);
        }
    }

    /// Answers the requests whose time is over with what the session says.
    pub(super) fn explain(&mut self, front_id: FrontId, why: &FrontFailure) {
        let now = self.now;
        let Some(front) = self.fronts.get_mut(&front_id) else { return };
        front.asked_until = None;
        let is_overdue = |id: &PlaceId| {
            let client = self.clients.get(*id).filter(|client| client.stage == Stage::Waiting);
            let ask = client.and_then(|client| client.ask.as_ref());
            ask.is_some_and(|ask| ask.began + front.wait <= now)
        };
        let overdue: Vec<PlaceId> = front.queue.iter().copied().filter(is_overdue).collect();
        for id in overdue {
            self.refuse(id, PageReason::NotReady(Some(why)));
            self.advance(id);
        }
    }
}
