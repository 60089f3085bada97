//! stdout and its states: full, slow, non-blocking, closed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::log::Rotation;

/// Counts the bytes that the reader has read, so that another thread can see whether it still reads.
#[derive(Clone, Debug, Default)]
pub(super) struct WriteProgress(Arc<AtomicU64>);

impl WriteProgress {
    /// Returns how many bytes have been written.
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Writes batches of whole lines. After the first failure, everything is dropped, because the session ends.
#[derive(Debug)]
pub(super) struct Writer<F> {
    file: F,
    progress: WriteProgress,
    lost: bool,
    /// The file is a log that is renamed when it gets long.
    rotation: Option<Rotation>,
}

impl<F: AsFd + From<OwnedFd>> Writer<F> {
    /// Makes a writer on a descriptor, blocking or not.
    pub(super) fn new(file: F, progress: WriteProgress) -> Self {
        Self { file, progress, lost: false, rotation: None }
    }

    /// Renames the log that the descriptor is from now on.
    pub(super) fn rotate(&mut self, rotation: Rotation) {
        self.rotation = Some(rotation);
    }

    /// Returns once why the log cannot be renamed.
    pub(super) fn take_trouble(&mut self) -> Option<String> {
        self.rotation.as_mut()?.take_trouble()
    }

    /// Returns whether a write has failed, after which nothing is shown.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Returns the descriptor.
    pub(super) fn fd(&self) -> &F {
        &self.file
    }

    /// Marks the output as lost, because its reader is gone.
    pub(super) fn lose(&mut self) {
        self.lost = true;
    }

    /// Writes everything, waiting for the reader as long as it takes. The error is returned once.
    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let is_lost = self.lost;
        while let Some(rotation) = self.rotation.as_mut().filter(|_| !bytes.is_empty() && !is_lost)
        {
            let step = rotation.step(&self.file, bytes);
            if let Some(file) = step.file {
                self.file = OwnedFd::from(file).into();
            }
            let (now, later) = bytes.split_at(step.length);
            rotation.note(now);
            self.write_here(now)?;
            bytes = later;
        }
        self.write_here(bytes)
    }

    /// Writes to the file that is open.
    fn write_here(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() && !self.lost {
            match nix::unistd::write(&self.file, bytes) {
                Ok(written) => {
                    bytes = &bytes[written..];
                    self.progress.0.fetch_add(written as u64, Ordering::Relaxed);
                }
                Err(Errno::EINTR) => {}
                // A child has made the terminal non-blocking, which it shares with pm.
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
    use crate::app::LogLimits;
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
    fn a_log_that_is_renamed_goes_on_in_the_next_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pm.log");
        let file = Rotation::open(&path).unwrap();
        let limits = LogLimits { size: 8, keep: 9 };
        let rotation = Rotation::of(&path, limits, &file).unwrap().unwrap();
        let progress = WriteProgress::default();
        let mut writer = Writer::new(file, progress.clone());
        writer.rotate(rotation);
        writer.write_all(b"one\ntwo\nthree\nfour").unwrap();
        writer.write_all(b" and\nfive\n").unwrap();
        assert_eq!((progress.bytes(), writer.take_trouble()), (28, None));
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let files = ["pm.log.3", "pm.log.2", "pm.log.1", "pm.log"].map(read);
        assert_eq!(files, ["one\ntwo\n", "three\n", "four and\n", "five\n"]);
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
