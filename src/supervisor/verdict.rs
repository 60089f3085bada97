//! Why and how a session ended.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Moment;
use crate::app::{Exit, InstanceId};

/// Why and how a session ended, for the last lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionEnd {
    /// The instance whose end ended the session.
    pub culprit: Option<Culprit>,
    /// Who had to be killed.
    pub killed: BTreeSet<InstanceId>,
    /// Who did not even end when killed.
    pub lost: BTreeSet<InstanceId>,
}

/// The instance whose end ended the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Who.
    pub instance: InstanceId,
    /// How it ended.
    pub exit: Exit,
    /// How long its last run lasted.
    pub uptime: Duration,
    /// How often it had been restarted.
    pub restarts: u32,
    /// When.
    pub at: Moment,
}
