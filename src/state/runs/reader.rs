//! Reads the output of a run: what its instances wrote and what pm said, as one, in the order in which it was
//! read from them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::fs::File;
use std::io;

use super::cursor::{self, Cursor, NextRecord};
use super::format::{Gap, RecordHeader, RecordKind, SEGMENTS, SegmentHeader};
use super::lines::LineJoiner;
use super::notice::KeptNotice;

/// What all windows have together, and each has at least and at most.
const WINDOWS: usize = 512 << 10;
const SMALLEST_WINDOW: usize = 4 << 10;
const LARGEST_WINDOW: usize = 64 << 10;
/// Rings begin at multiples of this.
const STRIDE: u64 = SEGMENTS * super::format::PAGE;

/// Something that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// When it was read, in milliseconds since 1970: for a line, its end.
    pub at: i64,
    /// Whose it is: `web.1`; empty for what pm says of the session.
    pub name: &'a str,
    /// What it is.
    pub what: What<'a>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// A line of output.
    Line(Line<'a>),
    /// pm said something.
    Notice(&'a KeptNotice),
    /// A run of the instance began; its number.
    Started(u32),
    /// The output of this run of the instance ended.
    Ended(u32),
    /// Output is missing here: the number of bytes, if it is known. The disk was full, or it was overwritten while it
    /// was being read.
    Gap(Option<u64>),
}

/// A line of output, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counts the runs of the instance, from 1.
    pub run: u32,
    /// The bytes, without the newline.
    pub bytes: &'a [u8],
    /// What ended it.
    pub end: LineEnd,
    /// The number of bytes that are missing at its beginning: of a line over half the ring, the last part is kept.
    pub missing: u64,
}

/// What ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// A newline.
    Newline,
    /// Nothing yet: a prompt, or a line whose rest is still to come.
    Silence,
    /// The end of the instance.
    End,
}

/// The output of a run, entry by entry.
///
/// [`Self::next`] gives what is finished; when it has given all, [`Self::unfinished`] gives the lines whose end is
/// not written. For a run that is still written, [`Self::refresh`] takes in what came meanwhile, for `next` to give.
pub struct Reader {
    file: File,
    wants: Box<dyn Fn(&str) -> bool>,
    is_alive: bool,
    /// Nothing that was read later is given.
    until: i64,
    /// Where the last ring ends that is known.
    scanned: u64,
    sources: Vec<RingSource>,
    /// The next records by their counters.
    order: BinaryHeap<Reverse<(u64, usize)>>,
    current: Option<(usize, RecordHeader)>,
    line: Vec<u8>,
    notice: Option<KeptNotice>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("sources", &self.sources).finish_non_exhaustive()
    }
}

/// A ring, and the line that is put together from it.
#[derive(Debug)]
struct RingSource {
    cursor: Cursor,
    lines: LineJoiner,
    run: u32,
    next: Option<RecordHeader>,
    last: RecordHeader,
    /// Something was overwritten before it was read.
    is_overrun: bool,
}

/// What was found, without the bytes.
enum Found {
    /// Bytes of the window, from and to.
    Window(usize, usize),
    /// [`Reader::line`], with the number of bytes that it misses.
    Line(LineEnd, u64),
    Started,
    Ended,
    Gap(Option<u64>),
    Notice,
}

impl Reader {
    pub(super) fn new(
        file: File,
        wants: impl Fn(&str) -> bool + 'static,
        is_alive: bool,
        until: i64,
    ) -> io::Result<Self> {
        let mut reader = Self {
            file,
            wants: Box::new(wants),
            is_alive,
            until,
            scanned: 0,
            sources: Vec::new(),
            order: BinaryHeap::new(),
            current: None,
            line: Vec::new(),
            notice: None,
        };
        reader.refresh(until)?;
        Ok(reader)
    }

    /// Takes in what has been written meanwhile, as far as it was read until this time, in milliseconds since 1970.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn refresh(&mut self, until: i64) -> io::Result<()> {
        self.until = until;
        let (rings, end) = rings(&self.file, self.scanned)?;
        let wanted: Vec<_> = rings.into_iter().filter(|ring| (self.wants)(&ring.name)).collect();
        self.scanned = end;
        let known = self.sources.len();
        let window = WINDOWS / (known + wanted.len()).max(1);
        for ring in wanted {
            let half = usize::try_from(SEGMENTS).unwrap_or(1) * ring.segment as usize / 2;
            let window = window.clamp(SMALLEST_WINDOW, LARGEST_WINDOW).min(half);
            let Some(cursor) = Cursor::open(&self.file, &ring, window)? else { continue };
            self.sources.push(RingSource::new(cursor, half));
        }
        let is_idle = |at: &usize| {
            let is_current = self.current.is_some_and(|(current, _)| current == *at);
            !is_current && self.sources[*at].next.is_none()
        };
        let idle: Vec<_> = (0..self.sources.len()).filter(is_idle).collect();
        idle.into_iter().try_for_each(|at| self.advance(at))
    }

    /// Returns the next entry; `None` where there is no more.
    ///
    /// # Errors
    /// The file cannot be read.
    #[expect(clippy::should_implement_trait, reason = "an entry borrows from the reader")]
    pub fn next(&mut self) -> io::Result<Option<Entry<'_>>> {
        loop {
            let Some((at, record)) = self.current.or_else(|| self.begin()) else { return Ok(None) };
            self.current = Some((at, record));
            let found = match std::mem::take(&mut self.sources[at].is_overrun) {
                true => Some(Found::Gap(None)),
                false => self.step(at, record.kind)?,
            };
            if let Some(found) = found {
                return Ok(Some(self.entry(at, record.stamp.at, found)));
            }
            self.current = None;
            self.sources[at].cursor.leave();
            self.advance(at)?;
        }
    }

    /// Begins to read the record that was read next from an instance.
    fn begin(&mut self) -> Option<(usize, RecordHeader)> {
        let Reverse((_, at)) = self.order.pop()?;
        let source = &mut self.sources[at];
        let record = source.next.take()?;
        source.cursor.enter(&record);
        source.last = record;
        Some((at, record))
    }

    /// Returns the next of the lines whose end is not written, once [`Self::next`] has given all; what comes later
    /// of such a line is another. They end with the run, where that has ended.
    pub fn unfinished(&mut self) -> Option<Entry<'_>> {
        let open = self.sources.iter().enumerate().filter(|(_, source)| source.lines.is_open());
        let (at, source) = open.min_by_key(|(_, source)| source.last.stamp.counter)?;
        let time = source.last.stamp.at;
        let end = if self.is_alive { LineEnd::Silence } else { LineEnd::End };
        match self.sources[at].lines.take(&mut self.line) {
            Some(missing) => Some(self.entry(at, time, Found::Line(end, missing))),
            None => self.unfinished(),
        }
    }

    /// Looks for the next record of a source.
    fn advance(&mut self, at: usize) -> io::Result<()> {
        let source = &mut self.sources[at];
        loop {
            match source.cursor.next(&self.file)? {
                NextRecord::Record(record) if record.stamp.at > self.until => return Ok(()),
                NextRecord::Record(record) => {
                    source.next = Some(record);
                    self.order.push(Reverse((record.stamp.counter, at)));
                    return Ok(());
                }
                NextRecord::End => return Ok(()),
                NextRecord::Overrun => {
                    source.is_overrun = true;
                    source.run = source.cursor.header.run;
                    source.lines.begin(source.cursor.header.unfinished);
                }
            }
        }
    }

    /// Finds the next entry in the record that is read; `None` at its end.
    fn step(&mut self, at: usize, kind: RecordKind) -> io::Result<Option<Found>> {
        let source = &mut self.sources[at];
        if kind != RecordKind::Output && source.cursor.is_read() {
            return Ok(None);
        }
        match kind {
            RecordKind::Output => source.line(&self.file, &mut self.line),
            RecordKind::Notice => {
                self.notice = source.payload(&self.file)?.and_then(|it| KeptNotice::decode(&it));
                Ok(self.notice.is_some().then_some(Found::Notice))
            }
            RecordKind::Started | RecordKind::Ended | RecordKind::Gap => {
                let end = if kind == RecordKind::Gap { LineEnd::Silence } else { LineEnd::End };
                // The record is read when the line before it is gone.
                if source.lines.is_open()
                    && let Some(missing) = source.lines.take(&mut self.line)
                {
                    return Ok(Some(Found::Line(end, missing)));
                }
                let payload = source.payload(&self.file)?;
                Ok(payload.and_then(|payload| source.note(kind, &payload)))
            }
        }
    }

    fn entry(&self, at: usize, time: i64, found: Found) -> Entry<'_> {
        let source = &self.sources[at];
        let name = source.cursor.header.name.as_str();
        let line = |bytes, end, missing| What::Line(Line { run: source.run, bytes, end, missing });
        let what = match (found, &self.notice) {
            (Found::Window(from, to), _) => {
                line(&source.cursor.window()[from..to], LineEnd::Newline, 0)
            }
            (Found::Line(end, missing), _) => line(&self.line, end, missing),
            (Found::Started, _) => What::Started(source.run),
            (Found::Ended, _) => What::Ended(source.run),
            (Found::Gap(lost), _) => What::Gap(lost),
            (Found::Notice, Some(notice)) => {
                let name = notice.about.as_deref().unwrap_or_default();
                return Entry { at: time, name, what: What::Notice(notice) };
            }
            (Found::Notice, None) => What::Gap(None),
        };
        Entry { at: time, name, what }
    }
}

impl RingSource {
    fn new(cursor: Cursor, half: usize) -> Self {
        let mut lines = LineJoiner::new(half);
        lines.begin(cursor.header.unfinished);
        let run = cursor.header.run;
        let last = RecordHeader { kind: RecordKind::Output, stamp: cursor.header.base, length: 0 };
        Self { cursor, lines, run, next: None, last, is_overrun: false }
    }

    /// Finds the next line that ends in the record; `None` where the rest of it has none.
    fn line(&mut self, file: &File, line: &mut Vec<u8>) -> io::Result<Option<Found>> {
        loop {
            let Some(bytes) = self.cursor.chunk(file)? else { return Ok(None) };
            if bytes.is_empty() {
                return Ok(None);
            }
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                let count = bytes.len();
                self.lines.push(bytes);
                self.cursor.take(count);
                continue;
            };
            if !self.lines.is_open() {
                let from = self.cursor.take(end + 1);
                return Ok(Some(Found::Window(from, from + end)));
            }
            self.lines.push(&bytes[..end]);
            self.cursor.take(end + 1);
            if let Some(missing) = self.lines.take(line) {
                return Ok(Some(Found::Line(LineEnd::Newline, missing)));
            }
        }
    }

    /// Returns all of the record; `None` where it was overwritten.
    fn payload(&mut self, file: &File) -> io::Result<Option<Vec<u8>>> {
        let mut payload = Vec::new();
        loop {
            let Some(bytes) = self.cursor.chunk(file)? else { return Ok(None) };
            if bytes.is_empty() {
                return Ok(Some(payload));
            }
            let count = bytes.len();
            payload.extend_from_slice(bytes);
            self.cursor.take(count);
        }
    }

    /// Takes in what is no output.
    fn note(&mut self, kind: RecordKind, payload: &[u8]) -> Option<Found> {
        match kind {
            RecordKind::Started => {
                self.run = u32::from_le_bytes(payload.try_into().ok()?);
                Some(Found::Started)
            }
            RecordKind::Ended => Some(Found::Ended),
            RecordKind::Gap => {
                let gap = Gap::decode(payload)?;
                self.run = gap.run;
                self.lines.begin(gap.unfinished);
                Some(Found::Gap(Some(gap.lost)))
            }
            RecordKind::Output | RecordKind::Notice => None,
        }
    }
}

/// Returns the rings of a file from this place on, and where the last one ends.
pub(super) fn rings(file: &File, from: u64) -> io::Result<(Vec<SegmentHeader>, u64)> {
    let length = file.metadata()?.len();
    let (mut rings, mut at, mut end) = (Vec::new(), from, from);
    while at < length {
        match cursor::header_at(file, at)? {
            // Where the first segment cannot be read, another one tells of the ring.
            Some(ring) if ring.ring >= end && ring.ring <= at => {
                let size = SEGMENTS * u64::from(ring.segment);
                end = ring.ring + size;
                at = end.max(at + STRIDE);
                rings.push(ring);
            }
            Some(_) | None => at += STRIDE,
        }
    }
    Ok((rings, end))
}
