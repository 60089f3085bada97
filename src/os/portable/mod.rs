//! What stands in for `linux` on macOS and the BSDs: POSIX calls, and `ps` for what POSIX has no call for.
//! Slower, and less is found; nothing here is on the way of the output.

pub(in crate::os) mod affinity;
pub(in crate::os) mod credentials;
pub(in crate::os) mod executable;
pub(crate) mod inherited;
pub(in crate::os) mod listeners;
pub mod machine;
pub(crate) mod origin;
pub(crate) mod orphans;
pub(in crate::os) mod processes;
pub(in crate::os) mod program;
pub(in crate::os) mod sampler;
pub(in crate::os) mod session;
pub(in crate::os) mod shared_memory;
pub(crate) mod subtree;
