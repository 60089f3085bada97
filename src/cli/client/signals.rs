//! Signals for a client that has the terminal, as descriptors that become readable.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::libc;

/// Signals that end a client.
pub(super) const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// The descriptors, one a signal. The signals do nothing else from then on.
pub(super) struct SignalPipes(Vec<(i32, UnixStream)>);

impl SignalPipes {
    /// Listens to those that end a client, and to these others.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(super) fn listen(others: &[i32]) -> io::Result<Self> {
        let pipe = |signal: &i32| -> io::Result<(i32, UnixStream)> {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(*signal, writer)?;
            Ok((*signal, reader))
        };
        ENDING.iter().chain(others).map(pipe).collect::<io::Result<_>>().map(Self)
    }

    /// Returns the descriptors to wait for.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(|(_, pipe)| pipe.as_fd())
    }

    /// Returns the signals that have come since the last call, those that end a client first.
    pub(super) fn take(&self) -> Vec<i32> {
        let has_come = |mut pipe: &UnixStream| {
            let mut has_come = false;
            while pipe.read(&mut [0; 64]).is_ok_and(|count| count > 0) {
                has_come = true;
            }
            has_come
        };
        self.0.iter().filter(|(_, pipe)| has_come(pipe)).map(|(signal, _)| *signal).collect()
    }
}
