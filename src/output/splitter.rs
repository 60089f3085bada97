//! Splits a stream of bytes into lines, in whatever pieces it comes.

use memchr::{memchr, memchr_iter};

/// Longest line, 16 MiB; a longer one is broken to limit memory.
pub(super) const LINE_LIMIT: usize = 16 << 20;
/// Memory that a buffer keeps allocated when no long line has come for a while.
pub(super) const KEEP: usize = 64 << 10;

/// Keeps the unfinished line between two reads.
#[derive(Debug)]
pub struct LineSplitter {
    partial: Vec<u8>,
    limit: usize,
}

impl Default for LineSplitter {
    fn default() -> Self {
        Self::with_limit(LINE_LIMIT)
    }
}

impl LineSplitter {
    /// Makes a splitter that breaks lines longer than `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Self { partial: Vec::new(), limit }
    }

    /// Splits the next bytes, and calls `line` with each finished line including its newline. Returns how many newlines
    /// these bytes have.
    #[inline]
    pub fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) -> u64 {
        let mut newlines = 0;
        if !self.partial.is_empty() {
            let Some(at) = memchr(b'\n', bytes) else {
                self.keep(bytes, &mut line);
                return 0;
            };
            self.keep(&bytes[..at], &mut line);
            self.give(&mut line);
            newlines = 1;
            bytes = &bytes[at + 1..];
        }
        let mut start = 0;
        each_newline(bytes, |at| {
            line(&bytes[start..=at]);
            newlines += 1;
            start = at + 1;
        });
        self.keep(&bytes[start..], &mut line);
        newlines
    }

    /// Adds to the unfinished line, and breaks it if it exceeds the limit.
    fn keep(&mut self, mut bytes: &[u8], line: &mut impl FnMut(&[u8])) {
        while self.partial.len() + bytes.len() > self.limit {
            let (head, tail) = bytes.split_at(self.limit - self.partial.len());
            self.partial.extend_from_slice(head);
            self.give(line);
            bytes = tail;
        }
        self.partial.extend_from_slice(bytes);
    }

    fn give(&mut self, line: &mut impl FnMut(&[u8])) {
        self.partial.push(b'\n');
        line(&self.partial);
        self.clear();
    }

    /// Returns the unfinished line; empty if there is none.
    pub fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Takes the unfinished line away.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.partial)
    }

    /// Sets the unfinished line. There must be none.
    pub(super) fn put(&mut self, unfinished: Vec<u8>) {
        self.partial = unfinished;
    }

    /// Forgets the unfinished line, which has been shown. Its memory is kept for the next one.
    pub fn clear(&mut self) {
        self.partial.clear();
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.partial.capacity()
    }

    /// Frees the memory of long lines.
    pub(super) fn shrink(&mut self) {
        self.partial.shrink_to(KEEP);
    }
}

/// Calls `found` with the position of each newline. [`memchr_iter`] selects the fastest instructions again for each
/// line; doing that once per read saves a tenth of the time for short lines.
#[inline]
pub(super) fn each_newline(bytes: &[u8], found: impl FnMut(usize)) {
    #[cfg(target_arch = "x86_64")]
    if let Some(newline) = memchr::arch::x86_64::avx2::memchr::One::new(b'\n') {
        return newline.iter(bytes).for_each(found);
    }
    memchr_iter(b'\n', bytes).for_each(found);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines_of(pieces: &[&[u8]], limit: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut splitter = LineSplitter::with_limit(limit);
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.push(piece, |line| lines.push(line.to_vec()));
        }
        (lines, splitter.partial().to_vec())
    }

    #[test]
    fn lines_come_out_with_their_newline_and_the_rest_is_kept() {
        let (lines, rest) = lines_of(&[b"one\ntwo\n\nth", b"ree\nfo", b"ur"], 100);
        assert_eq!(lines, [&b"one\n"[..], b"two\n", b"\n", b"three\n"]);
        assert_eq!(rest, b"four");
    }

    #[test]
    fn a_line_past_the_limit_is_broken_and_nothing_is_lost() {
        let (lines, rest) = lines_of(&[b"abcdefg", b"hij\nk"], 4);
        assert_eq!(lines, [&b"abcd\n"[..], b"efgh\n", b"ij\n"]);
        assert_eq!(rest, b"k");
    }

    #[test]
    fn a_line_as_long_as_the_limit_stays_whole() {
        let (lines, rest) = lines_of(&[b"ab", b"cd", b"\nef", b"gh"], 4);
        assert_eq!(lines, [b"abcd\n"]);
        assert_eq!(rest, b"efgh");
    }

    #[test]
    fn a_line_of_a_mebibyte_stays_whole() {
        let long = vec![b'x'; 1 << 20];
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        for piece in long.chunks(65_536) {
            splitter.push(piece, |line| lines.push(line.len()));
        }
        splitter.push(b"\n", |line| lines.push(line.len()));
        assert_eq!(lines, [(1 << 20) + 1]);
        assert!(splitter.partial.capacity() > 65_536, "the next may be as long");
        splitter.push(b"half a line", |_| {});
        splitter.shrink();
        assert!(splitter.partial.capacity() <= 65_536, "a long line's memory is given back");
        splitter.push(b"\n", |_| {});
        assert_ne!(splitter.partial.capacity(), 0, "a short line's memory is used again");
    }

    proptest! {
        #[test]
        fn any_split_of_the_same_bytes_gives_the_same_lines(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..400),
            cuts in proptest::collection::vec(0_usize..400, 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(lines_of(&pieces, 1 << 20), lines_of(&[&bytes], 1 << 20));
        }

        #[test]
        fn it_tells_how_many_newlines_came_however_short_the_limit(
            reads in proptest::collection::vec(proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'x')], 0..40), 0..8),
            limit in 1_usize..20,
        ) {
            let mut splitter = LineSplitter::with_limit(limit);
            for read in &reads {
                let newlines = read.iter().filter(|byte| **byte == b'\n').count();
                prop_assert_eq!(splitter.push(read, |_| {}), newlines as u64);
            }
        }

        #[test]
        fn lines_and_rest_are_the_bytes_that_came(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let (lines, rest) = lines_of(&[&bytes], 1 << 20);
            let mut joined: Vec<u8> = Vec::new();
            for line in &lines {
                joined.extend_from_slice(line);
            }
            joined.extend_from_slice(&rest);
            prop_assert_eq!(joined, bytes);
        }
    }
}
