//! A request and its answer: the body to the instance, what comes back to the client, both at the same time.

use super::Engine;
use super::client::{Client, Stage};
use super::link::InstanceLink;
use crate::proxy::body::BodyPass;
use crate::proxy::head::{HeadScan, LineEnds, Malformed, read_response};
use crate::proxy::page::PageReason;
use crate::proxy::slab::PlaceId;

/// What has become of an exchange.
enum ExchangeStep {
    /// More must come, or go.
    Wait,
    /// The answer is with the client, to its last byte.
    Done,
    /// The protocol is another from here on.
    Switched,
    /// The request's body is malformed.
    BadRequest(Malformed),
    /// The answer is malformed.
    BadAnswer(Malformed),
    /// The client has ended within its request.
    ClientGone,
    /// The instance has ended within its answer, or before it.
    AnswerLost,
}

impl Engine {
    /// Goes on with a request as far as it can. Returns whether to go on with the client.
    pub(super) fn exchange(&mut self, id: PlaceId) -> bool {
        let Some(client) = self.clients.get_mut(id) else { return false };
        let Some(link_id) = client.link else { return false };
        let Some(link) = self.links.get_mut(link_id) else { return false };
        match progress(client, link) {
            ExchangeStep::Wait => return false,
            ExchangeStep::Done => self.finish(id),
            ExchangeStep::Switched => self.switch(id),
            ExchangeStep::BadRequest(Malformed(why)) => {
                let has_head = client.ask.as_ref().is_some_and(|ask| ask.answer.head.is_some());
                if has_head {
                    self.abandon(id);
                } else {
                    self.refuse(id, PageReason::Malformed(why));
                }
            }
            ExchangeStep::BadAnswer(Malformed(why)) => self.reject_answer(id, why),
            ExchangeStep::ClientGone => self.abandon(id),
            ExchangeStep::AnswerLost => self.lose_answer(id),
        }
        true
    }

    /// The answer is with the client: its connection, and that to the instance, go on with the next, or end.
    fn finish(&mut self, id: PlaceId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let (Some(ask), Some(link_id)) = (client.ask.as_mut(), client.link) else { return };
        let Some(head) = ask.answer.head else { return };
        let key = ask.upstream;
        let is_read = ask.body.is_complete();
        let keeps_client = head.keeps_client && is_read && !client.wire.is_deaf;
        if let Some(run) =
            self.fronts.get_mut(&client.front).and_then(|front| key.and_then(|key| front.run(key)))
        {
            run.counters.answered(head.status);
        }
        let keeps_link = head.keeps_upstream
            && is_read
            && self.links.get(link_id).is_some_and(|link| {
                link.wire.input.is_empty()
                    && link.wire.is_flushed()
                    && !link.wire.has_shut()
                    && !link.wire.is_at_end
                    && !link.wire.is_deaf
            });
        if keeps_link {
            client.link = None;
            self.keep_link(link_id);
        }
        self.let_go(id, Some(head.status));
        let Some(client) = self.clients.get_mut(id) else { return };
        client.ask = None;
        if keeps_client {
            client.stage = Stage::Head;
            client.scan = HeadScan::default();
        } else {
            // Bytes that nobody has read yet may be in the kernel.
            self.begin_to_linger(id);
        }
    }

    /// From here on bytes pass as they are. The request is over; the connection is the run's until that is cut.
    fn switch(&mut self, id: PlaceId) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let link = client.link.take();
        let key = client.ask.as_ref().and_then(|ask| ask.upstream);
        if let Some(run) =
            self.fronts.get_mut(&client.front).and_then(|front| key.and_then(|key| front.run(key)))
        {
            run.counters.answered(101);
        }
        self.let_go(id, Some(101));
        let Some(client) = self.clients.get_mut(id) else { return };
        client.ask = None;
        client.link = link;
        client.stage = Stage::Passed;
    }
}

/// Moves what can be moved.
fn progress(client: &mut Client, link: &mut InstanceLink) -> ExchangeStep {
    if let Err(malformed) = pass_request(client, link) {
        return ExchangeStep::BadRequest(malformed);
    }
    pass_end(client, link);
    loop {
        let Some(ask) = client.ask.as_mut() else { return ExchangeStep::Wait };
        if ask.answer.head.is_some() {
            break;
        }
        match pass_head(client, link) {
            Ok(true) => {}
            Ok(false) => break,
            Err(malformed) => return ExchangeStep::BadAnswer(malformed),
        }
    }
    if let Err(malformed) = pass_answer(client, link) {
        return ExchangeStep::BadAnswer(malformed);
    }
    let Some(ask) = client.ask.as_mut() else { return ExchangeStep::Wait };
    if ask.answer.head.is_some_and(|head| head.status == 101) {
        return ExchangeStep::Switched;
    }
    if client.wire.is_deaf {
        return ExchangeStep::ClientGone;
    }
    let answer = &mut ask.answer;
    if link.wire.is_at_end && !answer.is_complete() && client.wire.is_flushed() {
        let ends_here = answer.head.is_some() && answer.body.ends_by_close();
        if !ends_here || link.wire.is_broken {
            return ExchangeStep::AnswerLost;
        }
        return ExchangeStep::Done;
    }
    if answer.is_complete() && client.wire.is_flushed() {
        return ExchangeStep::Done;
    }
    if client.wire.is_at_end && client.wire.input.is_empty() && !ask.body.is_complete() {
        return ExchangeStep::ClientGone;
    }
    ExchangeStep::Wait
}

/// Passes what has come of the request's body, if the instance has taken what came before.
fn pass_request(client: &mut Client, link: &mut InstanceLink) -> Result<(), Malformed> {
    let Some(ask) = client.ask.as_mut() else { return Ok(()) };
    let is_ready = !link.is_connecting && link.wire.is_flushed();
    if ask.body.is_complete() || !is_ready || client.wire.input.is_empty() {
        return Ok(());
    }
    let input = &mut client.wire.input;
    if !ask.is_held
        && let Some(count) = ask.body.pass_plain(input.len())
    {
        link.wire.send(&input[..count]);
        input.drain(..count);
        return Ok(());
    }
    let mut out = Vec::with_capacity(input.len() + 16);
    let used = ask.body.feed(input, &mut out)?;
    input.drain(..used);
    ask.hold(&out);
    link.wire.send(&out);
    Ok(())
}

/// Passes the client's end behind its last request, as soon as the instance has taken that. It may have left, or only say
/// that no request follows: without the front the instance would learn the same, and may answer all the same.
fn pass_end(client: &Client, link: &mut InstanceLink) {
    let is_whole = client.ask.as_ref().is_some_and(|ask| ask.body.is_complete());
    let is_last = client.wire.is_at_end && client.wire.input.is_empty();
    if is_whole && is_last && !link.is_connecting && link.wire.is_flushed() {
        link.wire.shut();
    }
}

/// Passes the head of an answer, if all of it has come. Returns whether it was an interim one, and another follows.
fn pass_head(client: &mut Client, link: &mut InstanceLink) -> Result<bool, Malformed> {
    let Some(ask) = client.ask.as_mut() else { return Ok(false) };
    let Some(request) = ask.request else { return Ok(false) };
    let asked = ask.asked(&request);
    let input = &mut link.wire.input;
    let Some(length) = ask.answer.scan.find(input, LineEnds::Lenient)? else { return Ok(false) };
    let mut out = Vec::with_capacity(length + 64);
    let head = read_response(&input[..length], asked, &mut out)?;
    input.drain(..length);
    ask.answer.scan = HeadScan::default();
    if head.is_interim() {
        client.wire.send(&out);
        return Ok(true);
    }
    ask.answer.body = BodyPass::new(head.body, head.writes_chunks);
    ask.answer.head = Some(head);
    // It is not sent again from here on.
    ask.held = Vec::new();
    ask.is_held = false;
    // What of the body has come with the head goes with it.
    if let Some(count) = ask.answer.body.pass_plain(input.len()).filter(|_| head.status != 101) {
        out.extend_from_slice(&input[..count]);
        input.drain(..count);
    } else if head.status != 101 {
        let used = ask.answer.body.feed(input, &mut out)?;
        input.drain(..used);
    }
    client.wire.send(&out);
    Ok(false)
}

/// Passes what has come of the answer's body, if the client has taken what came before.
fn pass_answer(client: &mut Client, link: &mut InstanceLink) -> Result<(), Malformed> {
    let Some(ask) = client.ask.as_mut() else { return Ok(()) };
    let is_ready =
        client.wire.is_flushed() && ask.answer.head.is_some_and(|head| head.status != 101);
    if !is_ready || ask.answer.body.is_complete() || link.wire.input.is_empty() {
        return Ok(());
    }
    let mut out = Vec::with_capacity(link.wire.input.len() + 16);
    let used = ask.answer.body.feed(&link.wire.input, &mut out)?;
    link.wire.input.drain(..used);
    client.wire.send(&out);
    Ok(())
}
