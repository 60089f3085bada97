//! What pm's caller left open for pm: its own business, never the children's.

use std::fs;

use nix::libc;

use crate::os::descriptors;

/// Marks every descriptor but the standard three close-on-exec. An editor's socket or a job server's
/// pipe must not be kept open by a daemon of the application. Before pm opens any of its own it costs
/// one call; later it would do no harm either, since all of those have the mark.
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
