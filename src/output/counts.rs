//! How much an instance has written: the pump counts, and the session reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes and lines that all runs of an instance have written. A clone is the same counter.
#[derive(Clone, Debug, Default)]
pub struct OutputCount(Arc<OutputCounters>);

#[derive(Debug, Default)]
struct OutputCounters {
    bytes: AtomicU64,
    lines: AtomicU64,
}

impl OutputCount {
    /// Counts what was read. `lines` is how many newlines it has, where they have been counted.
    pub(super) fn add(&self, bytes: &[u8], lines: Option<u64>) {
        let lines = lines.unwrap_or_else(|| memchr::memchr_iter(b'\n', bytes).count() as u64);
        // Each number stands for itself: nothing else is read by what it says.
        self.0.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.0.lines.fetch_add(lines, Ordering::Relaxed);
    }

    /// Returns the number of bytes.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Returns the number of lines that have ended.
    pub fn lines(&self) -> u64 {
        self.0.lines.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_ended_lines_are_counted_however_they_come() {
        let count = OutputCount::default();
        let other = count.clone();
        for part in [&b"one\ntw"[..], b"o\n", b"", b"three"] {
            count.add(part, None);
        }
        assert_eq!((other.bytes(), other.lines()), (13, 2));
        count.add(b"\n", Some(1));
        assert_eq!((other.bytes(), other.lines()), (14, 3));
    }
}
