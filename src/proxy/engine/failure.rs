//! What becomes of a request that does not go as it should, and of a client that is gone.

use std::time::Duration;

use super::Engine;
use super::client::Stage;
use crate::proxy::ProxyReport;
use crate::proxy::head::HeadScan;
use crate::proxy::page::{PageReason, PageView, page};
use crate::proxy::slab::PlaceId;

impl Engine {
    /// Answers a client from the front itself. The connection goes on if the request is over.
    pub(super) fn refuse(&mut self, id: PlaceId, reason: PageReason<'_>) {
        self.let_go(id, Some(reason.status()));
        let Some(client) = self.clients.get_mut(id) else { return };
        let ask = client.ask.take();
        let request = ask.as_ref().and_then(|ask| ask.request);
        let is_over = ask.as_ref().is_some_and(|ask| ask.body.is_complete());
        let keeps = is_over && request.is_some_and(|request| request.persists);
        let answer = self.fronts.get(&client.front).map(|front| {
            let view = PageView {
                is_html: request.is_some_and(|request| request.accepts_html),
                shows_lines: front.is_local && request.is_some_and(|request| request.host.is_local),
                is_head: request.is_some_and(|request| request.is_head),
            };
            page(&front.name, reason, view, keeps)
        });
        client.wire.send(&answer.unwrap_or_default());
        if keeps {
            client.stage = Stage::Head;
            client.scan = HeadScan::default();
        } else {
            self.begin_to_linger(id);
        }
    }

    /// The instance's connection has ended before its answer had.
    pub(super) fn lose_answer(&mut self, id: PlaceId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let Some(ask) = client.ask.as_mut() else { return };
        let link = client.link.and_then(|link| self.links.get(link));
        if link.is_some_and(|link| link.is_reused) && ask.may_be_resent() {
            ask.was_resent = true;
            self.take_back(id);
            self.dispatch(id, true);
        } else if ask.answer.head.is_some() {
            self.cut_short(id);
        } else if client.wire.is_at_end && !ask.answer.has_begun {
            // The client has left, most likely, and the instance has seen that: no fault of its own.
            self.abandon(id);
        } else {
            self.count_loss(id);
            self.refuse(id, PageReason::BadAnswer("the instance has given no answer"));
        }
    }

    /// The instance has sent what is no answer.
    pub(super) fn reject_answer(&mut self, id: PlaceId, why: &'static str) {
        let has_head = self
            .clients
            .get(id)
            .and_then(|client| client.ask.as_ref())
            .is_some_and(|ask| ask.answer.head.is_some());
        if has_head {
            self.cut_short(id);
        } else {
            self.count_loss(id);
            self.refuse(id, PageReason::BadAnswer(why));
        }
    }

    /// Counts a request that its instance has not answered.
    fn count_loss(&mut self, id: PlaceId) {
        let Some(client) = self.clients.get(id) else { return };
        let Some(key) = client.ask.as_ref().and_then(|ask| ask.upstream) else { return };
        if let Some(run) = self.fronts.get_mut(&client.front).and_then(|front| front.run(key)) {
            run.counters.answered(502);
        }
    }

    /// Ends a client's connection within an answer, so that it does not take it for whole: where only the end would tell,
    /// with a reset.
    fn cut_short(&mut self, id: PlaceId) {
        if let Some(client) = self.clients.get(id)
            && client.ask.as_ref().is_some_and(|ask| ask.answer.ends_by_close())
        {
            // Without it the end looks like that of a whole body; nothing else can be done.
            let _ = nix::sys::socket::setsockopt(
                client.wire.stream(),
                nix::sys::socket::sockopt::Linger,
                &nix::libc::linger { l_onoff: 1, l_linger: 0 },
            );
        }
        self.abandon(id);
    }

    /// Takes a request from a run that it has not reached.
    pub(super) fn take_back(&mut self, id: PlaceId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        client.stage = Stage::Waiting;
        if let Some(link) = client.link.take() {
            self.close_link(link);
        }
        let Some(client) = self.clients.get_mut(id) else { return };
        let Some(ask) = client.ask.as_mut() else { return };
        ask.expect_again();
        let is_request = ask.request.is_some();
        let key = ask.upstream.take();
        let front = self.fronts.get_mut(&client.front);
        if let Some(run) = front.and_then(|front| front.run(key?)).filter(|_| is_request) {
            run.in_flight -= 1;
            run.counters.take_back();
            self.report_if_withdrawn(key);
        }
    }

    /// Notes that a request is over, and closes the instance's connection if there still is one. With `status` it was
    /// answered.
    pub(super) fn let_go(&mut self, id: PlaceId, status: Option<u16>) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if let Some(link) = client.link.take() {
            self.close_link(link);
        }
        let Some(client) = self.clients.get_mut(id) else { return };
        let Some(ask) = client.ask.as_mut().filter(|ask| ask.request.is_some()) else { return };
        let took = self.now.saturating_duration_since(ask.began);
        let key = ask.upstream.take();
        self.count_end(id, key, status, took);
    }

    /// Counts the end of a request.
    fn count_end(&mut self, id: PlaceId, key: Option<u64>, status: Option<u16>, took: Duration) {
        let Some(client) = self.clients.get(id) else { return };
        let Some(front) = self.fronts.get_mut(&client.front) else { return };
        front.counters.end(status, took);
        if let Some(run) = key.and_then(|key| front.run(key)) {
            run.in_flight -= 1;
            run.counters.end();
        }
        self.report_if_withdrawn(key);
    }

    /// Tells that a run that was withdrawn has no request any more.
    pub(super) fn report_if_withdrawn(&mut self, key: Option<u64>) {
        let Some(key) = key else { return };
        for front in self.fronts.values_mut() {
            let Some(run) = front.run(key) else { continue };
            if run.in_flight == 0 && std::mem::take(&mut run.owes_report) {
                (self.report)(ProxyReport::Withdrawn(key));
            }
            return;
        }
    }

    /// Forgets a client, whatever it is at.
    pub(super) fn abandon(&mut self, id: PlaceId) {
        self.let_go(id, None);
        if let Some(mut client) = self.clients.remove(id) {
            client.wire.give_back(&mut self.pipes);
        }
    }
}
