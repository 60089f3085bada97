//! Descriptors that pm's caller left open, which children must not inherit.

use crate::os::{descriptors, limits};

/// Numbers from here on are ignored: a limit may be infinite, and callers use low numbers.
const MOST: u64 = 1 << 16;

/// Marks every descriptor except the standard three close-on-exec, one by one: there is no portable call for all, and
/// FreeBSD's /dev/fd may only show the standard three.
pub(crate) fn keep_from_children() {
    let most = limits::open_files().map_or(MOST, |(_, hard)| hard.min(MOST));
    for fd in 3..i32::try_from(most).unwrap_or(i32::MAX) {
        descriptors::set_close_on_exec(fd);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;
    use std::process::Command;

    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    use super::*;

    #[test]
    fn a_descriptor_of_the_caller_does_not_reach_a_child() {
        let (reader, _writer) = std::io::pipe().unwrap();
        fcntl(&reader, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let file = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
        let reaches = || Command::new("test").arg("-e").arg(&file).status().unwrap().success();
        assert!(reaches());
        keep_from_children();
        assert!(!reaches());
    }
}
