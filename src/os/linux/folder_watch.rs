//! The removal of a folder, as the kernel tells it: inotify(7) on the folder above it. A watch on the folder itself
//! would hear nothing as long as any process has it as its current folder.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use rustix::io::read;

/// Room for many events; their names do not matter.
const BUFFER: usize = 4096;

/// Watches over one folder at a time.
#[derive(Debug)]
pub(crate) struct FolderWatch(OwnedFd);

impl FolderWatch {
    /// Makes one that watches nothing yet.
    ///
    /// # Errors
    /// The user has too many (`fs.inotify.max_user_instances`), or this process has no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?))
    }

    /// Watches a folder, also one that was made again meanwhile.
    ///
    /// # Errors
    /// The folder above it may not be read, or the user watches too many.
    pub(crate) fn set(&self, folder: &Path) -> io::Result<()> {
        let Some(above) = folder.parent() else { return Ok(()) };
        let removals = WatchFlags::DELETE | WatchFlags::MOVED_FROM;
        let own = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        // Of a folder that is watched already, the same watch.
        add_watch(&self.0, above, removals | own)?;
        Ok(())
    }

    /// Returns what is readable once something beside the folder, or the folder itself, was removed.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Takes what was told. Returns whether it was anything.
    pub(crate) fn take(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut is_any = false;
        while read(&self.0, &mut buffer).is_ok_and(|(events, _)| !events.is_empty()) {
            is_any = true;
        }
        is_any
    }
}
