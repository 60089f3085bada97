//! What the session says: fronts come and go, runs are offered, withdrawn and cut.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::front::{FrontRun, ProxyOrder, ServedFront};
use crate::proxy::figures::{FrontCounters, InstanceCounters};
use crate::proxy::slab::PlaceId;
use crate::proxy::{FrontFailure, FrontId, FrontSettings, ProxyReport, Upstream};

/// What a run has written before its end is passed on for so long, to a client that reads it.
const LAST_BYTES: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn obey(&mut self, order: ProxyOrder) {
        match order {
            ProxyOrder::Open(id, settings, counters) => self.open(id, settings, counters),
            ProxyOrder::Close(id) => self.close(id),
            ProxyOrder::Unlisten(id, done) => {
                self.close_listeners(id);
                drop(done);
            }
            ProxyOrder::Offer(id, upstream, counters) => self.offer(id, upstream, counters),
            ProxyOrder::Withdraw(key) => self.withdraw(key),
            ProxyOrder::Cut(key) => self.cut(key),
            ProxyOrder::Fail(id, failure) => self.fail(id, failure),
            ProxyOrder::Explain(id, why) => self.explain(id, &why),
            ProxyOrder::End => self.has_ended = true,
        }
    }

    fn open(&mut self, id: FrontId, settings: FrontSettings, counters: Arc<FrontCounters>) {
        let FrontSettings { name, listeners, wait, is_local } = settings;
        for listener in &listeners {
            // A listener that blocks would stop all fronts when a client goes away at the wrong moment; it never fails.
            let _ = listener.set_nonblocking(true);
        }
        if let Some(front) = self.fronts.get_mut(&id) {
            front.name = name;
            front.wait = wait;
            front.is_local = is_local;
            front.is_closing = false;
            if listeners.is_empty() {
                return;
            }
            self.close_listeners(id);
            if let Some(front) = self.fronts.get_mut(&id) {
                front.listeners = listeners;
            }
        } else {
            let front = ServedFront {
                name,
                listeners,
                wait,
                is_local,
                failure: None,
                counters,
                runs: Vec::new(),
                last: 0,
                queue: VecDeque::new(),
                asked_until: None,
                look_at: None,
                is_closing: false,
            };
            self.fronts.insert(id, front);
        }
        self.listen(id);
    }

    fn close_listeners(&mut self, id: FrontId) {
        let Some(front) = self.fronts.get_mut(&id) else { return };
        for listener in std::mem::take(&mut front.listeners) {
            self.poller.remove(listener);
        }
    }

    /// Takes no more connections. What its runs still answer, they may.
    fn close(&mut self, id: FrontId) {
        self.close_listeners(id);
        if let Some(front) = self.fronts.get_mut(&id) {
            front.is_closing = true;
        }
        self.end_if_closed(id);
    }

    /// Ends a front that is closing, and of which no run is left.
    fn end_if_closed(&mut self, id: FrontId) {
        if self.fronts.get(&id).is_none_or(|front| !front.is_closing || !front.runs.is_empty()) {
            return;
        }
        for client in self.clients.ids_where(|client| client.front == id) {
            self.abandon(client);
        }
        for link in self.links.ids_where(|link| link.front == id) {
            self.close_link(link);
        }
        self.fronts.remove(&id);
    }

    fn offer(&mut self, id: FrontId, upstream: Upstream, counters: Arc<InstanceCounters>) {
        let now = self.now;
        let Some(front) = self.fronts.get_mut(&id) else { return };
        front.failure = None;
        if let Some(run) = front.run(upstream.key) {
            run.upstream = upstream;
        } else {
            front.runs.push(FrontRun::new(upstream, counters));
        }
        front.look(now);
        self.look_through_queue(id);
    }

    fn withdraw(&mut self, key: u64) {
        let found = self.fronts.values_mut().find_map(|front| front.run(key));
        let Some(run) = found else {
            (self.report)(ProxyReport::Withdrawn(key));
            return;
        };
        run.is_withdrawn = true;
        run.owes_report = true;
        let idle: Vec<PlaceId> = run.idle.drain(..).map(|(_, link)| link).collect();
        for link in idle {
            self.close_link(link);
        }
        self.report_if_withdrawn(Some(key));
    }

    fn cut(&mut self, key: u64) {
        let now = self.now;
        let found = self.fronts.iter_mut().find_map(|(id, front)| {
            let run = front.run(key)?;
            run.is_withdrawn = true;
            run.cut_at = Some(now + LAST_BYTES);
            Some((*id, run.idle.drain(..).map(|(_, link)| link).collect::<Vec<_>>()))
        });
        let Some((front, idle)) = found else { return };
        for link in idle {
            self.close_link(link);
        }
        if self.links.ids_where(|link| link.key == key).is_empty() {
            self.forget(front, key);
        }
    }

    /// Closes what is left of runs that were cut some time ago.
    pub(super) fn close_cut(&mut self, id: FrontId) {
        let now = self.now;
        let Some(front) = self.fronts.get(&id) else { return };
        let due = front.runs.iter().filter(|run| run.cut_at.is_some_and(|at| at <= now));
        let due: Vec<u64> = due.map(|run| run.upstream.key).collect();
        for key in due {
            self.close_links_of(key);
            self.forget(id, key);
        }
    }

    /// Forgets a run that is over; who waits for its withdrawal is told.
    fn forget(&mut self, id: FrontId, key: u64) {
        let Some(front) = self.fronts.get_mut(&id) else { return };
        let owes_report = front.run(key).is_some_and(|run| run.owes_report);
        front.runs.retain(|run| run.upstream.key != key);
        if owes_report {
            (self.report)(ProxyReport::Withdrawn(key));
        }
        self.end_if_closed(id);
    }

    fn fail(&mut self, id: FrontId, failure: Option<FrontFailure>) {
        let now = self.now;
        let Some(front) = self.fronts.get_mut(&id) else { return };
        front.failure = failure;
        front.look(now);
        self.look_through_queue(id);
    }
}
