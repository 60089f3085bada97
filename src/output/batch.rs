//! Collects rendered lines and writes them together: one system call for many short lines.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::writer::Writer;

/// Size of a batch. It is written when it is full, or when no more output is waiting.
pub(super) const BATCH: usize = 256 << 10;

/// Receives rendered output.
pub trait Sink {
    /// Appends bytes.
    fn append(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Collects output in a buffer, and writes the buffer when it is full.
pub(super) struct Batch<W> {
    writer: Writer<W>,
    bytes: Box<[u8]>,
    length: usize,
    error: Option<io::Error>,
}

impl<W: AsFd + From<OwnedFd>> Batch<W> {
    /// Makes an empty one.
    pub(super) fn new(writer: Writer<W>) -> Self {
        Self { writer, bytes: vec![0; BATCH].into_boxed_slice(), length: 0, error: None }
    }

    /// Returns the writer.
    pub(super) fn writer(&mut self) -> &mut Writer<W> {
        &mut self.writer
    }

    /// Writes what is left.
    ///
    /// # Errors This or an earlier write has failed; each failure is returned once.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let length = std::mem::take(&mut self.length);
        if let Err(error) = self.writer.write_all(&self.bytes[..length]) {
            self.error.get_or_insert(error);
        }
        self.error.take().map_or(Ok(()), Err)
    }

    /// Makes room by writing the buffer. Output that is longer than a batch is written directly: copying it would only
    /// evict other data from the cache.
    #[cold]
    fn overflow(&mut self, bytes: &[u8]) {
        let length = std::mem::take(&mut self.length);
        let mut written = self.writer.write_all(&self.bytes[..length]);
        match self.bytes.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.length = bytes.len();
            }
            None => written = written.and_then(|()| self.writer.write_all(bytes)),
        }
        if let Err(error) = written {
            self.error.get_or_insert(error);
        }
    }
}

impl<W: AsFd + From<OwnedFd>> Sink for Batch<W> {
    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.length..self.length + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.overflow(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::writer::WriteProgress;
    use std::io::{PipeReader, PipeWriter, Read};

    fn batch() -> (Batch<PipeWriter>, PipeReader, WriteProgress) {
        let (reader, writer) = io::pipe().unwrap();
        let progress = WriteProgress::default();
        (Batch::new(Writer::new(writer, progress.clone())), reader, progress)
    }

    #[test]
    fn short_lines_wait_for_a_full_batch_or_a_flush() {
        let (mut batch, mut reader, progress) = batch();
        batch.append(b"one\n");
        batch.append(b"two\n");
        assert_eq!(progress.bytes(), 0);
        batch.flush().unwrap();
        assert_eq!(progress.bytes(), 8);
        batch.flush().unwrap();
        drop(batch);
        let mut got = String::new();
        reader.read_to_string(&mut got).unwrap();
        assert_eq!(got, "one\ntwo\n");
    }

    #[test]
    fn lines_of_any_length_come_out_whole_and_in_order() {
        let (mut batch, mut reader, progress) = batch();
        let lengths = [10, BATCH - 20, 30, BATCH, 1, BATCH + 1, 5, 3 * BATCH, 2];
        let lines: Vec<Vec<u8>> =
            (b'a'..).zip(lengths).map(|(byte, length)| vec![byte; length]).collect();
        let mut got = Vec::new();
        std::thread::scope(|scope| {
            let lines = &lines;
            scope.spawn(move || {
                for line in lines {
                    batch.append(line);
                    let (taken, length) = (progress.bytes(), batch.length);
                    assert!(length <= BATCH, "no more is kept");
                    assert!(taken > 0 || length == 10 || length == BATCH - 10);
                }
                batch.flush().unwrap();
            });
            reader.read_to_end(&mut got).unwrap();
        });
        assert!(got == lines.concat());
    }

    #[test]
    fn a_lost_reader_is_told_at_the_next_flush_and_once() {
        for length in [1, BATCH + 1] {
            let (mut batch, reader, _) = batch();
            drop(reader);
            batch.append(b"first");
            batch.append(&vec![b'x'; length]);
            batch.append(b"last");
            assert_eq!(batch.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            batch.append(b"nobody reads it");
            assert!(batch.flush().is_ok());
        }
    }
}
