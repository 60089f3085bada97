//! One request, or one connection that is passed, on its way to an instance and back.

use std::time::Instant;

use crate::proxy::body::BodyPass;
use crate::proxy::head::{Asked, BodyLength, HeadScan, RequestHead, ResponseHead};

/// So much of a request's body is held to be sent again.
pub(super) const MOST_HELD: usize = 64 << 10;

/// A request that has not been answered to its last byte.
#[derive(Debug)]
pub(super) struct Exchange {
    /// What the head said; `None` for a connection that is passed as it is.
    pub(super) request: Option<RequestHead>,
    /// What an instance gets first, and for as long as it may be sent again all that it got.
    pub(super) held: Vec<u8>,
    /// How much of that is the head.
    head_length: usize,
    /// All of it is held.
    pub(super) is_held: bool,
    /// It was sent again, which happens once.
    pub(super) was_resent: bool,
    /// The client has said nothing: what it says before an instance is there may still be HTTP.
    pub(super) is_silent: bool,
    /// The request's body on its way to the instance.
    pub(super) body: BodyPass,
    /// When it came.
    pub(super) began: Instant,
    /// The key of the run that it is in flight on.
    pub(super) upstream: Option<u64>,
    pub(super) answer: AnswerPass,
}

/// An answer on its way to the client.
#[derive(Debug)]
pub(super) struct AnswerPass {
    /// A byte of it has come.
    pub(super) has_begun: bool,
    pub(super) scan: HeadScan,
    /// Of the final answer, whose head has been passed on.
    pub(super) head: Option<ResponseHead>,
    pub(super) body: BodyPass,
}

impl AnswerPass {
    fn none() -> Self {
        Self {
            has_begun: false,
            scan: HeadScan::default(),
            head: None,
            body: BodyPass::new(BodyLength::UntilClose, false),
        }
    }

    /// Returns whether only the end of the connection tells the client that it is whole: also where it comes in chunks
    /// that are undone for HTTP/1.0.
    pub(super) fn ends_by_close(&self) -> bool {
        let undoes_chunks =
            |head: ResponseHead| head.body == BodyLength::Chunked && !head.writes_chunks;
        self.body.ends_by_close() || self.head.is_some_and(undoes_chunks)
    }

    /// Returns whether all of it was read.
    pub(super) fn is_complete(&self) -> bool {
        self.head.is_some() && self.body.is_complete()
    }
}

impl Exchange {
    /// Begins a request; `head` is what the instance gets.
    pub(super) fn request(request: RequestHead, head: Vec<u8>, began: Instant) -> Self {
        Self {
            body: BodyPass::new(request.body, true),
            request: Some(request),
            head_length: head.len(),
            held: head,
            is_held: request.is_idempotent,
            was_resent: false,
            is_silent: false,
            began,
            upstream: None,
            answer: AnswerPass::none(),
        }
    }

    /// Begins a connection that is passed as it is.
    pub(super) fn passed(is_silent: bool, began: Instant) -> Self {
        Self {
            request: None,
            held: Vec::new(),
            head_length: 0,
            is_held: false,
            was_resent: false,
            is_silent,
            body: BodyPass::new(BodyLength::UntilClose, false),
            began,
            upstream: None,
            answer: AnswerPass::none(),
        }
    }

    /// Returns which instance it is for, if it is for one alone.
    pub(super) fn number(&self) -> Option<u16> {
        self.request.and_then(|request| request.host.number)
    }

    /// Returns whether it may be sent a second time, after a kept connection has ended without a byte of an answer.
    pub(super) fn may_be_resent(&self) -> bool {
        self.is_held && !self.was_resent && !self.answer.has_begun
    }

    /// Holds a part of the body, if all of it was held so far and there is room.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        let most = self.head_length + MOST_HELD;
        if self.is_held && self.held.len() + bytes.len() <= most {
            self.held.extend_from_slice(bytes);
        } else {
            self.is_held = false;
        }
    }

    /// Begins to wait for another answer.
    pub(super) fn expect_again(&mut self) {
        self.answer = AnswerPass::none();
    }

    /// Returns what the answer is to.
    pub(super) fn asked(&self, request: &RequestHead) -> Asked {
        Asked {
            minor: request.minor,
            is_head: request.is_head,
            upgrades: request.upgrades,
            persists: request.persists && self.body.is_complete(),
        }
    }
}
