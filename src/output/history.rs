//! The last output of an instance, for `pm logs`: raw bytes in chunks with their times. Line ends are searched only on
//! request. Output of a busy instance is read directly into its history, without a copy.

use std::collections::VecDeque;
use std::io::IoSliceMut;

/// Lines that are kept of an instance, if they fit.
pub const HISTORY_LINES: usize = 2000;
/// Memory for all instances of a session together.
const TOTAL: usize = 8 << 20;
/// Memory for one instance, at most (2,000 lines of 128 bytes) and at least (in sessions with very many instances).
const MOST: usize = 256 << 10;
const LEAST: usize = 16 << 10;

/// Bytes that were read at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptChunk {
    /// Milliseconds since 1970.
    pub at: i64,
    /// The bytes that were read, or the part that is still kept. Empty: a run has ended here.
    pub bytes: Vec<u8>,
}

/// Properties of a chunk.
#[derive(Clone, Copy, Debug)]
struct Span {
    at: i64,
    /// 0: there a run has ended.
    length: usize,
    /// It is a message of pm about the instance.
    is_notice: bool,
}

/// The bytes, and when they came.
#[derive(Clone, Debug)]
pub struct History {
    /// Grows up to `limit`, and then becomes a ring buffer.
    bytes: Vec<u8>,
    /// The position of the next byte.
    next: usize,
    /// The number of bytes before `next` that are kept.
    kept: usize,
    pieces: VecDeque<Span>,
    limit: usize,
    /// Older bytes were dropped, perhaps in the middle of a line.
    is_cut: bool,
}

impl History {
    /// Makes the history of one instance, where `instances` share the memory.
    pub fn one_of(instances: usize) -> Self {
        Self::with_limit((TOTAL / instances.max(1)).clamp(LEAST, MOST))
    }

    fn with_limit(limit: usize) -> Self {
        let (bytes, pieces) = (Vec::new(), VecDeque::new());
        Self { bytes, next: 0, kept: 0, pieces, limit, is_cut: false }
    }

    /// Keeps a copy of what was read, and drops the oldest bytes.
    #[inline]
    pub fn push(&mut self, at: i64, bytes: &[u8]) {
        self.keep(at, bytes, false);
    }

    /// Keeps a message of pm.
    pub fn push_notice(&mut self, at: i64, line: &[u8]) {
        self.keep(at, line, true);
    }

    /// Notes that what has written so far has ended.
    pub fn end_run(&mut self, at: i64) {
        if self.pieces.back().is_some_and(|last| last.length > 0) {
            self.add(Span { at, length: 0, is_notice: false });
        }
    }

    #[inline]
    fn keep(&mut self, at: i64, bytes: &[u8], is_notice: bool) {
        let last = &bytes[bytes.len().saturating_sub(self.limit)..];
        self.is_cut |= last.len() < bytes.len();
        let (head, tail) = last.split_at(last.len().min(self.limit - self.next));
        if self.is_full_size() {
            self.bytes[self.next..][..head.len()].copy_from_slice(head);
        } else {
            self.grow(head.len());
            self.bytes.extend_from_slice(head);
        }
        self.bytes[..tail.len()].copy_from_slice(tail);
        self.advance(at, last.len(), is_notice);
    }

    /// Returns the slots into which up to `most` bytes may be read; then [`Self::filled`] keeps them without a copy.
    /// `None` while the history grows, so that an instance that writes little uses little memory, and if it is smaller
    /// than a read.
    pub fn slots(&mut self, most: usize) -> Option<[IoSliceMut<'_>; 2]> {
        if !self.is_full_size() || self.limit < most {
            return None;
        }
        let (front, back) = self.bytes.split_at_mut(self.next);
        let length = back.len().min(most);
        let (first, second) = (&mut back[..length], &mut front[..most - length]);
        Some([IoSliceMut::new(first), IoSliceMut::new(second)])
    }

    /// Keeps the bytes that were read into the slots, and returns them.
    pub fn filled(&mut self, at: i64, count: usize) -> [&[u8]; 2] {
        let start = self.next;
        self.advance(at, count, false);
        let length = count.min(self.limit - start);
        [&self.bytes[start..][..length], &self.bytes[..count - length]]
    }

    fn is_full_size(&self) -> bool {
        self.bytes.len() == self.limit
    }

    /// Makes room for this many more bytes, without exceeding the limit.
    fn grow(&mut self, more: usize) {
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            let size = needed.max(2 * self.bytes.capacity()).min(self.limit);
            self.bytes.reserve_exact(size - self.bytes.len());
        }
    }

    /// Accounts for bytes that were appended, and overwrote the oldest.
    fn advance(&mut self, at: i64, count: usize, is_notice: bool) {
        if count == 0 {
            return;
        }
        self.drop_front((self.kept + count).saturating_sub(self.limit));
        self.kept += count;
        self.next = (self.next + count) % self.limit;
        match self.pieces.back_mut() {
            Some(last) if last.at == at && last.is_notice == is_notice && last.length > 0 => {
                last.length += count;
            }
            Some(_) | None => self.add(Span { at, length: count, is_notice }),
        }
    }

    fn add(&mut self, span: Span) {
        self.pieces.push_back(span);
        if self.pieces.len() > HISTORY_LINES {
            match self.pieces.front() {
                Some(Span { length: 0, .. }) => drop(self.pieces.pop_front()),
                Some(Span { length, .. }) => self.drop_front(*length),
                None => {}
            }
        }
    }

    fn drop_front(&mut self, mut count: usize) {
        self.is_cut |= count > 0;
        self.kept -= count;
        while count > 0
            && let Some(first) = self.pieces.front_mut()
        {
            let dropped = count.min(first.length);
            first.length -= dropped;
            count -= dropped;
            if first.length == 0 {
                self.pieces.pop_front();
            }
        }
    }

    /// Returns the kept bytes, in two parts if they wrap around.
    fn parts(&self) -> [&[u8]; 2] {
        match self.kept.checked_sub(self.next) {
            None | Some(0) => [&self.bytes[self.next - self.kept..self.next], &[]],
            Some(before) => [&self.bytes[self.limit - before..], &self.bytes[..self.next]],
        }
    }

    /// Returns whether the last line is unfinished.
    pub fn is_open(&self) -> bool {
        let [first, second] = self.parts();
        second.last().or(first.last()).is_some_and(|byte| *byte != b'\n')
    }

    /// Returns the last `lines` lines, in the chunks that they were read in. An unfinished line counts.
    pub fn tail(&self, lines: usize) -> Vec<KeptChunk> {
        self.tail_of(self.parts().concat(), self.pieces.iter().copied(), lines)
    }

    /// Returns the same without pm's messages.
    pub fn tail_of_output(&self, lines: usize) -> Vec<KeptChunk> {
        let all = self.parts().concat();
        let mut end = 0;
        let mut bytes = Vec::new();
        for span in &self.pieces {
            let chunk = &all[end..end + span.length];
            end += span.length;
            bytes.extend_from_slice(if span.is_notice { &[] } else { chunk });
        }
        self.tail_of(bytes, self.pieces.iter().copied().filter(|span| !span.is_notice), lines)
    }

    /// Returns the last lines of these chunks, whose bytes are `bytes`.
    fn tail_of(
        &self,
        bytes: Vec<u8>,
        spans: impl Iterator<Item = Span>,
        lines: usize,
    ) -> Vec<KeptChunk> {
        let start = self.start_of(&bytes, lines.min(HISTORY_LINES));
        let mut tail = Vec::new();
        let mut end = 0;
        for Span { at, length, .. } in spans {
            let begin = start.max(end);
            end += length;
            if begin < end || length == 0 && !tail.is_empty() {
                tail.push(KeptChunk { at, bytes: bytes[begin..end].to_vec() });
            }
        }
        tail
    }

    /// Returns where the last `lines` lines begin in `bytes`, which is everything that is kept.
    fn start_of(&self, bytes: &[u8], lines: usize) -> usize {
        if lines == 0 {
            return bytes.len();
        }
        let before_last = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let start = memchr::memrchr_iter(b'\n', before_last).nth(lines - 1).map(|at| at + 1);
        start.unwrap_or_else(|| match self.is_cut {
            // Everything that is kept, from the first complete line on.
            true => memchr::memchr(b'\n', bytes).map_or(0, |at| at + 1),
            false => 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(history: &History, lines: usize) -> String {
        let bytes: Vec<u8> =
            history.tail(lines).into_iter().flat_map(|piece| piece.bytes).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn the_last_lines_come_in_the_pieces_that_they_were_read_in() {
        let mut history = History::with_limit(100);
        history.push(1, b"one\ntw");
        history.push(2, b"o\nthree\n");
        assert_eq!(text(&history, 9), "one\ntwo\nthree\n");
        assert_eq!(text(&history, 2), "two\nthree\n");
        assert_eq!(text(&history, 1), "three\n");
        assert_eq!(text(&history, 0), "");
        let pieces = history.tail(2);
        assert_eq!(pieces[0], KeptChunk { at: 1, bytes: b"tw".to_vec() });
        history.push(2, b"four\n");
        assert_eq!(history.tail(2), [KeptChunk { at: 2, bytes: b"three\nfour\n".to_vec() }]);
        history.push(3, b"name: ");
        assert_eq!(text(&history, 2), "four\nname: ");
        assert!(history.is_open());
    }

    #[test]
    fn what_is_cut_begins_with_a_whole_line() {
        let mut history = History::with_limit(10);
        history.push(1, b"abcdef\ngh\nij\n");
        assert_eq!(text(&history, 9), "gh\nij\n");
        history.push(2, b"klmnop\n");
        assert_eq!(text(&history, 9), "klmnop\n");
    }

    #[test]
    fn no_more_than_2000_short_reads_are_kept() {
        let mut history = History::with_limit(1 << 20);
        for at in 0..5000 {
            history.push(at, b"x\n");
        }
        assert_eq!(history.pieces.len(), HISTORY_LINES);
        assert_eq!(text(&history, usize::MAX).len(), 2 * HISTORY_LINES - 2, "the first may be cut");
    }

    #[test]
    fn reads_of_nothing_take_no_memory() {
        let mut history = History::with_limit(100);
        for at in 0..5000 {
            history.push(at, b"");
        }
        assert!(history.pieces.is_empty());
        assert_eq!(text(&history, 9), "");
    }

    #[test]
    fn the_end_of_a_run_stands_where_it_was_and_goes_with_what_was_before() {
        let mut history = History::with_limit(100);
        history.end_run(1);
        history.push(1, b"one\n");
        history.end_run(1);
        history.end_run(1);
        history.push(1, b"two\n");
        let chunk = |bytes: &[u8]| KeptChunk { at: 1, bytes: bytes.to_vec() };
        assert_eq!(history.tail(9), [chunk(b"one\n"), chunk(b""), chunk(b"two\n")]);
        assert_eq!(history.tail_of_output(9), history.tail(9));
        assert_eq!(history.tail(1), [chunk(b"two\n")]);
        let mut history = History::with_limit(1 << 20);
        for at in 0..5000 {
            history.push(at, b"x\n");
            history.end_run(at);
        }
        assert_eq!(history.pieces.len(), HISTORY_LINES);
    }

    #[test]
    fn what_pm_says_of_an_instance_is_no_output_of_it() {
        let mut history = History::with_limit(100);
        history.push(1, b"one\n");
        history.push_notice(1, b"-- exited\n");
        history.push(1, b"two\nthree");
        history.push_notice(2, b"-- exited\n");
        let output = |lines| {
            let chunks = history.tail_of_output(lines).into_iter();
            String::from_utf8_lossy(&chunks.flat_map(|chunk| chunk.bytes).collect::<Vec<_>>())
                .into_owned()
        };
        assert_eq!(output(9), "one\ntwo\nthree");
        assert_eq!(output(2), "two\nthree");
        assert_eq!(text(&history, 2), "two\nthree-- exited\n", "`pm logs` has both");
    }

    proptest! {
        #[test]
        fn it_holds_the_end_of_what_came(
            reads in proptest::collection::vec((0_i64..5, proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'x')], 0..40)), 0..20),
            lines in 0_usize..8,
        ) {
            let mut history = History::with_limit(64);
            let mut all = Vec::new();
            for (at, bytes) in &reads {
                history.push(*at, bytes);
                all.extend_from_slice(bytes);
            }
            prop_assert!(history.bytes.capacity() <= 64);
            prop_assert_eq!(history.pieces.iter().map(|span| span.length).sum::<usize>(), history.kept);
            let tail: Vec<u8> = history.tail(lines).into_iter().flat_map(|piece| piece.bytes).collect();
            prop_assert!(all.ends_with(&tail));
            let count = tail.split_inclusive(|byte| *byte == b'\n').count();
            prop_assert!(count <= lines);
        }

        #[test]
        fn what_is_read_into_its_slots_is_kept_like_a_copy(
            reads in proptest::collection::vec((0_i64..5, proptest::collection::vec(
                prop_oneof![Just(b'\n'), any::<u8>()], 0..40)), 0..20),
            lines in 0_usize..8,
        ) {
            let (mut copied, mut read) = (History::with_limit(64), History::with_limit(64));
            for (at, bytes) in &reads {
                copied.push(*at, bytes);
                if let Some(mut slots) = read.slots(40) {
                    let (first, second) = bytes.split_at(bytes.len().min(slots[0].len()));
                    slots[0][..first.len()].copy_from_slice(first);
                    slots[1][..second.len()].copy_from_slice(second);
                    prop_assert_eq!(&read.filled(*at, bytes.len()).concat(), bytes);
                } else {
                    prop_assert!(read.bytes.len() < 64, "it grows no more");
                    read.push(*at, bytes);
                }
            }
            prop_assert_eq!(read.tail(lines), copied.tail(lines));
            prop_assert_eq!(read.is_open(), copied.is_open());
        }
    }

    #[test]
    fn one_that_is_smaller_than_a_read_has_no_slots_for_it() {
        let mut history = History::with_limit(10);
        history.push(1, b"0123456789");
        assert!(history.slots(11).is_none());
        assert!(history.slots(10).is_some());
    }
}
