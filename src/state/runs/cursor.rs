//! Reads one ring from its oldest record to its newest, while it may still be written.
//!
//! Nothing is locked. What makes that right: a record counts when its trailer has been seen, and its payload is read
//! after that; and after each read the header of the segment is looked at again, so that what was
//! overwritten meanwhile is thrown away.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::format::{RECORD, RecordHeader, SEGMENTS, SegmentHeader, TRAILER, trailer};
use super::ring::index_of;

/// Where the generation stands in the header of a segment.
const GENERATION_AT: u64 = 8;

/// What a look for the next record finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextRecord {
    /// A record, whose payload [`Cursor::chunk`] gives.
    Record(RecordHeader),
    /// Nothing more has been written.
    End,
    /// What came next was overwritten: the records go on with a later one.
    Overrun,
}

/// A place in a ring.
#[derive(Debug)]
pub(super) struct Cursor {
    /// Of the segment that is read.
    pub(super) header: SegmentHeader,
    /// Where the next record begins in the segment, or what is left of its payload.
    at: usize,
    /// Where the record after this one begins.
    end: usize,
    /// Records up to here were seen whole before the window was read.
    whole: usize,
    window: Box<[u8]>,
    /// What the window holds, from where in the segment on.
    window_at: usize,
    window_length: usize,
}

impl Cursor {
    /// Goes to the oldest record of the ring that begins at `ring`. `None` where there is no ring.
    pub(super) fn open(
        file: &File,
        ring: &SegmentHeader,
        window: usize,
    ) -> io::Result<Option<Self>> {
        let mut cursor = Self {
            header: ring.clone(),
            at: 0,
            end: 0,
            whole: 0,
            window: vec![0; window].into_boxed_slice(),
            window_at: 0,
            window_length: 0,
        };
        Ok(cursor.go_to_oldest(file, 0)?.then_some(cursor))
    }

    /// Returns the next record. It is the same again until its payload is taken.
    pub(super) fn next(&mut self, file: &File) -> io::Result<NextRecord> {
        loop {
            self.at = self.end;
            if let Some(found) = self.look(file)? {
                return Ok(found);
            }
            let Some(next) = self.following(file)? else { return Ok(NextRecord::End) };
            // Something may have been written before that segment was begun.
            self.window_length = 0;
            if let Some(found) = self.look(file)? {
                return Ok(found);
            }
            let is_next = next.generation == self.header.generation.wrapping_add(1);
            if !is_next || next.oldest >= next.generation {
                return self.overrun(file);
            }
            self.begin(next);
        }
    }

    /// Looks for a record that is whole here; `None` where this segment has no more.
    fn look(&mut self, file: &File) -> io::Result<Option<NextRecord>> {
        if self.record().is_none() && !self.fill(file)? {
            return self.overrun(file).map(Some);
        }
        let Some(record) = self.record() else { return Ok(None) };
        let end = self.at + RECORD + record.length as usize + TRAILER;
        if end <= self.whole {
            return Ok(Some(NextRecord::Record(record)));
        }
        self.whole = self.whole_until(file)?;
        // What is read after its trailer is what was written before it.
        if !self.fill(file)? {
            return self.overrun(file).map(Some);
        }
        Ok((end <= self.whole).then_some(NextRecord::Record(record)))
    }

    /// Begins to read the payload of the record that [`Self::next`] has found.
    pub(super) fn enter(&mut self, record: &RecordHeader) {
        self.end = self.at + RECORD + record.length as usize + TRAILER;
        self.at += RECORD;
    }

    /// Returns the next bytes of the payload; empty at its end. `None` where they were overwritten meanwhile.
    pub(super) fn chunk(&mut self, file: &File) -> io::Result<Option<&[u8]>> {
        let left = self.end.saturating_sub(TRAILER).saturating_sub(self.at);
        if left > 0 && self.in_window().is_empty() && !self.fill(file)? {
            return Ok(None);
        }
        let bytes = self.in_window();
        Ok(Some(&bytes[..left.min(bytes.len())]))
    }

    /// Takes this number of bytes of the payload, of those that [`Self::chunk`] gave. They are in [`Self::window`] at the
    /// place that is returned, until something else is read.
    pub(super) fn take(&mut self, count: usize) -> usize {
        let place = self.at - self.window_at;
        self.at += count;
        place
    }

    /// Returns what was read last.
    pub(super) fn window(&self) -> &[u8] {
        &self.window
    }

    /// Returns whether the payload has been taken.
    pub(super) fn is_read(&self) -> bool {
        self.at + TRAILER >= self.end
    }

    /// Goes behind the record.
    pub(super) fn leave(&mut self) {
        self.at = self.end;
    }

    /// Returns what the window holds from here on.
    fn in_window(&self) -> &[u8] {
        let held = &self.window[..self.window_length];
        self.at.checked_sub(self.window_at).and_then(|skip| held.get(skip..)).unwrap_or_default()
    }

    /// Returns the record that begins here, if the window holds its header, and the segment all of it.
    fn record(&self) -> Option<RecordHeader> {
        let SegmentHeader { generation, base, segment, .. } = self.header;
        let record = RecordHeader::decode(self.in_window(), generation, base)?;
        let end = self.at + RECORD + record.length as usize + TRAILER;
        (end <= segment as usize).then_some(record)
    }

    /// Returns where the records end that are whole, from here on: those in the window, or a longer one.
    fn whole_until(&mut self, file: &File) -> io::Result<usize> {
        let (here, mut whole) = (self.at, self.at);
        while let Some(record) = self.record() {
            let length = RECORD + record.length as usize;
            let expected = trailer(self.header.generation, record.length);
            let mut found = [0; TRAILER];
            match self.in_window().get(length..length + TRAILER) {
                Some(bytes) => found.copy_from_slice(bytes),
                None if whole > here => break,
                None => {
                    let at = self.start() + (self.at + length) as u64;
                    read_at(file, &mut found, at)?;
                }
            }
            if found != expected {
                break;
            }
            self.at += length + TRAILER;
            whole = self.at;
        }
        self.at = here;
        Ok(whole)
    }

    /// Reads from here on into the window. Returns false where the segment has been overwritten.
    fn fill(&mut self, file: &File) -> io::Result<bool> {
        let most = (self.header.segment as usize).saturating_sub(self.at).min(self.window.len());
        let start = self.start();
        self.window_at = self.at;
        self.window_length = read_at(file, &mut self.window[..most], start + self.at as u64)?;
        let mut generation = [0; 4];
        read_at(file, &mut generation, start + GENERATION_AT)?;
        let is_same = u32::from_le_bytes(generation) == self.header.generation;
        if !is_same {
            self.window_length = 0;
        }
        Ok(is_same)
    }

    /// Returns the header of the segment behind this one, where it has been begun.
    fn following(&self, file: &File) -> io::Result<Option<SegmentHeader>> {
        let Some(generation) = self.header.generation.checked_add(1) else { return Ok(None) };
        let next = self.header_at(file, index_of(generation))?;
        Ok(next.filter(|next| next.generation >= generation))
    }

    /// Goes on behind what was overwritten.
    fn overrun(&mut self, file: &File) -> io::Result<NextRecord> {
        let is_there = self.go_to_oldest(file, self.header.generation)?;
        Ok(if is_there { NextRecord::Overrun } else { NextRecord::End })
    }

    /// Goes to the oldest segment that belongs to the newest, and is newer than `after`.
    fn go_to_oldest(&mut self, file: &File, after: u32) -> io::Result<bool> {
        let mut segments = Vec::new();
        for index in 0..SEGMENTS {
            segments.extend(self.header_at(file, index)?);
        }
        segments.sort_by_key(|header| header.generation);
        let Some(newest) = segments.last().cloned() else { return Ok(false) };
        let mut oldest = newest;
        for header in segments.into_iter().rev().skip(1) {
            if header.generation + 1 != oldest.generation || oldest.generation <= oldest.oldest {
                break;
            }
            oldest = header;
        }
        let is_later = oldest.generation > after;
        if is_later {
            self.begin(oldest);
        }
        Ok(is_later)
    }

    /// Goes to the first record of a segment.
    fn begin(&mut self, header: SegmentHeader) {
        (self.at, self.end, self.whole) = (header.length(), header.length(), header.length());
        (self.window_at, self.window_length) = (0, 0);
        self.header = header;
    }

    fn header_at(&self, file: &File, index: u64) -> io::Result<Option<SegmentHeader>> {
        let at = self.header.ring + index * u64::from(self.header.segment);
        let found = header_at(file, at)?;
        Ok(found.filter(|found| {
            found.ring == self.header.ring
                && found.segment == self.header.segment
                && index_of(found.generation) == index
        }))
    }

    /// Returns where the segment begins in the file.
    fn start(&self) -> u64 {
        let index = index_of(self.header.generation);
        self.header.ring + index * u64::from(self.header.segment)
    }
}

/// Reads the header that stands at this place of the file.
pub(super) fn header_at(file: &File, at: u64) -> io::Result<Option<SegmentHeader>> {
    let mut bytes = [0; SegmentHeader::LONGEST];
    let length = read_at(file, &mut bytes, at)?;
    Ok(SegmentHeader::decode(&bytes[..length]))
}

/// Reads as much as there is.
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], at + length as u64) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
