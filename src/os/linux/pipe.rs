//! Pipes, with what only Linux tells of them and does with them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, fcntl};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// The size of a pipe in bytes. A larger one saves little more; a user may have 64 MiB of them (pipe(7)).
const CAPACITY: usize = 256 << 10;

/// Returns how many bytes a pipe can hold; 0 where it is none.
pub(crate) fn pipe_holds(pipe: impl AsFd) -> usize {
    let size = fcntl(pipe, FcntlArg::F_GETPIPE_SZ).unwrap_or_default();
    usize::try_from(size).unwrap_or_default()
}

/// A pipe through which bytes pass from one socket to another without a copy to this program (splice(2)).
#[derive(Debug)]
pub(crate) struct SplicePipe {
    reader: OwnedFd,
    writer: OwnedFd,
    held: usize,
}

impl SplicePipe {
    /// Makes one that is empty, and that no child inherits.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A smaller one does it, too: whose user has very many gets no larger one.
        let _ = fcntl_setpipe_size(&writer, CAPACITY);
        Ok(Self { reader, writer, held: 0 })
    }

    /// Returns how many bytes are in it.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Takes what has come to a socket that does not block, `most` bytes at most. Returns how many; 0 at its end.
    ///
    /// # Errors
    /// As read(2): nothing has come yet, or the connection is broken. Nothing was taken then.
    pub(crate) fn fill(&mut self, socket: impl AsFd, most: usize) -> io::Result<usize> {
        let most = most.min(CAPACITY);
        let count = splice(socket, None, &self.writer, None, most, SpliceFlags::NONBLOCK)?;
        self.held += count;
        Ok(count)
    }

    /// Gives a socket what it takes. What it does not take stays.
    ///
    /// # Errors
    /// As write(2): the connection is broken.
    pub(crate) fn drain(&mut self, socket: impl AsFd) -> io::Result<()> {
        while self.held > 0 {
            match splice(&self.reader, None, &socket, None, self.held, SpliceFlags::NONBLOCK) {
                // It cannot be: there are bytes in it, and it has a reader.
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.held -= count,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
