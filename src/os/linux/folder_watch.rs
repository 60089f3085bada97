//! The removal of a folder, as the kernel tells it by inotify(7). A watch on the folder itself hears of its removal only
//! when no process has it as its current folder any more: so a file in it is watched too, which goes before the folder
//! does, or the folder above it.

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

    /// Watches a folder by a file in it, or where that is not there by the folder above it, in which much may happen.
    ///
    /// # Errors
    /// The folder is not there, or the user watches too many.
    pub(crate) fn set(&self, folder: &Path, file: &Path) -> io::Result<()> {
        let removal = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        add_watch(&self.0, folder, removal | WatchFlags::ONLYDIR)?;
        // Somebody may have it open: its number of links changes then.
        let is_watched = add_watch(&self.0, file, removal | WatchFlags::ATTRIB).is_ok();
        if !is_watched && let Some(above) = folder.parent() {
            let removals = WatchFlags::DELETE | WatchFlags::MOVED_FROM;
            add_watch(&self.0, above, removals | removal | WatchFlags::ONLYDIR)?;
        }
        Ok(())
    }

    /// Returns what is readable once something may have been removed.
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
