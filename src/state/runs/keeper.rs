//! Keeps the output of a session: what the pump tells, in rings of bounded size.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::format::{PAGE, RecordKind, SEGMENTS, Stamp};
use super::notice::KeptNotice;
use super::ring::Ring;

/// The most that is kept of an instance, and the least where there are very many.
const MOST: u64 = 1 << 20;
const LEAST: u64 = 64 << 10;
/// Milliseconds after an error in which nothing is written.
const RETRY: i64 = 1000;
/// Longer words of pm are cut: a record of one fits into the smallest segment.
const LONGEST_NOTICE: usize = 4096;

/// Whose output it is: an instance that [`Keeper::ring_of`] was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingId(usize);

/// Where pm's own lines go.
const OWN: usize = 0;

/// Writes what a session's instances write, and what pm says, to the folder of its run. Nothing here waits for
/// a disk, and no error costs more than the copy: it is told once, and then tried again each second while
/// something is written.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    file: File,
    /// Bytes that all rings may have together.
    total: u64,
    /// How many instances share them.
    instances: u64,
    /// Bytes of the file that rings have.
    end: u64,
    rings: Vec<Ring>,
    names: HashMap<String, RingId>,
    counter: u64,
    /// Nothing is tried before this time.
    retry_at: Option<i64>,
    /// The first error, until it is told.
    error: Option<io::Error>,
    is_told: bool,
}

impl Keeper {
    /// Keeps at most `total` bytes in `file`, which is empty, and stands at this path.
    pub(super) fn new(path: PathBuf, file: File, total: u64) -> Self {
        Self {
            path,
            file,
            total,
            instances: 0,
            end: 0,
            rings: Vec::new(),
            names: HashMap::new(),
            counter: 0,
            retry_at: None,
            error: None,
            is_told: false,
        }
    }

    /// Counts one more instance that shares the room: one that begins to write afterwards gets less.
    pub fn expect(&mut self) {
        self.instances += 1;
    }

    /// Returns where the output of an instance goes, by its name. Nothing is on the disk before its first byte.
    pub fn ring_of(&mut self, name: &str) -> RingId {
        if self.rings.is_empty() && !name.is_empty() {
            self.ring_of("");
        }
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        let id = RingId(self.rings.len());
        self.rings.push(Ring::new(name));
        self.names.insert(name.to_owned(), id);
        id
    }

    /// Keeps what was read at a time, in milliseconds since 1970. It may come in two parts.
    pub fn output(&mut self, id: RingId, at: i64, parts: [&[u8]; 2]) {
        let stamp = self.stamp(at);
        match self.may_write(at) {
            true => self.write(id, stamp, |ring, file| ring.output(file, stamp, parts)),
            false => self.rings[id.0].lose(parts),
        }
    }

    /// Takes note that a run of the instance begins, by its number.
    pub fn started(&mut self, id: RingId, at: i64, run: u32) {
        self.rings[id.0].set_run(run);
        self.note_of_run(id, at, RecordKind::Started);
    }

    /// Takes note that the output of the instance's run has ended.
    pub fn ended(&mut self, id: RingId, at: i64) {
        self.note_of_run(id, at, RecordKind::Ended);
    }

    /// Keeps a line of pm's own.
    pub fn say(&mut self, at: i64, notice: &KeptNotice) {
        let id = self.ring_of("");
        let stamp = self.stamp(at);
        let bytes = notice.encode(LONGEST_NOTICE);
        match self.may_write(at) {
            true => {
                self.write(id, stamp, |ring, file| {
                    ring.note(file, RecordKind::Notice, stamp, &bytes)
                });
            }
            false => self.rings[OWN].lose([&[], &[]]),
        }
    }

    /// Returns the first error, once, with the path of the file: from then on a part of the output is missing there.
    pub fn take_error(&mut self) -> Option<(&Path, io::Error)> {
        self.error.take().map(|error| (self.path.as_path(), error))
    }

    /// An instance that has written nothing has no ring on the disk, and needs none for that.
    fn note_of_run(&mut self, id: RingId, at: i64, kind: RecordKind) {
        let stamp = self.stamp(at);
        let run = self.rings[id.0].run().to_le_bytes();
        if !self.rings[id.0].is_used() {
            return;
        }
        match self.may_write(at) {
            true => self.write(id, stamp, |ring, file| ring.note(file, kind, stamp, &run)),
            false => self.rings[id.0].lose([&[], &[]]),
        }
    }

    fn write(
        &mut self,
        id: RingId,
        stamp: Stamp,
        write: impl FnOnce(&mut Ring, &File) -> io::Result<()>,
    ) {
        let segment = self.segment();
        let Self { file, rings, end, .. } = self;
        let ring = &mut rings[id.0];
        let is_first = !ring.is_used();
        if is_first {
            ring.place(*end, segment);
        }
        let written = write(ring, file);
        if is_first && ring.is_used() {
            *end += ring.size();
        }
        match written {
            Ok(()) => self.retry_at = None,
            Err(error) => {
                self.retry_at = Some(stamp.at.saturating_add(RETRY));
                if !self.is_told {
                    self.is_told = true;
                    self.error = Some(error);
                }
            }
        }
    }

    /// A clock that was set back is no reason to wait.
    fn may_write(&self, at: i64) -> bool {
        self.retry_at.is_none_or(|retry| at >= retry || at < retry - RETRY)
    }

    fn stamp(&mut self, at: i64) -> Stamp {
        self.counter += 1;
        Stamp { at, counter: self.counter }
    }

    /// Returns how large a segment of a ring is that begins now: pm's own lines have a ring, too.
    fn segment(&self) -> u32 {
        let fair = (self.total / (self.instances + 1)).clamp(LEAST, MOST);
        let left = self.total.saturating_sub(self.end).max(LEAST);
        let pages = fair.min(left) / SEGMENTS / PAGE;
        // It is no more than MOST.
        u32::try_from(pages * PAGE).unwrap_or(u32::MAX)
    }
}
