//! The last output of an instance, for those who ask later: raw bytes in pieces with their times. To
//! keep it costs one copy a read; lines are looked for only when someone asks.

use std::collections::VecDeque;

/// Lines that are kept of an instance, where they have room.
pub const LINES: usize = 2000;
/// What all instances of a session may keep together.
const TOTAL: usize = 8 << 20;
/// What one instance may keep: 2,000 lines of 128 bytes; and when there are very many, at least.
const MOST: usize = 256 << 10;
const LEAST: usize = 16 << 10;

/// Bytes that were read at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Milliseconds since 1970.
    pub at: i64,
    /// What was read, or the rest of it that is still kept.
    pub bytes: Vec<u8>,
}

/// The bytes, and how many came when.
#[derive(Clone, Debug)]
pub struct Ring {
    bytes: VecDeque<u8>,
    /// The time and the length of each piece. Each is a line at least, but for parts of long ones.
    pieces: VecDeque<(i64, usize)>,
    limit: usize,
    /// Its beginning was dropped, maybe in the middle of a line.
    is_cut: bool,
}

impl Ring {
    /// Makes the ring of one of so many instances.
    pub fn one_of(instances: usize) -> Self {
        Self::with_limit((TOTAL / instances.max(1)).clamp(LEAST, MOST))
    }

    fn with_limit(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), pieces: VecDeque::new(), limit, is_cut: false }
    }

    /// Keeps what was read, and drops what is too old.
    #[inline]
    pub fn push(&mut self, at: i64, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(self.limit)..];
        self.drop_front((self.bytes.len() + kept.len()).saturating_sub(self.limit));
        self.is_cut |= kept.len() < bytes.len();
        self.bytes.extend(kept);
        match self.pieces.back_mut() {
            Some((time, length)) if *time == at => *length += kept.len(),
            Some(_) | None => self.pieces.push_back((at, kept.len())),
        }
        if self.pieces.len() > LINES
            && let Some((_, length)) = self.pieces.front()
        {
            self.drop_front(*length);
        }
    }

    fn drop_front(&mut self, mut count: usize) {
        self.is_cut |= count > 0;
        self.bytes.drain(..count);
        while count > 0
            && let Some((_, length)) = self.pieces.front_mut()
        {
            let dropped = count.min(*length);
            *length -= dropped;
            count -= dropped;
            if *length == 0 {
                self.pieces.pop_front();
            }
        }
    }

    /// Returns whether the last line is unfinished.
    pub fn is_open(&self) -> bool {
        self.bytes.back().is_some_and(|byte| *byte != b'\n')
    }

    /// Returns the last `lines` lines in the pieces that they came in; an unfinished one counts.
    pub fn tail(&self, lines: usize) -> Vec<Piece> {
        let mut skip = self.start_of(lines.min(LINES));
        let mut rest = self.bytes.range(skip..).copied();
        let mut tail = Vec::new();
        for (at, length) in &self.pieces {
            let skipped = skip.min(*length);
            skip -= skipped;
            let bytes: Vec<u8> = rest.by_ref().take(length - skipped).collect();
            if !bytes.is_empty() {
                tail.push(Piece { at: *at, bytes });
            }
        }
        tail
    }

    /// Returns where the last `lines` lines begin.
    fn start_of(&self, lines: usize) -> usize {
        if lines == 0 {
            return self.bytes.len();
        }
        let before_last = self.bytes.len().saturating_sub(usize::from(!self.is_open()));
        let ends = self.bytes.range(..before_last).enumerate().rev();
        let mut ends = ends.filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        match ends.nth(lines - 1) {
            Some(start) => start,
            // All that is kept, from its first whole line.
            None if self.is_cut => {
                let first = self.bytes.iter().position(|byte| *byte == b'\n');
                first.map_or(0, |at| at + 1)
            }
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(ring: &Ring, lines: usize) -> String {
        let bytes: Vec<u8> = ring.tail(lines).into_iter().flat_map(|piece| piece.bytes).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn the_last_lines_come_in_the_pieces_that_they_were_read_in() {
        let mut ring = Ring::with_limit(100);
        ring.push(1, b"one\ntw");
        ring.push(2, b"o\nthree\n");
        assert_eq!(text(&ring, 9), "one\ntwo\nthree\n");
        assert_eq!(text(&ring, 2), "two\nthree\n");
        assert_eq!(text(&ring, 1), "three\n");
        assert_eq!(text(&ring, 0), "");
        let pieces = ring.tail(2);
        assert_eq!(pieces[0], Piece { at: 1, bytes: b"tw".to_vec() });
        ring.push(2, b"four\n");
        assert_eq!(ring.tail(2), [Piece { at: 2, bytes: b"three\nfour\n".to_vec() }]);
        ring.push(3, b"name: ");
        assert_eq!(text(&ring, 2), "four\nname: ");
        assert!(ring.is_open());
    }

    #[test]
    fn what_is_cut_begins_with_a_whole_line() {
        let mut ring = Ring::with_limit(10);
        ring.push(1, b"abcdef\ngh\nij\n");
        assert_eq!(text(&ring, 9), "gh\nij\n");
        ring.push(2, b"klmnop\n");
        assert_eq!(text(&ring, 9), "klmnop\n");
    }

    #[test]
    fn no_more_than_2000_short_reads_are_kept() {
        let mut ring = Ring::with_limit(1 << 20);
        for at in 0..5000 {
            ring.push(at, b"x\n");
        }
        assert_eq!(ring.pieces.len(), LINES);
        assert_eq!(text(&ring, usize::MAX).len(), 2 * LINES - 2, "the first may be cut");
    }

    proptest! {
        #[test]
        fn a_ring_holds_the_end_of_what_came(
            reads in proptest::collection::vec((0_i64..5, proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'x')], 0..40)), 0..20),
            lines in 0_usize..8,
        ) {
            let mut ring = Ring::with_limit(64);
            let mut all = Vec::new();
            for (at, bytes) in &reads {
                ring.push(*at, bytes);
                all.extend_from_slice(bytes);
            }
            prop_assert!(ring.bytes.len() <= 64);
            prop_assert_eq!(ring.pieces.iter().map(|(_, length)| length).sum::<usize>(), ring.bytes.len());
            let tail: Vec<u8> = ring.tail(lines).into_iter().flat_map(|piece| piece.bytes).collect();
            prop_assert!(all.ends_with(&tail));
            let count = tail.split_inclusive(|byte| *byte == b'\n').count();
            prop_assert!(count <= lines);
        }
    }
}
