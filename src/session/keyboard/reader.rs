//! The thread that reads what is typed on pm's terminal.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};

const STACK: usize = 64 << 10;
/// One read: more than a person types at once.
const READ: usize = 4 << 10;

/// The way to the thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct KeyReader(UnixStream);

impl KeyReader {
    /// Starts the thread; it reads nothing yet. `tell` gets what is typed.
    pub(super) fn start(
        terminal: OwnedFd,
        tell: impl Fn(Vec<u8>) + Send + 'static,
    ) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let thread = std::thread::Builder::new().name("keyboard".into()).stack_size(STACK);
        thread.spawn(move || read(&terminal, theirs, &tell))?;
        Ok(Self(ours))
    }

    /// Lets it read, or not.
    pub(super) fn listen(&self, listens: bool) {
        // Without the thread there is nobody to tell.
        let _ = (&self.0).write_all(&[u8::from(listens)]);
    }
}

fn read(terminal: &OwnedFd, mut orders: UnixStream, tell: &impl Fn(Vec<u8>)) {
    // In the background, a read then fails instead of stopping pm. It cannot fail: the signal exists.
    let _ = SigSet::from(Signal::SIGTTIN).thread_block();
    let mut listens = false;
    let mut bytes = [0; READ];
    loop {
        let watched = listens.then(|| PollFd::new(terminal.as_fd(), PollFlags::POLLIN));
        let mut fds: Vec<_> = [PollFd::new(orders.as_fd(), PollFlags::POLLIN)].into();
        fds.extend(watched);
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(_) => return,
        }
        let has = |at: usize| fds.get(at).is_some_and(|fd: &PollFd<'_>| fd.any() == Some(true));
        let (is_told, is_typed) = (has(0), has(1));
        if is_told {
            match orders.read(&mut bytes) {
                Ok(count @ 1..) => listens = bytes[count - 1] == 1,
                Ok(0) | Err(_) => return,
            }
        } else if is_typed {
            match nix::unistd::read(terminal, &mut bytes) {
                Ok(count @ 1..) => tell(bytes[..count].to_vec()),
                Err(Errno::EINTR | Errno::EAGAIN) => {}
                // It is gone, or another program's.
                Ok(_) | Err(_) => listens = false,
            }
        }
    }
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
        reader.listen(true);
        assert_eq!(typed.recv().unwrap(), b"early\n");
        drop(reader);
        // The thread has ended, and its end of the channel with it.
        assert!(typed.recv().is_err());
    }
}
