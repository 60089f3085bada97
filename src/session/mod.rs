//! The running session: its loop, the requests of clients, pm's own messages, memory budgets, the terminals of
//! instances. It does what the supervisor decides through `os`, and tells it what happened.

pub(crate) mod budgets;
pub(crate) mod console;
mod figures;
pub(crate) mod foreground;
mod fronts;
mod input_sink;
mod job;
pub(crate) mod kept;
pub(crate) mod keyboard;
mod last_exits;
pub(crate) mod messages;
pub(crate) mod own_terminal;
mod probes;
mod readiness;
mod report;
pub(crate) mod requests;
pub(crate) mod run;
mod shared_sockets;
mod subscriber;
mod trace;
mod viewers;
mod wait;
mod watching;
