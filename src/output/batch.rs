//! Collects rendered lines and writes them together: one system call for many short lines.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::held::HeldOutput;
use super::writer::Writer;

/// Size of a batch. It is written when it is full, or when no more output is waiting.
pub(super) const BATCH: usize = 256 << 10;
/// Room before it for what erases the line below the output.
const HEAD: usize = 8;

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
    /// What is collected begins behind [`HEAD`].
    bytes: Box<[u8]>,
    end: usize,
    error: Option<io::Error>,
    /// Erases the line that stands below the output; it goes before the next byte.
    erase: Option<&'static [u8]>,
    /// Someone else has the terminal: nothing is written.
    held: Option<HeldOutput>,
}

impl<W: AsFd + From<OwnedFd>> Batch<W> {
    /// Makes an empty one.
    pub(super) fn new(writer: Writer<W>) -> Self {
        let bytes = vec![0; HEAD + BATCH].into_boxed_slice();
        Self { writer, bytes, end: HEAD, error: None, erase: None, held: None }
    }

    /// Returns the writer.
    pub(super) fn writer(&mut self) -> &mut Writer<W> {
        &mut self.writer
    }

    /// Writes what is left.
    ///
    /// # Errors This or an earlier write has failed; each failure is returned once.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Err(error) = self.write_buffer() {
            self.error.get_or_insert(error);
        }
        self.error.take().map_or(Ok(()), Err)
    }

    /// Says that a line stands below the output that was written, and what erases it; at most as long as [`HEAD`].
    pub(super) fn stand(&mut self, erase: &'static [u8]) {
        self.erase = Some(erase);
    }

    /// Returns whether that line stands there, and nothing is collected that would erase it.
    pub(super) fn stands(&self) -> bool {
        self.erase.is_some() && self.end == HEAD
    }

    /// Erases that line with the next write, also if nothing else is written.
    pub(super) fn erase(&mut self) {
        // What is collected is written behind it anyway.
        if self.end == HEAD
            && let Some(erase) = self.erase.take()
        {
            self.append(erase);
        }
    }

    /// Writes what is collected, and then nothing until [`Self::release`].
    pub(super) fn hold(&mut self) -> io::Result<()> {
        let written = self.flush();
        self.held.get_or_insert_default();
        written
    }

    /// Writes bytes of who has the terminal.
    pub(super) fn show_held(&mut self, bytes: &[u8]) {
        if let Err(error) = self.writer.write_all(bytes) {
            self.error.get_or_insert(error);
        }
    }

    /// Returns whether nothing is written at present.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Takes what was held back; what comes is written again.
    pub(super) fn release(&mut self) -> Option<HeldOutput> {
        if self.held.is_some() {
            // It goes to the rest of it, and cannot fail.
            let _ = self.write_buffer();
        }
        self.held.take()
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        let end = std::mem::replace(&mut self.end, HEAD);
        if end == HEAD {
            return Ok(());
        }
        let erase = self.erase.take().unwrap_or_default();
        let begin = HEAD.saturating_sub(erase.len());
        self.bytes[begin..HEAD].copy_from_slice(erase);
        match &mut self.held {
            Some(held) => {
                held.push(&self.bytes[begin..end]);
                Ok(())
            }
            None => self.writer.write_all(&self.bytes[begin..end]),
        }
    }

    /// Makes room by writing the buffer. Output that is longer than a batch is written directly: copying it would only
    /// evict other data from the cache.
    #[cold]
    fn overflow(&mut self, bytes: &[u8]) {
        let mut written = self.write_buffer();
        match (self.bytes.get_mut(HEAD..HEAD + bytes.len()), &mut self.held) {
            (Some(place), _) => {
                place.copy_from_slice(bytes);
                self.end = HEAD + bytes.len();
            }
            (None, Some(held)) => held.push(bytes),
            (None, None) => {
                let erase = self.erase.take().unwrap_or_default();
                written = written.and_then(|()| self.writer.write_all(erase));
                written = written.and_then(|()| self.writer.write_all(bytes));
            }
        }
        if let Err(error) = written {
            self.error.get_or_insert(error);
        }
    }
}

impl<W: AsFd + From<OwnedFd>> Sink for Batch<W> {
    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        match self.bytes.get_mut(self.end..self.end + bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.end += bytes.len();
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
                    let (taken, length) = (progress.bytes(), batch.end - HEAD);
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
    fn what_erases_the_line_goes_before_the_next_byte_in_the_same_write() {
        let (mut batch, mut reader, progress) = batch();
        batch.append(b"one\nline");
        batch.flush().unwrap();
        batch.stand(b"<erase>");
        batch.flush().unwrap();
        assert!(batch.stands());
        assert_eq!(progress.bytes(), 8);
        batch.append(b"two\n");
        assert!(!batch.stands());
        batch.flush().unwrap();
        batch.stand(b"<erase>");
        batch.erase();
        batch.append(b"three\n");
        batch.flush().unwrap();
        batch.stand(b"<erase>");
        batch.append(b"four\n");
        batch.erase();
        batch.flush().unwrap();
        assert!(!batch.stands());
        drop(batch);
        let mut got = String::new();
        reader.read_to_string(&mut got).unwrap();
        assert_eq!(got, "one\nline<erase>two\n<erase>three\n<erase>four\n");
    }

    #[test]
    fn what_comes_while_another_has_the_terminal_is_held_back_in_order() {
        let (mut batch, mut reader, progress) = batch();
        batch.append(b"one\n");
        batch.hold().unwrap();
        assert_eq!(progress.bytes(), 4);
        batch.append(b"two\n");
        batch.flush().unwrap();
        let long = vec![b'x'; BATCH + 1];
        batch.append(&long);
        batch.append(b"three\n");
        let held = batch.release().unwrap();
        assert_eq!(progress.bytes(), 4);
        assert!(held.bytes() == [b"two\n", &long[..], b"three\n"].concat());
        assert!(batch.release().is_none() && !batch.is_held());
        batch.append(b"four\n");
        batch.flush().unwrap();
        drop(batch);
        let mut got = String::new();
        reader.read_to_string(&mut got).unwrap();
        assert_eq!(got, "one\nfour\n");
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
