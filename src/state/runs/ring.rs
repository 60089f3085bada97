//! Writes the ring of one instance: each record with one call, into room that is allocated before it is used.

use std::fs::File;
use std::io::{self, IoSlice};

use super::disk::{self, PARTS};
use super::format::{
    Gap, RECORD, RecordHeader, RecordKind, SEGMENTS, SegmentHeader, Stamp, TRAILER,
};

/// Rather than so little of a read, nothing more goes into a segment.
const LEAST_PART: usize = 64;

/// Where the next record of an instance goes.
#[derive(Debug)]
pub(super) struct Ring {
    /// Of the segment that is written, or that is next while `generation` is 0.
    header: SegmentHeader,
    /// The header on disk, while it is still to be written, with the first record behind it.
    encoded: Vec<u8>,
    is_header_written: bool,
    /// Where the next record goes, from the beginning of the segment.
    at: usize,
    /// Segments that have room on the disk.
    allocated: u64,
    /// Bytes of the line that is not finished.
    unfinished: u64,
    /// The run of the instance that writes.
    run: u32,
    /// Bytes that could not be written since the last that could.
    lost: u64,
    /// Something could not be written, maybe none of the instance's bytes.
    has_gap: bool,
}

impl Ring {
    /// Makes the ring of `name`. It has no place yet.
    pub(super) fn new(name: &str) -> Self {
        let header = SegmentHeader { name: name.to_owned(), ..SegmentHeader::default() };
        Self {
            header,
            encoded: Vec::new(),
            is_header_written: true,
            at: 0,
            allocated: 0,
            unfinished: 0,
            run: 0,
            lost: 0,
            has_gap: false,
        }
    }

    /// Returns whether something of it may be on the disk.
    pub(super) fn is_used(&self) -> bool {
        self.allocated > 0
    }

    /// Gives a ring that is not used its place in the file, and its size.
    pub(super) fn place(&mut self, offset: u64, segment: u32) {
        (self.header.ring, self.header.segment) = (offset, segment);
    }

    /// Returns how many bytes of the file it may use.
    pub(super) fn size(&self) -> u64 {
        SEGMENTS * u64::from(self.header.segment)
    }

    /// Takes note of a run of the instance. What it writes is its own.
    pub(super) fn set_run(&mut self, run: u32) {
        self.run = run;
    }

    /// Returns the run that writes.
    pub(super) fn run(&self) -> u32 {
        self.run
    }

    /// Writes what was read, in as many records as segments need.
    ///
    /// # Errors
    /// It could not be written. What is missing is counted, and told when something can be written again.
    pub(super) fn output(
        &mut self,
        file: &File,
        stamp: Stamp,
        parts: [&[u8]; 2],
    ) -> io::Result<()> {
        let mut left = parts;
        if let Err(error) = self.close_gap(file, stamp) {
            self.lose(parts);
            return Err(error);
        }
        let length = |parts: [&[u8]; 2]| parts[0].len() + parts[1].len();
        while length(left) > 0 {
            let written =
                self.make_room(file, stamp, LEAST_PART.min(length(left))).and_then(|room| {
                    let (now, rest) = split(left, room.min(length(left)));
                    self.write(file, RecordKind::Output, stamp, now).map(|()| (now, rest))
                });
            match written {
                Ok((now, rest)) => {
                    self.count(now);
                    left = rest;
                }
                Err(error) => {
                    self.lose(left);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Counts what is not written.
    pub(super) fn lose(&mut self, parts: [&[u8]; 2]) {
        self.count(parts);
        self.lost += (parts[0].len() + parts[1].len()) as u64;
        self.has_gap = true;
    }

    /// Writes something that is no output.
    ///
    /// # Errors
    /// It could not be written.
    pub(super) fn note(
        &mut self,
        file: &File,
        kind: RecordKind,
        stamp: Stamp,
        bytes: &[u8],
    ) -> io::Result<()> {
        let written = self
            .close_gap(file, stamp)
            .and_then(|()| self.make_room(file, stamp, bytes.len()))
            .and_then(|_| self.write(file, kind, stamp, [bytes, &[]]));
        if matches!(kind, RecordKind::Started | RecordKind::Ended) {
            self.unfinished = 0;
        }
        self.has_gap |= written.is_err();
        written
    }

    /// Says that something is missing here, if it is.
    fn close_gap(&mut self, file: &File, stamp: Stamp) -> io::Result<()> {
        if self.has_gap {
            // A segment that it begins has room for what comes, too.
            self.turn(file, stamp)?;
            let gap = Gap { lost: self.lost, unfinished: self.unfinished, run: self.run };
            self.write(file, RecordKind::Gap, stamp, [&gap.encode(), &[]])?;
            (self.lost, self.has_gap) = (0, false);
        }
        Ok(())
    }

    /// Finds room for a record of this number of bytes, in the next segment where this one has too little. Returns how
    /// many there are.
    fn make_room(&mut self, file: &File, stamp: Stamp, least: usize) -> io::Result<usize> {
        let is_in_range = || {
            let record = RecordHeader { kind: RecordKind::Output, stamp, length: 0 };
            record.encode(self.header.generation, self.header.base).is_some()
        };
        if self.header.generation == 0 || self.room() < least || !is_in_range() {
            self.turn(file, stamp)?;
        }
        Ok(self.room())
    }

    /// Returns how many bytes the next record can have.
    fn room(&self) -> usize {
        (self.header.segment as usize).saturating_sub(self.at + RECORD + TRAILER)
    }

    /// Goes on in the next segment.
    fn turn(&mut self, file: &File, stamp: Stamp) -> io::Result<()> {
        // One of which nothing was written is begun again.
        let generation = self.header.generation + u32::from(self.is_header_written);
        let index = index_of(generation);
        if index >= self.allocated {
            let segment = u64::from(self.header.segment);
            disk::allocate(file, self.header.ring + index * segment, segment)?;
            self.allocated = index + 1;
        }
        self.header.generation = generation;
        self.header.base = stamp;
        self.header.run = self.run;
        self.header.unfinished = self.unfinished;
        self.header.encode(&mut self.encoded);
        self.is_header_written = false;
        self.at = self.encoded.len();
        Ok(())
    }

    /// Writes a record, for which there is room.
    fn write(
        &mut self,
        file: &File,
        kind: RecordKind,
        stamp: Stamp,
        parts: [&[u8]; 2],
    ) -> io::Result<()> {
        let length = parts[0].len() + parts[1].len();
        let length = u32::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        let generation = self.header.generation;
        let header = RecordHeader { kind, stamp, length }.encode(generation, self.header.base);
        let (header, trailer) = header.ok_or(io::ErrorKind::InvalidInput)?;
        let begins = if self.is_header_written { &[][..] } else { &self.encoded };
        let segment = u64::from(self.header.segment);
        let offset = self.header.ring + index_of(generation) * segment;
        let offset = offset + (self.at - begins.len()) as u64;
        let mut slices: [IoSlice<'_>; PARTS] =
            [begins, &header, parts[0], parts[1], &trailer].map(IoSlice::new);
        disk::write_at(file, &mut slices, offset)?;
        self.is_header_written = true;
        self.at += RECORD + length as usize + TRAILER;
        Ok(())
    }

    /// Follows where the last line begins.
    fn count(&mut self, parts: [&[u8]; 2]) {
        for bytes in parts {
            match memchr::memrchr(b'\n', bytes) {
                Some(at) => self.unfinished = (bytes.len() - at - 1) as u64,
                None => self.unfinished += bytes.len() as u64,
            }
        }
    }
}

/// Returns which segment a generation uses.
pub(super) fn index_of(generation: u32) -> u64 {
    u64::from(generation.saturating_sub(1)) % SEGMENTS
}

/// Cuts two parts that belong together at this number of bytes.
fn split(parts: [&[u8]; 2], at: usize) -> ([&[u8]; 2], [&[u8]; 2]) {
    let (first, second) = parts[0].split_at(at.min(parts[0].len()));
    let (third, fourth) = parts[1].split_at(at - first.len());
    ([first, third], [second, fourth])
}
