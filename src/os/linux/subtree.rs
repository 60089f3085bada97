//! The cgroup that pm was started in.

use std::fs;
use std::path::Path;

use nix::unistd::Pid;

use crate::os::cgroup::{Subtree, Unavailable};

/// Looks for a subtree that is delegated to this process.
pub(crate) fn find() -> Result<Subtree, Unavailable> {
    let own = fs::read_to_string("/proc/self/cgroup").map_err(|_| Unavailable::NoCgroup2)?;
    let pid = Pid::this().as_raw();
    Subtree::find(Path::new("/sys/fs/cgroup"), &own, |member| member == pid)
}
