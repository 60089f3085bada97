//! The C library's allocator: tells it to return freed memory to the system.

/// Makes the allocator return large freed blocks to the system, such as the output that waited for a slow client, or a
/// line of 16 MiB.
///
/// By default, glibc uses up to eight heaps per CPU, and keeps up to twice the size of the first large freed block in
/// each (mallopt(3)): a session with some followers held 170 MiB instead of 12. pm's threads seldom allocate at the
/// same time, so one heap is enough. Must be called while this process has one thread.
#[cfg(target_env = "gnu")]
pub(crate) fn give_back_what_is_freed() {
    use nix::libc;
    /// The default threshold, in bytes (mallopt(3)). Setting it explicitly keeps it from growing.
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

/// Other C libraries have no heap per thread.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_back_what_is_freed() {}
