//! The runs of a session, in memory that pm and its watchdog share: pm writes it, and the watchdog reads it when pm is
//! dead. So no message wakes the watchdog up, and the table is consistent whenever pm is killed.
//!
//! A run is entered before its process is started, with the pipes that it will have. By these, a process can be found
//! whose id pm had no time to write. The pipes stay in the table after the run has ended, until their slot is needed,
//! because processes that left its group still hold them.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous};
use nix::sys::stat::fstat;
use nix::unistd::Pid;

use super::system::shared_memory;

/// How many runs it holds. Pages that are never written cost nothing.
const SLOTS: usize = 1 << 16;
/// How many ended runs keep their slots.
const REMEMBERED: usize = 1024;
const LENGTH: usize = SLOTS * size_of::<Slot>();
/// Instead of a group id: the slot was never used.
const UNUSED: i32 = 0;
/// Instead of a group id: the run is being started, and its group is not known yet.
const STARTING: i32 = -1;
/// Instead of a group id: the run has ended.
const ENDED: i32 = -2;

/// The pipes of a run, by inode number. A run with a terminal has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pipes {
    pub(crate) stdin: u64,
    pub(crate) output: u64,
}

impl Pipes {
    /// Returns the inodes of the pipes that these are ends of.
    pub(crate) fn of(stdin: impl AsFd, output: impl AsFd) -> io::Result<Self> {
        Ok(Self { stdin: inode(stdin)?, output: inode(output)? })
    }
}

#[expect(clippy::useless_conversion, reason = "st_ino has 32 bits on some systems")]
fn inode(fd: impl AsFd) -> io::Result<u64> {
    Ok(fstat(fd)?.st_ino.into())
}

/// What identifies the processes that pm started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Pipes that only instances read from.
    pub(crate) stdins: HashSet<u64>,
    /// Pipes that only instances write to.
    pub(crate) outputs: HashSet<u64>,
    /// An environment variable, which identifies runs with a terminal.
    pub(crate) variable: Vec<u8>,
}

/// One run. All zeroes is an unused one.
#[derive(Debug)]
#[repr(C)]
struct Slot {
    group: AtomicI32,
    stdin: AtomicU64,
    output: AtomicU64,
}

/// The position of a run in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotIndex(usize);

/// The shared table. The memory lives as long as the process.
#[derive(Debug)]
pub(crate) struct PidTable {
    /// The memory as a file, for another process to map; `None` if the system has no such memory.
    memory: Option<OwnedFd>,
    /// The value of the variable that identifies runs with a terminal.
    mark: String,
    slots: &'static [Slot],
    /// How many slots have been used so far.
    used: usize,
    /// Slots of ended runs, the oldest first.
    ended: VecDeque<usize>,
}

impl PidTable {
    /// Makes an empty one, which a fork shares.
    pub(crate) fn new() -> io::Result<Self> {
        match shared_memory::create(LENGTH) {
            Ok(memory) => Self::map(memory),
            // A limit of the file size (`ulimit -f`) also applies to memory that has a descriptor.
            Err(_) => Self::of(None, format!("pid-{}", Pid::this())),
        }
    }

    /// Returns the one in this memory, which another process has made.
    pub(crate) fn map(memory: OwnedFd) -> io::Result<Self> {
        let held = std::fs::File::from(memory.try_clone()?).metadata()?;
        if held.size() != LENGTH as u64 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // No other session has the same while this one runs.
        Self::of(Some(memory), held.ino().to_string())
    }

    fn of(memory: Option<OwnedFd>, mark: String) -> io::Result<Self> {
        let Some(length) = NonZeroUsize::new(LENGTH) else { unreachable!("the table has slots") };
        let (protection, shared) =
            (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing. The memory has this
        // length, nobody truncates it, and it is never unmapped; it began as zeroes, which is a valid Slot,
        // and only atomic fields of Slots have been written since. So the slice is valid for the rest of
        // the process.
        #[expect(unsafe_code, reason = "shared memory has no safe form")]
        let slots = unsafe {
            let start = match &memory {
                Some(memory) => mmap(None, length, protection, shared, memory, 0)?,
                None => mmap_anonymous(None, length, protection, shared)?,
            };
            std::slice::from_raw_parts(start.as_ptr().cast::<Slot>(), SLOTS)
        };
        Ok(Self { memory, mark, slots, used: 0, ended: VecDeque::new() })
    }

    /// Returns the memory, for another process to map.
    pub(crate) fn memory(&self) -> io::Result<OwnedFd> {
        match &self.memory {
            Some(memory) => memory.try_clone(),
            None => Err(io::Error::other("there is no memory that it could share")),
        }
    }

    /// Returns the variable that identifies a run with a terminal, which has no pipes.
    pub(crate) fn variable(&self) -> (&'static str, String) {
        ("PM_GUARDED", self.mark.clone())
    }

    /// Enters a run that is about to start. Returns `None` where there is no room.
    pub(crate) fn enter(&mut self, pipes: Pipes) -> Option<SlotIndex> {
        let is_old = self.ended.len() >= REMEMBERED || self.used == SLOTS;
        let place = if is_old { self.ended.pop_front() } else { None };
        let place = match place {
            Some(place) => place,
            None if self.used < SLOTS => {
                self.used += 1;
                self.used - 1
            }
            None => return None,
        };
        let slot = &self.slots[place];
        slot.stdin.store(pipes.stdin, Ordering::Relaxed);
        slot.output.store(pipes.output, Ordering::Relaxed);
        slot.group.store(STARTING, Ordering::Release);
        Some(SlotIndex(place))
    }

    /// Adds the group of an entered run.
    pub(crate) fn begin(&self, place: SlotIndex, group: Pid) {
        self.slots[place.0].group.store(group.as_raw(), Ordering::Release);
    }

    /// Removes the group of a run, which has ended or was never started.
    pub(crate) fn end(&mut self, place: SlotIndex) {
        self.slots[place.0].group.store(ENDED, Ordering::Release);
        self.ended.push_back(place.0);
    }

    /// Returns whether no run is entered.
    pub(crate) fn is_empty(&self) -> bool {
        self.used == self.ended.len()
    }

    /// Returns every group.
    pub(crate) fn groups(&self) -> Vec<Pid> {
        let all = self.slots.iter().map(|slot| slot.group.load(Ordering::Acquire));
        all.filter(|group| *group > UNUSED).map(Pid::from_raw).collect()
    }

    /// Returns what identifies the processes of these runs.
    pub(crate) fn marks(&self) -> Marks {
        let mut marks = Marks::default();
        for slot in self.slots {
            if slot.group.load(Ordering::Acquire) != UNUSED {
                marks.stdins.insert(slot.stdin.load(Ordering::Relaxed));
                marks.outputs.insert(slot.output.load(Ordering::Relaxed));
            }
        }
        // Runs with a terminal: no pipe has inode 0.
        let no = Pipes::default();
        let has_terminals = marks.stdins.remove(&no.stdin) | marks.outputs.remove(&no.output);
        if has_terminals {
            let (key, value) = self.variable();
            marks.variable = format!("{key}={value}").into_bytes();
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipes(number: u64) -> Pipes {
        Pipes { stdin: number, output: number + 1 }
    }

    #[test]
    fn a_run_is_known_by_its_pipes_from_before_its_start_until_after_its_end() {
        let mut table = PidTable::new().unwrap();
        let known = |table: &PidTable| {
            let marks = table.marks();
            (marks.stdins.contains(&10), marks.outputs.contains(&11), marks.stdins.contains(&11))
        };
        assert_eq!(known(&table), (false, false, false));
        let place = table.enter(pipes(10)).unwrap();
        assert_eq!((known(&table), table.groups()), ((true, true, false), vec![]));
        assert!(!table.is_empty());
        table.begin(place, Pid::from_raw(7));
        assert_eq!((known(&table), table.groups()), ((true, true, false), vec![Pid::from_raw(7)]));
        table.end(place);
        assert_eq!((known(&table), table.groups()), ((true, true, false), vec![]));
        assert!(table.is_empty());
    }

    #[test]
    fn the_places_of_long_ended_runs_are_used_again() {
        let mut table = PidTable::new().unwrap();
        for number in 1..=(SLOTS as u64 * 2) {
            let place = table.enter(pipes(number * 2)).unwrap();
            table.end(place);
        }
        assert_eq!(table.marks().stdins.len(), REMEMBERED);
        assert!(table.marks().stdins.contains(&(SLOTS as u64 * 4)));
    }

    #[test]
    fn a_full_table_takes_no_more_until_a_run_ends() {
        let mut table = PidTable::new().unwrap();
        let places: Vec<_> = (0..SLOTS).filter_map(|_| table.enter(pipes(2))).collect();
        assert_eq!((places.len(), table.enter(pipes(2))), (SLOTS, None));
        table.end(places[5]);
        assert_eq!(table.enter(pipes(2)), Some(places[5]));
    }

    #[test]
    fn another_process_sees_the_same_table_through_its_memory() {
        let mut table = PidTable::new().unwrap();
        let other = PidTable::map(table.memory().unwrap()).unwrap();
        let place = table.enter(Pipes::default()).unwrap();
        table.begin(place, Pid::from_raw(9));
        assert_eq!(other.groups(), [Pid::from_raw(9)]);
        let (key, value) = table.variable();
        let variable = format!("{key}={value}").into_bytes();
        assert_eq!(other.marks(), Marks { variable, ..Marks::default() });
        assert!(PidTable::map(tempfile::tempfile().unwrap().into()).is_err());
    }
}
