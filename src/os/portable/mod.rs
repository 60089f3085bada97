//! The counterpart of `linux` for macOS and the BSDs. It uses POSIX calls, and `ps` if there is no call; it is slower
//! and finds less. The output path does not depend on it.

pub(in crate::os) mod affinity;
pub(in crate::os) mod credentials;
pub(in crate::os) mod executable;
pub(in crate::os) mod folder_watch;
pub(crate) mod inherited;
pub(crate) mod input;
pub(in crate::os) mod listeners;
pub mod machine;
pub(crate) mod origin;
pub(crate) mod orphans;
pub(in crate::os) mod pipe;
pub(in crate::os) mod poller;
pub(in crate::os) mod posix_spawn;
pub(in crate::os) mod process_end;
pub(in crate::os) mod processes;
pub(in crate::os) mod program;
pub(in crate::os) mod sampler;
pub(in crate::os) mod session;
pub(in crate::os) mod shared_memory;
pub(crate) mod subtree;
pub(in crate::os) mod usage;
