//! What the one address of a process type has answered.

use serde::{Deserialize, Serialize};

/// The answers of a proxy since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProxyTraffic {
    /// How many answers had which status code, in the order of the codes.
    pub codes: Vec<(u16, u64)>,
    /// How many answers had come to their last byte after so many seconds: each bound counts also what is below it.
    pub within: Vec<(f64, u64)>,
    /// All answers, also those above the last bound.
    pub answered: u64,
    /// The time of all of them, in seconds.
    pub seconds_sum: f64,
}
