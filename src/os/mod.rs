//! The imperative shell: signals, processes, timers. It does what the supervisor decides and tells
//! it what happened; it is the only part that knows process ids and reads the clock.

pub(crate) mod adopted;
pub(crate) mod attach;
pub(crate) mod budgets;
pub mod cgroup;
pub(crate) mod children;
pub(crate) mod clock;
pub(crate) mod daemon;
mod deliver;
pub(crate) mod desk;
pub(crate) mod foreground;
pub(crate) mod guard;
pub(crate) mod halt;
pub(crate) mod inherited;
pub(crate) mod keyboard;
pub(crate) mod limits;
pub mod machine;
pub mod meter;
pub(crate) mod notes;
pub(crate) mod proc_tree;
pub(crate) mod procfs;
pub(crate) mod pty;
pub(crate) mod restrict;
pub(crate) mod roster;
pub(crate) mod run;
pub(crate) mod signals;
pub(crate) mod spawn;
pub(crate) mod zone;
