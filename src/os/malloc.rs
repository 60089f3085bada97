//! The C library's allocator: tells it to return freed memory to the system.

/// Lets memory that was needed for a moment go back to the system when it is freed: the output that
/// waited for a client that hung, a line of 16 MiB.
///
/// glibc otherwise gives every client's thread a heap of its own, of which there are up to eight a CPU,
/// and after the first large block that is freed it keeps up to twice as much in each (mallopt(3)): a
/// session with some followers held 170 MiB instead of 12. pm's threads seldom allocate at the same time,
/// so one heap serves them all. Must be called while this process has one thread.
#[cfg(target_env = "gnu")]
pub(crate) fn give_back_what_is_freed() {
    use nix::libc;
    /// What malloc begins with, in bytes (mallopt(3)). To say so is to keep it from growing.
    const LARGE: libc::c_int = 128 << 10;
    for (parameter, value) in [(libc::M_ARENA_MAX, 1), (libc::M_MMAP_THRESHOLD, LARGE)] {
        // SAFETY: it takes two numbers and no memory. What it returns says no more than that the
        // parameter is unknown, and then all is as it was.
        #[expect(unsafe_code, reason = "the allocator has no safe interface")]
        unsafe {
            libc::mallopt(parameter, value);
        }
    }
}

/// Other C libraries keep no heap a thread.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_back_what_is_freed() {}
