//! The running session: its loop, the requests of clients, pm's own messages, memory budgets, the terminals of
//! instances. It does what the supervisor decides through `os`, and tells it what happened.

pub(crate) mod budgets;
pub(crate) mod console;
mod deliver;
pub(crate) mod desk;
pub(crate) mod foreground;
mod job;
mod keyboard;
pub(crate) mod notes;
pub(crate) mod own_terminal;
pub(crate) mod run;
mod viewers;
