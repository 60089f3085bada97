//! What an attached client types, put into the terminal of a run.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use super::pty::Size;
use crate::control::proto::Typed;
use crate::control::server::Keyboard;

/// A program that reads nothing for so many milliseconds loses what is typed.
const PATIENCE: u16 = 1000;

/// Returns a keyboard on this terminal.
pub(crate) fn on(terminal: OwnedFd) -> Keyboard {
    Keyboard(Box::new(move |typed| match typed {
        Typed::Keys(keys) => type_on(&terminal, keys),
        Typed::Size { rows, columns } => {
            Size { rows, columns }.give(&terminal);
            Ok(())
        }
    }))
}

fn type_on(terminal: &OwnedFd, mut keys: &[u8]) -> io::Result<()> {
    while !keys.is_empty() {
        match nix::unistd::write(terminal, keys) {
            Ok(count) => keys = &keys[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut fds = [PollFd::new(terminal.as_fd(), PollFlags::POLLOUT)];
                if poll(&mut fds, PATIENCE) == Ok(0) {
                    return Ok(());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
