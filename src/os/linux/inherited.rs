//! Descriptors that pm's caller left open, which children must not inherit.

use std::fs;

use nix::libc;

use crate::os::descriptors;

/// Marks every descriptor except the standard three close-on-exec. A daemon of the application must not keep an
/// editor's socket or a job server's pipe open. pm's own descriptors have the mark already.
pub(crate) fn keep_from_children() {
    // SAFETY: the call sets a flag of descriptors and touches no memory.
    #[expect(unsafe_code, reason = "nix has no close_range")]
    let done =
        unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done != 0 {
        mark_one_by_one();
    }
}

/// For a kernel before 5.11, or a sandbox that forbids the call.
fn mark_one_by_one() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for fd in numbers.filter(|fd: &i32| *fd > 2) {
        descriptors::set_close_on_exec(fd);
    }
}
