//! What to run: process types, counts, ports and environment. No I/O.

pub(crate) mod base_port;
pub mod dependencies;
pub mod env_file;
pub mod environment;
pub mod exit;
pub mod file_watch;
pub mod formation;
pub mod front;
pub mod id;
pub mod limits;
pub mod lint;
pub mod loaded;
pub mod moment;
pub(crate) mod nearest;
pub(crate) mod ports;
pub mod process_type;
pub mod procfile;
pub mod readiness;
pub mod reload;
pub mod select;
pub mod shell;
pub(crate) mod siblings;
pub mod signal;
pub mod size;
pub(crate) mod text;
pub mod warning;

pub use dependencies::{Dependency, Milestone};
pub use environment::{Environment, Source};
pub use exit::Exit;
pub use front::{Front, PortSlot, Update};
pub use id::{InstanceId, RunId};
pub use limits::{Budget, CpuLimit, Gc, Limits, LogLimits, MemoryAction, Nice};
pub use moment::Moment;
pub use process_type::{
    App, ExitOn, OnDependencyRestart, Policy, ProcessType, Reach, Restart, Role, Stdio,
};
pub use signal::Signal;
pub use size::Size;
pub use warning::Warning;
