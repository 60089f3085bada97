//! Memory that another process can map.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// Makes memory of this length, all zeroes, close-on-exec.
pub(crate) fn create(length: usize) -> io::Result<OwnedFd> {
    let memory = File::from(memfd_create(c"pm-pids", MFdFlags::MFD_CLOEXEC)?);
    memory.set_len(length as u64)?;
    Ok(memory.into())
}
