//! What a front counts: requests by instance and by status code, and how long they took.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::FrontId;

/// The upper bounds of the histogram's buckets, in seconds; the last bucket, above them all, has none.
pub const SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Status codes from 100 to 599 are counted each, and others as the nearest.
const CODES: usize = 500;

/// What one front has counted since it was first opened.
#[derive(Clone, Debug, PartialEq)]
pub struct FrontFigures {
    /// Which front.
    pub front: FrontId,
    /// By number, all instances that were ever offered; over all runs of each.
    pub instances: Vec<InstanceFigures>,
    /// How many answers had which status code, in the order of the codes; 502 and 503 of the front's own, too.
    /// What is refused with 400 was no request.
    pub codes: Vec<(u16, u64)>,
    /// Requests that have no answer, or not all of it: those that wait, too.
    pub in_flight: u64,
    /// How many requests took at most [`SECONDS`], each in one bucket only; the last one has the rest.
    pub seconds: [u64; SECONDS.len() + 1],
    /// The sum of what they took, in seconds.
    pub seconds_sum: f64,
}

/// What one instance has served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceFigures {
    /// Its number in its process type, from 1.
    pub number: u16,
    /// Requests that it got, those in flight included.
    pub requests: u64,
    /// Those that it has not answered to the last byte.
    pub in_flight: u64,
    /// Answers of 500 to 599, and requests that it never answered (502).
    pub errors_5xx: u64,
}

/// The counters of an instance: written by the proxy's thread alone, read by others.
#[derive(Debug, Default)]
pub(super) struct InstanceCounters {
    requests: AtomicU64,
    in_flight: AtomicU64,
    errors_5xx: AtomicU64,
}

impl InstanceCounters {
    pub(super) fn begin(&self) {
        self.requests.fetch_add(1, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
    }

    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// A request that was begun has not reached the instance.
    pub(super) fn take_back(&self) {
        self.requests.fetch_sub(1, Relaxed);
        self.end();
    }

    pub(super) fn answered(&self, status: u16) {
        if (500..600).contains(&status) {
            self.errors_5xx.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn figures(&self, number: u16) -> InstanceFigures {
        InstanceFigures {
            number,
            requests: self.requests.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            errors_5xx: self.errors_5xx.load(Relaxed),
        }
    }
}

/// The counters of a front: written by the proxy's thread alone, read by others.
#[derive(Debug)]
pub(super) struct FrontCounters {
    codes: Vec<AtomicU64>,
    in_flight: AtomicU64,
    seconds: [AtomicU64; SECONDS.len() + 1],
    nanoseconds: AtomicU64,
}

impl FrontCounters {
    pub(super) fn new() -> Self {
        Self {
            codes: (0..CODES).map(|_| AtomicU64::new(0)).collect(),
            in_flight: AtomicU64::new(0),
            seconds: std::array::from_fn(|_| AtomicU64::new(0)),
            nanoseconds: AtomicU64::new(0),
        }
    }

    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// Counts the end of a request; with its status if it was answered, after this time.
    pub(super) fn end(&self, status: Option<u16>, took: Duration) {
        self.in_flight.fetch_sub(1, Relaxed);
        let Some(status) = status else { return };
        let code = usize::from(status.clamp(100, 599) - 100);
        self.codes[code].fetch_add(1, Relaxed);
        let bucket = SECONDS.iter().position(|most| took.as_secs_f64() <= *most);
        self.seconds[bucket.unwrap_or(SECONDS.len())].fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    pub(super) fn figures(&self, front: FrontId, instances: Vec<InstanceFigures>) -> FrontFigures {
        let codes = (100..).zip(self.codes.iter().map(|count| count.load(Relaxed)));
        let nanoseconds = self.nanoseconds.load(Relaxed);
        FrontFigures {
            front,
            instances,
            codes: codes.filter(|(_, count)| *count > 0).collect(),
            in_flight: self.in_flight.load(Relaxed),
            seconds: std::array::from_fn(|bucket| self.seconds[bucket].load(Relaxed)),
            seconds_sum: Duration::from_nanos(nanoseconds).as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_code_and_by_time() {
        let counters = FrontCounters::new();
        for (status, milliseconds) in
            [(Some(200), 1), (Some(200), 3), (Some(503), 20_000), (None, 5)]
        {
            counters.begin();
            counters.end(status, Duration::from_millis(milliseconds));
        }
        counters.begin();
        let figures = counters.figures(FrontId(7), Vec::new());
        assert_eq!(figures.codes, [(200, 2), (503, 1)]);
        assert_eq!(figures.seconds, [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(figures.in_flight, 1);
        assert!((figures.seconds_sum - 20.004).abs() < 1e-9);
    }
}
