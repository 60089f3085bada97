//! Descriptors that pm's caller left open here. Nothing in this program owns them: only their numbers are known.

use std::ffi::c_int;

use nix::libc;

/// Returns whether a descriptor is open.
pub(super) fn is_open(fd: c_int) -> bool {
    fcntl(fd, libc::F_GETFD, 0) != -1
}

/// Keeps a descriptor from the programs that this process executes. Without effect where it is not open.
pub(super) fn set_close_on_exec(fd: c_int) {
    fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
}

/// `command` reads or sets flags of the descriptor.
fn fcntl(fd: c_int, command: c_int, flags: c_int) -> c_int {
    // SAFETY: the commands of this module touch no memory; for a number that is not open they fail.
    #[expect(unsafe_code, reason = "safe calls want an owner of the descriptor")]
    unsafe {
        libc::fcntl(fd, command, flags)
    }
}
