//! Traces of whole sessions: each asserts what a person would see and what the shell would do.

mod crash;
mod exit_rules;
mod file_changes;
mod forks;
mod job_control;
mod listening;
mod memory;
mod needs;
mod orphans;
mod readiness;
mod release;
mod request;
mod rollout;
mod rollout_causes;
mod rollout_storm;
mod share_port;
mod shutdown;
mod starts;
mod stop;
mod stop_order;
mod storm;
mod wait;
mod watch_storm;
mod wishes;
mod withdraw;

use super::ResolvedRequest;
use crate::app::InstanceId;

/// Makes a request for some instances.
type ToRequest = fn(Vec<InstanceId>) -> ResolvedRequest;
