//! A front and its upstreams: who may be asked, who waits.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

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
    /// Clients whose requests wait, and those whose connection is being made; also some that do no longer. Each is in it
    /// once.
    pub(super) queue: VecDeque<PlaceId>,
    /// Until when the session may say why nobody is ready, where it was asked.
    pub(super) asked_until: Option<Instant>,
    /// When the queue is to be looked through.
    pub(super) look_at: Option<Instant>,
    /// It ends with the last of its runs.
    pub(super) is_closing: bool,
}

/// Whether a run can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It takes connections, as far as is known.
    Open,
    /// It has refused, and is not asked before this.
    Refused(Instant),
    /// It has refused, and is being tried by this connection: all others wait for the outcome.
    Tried(PlaceId),
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
    pub(super) admission: Admission,
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
            admission: Admission::Open,
            is_v6: false,
            idle: VecDeque::new(),
        }
    }

    /// A pending connection to one of its two addresses was refused: the other is tried next. Of several that were pending
    /// at a time, each says the same.
    pub(super) fn has_refused(&mut self, was_v6: bool, now: Instant) {
        self.is_v6 = !was_v6;
        self.admission = Admission::Refused(now + RETRY);
    }

    /// Returns whether it can be asked.
    fn is_open(&self, now: Instant) -> bool {
        !self.is_withdrawn
            && match self.admission {
                Admission::Open => true,
                Admission::Refused(until) => until <= now,
                Admission::Tried(_) => false,
            }
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
                is_open: run.is_open(now)
                    && number.is_none_or(|number| number == run.upstream.number),
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

    /// Returns whether an instance takes requests, now or soon.
    pub(super) fn may_recover(&self) -> bool {
        self.runs.iter().any(|run| !run.is_withdrawn)
    }

    /// Returns whether one who waits has something to gain now: somebody can be asked, or nobody will be.
    pub(super) fn has_news(&self, now: Instant) -> bool {
        self.failure.is_some() || self.runs.iter().any(|run| run.is_open(now))
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
    /// Drops the sender when nobody listens for the front any more.
    Unlisten(FrontId, Sender<()>),
    Offer(FrontId, Upstream, Arc<InstanceCounters>),
    Withdraw(u64),
    Cut(u64),
    Fail(FrontId, Option<FrontFailure>),
    Explain(FrontId, FrontFailure),
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

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the clock of the test")]
    fn who_has_refused_is_not_asked_for_a_while_and_then_tried_by_one_at_a_time() {
        let run = FrontRun::new(Upstream { key: 1, number: 1, port: 5001 }, Arc::default());
        let mut front = ServedFront {
            name: "web".into(),
            listeners: Vec::new(),
            wait: KEPT_FOR,
            is_local: true,
            is_closing: false,
            failure: None,
            counters: Arc::new(FrontCounters::new()),
            runs: vec![run],
            last: 0,
            queue: VecDeque::new(),
            asked_until: None,
            look_at: None,
        };
        let now = Instant::now();
        assert_eq!(front.choose(None, now), Some(0));
        front.runs[0].has_refused(false, now);
        assert_eq!((front.choose(None, now), front.has_news(now)), (None, false));
        let later = now + RETRY;
        assert_eq!((front.choose(None, later), front.has_news(later)), (Some(0), true));
        let mut links = crate::proxy::slab::Slab::new();
        front.runs[0].admission = Admission::Tried(links.insert_with(|_| ()));
        assert_eq!((front.choose(None, later), front.has_news(later)), (None, false));
    }
}
