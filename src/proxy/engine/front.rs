//! A front and its upstreams: who may be asked, who waits.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::proxy::balance::{Contender, choose};
use crate::proxy::figures::{FrontCounters, InstanceCounters};
use crate::proxy::slab::PlaceId;
use crate::proxy::{FrontFailure, FrontId, Upstream};

/// Who has refused a connection is asked again after this time: nobody waits much longer than needed for the first
/// answer of an instance that boots, and a try costs next to nothing.
pub(super) const RETRY: Duration = Duration::from_millis(20);
/// An idle connection to an instance is kept for so long. Node, the most impatient server, closes after 5 s.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(1);
/// So many idle connections to an instance are kept.
pub(super) const MOST_KEPT: usize = 64;

/// One address.
#[derive(Debug)]
pub(super) struct ServedFront {
    pub(super) name: String,
    pub(super) listeners: Vec<TcpListener>,
    pub(super) wait: Duration,
    pub(super) is_local: bool,
    pub(super) failure: Option<FrontFailure>,
    pub(super) counters: Arc<FrontCounters>,
    /// Its upstreams that get requests.
    pub(super) runs: Vec<FrontRun>,
    /// The place of the one that got the last request.
    pub(super) last: usize,
    /// Clients whose requests wait, and those whose connection is being made; also some that do no longer.
    pub(super) queue: VecDeque<PlaceId>,
    /// When the queue is to be looked through.
    pub(super) look_at: Option<Instant>,
}

/// One run behind a front, until it is cut and nothing of it is left.
#[derive(Debug)]
pub(super) struct FrontRun {
    pub(super) upstream: Upstream,
    pub(super) counters: Arc<InstanceCounters>,
    pub(super) in_flight: u64,
    /// Gets no new requests.
    pub(super) is_withdrawn: bool,
    /// The withdrawal is to be answered.
    pub(super) owes_report: bool,
    /// What is left of it is closed at this time.
    pub(super) cut_at: Option<Instant>,
    /// Has refused, and is not asked before this.
    pub(super) not_before: Option<Instant>,
    /// Answers on ::1, not on 127.0.0.1.
    pub(super) is_v6: bool,
    /// Connections that are kept, the longest idle first.
    pub(super) idle: VecDeque<(Instant, PlaceId)>,
}

impl FrontRun {
    pub(super) fn new(upstream: Upstream, counters: Arc<InstanceCounters>) -> Self {
        Self {
            upstream,
            counters,
            in_flight: 0,
            is_withdrawn: false,
            owes_report: false,
            cut_at: None,
            not_before: None,
            is_v6: false,
            idle: VecDeque::new(),
        }
    }

    /// A pending connection to one of its two addresses was refused: the other is tried next. Of several that were pending
    /// at a time, each says the same.
    pub(super) fn has_refused(&mut self, was_v6: bool, now: Instant) {
        self.is_v6 = !was_v6;
        self.not_before = Some(now + RETRY);
    }
}

impl ServedFront {
    /// Returns the place of the run that gets the next request, of all or of those of one instance.
    pub(super) fn choose(&mut self, number: Option<u16>, now: Instant) -> Option<usize> {
        let contenders: Vec<Contender> = self
            .runs
            .iter()
            .map(|run| Contender {
                in_flight: run.in_flight,
                is_open: !run.is_withdrawn
                    && number.is_none_or(|number| number == run.upstream.number)
                    && run.not_before.is_none_or(|at| at <= now),
            })
            .collect();
        let place = choose(&contenders, self.last)?;
        self.last = place;
        Some(place)
    }

    /// Returns the run with a key.
    pub(super) fn run(&mut self, key: u64) -> Option<&mut FrontRun> {
        self.runs.iter_mut().find(|run| run.upstream.key == key)
    }

    /// Returns whether somebody may be asked, now or soon.
    pub(super) fn has_hope(&self) -> bool {
        self.runs.iter().any(|run| !run.is_withdrawn)
    }

    /// Lets the queue be looked through at this time, or before.
    pub(super) fn look(&mut self, at: Instant) {
        self.look_at = Some(self.look_at.map_or(at, |other| other.min(at)));
    }

    /// Returns the next time at which something is to be done without anybody saying so.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let runs = self.runs.iter().filter_map(|run| {
            let idle = run.idle.front().map(|(since, _)| *since + KEPT_FOR);
            idle.into_iter().chain(run.cut_at).min()
        });
        runs.chain(self.look_at).min()
    }
}

/// What the session has said.
#[derive(Debug)]
pub(in crate::proxy) enum ProxyOrder {
    Open(FrontId, crate::proxy::FrontSettings, Arc<FrontCounters>),
    Close(FrontId),
    Offer(FrontId, Upstream, Arc<InstanceCounters>),
    Withdraw(u64),
    Cut(u64),
    Fail(FrontId, Option<FrontFailure>),
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the clock of the test")]
    fn two_that_were_refused_on_one_address_lead_to_the_other() {
        let counters = Arc::default();
        let mut run = FrontRun::new(Upstream { key: 1, number: 1, port: 5001 }, counters);
        let now = Instant::now();
        for (was_v6, is_v6) in [(false, true), (false, true), (true, false), (true, false)] {
            run.has_refused(was_v6, now);
            assert_eq!(run.is_v6, is_v6);
        }
    }
}
