//! The process groups of a session, in memory that pm and its guard share: pm writes, and the guard
//! reads when pm is dead. No message, so no wake-up; and whatever instant pm is killed at, it is whole.

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::unistd::Pid;

/// How many groups it holds. Pages that are never written cost nothing.
const SLOTS: usize = 1 << 16;
/// A slot without a group: no group has this number.
const FREE: i32 = 0;

/// The shared table. It lives as long as the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Roster {
    slots: &'static [AtomicI32],
}

impl Roster {
    /// Makes an empty one, which a fork shares.
    pub(crate) fn new() -> io::Result<Self> {
        let Some(length) = NonZeroUsize::new(SLOTS * size_of::<AtomicI32>()) else {
            unreachable!("the table has slots")
        };
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing. It is zeroed, page
        // aligned and never unmapped, and AtomicI32 has the size and alignment of i32, for which zero is
        // valid; so the slice is valid for the rest of the process.
        #[expect(unsafe_code, reason = "shared memory has no safe form")]
        let slots = unsafe {
            let memory = mmap_anonymous(None, length, protection, MapFlags::MAP_SHARED)?;
            std::slice::from_raw_parts(memory.as_ptr().cast::<AtomicI32>(), SLOTS)
        };
        Ok(Self { slots })
    }

    /// Adds a group. Returns false where there is no room.
    pub(crate) fn add(&self, group: Pid) -> bool {
        let free = self.slots.iter().find(|slot| slot.load(Ordering::Relaxed) == FREE);
        free.inspect(|slot| slot.store(group.as_raw(), Ordering::Release)).is_some()
    }

    /// Removes a group.
    pub(crate) fn remove(&self, group: Pid) {
        if let Some(slot) =
            self.slots.iter().find(|slot| slot.load(Ordering::Relaxed) == group.as_raw())
        {
            slot.store(FREE, Ordering::Release);
        }
    }

    /// Returns every group.
    pub(crate) fn groups(&self) -> Vec<Pid> {
        let all = self.slots.iter().map(|slot| slot.load(Ordering::Acquire));
        all.filter(|group| *group != FREE).map(Pid::from_raw).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_and_go_and_their_slots_are_used_again() {
        let roster = Roster::new().unwrap();
        let pid = Pid::from_raw;
        assert!(roster.add(pid(10)) && roster.add(pid(11)) && roster.add(pid(12)));
        roster.remove(pid(11));
        assert_eq!(roster.groups(), [pid(10), pid(12)]);
        assert!(roster.add(pid(13)));
        assert_eq!(roster.groups(), [pid(10), pid(13), pid(12)]);
    }
}
