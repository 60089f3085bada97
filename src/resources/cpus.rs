//! How many CPUs this process may use, which is what `web=auto` means.

use std::thread;

/// Returns the number of CPUs that this process may use, at least 1: its affinity, and the cgroup's
/// CPU quota rounded down, whichever is less (both are counted by `std::thread::available_parallelism`
/// on Linux, for cgroup v1 and v2). 1 where the system does not say.
pub fn available() -> u16 {
    thread::available_parallelism().map_or(1, |cpus| u16::try_from(cpus.get()).unwrap_or(u16::MAX))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn a_thread_that_is_held_to_one_cpu_has_one() {
        let this_thread = Pid::from_raw(0);
        // Affinity is per thread on Linux, so the other tests do not notice.
        let before = sched_getaffinity(this_thread).unwrap();
        let first = (0..CpuSet::count()).find(|&cpu| before.is_set(cpu) == Ok(true)).unwrap();
        let mut one = CpuSet::new();
        one.set(first).unwrap();
        sched_setaffinity(this_thread, &one).unwrap();
        assert_eq!(available(), 1);
        sched_setaffinity(this_thread, &before).unwrap();
        assert!(available() >= 1);
    }
}
