//! The thread: one loop over all sockets, and what is done at each event.

mod accept;
mod ask;
mod client;
mod dial;
mod exchange;
mod failure;
mod front;
mod link;
mod orders;
mod passed;
mod pipes;
#[cfg(test)]
mod tests;
mod waiting;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use crossbeam_channel::Receiver;

use super::slab::{PlaceId, Slab};
use super::{FrontId, ProxyReport};
use crate::os::poller::{FdReady, Poller, READABLE, WOKEN, Waker};
use client::Client;
pub(super) use front::ProxyOrder;
use front::ServedFront;
use link::InstanceLink;
use pipes::BodyPipes;
use wire::Wire;

/// So much is read at once, and at most so much of a message is held for a side that does not read.
const READ_AT_ONCE: usize = 64 << 10;
/// How many sockets one wait tells of.
const TOLD_AT_ONCE: usize = 256;
/// The bit of a token that says that it is an instance's connection.
const IS_LINK: bool = true;

/// All that the thread knows.
pub(super) struct Engine {
    now: Instant,
    clock: fn() -> Instant,
    report: Box<dyn Fn(ProxyReport) + Send>,
    orders: Receiver<ProxyOrder>,
    poller: Poller,
    pipes: BodyPipes,
    scratch: Vec<u8>,
    fronts: BTreeMap<FrontId, ServedFront>,
    clients: Slab<Client>,
    links: Slab<InstanceLink>,
    /// Clients that have said nothing, in the order in which they came.
    silent: VecDeque<(Instant, PlaceId)>,
    /// Clients that were told the last, and have not hung up, in order.
    lingering: VecDeque<(Instant, PlaceId)>,
    /// Listeners are not waited for until then: there is no descriptor left.
    accepts_at: Option<Instant>,
    has_ended: bool,
}

impl Engine {
    /// Makes it, and what wakes it after an order.
    pub(super) fn new(
        clock: fn() -> Instant,
        report: Box<dyn Fn(ProxyReport) + Send>,
        orders: Receiver<ProxyOrder>,
    ) -> io::Result<(Self, Waker)> {
        let (poller, waker) = Poller::new(TOLD_AT_ONCE)?;
        let engine = Self {
            now: clock(),
            clock,
            report,
            orders,
            poller,
            pipes: BodyPipes::new(),
            scratch: vec![0; READ_AT_ONCE],
            fronts: BTreeMap::new(),
            clients: Slab::new(),
            links: Slab::new(),
            silent: VecDeque::new(),
            lingering: VecDeque::new(),
            accepts_at: None,
            has_ended: false,
        };
        Ok((engine, waker))
    }

    /// Works until it is told to end.
    pub(super) fn run(mut self) {
        let mut told = Vec::with_capacity(TOLD_AT_ONCE);
        while !self.has_ended {
            if self.turn(&mut told).is_err() {
                // Nothing can be waited for: the front is closed, rather than taking connections and not answering.
                return;
            }
        }
    }

    /// Waits until something is ready or due, and does what follows. `told` is room for what is ready.
    fn turn(&mut self, told: &mut Vec<FdReady>) -> io::Result<()> {
        told.clear();
        self.wait(told)?;
        self.now = (self.clock)();
        for ready in told {
            self.take(*ready);
        }
        self.pass_time();
        Ok(())
    }

    /// Waits until a socket is ready, or something is due.
    fn wait(&mut self, told: &mut Vec<FdReady>) -> io::Result<()> {
        let limit = self.deadline().map(|at| at.saturating_duration_since(self.now));
        let clients = self.clients.iter().map(|client| &client.wire);
        let wires = clients.chain(self.links.iter().map(|link| &link.wire));
        let sockets = wires.filter_map(Wire::awaited);
        let fronts = self.fronts.iter().filter(|_| self.accepts_at.is_none());
        let listeners = fronts.flat_map(|(id, front)| {
            let listeners = front.listeners.iter().enumerate();
            listeners.map(|(place, it)| (accept::token(*id, place), it.as_fd(), READABLE))
        });
        self.poller.wait(limit, sockets.chain(listeners), told)
    }

    fn take(&mut self, ready: FdReady) {
        if ready.token == WOKEN {
            self.poller.take_wakeups();
            while let Ok(order) = self.orders.try_recv() {
                self.obey(order);
            }
            return;
        }
        if let Some((front, place)) = accept::of_token(ready.token) {
            self.accept(front, place);
            return;
        }
        let (id, is_link) = PlaceId::of_token(ready.token);
        if is_link == IS_LINK {
            self.on_link(id, ready);
        } else {
            self.on_client(id, ready);
        }
    }

    /// Returns the next time at which something is to be done without anybody saying so.
    fn deadline(&mut self) -> Option<Instant> {
        while let Some((_, id)) = self.silent.front()
            && !self.clients.get(*id).is_some_and(Client::is_silent)
        {
            self.silent.pop_front();
        }
        while let Some((_, id)) = self.lingering.front()
            && self.clients.get(*id).is_none()
        {
            self.lingering.pop_front();
        }
        let fronts = self.fronts.values().filter_map(ServedFront::deadline);
        let silent = self.silent.front().map(|(at, _)| *at);
        let lingering = self.lingering.front().map(|(at, _)| *at);
        fronts.chain(silent).chain(lingering).chain(self.accepts_at).min()
    }

    /// Does what is due.
    fn pass_time(&mut self) {
        while let Some((_, id)) = self.silent.pop_front_if(|(at, _)| *at <= self.now) {
            self.pass_silent(id);
        }
        while let Some((_, id)) = self.lingering.pop_front_if(|(at, _)| *at <= self.now) {
            self.close_client(id);
        }
        if self.accepts_at.is_some_and(|at| at <= self.now) {
            self.accept_again();
        }
        let due = self
            .fronts
            .iter()
            .filter(|(_, front)| front.deadline().is_some_and(|at| at <= self.now));
        let due: Vec<FrontId> = due.map(|(id, _)| *id).collect();
        for id in due {
            self.close_idle(id);
            self.close_cut(id);
            self.look_through_queue(id);
        }
    }
}
