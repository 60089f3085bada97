//! Whether a program waits for what is typed on its terminal. A program that waits in read(2) cannot be told from others
//! here; one that edits its lines itself can.

use std::os::fd::AsFd;

use nix::sys::termios::{LocalFlags, tcgetattr};

/// Returns whether a program has taken the line editing of this terminal for itself.
pub(crate) fn is_awaited(terminal: impl AsFd) -> bool {
    tcgetattr(&terminal).is_ok_and(|modes| !modes.local_flags.contains(LocalFlags::ICANON))
}
