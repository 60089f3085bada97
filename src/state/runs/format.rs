//! The format on disk: rings of segments, and records in them.
//!
//! A run has one file, `output`, which holds one ring for each instance, and one for what pm says itself. A ring
//! is [`SEGMENTS`] segments of one size, which are used in turn; the oldest is overwritten. Each use of a segment
//! has a generation, from 1 on:
//!
//! ```text
//! segment  magic 8 · generation 4 · oldest 4 · segment size 4 · run 4 · ring's offset in the file 8
//!          · time 8 · counter 8 · unfinished 8 · length of the name 4 · check 4 · name · records
//! record   mark 4 · kind and length 4 · milliseconds since `time` 4 · counter since `counter` 4
//!          · payload · trailer 4
//! ```
//!
//! Numbers are little-endian. A mark belongs to one generation, so that what an earlier one left behind is no
//! record. The trailer is written last: a record that has none was cut by the end of pm, or is being written.

/// The segments of a ring: at least all but one are kept.
pub(super) const SEGMENTS: u64 = 8;
/// Segments are multiples of a page, so that no two share one.
pub(super) const PAGE: u64 = 4096;

const MAGIC: [u8; 8] = *b"pm-ring\x01";
/// Of a segment's header without the name.
pub(super) const HEADER: usize = 64;
/// Longer names are cut.
const LONGEST_NAME: usize = 1024;
/// As much is before the payload of a record, and behind it.
pub(super) const RECORD: usize = 16;
pub(super) const TRAILER: usize = 4;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordKind {
    /// Bytes of an instance, as they were read at one time.
    Output = 1,
    /// A run of the instance begins; its number.
    Started = 2,
    /// The output of a run of the instance has ended.
    Ended = 3,
    /// Output could not be written: [`Gap`].
    Gap = 4,
    /// pm says something: JSON.
    Notice = 5,
}

impl RecordKind {
    fn of(number: u32) -> Option<Self> {
        [Self::Output, Self::Started, Self::Ended, Self::Gap, Self::Notice]
            .into_iter()
            .find(|kind| *kind as u32 == number)
    }
}

/// When something was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// Counts what was read in the session: the order of all of it, whatever happens to the clock.
    pub(super) counter: u64,
}

/// What stands at the beginning of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Counts the uses of segments of this ring, from 1.
    pub(super) generation: u32,
    /// What is older than this generation does not belong to what follows: bytes are missing in between.
    pub(super) oldest: u32,
    /// Bytes of a segment.
    pub(super) segment: u32,
    /// The run of the instance that the first record belongs to.
    pub(super) run: u32,
    /// Where the ring begins in the file.
    pub(super) ring: u64,
    /// What the stamps of records are counted from.
    pub(super) base: Stamp,
    /// How many bytes of the line that continues here are before this segment.
    pub(super) unfinished: u64,
    /// Whose ring it is; empty: pm's own.
    pub(super) name: String,
}

impl SegmentHeader {
    /// Writes it to `out`, which is emptied before.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut end = self.name.len().min(LONGEST_NAME);
        while !self.name.is_char_boundary(end) {
            end -= 1;
        }
        let name = &self.name.as_bytes()[..end];
        out.clear();
        out.extend_from_slice(&MAGIC);
        for number in [self.generation, self.oldest, self.segment, self.run] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.ring.to_le_bytes());
        out.extend_from_slice(&self.base.at.to_le_bytes());
        out.extend_from_slice(&self.base.counter.to_le_bytes());
        out.extend_from_slice(&self.unfinished.to_le_bytes());
        // No longer than LONGEST_NAME.
        out.extend_from_slice(&u32::try_from(name.len()).unwrap_or(0).to_le_bytes());
        let check = check(out, name);
        out.extend_from_slice(&check.to_le_bytes());
        out.extend_from_slice(name);
    }

    /// Reads it; `None` where there is none. `bytes` are those that stand there, [`Self::LONGEST`] are enough.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let fixed = bytes.get(..HEADER)?;
        let u32_at = |at: usize| u32::from_le_bytes(part(fixed, at));
        let u64_at = |at: usize| u64::from_le_bytes(part(fixed, at));
        let name = bytes.get(HEADER..)?.get(..u32_at(56) as usize)?;
        if fixed[..8] != MAGIC || u32_at(60) != check(&fixed[..60], name) {
            return None;
        }
        let header = Self {
            generation: u32_at(8),
            oldest: u32_at(12),
            segment: u32_at(16),
            run: u32_at(20),
            ring: u64_at(24),
            base: Stamp { at: i64::from_le_bytes(part(fixed, 32)), counter: u64_at(40) },
            unfinished: u64_at(48),
            name: String::from_utf8_lossy(name).into_owned(),
        };
        let is_whole = u64::from(header.segment) >= PAGE && header.generation > 0;
        is_whole.then_some(header)
    }

    /// No header is longer.
    pub(super) const LONGEST: usize = HEADER + LONGEST_NAME;

    /// Returns how many bytes it has on disk.
    pub(super) fn length(&self) -> usize {
        HEADER + self.name.len()
    }
}

/// What stands before the payload of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) kind: RecordKind,
    pub(super) stamp: Stamp,
    /// Bytes of the payload.
    pub(super) length: u32,
}

/// The most that a record can hold.
const LENGTH_BITS: u32 = 28;

impl RecordHeader {
    /// Returns its bytes and those of its trailer; `None` where its time is too far from that of the segment.
    pub(super) fn encode(
        &self,
        generation: u32,
        base: Stamp,
    ) -> Option<([u8; RECORD], [u8; TRAILER])> {
        let at = i32::try_from(self.stamp.at.checked_sub(base.at)?).ok()?;
        let counter = u32::try_from(self.stamp.counter.checked_sub(base.counter)?).ok()?;
        let kind_and_length = (self.kind as u32) << LENGTH_BITS | self.length;
        let mut bytes = [0; RECORD];
        bytes[..4].copy_from_slice(&mark(generation).to_le_bytes());
        bytes[4..8].copy_from_slice(&kind_and_length.to_le_bytes());
        bytes[8..12].copy_from_slice(&at.to_le_bytes());
        bytes[12..].copy_from_slice(&counter.to_le_bytes());
        Some((bytes, trailer(generation, self.length)))
    }

    /// Reads it; `None` where this generation has no record there.
    pub(super) fn decode(bytes: &[u8], generation: u32, base: Stamp) -> Option<Self> {
        let bytes = bytes.get(..RECORD)?;
        let u32_at = |at: usize| u32::from_le_bytes(part(bytes, at));
        if u32_at(0) != mark(generation) {
            return None;
        }
        let kind = RecordKind::of(u32_at(4) >> LENGTH_BITS)?;
        let at = base.at.checked_add(i32::from_le_bytes(part(bytes, 8)).into())?;
        let counter = base.counter.checked_add(u32_at(12).into())?;
        let length = u32_at(4) & ((1 << LENGTH_BITS) - 1);
        Some(Self { kind, stamp: Stamp { at, counter }, length })
    }
}

/// What could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Bytes of the instance that are missing.
    pub(super) lost: u64,
    /// Those of them that belong to the line that goes on behind it.
    pub(super) unfinished: u64,
    /// The run that goes on behind it.
    pub(super) run: u32,
}

impl Gap {
    pub(super) const LENGTH: usize = 20;

    pub(super) fn encode(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&self.lost.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.unfinished.to_le_bytes());
        bytes[16..].copy_from_slice(&self.run.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..Self::LENGTH)?;
        Some(Self {
            lost: u64::from_le_bytes(part(bytes, 0)),
            unfinished: u64::from_le_bytes(part(bytes, 8)),
            run: u32::from_le_bytes(part(bytes, 16)),
        })
    }
}

/// Returns what ends a record of this length.
pub(super) fn trailer(generation: u32, length: u32) -> [u8; TRAILER] {
    (mark(generation).rotate_left(16) ^ length).to_le_bytes()
}

/// Returns what begins the records of a generation; never 0, which is what an unused place holds.
fn mark(generation: u32) -> u32 {
    // The golden ratio: neighbours differ in all bits.
    generation.wrapping_mul(0x9e37_79b1) ^ 0x706d_1a2e
}

/// FNV-1a, 32 bits: finds what is no header, or half of one.
fn check(fixed: &[u8], name: &[u8]) -> u32 {
    let bytes = fixed.iter().chain(name);
    bytes.fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Returns this number of bytes from `at` on, which are there.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(name: &str) -> SegmentHeader {
        SegmentHeader {
            generation: 9,
            oldest: 3,
            segment: 8192,
            run: 2,
            ring: 1 << 20,
            base: Stamp { at: -5, counter: 1 << 40 },
            unfinished: 17,
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_header_is_read_as_it_was_written_and_not_where_a_bit_of_it_differs() {
        let mut bytes = Vec::new();
        header("web.1").encode(&mut bytes);
        assert_eq!(bytes.len(), header("web.1").length());
        assert_eq!(SegmentHeader::decode(&bytes), Some(header("web.1")));
        for at in 0..bytes.len() * 8 {
            bytes[at / 8] ^= 1 << (at % 8);
            assert_eq!(SegmentHeader::decode(&bytes), None, "bit {at}");
            bytes[at / 8] ^= 1 << (at % 8);
        }
        for end in 0..bytes.len() {
            assert_eq!(SegmentHeader::decode(&bytes[..end]), None);
        }
        header(&"é".repeat(LONGEST_NAME)).encode(&mut bytes);
        let name = SegmentHeader::decode(&bytes).unwrap().name;
        assert_eq!(name, "é".repeat(LONGEST_NAME / 2));
    }

    #[test]
    fn a_record_is_one_of_its_own_generation_alone() {
        let base = Stamp { at: 1000, counter: 50 };
        let stamp = Stamp { at: 990, counter: 60 };
        let record = RecordHeader { kind: RecordKind::Output, stamp, length: 65_536 };
        let (bytes, _) = record.encode(7, base).unwrap();
        assert_eq!(RecordHeader::decode(&bytes, 7, base), Some(record));
        assert_eq!(RecordHeader::decode(&bytes, 8, base), None);
        assert_eq!(RecordHeader::decode(&[0; RECORD], 7, base), None);
        let far = RecordHeader { stamp: Stamp { at: i64::MAX, ..stamp }, ..record };
        assert_eq!(far.encode(7, base), None);
        assert_eq!(record.encode(7, Stamp { counter: 61, ..base }), None, "counted back");
        assert!((0..1000).all(|generation| mark(generation) != 0));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = SegmentHeader::decode(&bytes);
            let _ = RecordHeader::decode(&bytes, 1, Stamp { at: i64::MAX, counter: u64::MAX });
            let _ = Gap::decode(&bytes);
        }
    }

    #[test]
    fn a_gap_is_read_as_it_was_written() {
        let gap = Gap { lost: 1 << 40, unfinished: 3, run: 2 };
        assert_eq!(Gap::decode(&gap.encode()), Some(gap));
    }
}
