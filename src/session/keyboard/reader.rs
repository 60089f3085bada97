//! The thread that reads what is typed on pm's terminal.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::tcgetpgrp;

use crate::os::terminal::is_in_foreground;

const STACK: usize = 64 << 10;
/// One read: more than a person types at once.
const READ: usize = 4 << 10;

/// Time between two looks whether the terminal is pm's again, while something is typed for others.
const AGAIN: u16 = 250;

/// Whom what is typed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typist {
    /// pm: it is read.
    Ours,
    /// Other programs: nothing is read. When something is typed and the terminal is pm's again, that is told. A shell
    /// sends no signal to a program that it brings from the background.
    Others,
    /// Nobody yet.
    Nobody,
}

/// The way to the thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct KeyReader(UnixStream);

impl KeyReader {
    /// Starts the thread; it reads nothing yet. `tell` gets what is typed, and nothing when the terminal is pm's again.
    pub(super) fn start(
        terminal: OwnedFd,
        tell: impl Fn(Vec<u8>) + Send + 'static,
    ) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let thread = std::thread::Builder::new().name("keyboard".into()).stack_size(STACK);
        thread.spawn(move || read(&terminal, theirs, &tell))?;
        Ok(Self(ours))
    }

    /// Says whom what is typed is for from now on.
    pub(super) fn serve(&self, typist: Typist) {
        // Without the thread there is nobody to tell.
        let _ = (&self.0).write_all(&[match typist {
            Typist::Ours => b'o',
            Typist::Others => b'e',
            Typist::Nobody => b'n',
        }]);
    }
}

fn read(terminal: &OwnedFd, mut orders: UnixStream, tell: &impl Fn(Vec<u8>)) {
    // In the background, a read then fails instead of stopping pm. It cannot fail: the signal exists.
    let _ = SigSet::from(Signal::SIGTTIN).thread_block();
    let mut typist = Typist::Nobody;
    let mut bytes = [0; READ];
    loop {
        let watched = (typist != Typist::Nobody).then(|| terminal.as_fd());
        let Some([is_told, is_typed]) = wait([Some(orders.as_fd()), watched], PollTimeout::NONE)
        else {
            return;
        };
        if is_told {
            typist = match orders.read(&mut bytes) {
                Ok(count @ 1..) => match bytes[count - 1] {
                    b'o' => Typist::Ours,
                    b'e' => Typist::Others,
                    _ => Typist::Nobody,
                },
                Ok(0) | Err(_) => return,
            };
        } else if is_typed && typist == Typist::Ours {
            match nix::unistd::read(terminal, &mut bytes) {
                Ok(count @ 1..) => tell(bytes[..count].to_vec()),
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                Err(Errno::EIO) if tcgetpgrp(terminal).is_ok() => typist = Typist::Others,
                // It is gone.
                Ok(_) | Err(_) => typist = Typist::Nobody,
            }
        } else if is_typed {
            if is_in_foreground(terminal) {
                typist = Typist::Nobody;
                tell(Vec::new());
            } else {
                wait([Some(orders.as_fd()), None], PollTimeout::from(AGAIN));
            }
        }
    }
}

/// Waits, and returns which of these has something. `None`: they cannot be waited for.
fn wait(of: [Option<BorrowedFd<'_>>; 2], limit: PollTimeout) -> Option<[bool; 2]> {
    let mut fds: Vec<_> =
        of.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    match poll(&mut fds, limit) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Some([false; 2]),
        Err(_) => return None,
    }
    let has = |at: usize| fds.get(at).is_some_and(|fd| fd.any() == Some(true));
    Some([has(0), has(1)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::pty;

    #[test]
    fn what_is_typed_is_read_while_it_is_listened_to() {
        let (master, terminal) = pty::open_pair().unwrap();
        let (sender, typed) = crossbeam_channel::unbounded();
        let reader = KeyReader::start(terminal, move |bytes| drop(sender.send(bytes))).unwrap();
        nix::unistd::write(&master, b"early\n").unwrap();
        reader.serve(Typist::Ours);
        assert_eq!(typed.recv().unwrap(), b"early\n");
        drop(reader);
        // The thread has ended, and its end of the channel with it.
        assert!(typed.recv().is_err());
    }
}
