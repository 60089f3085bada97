//! A client's connection: which protocol it speaks, and its requests one after the other.

use std::net::IpAddr;
use std::time::Duration;

use super::accept::SILENCE;
use super::ask::Exchange;
use super::wire::{BULK, Got, Wire};
use super::{Engine, READ_AT_ONCE};
use crate::os::poller::FdReady;
use crate::proxy::FrontId;
use crate::proxy::head::{
    HeadScan, LONGEST_HEAD, LineEnds, Malformed, RequestHead, RequestView, Sniffed, empty_lines,
    read_request, sniff, sniff_whole,
};
use crate::proxy::page::PageReason;
use crate::proxy::slab::PlaceId;

/// A client that was told the last has so long to read it: with unread bytes in the kernel a close at once would take
/// the answer away from it (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(2);

/// What a client's connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its protocol is not known.
    New,
    /// Between requests, or within the head of one.
    Head,
    /// Nobody can be asked yet.
    Waiting,
    /// A request is with an instance.
    Asking,
    /// Bytes pass as they are.
    Passed,
    /// It was told the last.
    Lingering,
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) wire: Wire,
    pub(super) front: FrontId,
    pub(super) peer: IpAddr,
    pub(super) stage: Stage,
    pub(super) scan: HeadScan,
    pub(super) ask: Option<Box<Exchange>>,
    pub(super) link: Option<PlaceId>,
    /// It is in the queue of its front.
    pub(super) is_queued: bool,
}

impl Client {
    pub(super) fn new(wire: Wire, front: FrontId, peer: IpAddr) -> Self {
        let scan = HeadScan::default();
        Self { wire, front, peer, stage: Stage::New, scan, ask: None, link: None, is_queued: false }
    }

    /// Returns whether it has not said a word.
    pub(super) fn is_silent(&self) -> bool {
        self.stage == Stage::New && self.wire.input.is_empty()
    }

    /// Returns whether it writes no more, and has asked for what is not to be done for a client that may be gone.
    pub(super) fn leaves_undone(&self) -> bool {
        let request = self.ask.as_ref().and_then(|ask| ask.request);
        self.wire.is_at_end && request.is_some_and(|request| !request.is_idempotent)
    }

    /// Returns whether it was passed to an instance without a word, and the instance has not spoken either.
    fn has_heard_nothing(&self) -> bool {
        self.ask.as_ref().is_some_and(|ask| ask.is_silent && !ask.answer.has_begun)
    }
}

/// What a look at a client's bytes leads to.
enum HeadStep {
    /// More must come.
    Wait,
    Close,
    /// A request; the head as the instance gets it.
    Request(RequestHead, Vec<u8>),
    Pass,
    Refuse(Malformed),
}

impl Engine {
    /// Takes what is ready at a client's connection.
    pub(super) fn on_client(&mut self, id: PlaceId, ready: FdReady) {
        let wants = self.wants_of_client(id);
        let Some(client) = self.clients.get_mut(id) else { return };
        if ready.write {
            client.wire.flush(&mut self.pipes);
        }
        let mut is_gone = ready.is_over && !wants;
        if wants && (ready.read || ready.is_over) {
            self.read_client(id);
            is_gone = self.clients.get(id).is_some_and(|client| client.wire.is_broken);
        } else if ready.read || ready.is_over {
            client.wire.ignore(ready.is_over);
        }
        let stage = self.clients.get(id).map(|client| client.stage);
        if is_gone && matches!(stage, Some(Stage::Waiting | Stage::Asking)) {
            // It can read no answer any more.
            self.abandon(id);
            return;
        }
        self.advance(id);
    }

    /// Returns whether bytes of the client can be used now.
    fn wants_of_client(&self, id: PlaceId) -> bool {
        let Some(client) = self.clients.get(id).filter(|client| !client.wire.is_at_end) else {
            return false;
        };
        let link = client.link.and_then(|link| self.links.get(link));
        let can_write = link.is_some_and(|link| !link.is_connecting && link.wire.is_flushed());
        // Of what is not used yet so much is read that the client's end, behind it, is met.
        let has_room = client.wire.input.len() < READ_AT_ONCE;
        match client.stage {
            // What was asked in advance waits until the answers before it are read.
            Stage::Head => client.wire.is_flushed(),
            Stage::New | Stage::Lingering => true,
            Stage::Waiting => has_room,
            Stage::Asking => client.ask.as_ref().is_some_and(|ask| match ask.body.is_complete() {
                true => has_room,
                false => can_write,
            }),
            Stage::Passed => can_write,
        }
    }

    /// Reads once, and passes it on as far as it is the body of a request.
    fn read_client(&mut self, id: PlaceId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if let Some(link) = client.link.and_then(|link| self.links.get_mut(link))
            && let Some(most) = plain_left(client).filter(|most| *most >= BULK)
            && let Some(got) = link.wire.relay(&mut client.wire, most, &mut self.pipes)
        {
            if let (Some(ask), Got::Bytes(count)) = (client.ask.as_mut(), got) {
                ask.body.pass_plain(count);
            }
            return;
        }
        let Got::Bytes(count) = client.wire.read(&mut self.scratch) else { return };
        let mut bytes = &self.scratch[..count];
        match client.stage {
            Stage::Lingering => {}
            Stage::Asking => {
                // A body of known length that is not to be sent again passes without a copy.
                let ask =
                    client.ask.as_mut().filter(|ask| !ask.is_held && client.wire.input.is_empty());
                let link = client.link.and_then(|link| self.links.get_mut(link));
                if let (Some(ask), Some(link)) = (ask, link)
                    && let Some(plain) = ask.body.pass_plain(count)
                {
                    link.wire.send(&bytes[..plain]);
                    bytes = &bytes[plain..];
                }
                client.wire.input.extend_from_slice(bytes);
            }
            Stage::Passed if client.has_heard_nothing() => {
                client.wire.input.extend_from_slice(bytes);
                self.look_again(id);
            }
            Stage::Passed => {
                if let Some(link) = client.link.and_then(|link| self.links.get_mut(link)) {
                    link.wire.send(bytes);
                }
            }
            Stage::Waiting if client.has_heard_nothing() => {
                client.wire.input.extend_from_slice(bytes);
                self.look_again(id);
            }
            Stage::New | Stage::Head | Stage::Waiting => {
                client.wire.input.extend_from_slice(bytes);
            }
        }
    }

    /// Goes on with a client as far as what has come allows.
    pub(super) fn advance(&mut self, id: PlaceId) {
        loop {
            let Some(client) = self.clients.get_mut(id) else { return };
            let goes_on = match client.stage {
                Stage::New | Stage::Head => self.begin(id),
                Stage::Asking => self.exchange(id),
                Stage::Passed => self.pass(id),
                Stage::Waiting => self.judge_end_of_waiting(id),
                Stage::Lingering => self.linger(id),
            };
            if !goes_on {
                break;
            }
        }
        self.arm(id);
    }

    /// Begins what the bytes at the start of a connection, or behind a request, ask for. Returns whether to go on.
    fn begin(&mut self, id: PlaceId) -> bool {
        if self.clients.get(id).is_some_and(|client| !client.wire.is_flushed()) {
            // It has asked ahead, and does not read: nothing is answered for it to be held here.
            return false;
        }
        let step = self.look_at_head(id);
        let Some(client) = self.clients.get_mut(id) else { return false };
        match step {
            HeadStep::Wait if client.wire.is_at_end => self.close_client(id),
            HeadStep::Wait => {
                client.wire.shrink();
                return false;
            }
            HeadStep::Close => self.close_client(id),
            HeadStep::Request(request, head) => {
                client.ask = Some(Box::new(Exchange::request(request, head, self.now)));
                if let Some(front) = self.fronts.get(&client.front) {
                    front.counters.begin();
                }
                self.dispatch(id, false);
            }
            HeadStep::Pass => {
                client.ask = Some(Box::new(Exchange::passed(false, self.now)));
                self.dispatch(id, false);
            }
            HeadStep::Refuse(Malformed(why)) => self.refuse(id, PageReason::Malformed(why)),
        }
        true
    }

    /// Looks at the bytes at the start of a connection, or behind a request.
    fn look_at_head(&mut self, id: PlaceId) -> HeadStep {
        let Some(client) = self.clients.get_mut(id) else { return HeadStep::Close };
        let Some(front) = self.fronts.get(&client.front) else { return HeadStep::Close };
        let input = &mut client.wire.input;
        if input.is_empty() {
            return if client.wire.is_at_end { HeadStep::Close } else { HeadStep::Wait };
        }
        if client.stage == Stage::New {
            let is_whole = client.wire.is_at_end;
            match if is_whole { sniff_whole(input) } else { sniff(input) } {
                Sniffed::Undecided => return HeadStep::Wait,
                Sniffed::Other => return HeadStep::Pass,
                Sniffed::Http1 => client.stage = Stage::Head,
            }
        }
        // Empty lines before a request are skipped (RFC 9112 section 2.2).
        let empty = empty_lines(input);
        input.drain(..empty);
        if input.is_empty() || input == b"\r" {
            return HeadStep::Wait;
        }
        let length = match client.scan.find(input, LineEnds::Strict) {
            Ok(Some(length)) => length,
            Ok(None) => return HeadStep::Wait,
            Err(malformed) => return HeadStep::Refuse(malformed),
        };
        debug_assert!(length <= LONGEST_HEAD);
        let mut head = Vec::with_capacity(length + 128);
        let view = RequestView { name: &front.name, peer: client.peer };
        let read = read_request(&input[..length], view, &mut head);
        input.drain(..length);
        client.scan = HeadScan::default();
        match read {
            Ok(request) => HeadStep::Request(request, head),
            Err(malformed) => HeadStep::Refuse(malformed),
        }
    }

    /// Passes a client that says nothing to an instance, whose turn it may be to speak. One that has begun what may
    /// become a request is waited for: what follows is not to be passed by unread.
    pub(super) fn pass_silent(&mut self, id: PlaceId) {
        let Some(client) = self.clients.get_mut(id).filter(|client| client.is_silent()) else {
            return;
        };
        client.ask = Some(Box::new(Exchange::passed(true, self.now)));
        self.dispatch(id, false);
        self.advance(id);
    }

    /// A client was taken for one that waits for the server to speak, and speaks first: it may speak HTTP. Browsers open
    /// connections before they need them.
    fn look_again(&mut self, id: PlaceId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        client.ask = None;
        client.stage = Stage::New;
        self.silent.push_back((self.now + SILENCE, id));
        if let Some(link) = client.link.take() {
            self.close_link(link);
        }
    }

    /// Waits until a client that was told the last hangs up. Returns whether to go on.
    fn linger(&mut self, id: PlaceId) -> bool {
        let Some(client) = self.clients.get_mut(id) else { return false };
        client.wire.input = Vec::new();
        let is_flushed = client.wire.is_flushed();
        if client.wire.is_deaf || client.wire.is_broken || client.wire.is_at_end && is_flushed {
            self.close_client(id);
        } else if is_flushed {
            client.wire.shut();
        }
        false
    }

    /// Ends a client's connection as soon as it has read what was sent.
    pub(super) fn begin_to_linger(&mut self, id: PlaceId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        client.stage = Stage::Lingering;
        self.lingering.push_back((self.now + LINGER, id));
    }

    /// Waits for what a client, and the instance that it asks, are to bring.
    pub(super) fn arm(&mut self, id: PlaceId) {
        let wants_client = self.wants_of_client(id);
        let wants_link = self.wants_of_link(id);
        let Some(client) = self.clients.get_mut(id) else { return };
        let armed = client.wire.arm(&self.poller, wants_client);
        let link = client.link.and_then(|link| self.links.get_mut(link));
        let link_armed = link.map_or(Ok(()), |link| link.arm(&self.poller, wants_link));
        if armed.is_err() || link_armed.is_err() {
            // The kernel has no memory for it, and would never tell that the connection is ready.
            self.abandon(id);
        }
    }

    /// Closes a client's connection, which asks nothing any more.
    pub(super) fn close_client(&mut self, id: PlaceId) {
        self.abandon(id);
    }
}

/// Returns how many bytes, at most, the instance gets as they come, if the last read says that there are many. What is to
/// be sent again is not among them.
fn plain_left(client: &Client) -> Option<usize> {
    if !client.wire.is_bulky || !client.wire.input.is_empty() {
        return None;
    }
    match &client.ask {
        _ if client.stage == Stage::Passed => Some(usize::MAX),
        Some(ask) if client.stage == Stage::Asking && !ask.is_held => ask.body.plain_left(),
        _ => None,
    }
}
