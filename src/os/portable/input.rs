//! Whether a program waits for what is typed on its terminal. A program that waits in read(2) cannot be told from others
//! here; one that edits its lines itself can.

use std::os::fd::AsFd;

use nix::sys::termios::{LocalFlags, tcgetattr};

/// Returns of each of these terminals whether a program edits its lines itself.
pub(crate) fn awaited<T: AsFd>(terminals: &[T]) -> Vec<bool> {
    terminals.iter().map(edits_lines).collect()
}

/// Returns whether a program has taken the line editing of this terminal for itself.
pub(crate) fn edits_lines(terminal: impl AsFd) -> bool {
    tcgetattr(&terminal).is_ok_and(|modes| !modes.local_flags.contains(LocalFlags::ICANON))
}
