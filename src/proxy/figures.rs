//! What a front counts: requests by instance and by status code, and how long they took.

use super::FrontId;

/// The upper bounds of the histogram's buckets, in seconds; the last bucket, above them all, has none.
pub const SECONDS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// What one front has counted since it was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct FrontFigures {
    /// Which front.
    pub front: FrontId,
    /// By number, all instances that were ever offered; over all runs of each.
    pub instances: Vec<InstanceFigures>,
    /// How many answers had which status code, in the order of the codes; those that the front itself gave, too.
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
