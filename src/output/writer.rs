//! stdout and its states: full, slow, non-blocking, closed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::log::Rotation;

/// The most that one system call writes: the default size of a pipe (pipe(7)), where more would wait anyway.
const LARGEST: usize = 64 << 10;
/// The least that one system call writes if the reader is slow: a page, the unit in which a pipe becomes free. A
/// blocking write only returns when all of it was read.
const SMALLEST: usize = 4 << 10;
/// After a write that takes longer, less is written at once.
const SLOW: Duration = Duration::from_millis(100);

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
    /// The most that the next system call writes.
    portion: usize,
    lost: bool,
    /// The file is a log that is renamed when it gets long.
    rotation: Option<Rotation>,
}

impl<F: AsFd + From<OwnedFd>> Writer<F> {
    /// Makes a writer on a descriptor, blocking or not.
    pub(super) fn new(file: F, progress: WriteProgress) -> Self {
        Self { file, progress, portion: LARGEST, lost: false, rotation: None }
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
            self.write_waiting(now, wait)?;
            bytes = later;
        }
        self.write_waiting(bytes, wait)
    }

    /// Writes to the file that is open.
    fn write_waiting(
        &mut self,
        mut bytes: &[u8],
        wait: impl Fn(&F) -> Result<(), Errno>,
    ) -> io::Result<()> {
        while !bytes.is_empty() && !self.lost {
            let began = now();
            let written = nix::unistd::write(&self.file, &bytes[..bytes.len().min(self.portion)])
                .or_else(|error| match error {
                    Errno::EINTR => Ok(0),
                    // A child has made the terminal non-blocking, which it shares with pm.
                    Errno::EAGAIN => wait(&self.file).map(|()| 0),
                    error => Err(error),
                });
            let written = written.inspect_err(|_| self.lost = true)?;
            bytes = &bytes[written..];
            self.progress.0.fetch_add(written as u64, Ordering::Relaxed);
            self.portion = portion_after(self.portion, now().saturating_duration_since(began));
        }
        Ok(())
    }
}

/// Returns how much the next system call writes, by how long the last one took.
fn portion_after(portion: usize, took: Duration) -> usize {
    let next = if took > SLOW { portion / 2 } else { portion * 2 };
    next.clamp(SMALLEST, LARGEST)
}

/// Waits until a write is possible.
fn wait(file: &impl AsFd) -> Result<(), Errno> {
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
    match poll(&mut fds, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a write takes is measured where it is made"
)]
fn now() -> Instant {
    Instant::now()
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
    fn what_a_slow_reader_takes_is_counted_before_it_has_all() {
        let (mut reader, writer) = io::pipe().unwrap();
        let progress = WriteProgress::default();
        let mut writer = Writer::new(writer, progress.clone());
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(&vec![b'x'; 8 * LARGEST]).unwrap());
            // As much more is in the pipe, and the rest waits.
            reader.read_exact(&mut vec![0; 2 * LARGEST]).unwrap();
            let until = now() + Duration::from_secs(10);
            while progress.bytes() < LARGEST as u64 {
                assert!(now() < until, "only what is written whole counts");
                std::thread::yield_now();
            }
            io::copy(&mut reader, &mut io::sink()).unwrap();
        });
        assert_eq!(progress.bytes(), 8 * LARGEST as u64);
    }

    #[test]
    fn a_slow_reader_is_written_less_at_a_time_and_a_fast_one_more() {
        let (slow, fast) = (Duration::from_secs(1), Duration::from_millis(1));
        let mut portion = LARGEST;
        let mut after = |took| {
            portion = portion_after(portion, took);
            portion
        };
        assert_eq!([after(slow), after(slow)], [LARGEST / 2, LARGEST / 4]);
        assert_eq!([after(fast), after(fast), after(fast)], [LARGEST / 2, LARGEST, LARGEST]);
        assert_eq!((0..9).map(|_| after(slow)).last(), Some(SMALLEST));
    }

    #[test]
    fn output_that_cannot_be_waited_for_is_lost_and_none_of_it_is_left_out() {
        let (_reader, writer) = io::pipe().unwrap();
        let nonblocking = nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK);
        nix::fcntl::fcntl(&writer, nonblocking).unwrap();
        let mut writer = Writer::new(writer, WriteProgress::default());
        let more_than_fits = vec![b'x'; 8 << 20];
        let written = writer.write_waiting(&more_than_fits, |_| Err(Errno::ENOMEM));
        assert_eq!(written.unwrap_err().raw_os_error(), Some(nix::libc::ENOMEM));
        assert!(writer.is_lost());
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
