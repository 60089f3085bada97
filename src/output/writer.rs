//! stdout and its states: full, slow, non-blocking, closed.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Counts the bytes that the reader has taken, so that another thread can see whether it still reads.
#[derive(Clone, Debug, Default)]
pub(super) struct WriteProgress(Arc<AtomicU64>);

impl WriteProgress {
    /// Returns how many bytes have been written.
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Writes batches of whole lines. After the first failure everything is dropped: the session ends.
#[derive(Debug)]
pub(super) struct Writer<F> {
    file: F,
    progress: WriteProgress,
    lost: bool,
}

impl<F: AsFd> Writer<F> {
    /// Makes a writer on a descriptor, blocking or not.
    pub(super) fn new(file: F, progress: WriteProgress) -> Self {
        Self { file, progress, lost: false }
    }

    /// Returns whether a write has failed, so that nothing is shown any more.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Returns the descriptor.
    pub(super) fn fd(&self) -> &F {
        &self.file
    }

    /// Takes the output for lost: its reader went away.
    pub(super) fn lose(&mut self) {
        self.lost = true;
    }

    /// Writes everything, waiting for the reader as long as it takes. The error is given once.
    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() && !self.lost {
            match nix::unistd::write(&self.file, bytes) {
                Ok(written) => {
                    bytes = &bytes[written..];
                    self.progress.0.fetch_add(written as u64, Ordering::Relaxed);
                }
                Err(Errno::EINTR) => {}
                // A child made the terminal that it shares with pm non-blocking.
                Err(Errno::EAGAIN) => self.wait()?,
                Err(error) => {
                    self.lost = true;
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<()> {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_non_blocking_reader_gets_everything() {
        let (mut reader, writer) = io::pipe().unwrap();
        nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))
            .unwrap();
        let sent = vec![b'x'; 300_000];
        let mut got = Vec::new();
        std::thread::scope(|scope| {
            let sent = &sent;
            scope.spawn(move || {
                Writer::new(writer, WriteProgress::default()).write_all(sent).unwrap();
            });
            reader.read_to_end(&mut got).unwrap();
        });
        assert_eq!(got.len(), sent.len());
    }

    #[test]
    fn what_the_reader_has_taken_is_counted_and_nothing_after_the_loss() {
        let (mut reader, writer) = io::pipe().unwrap();
        let progress = WriteProgress::default();
        let mut writer = Writer::new(writer, progress.clone());
        assert!(!writer.is_lost());
        writer.write_all(b"abc").unwrap();
        writer.write_all(b"").unwrap();
        writer.write_all(b"de").unwrap();
        assert_eq!(progress.bytes(), 5);
        writer.lose();
        assert!(writer.is_lost());
        writer.write_all(b"f").unwrap();
        assert_eq!(progress.bytes(), 5);
        drop(writer);
        let mut got = String::new();
        reader.read_to_string(&mut got).unwrap();
        assert_eq!(got, "abcde");
    }

    #[test]
    fn a_closed_reader_is_told_once_and_then_nothing_is_written() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut writer = Writer::new(writer, WriteProgress::default());
        assert_eq!(writer.write_all(b"a").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(writer.is_lost());
        assert!(writer.write_all(b"b").is_ok());
    }
}
