//! The memory available for everything that pm starts.

use std::ffi::c_int;

use nix::libc;

use crate::app::Size;

/// Returns the memory of this machine; `None` if it is unknown. Limits of a jail or a container are not seen.
pub fn memory() -> Option<Size> {
    let bytes = number(libc::_SC_PHYS_PAGES)?.checked_mul(number(libc::_SC_PAGESIZE)?)?;
    Size::from_bytes(bytes)
}

fn number(name: c_int) -> Option<u64> {
    // SAFETY: the call takes a number and returns one, -1 where there is none.
    #[expect(unsafe_code, reason = "nix does not name the physical pages on every system")]
    u64::try_from(unsafe { libc::sysconf(name) }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory() {
        assert!(memory().is_some_and(|memory| memory.mib() > 16));
    }
}
