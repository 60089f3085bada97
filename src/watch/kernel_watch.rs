//! The folders that the system watches for us: one watcher for all types.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crossbeam_channel::Sender;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::WatchInput;

/// What the system says of one path.
#[derive(Debug)]
pub(super) enum FileHint {
    /// It may have other bytes, or is new, or is gone.
    Touched(PathBuf),
    /// What had this name has it no more; something else may have it.
    Gone(PathBuf),
    /// Some were lost: everything is to be looked at.
    Lost,
}

/// Why a folder is not watched.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoWatch {
    /// The user has no watch left.
    Full,
    /// It has gone meanwhile, or cannot be read.
    Absent,
}

/// Which folder has a name: the number of one that was removed is soon given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FolderIdentity {
    number: u64,
    created: Option<SystemTime>,
}

impl FolderIdentity {
    fn of(found: &Metadata) -> Self {
        Self { number: found.ino(), created: found.created().ok() }
    }
}

/// The watched folders.
pub(super) struct KernelWatch {
    watcher: RecommendedWatcher,
    folders: HashMap<PathBuf, FolderIdentity>,
}

impl KernelWatch {
    /// Makes the watcher, with a thread of its own that sends what the system says.
    ///
    /// # Errors
    /// There is no descriptor left, or no thread.
    pub(super) fn new(inputs: Sender<WatchInput>) -> notify::Result<Self> {
        let send = move |found: notify::Result<Event>| {
            let hints = match found {
                Ok(event) => hints(event),
                Err(_) => vec![FileHint::Lost],
            };
            if !hints.is_empty() {
                // Nobody reads at the session's end.
                let _ = inputs.send(WatchInput::Hints(hints));
            }
        };
        Ok(Self { watcher: notify::recommended_watcher(send)?, folders: HashMap::new() })
    }

    /// Watches a folder, without those below it; returns whether it was not watched before. Where hints were lost, it may
    /// be another one than that which had its name.
    pub(super) fn watch(&mut self, folder: &Path) -> Result<bool, NoWatch> {
        let found = folder.metadata().map_err(|_| NoWatch::Absent)?;
        let identity = FolderIdentity::of(&found);
        match self.folders.get(folder) {
            Some(known) if *known == identity => return Ok(false),
            Some(_) => self.unwatch(folder),
            None => {}
        }
        match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => Ok(self.folders.insert(folder.to_owned(), identity).is_none()),
            Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => Err(NoWatch::Full),
            Err(_) => Err(NoWatch::Absent),
        }
    }

    /// Watches this folder and those below it no more; returns whether any was watched.
    pub(super) fn forget(&mut self, folder: &Path) -> bool {
        let before = self.folders.len();
        self.keep_only(|one| !one.starts_with(folder));
        self.folders.len() < before
    }

    /// Watches only these from now on.
    pub(super) fn keep_only(&mut self, keep: impl Fn(&Path) -> bool) {
        let others: Vec<PathBuf> = self.folders.keys().filter(|one| !keep(one)).cloned().collect();
        others.iter().for_each(|one| self.unwatch(one));
    }

    /// Watches this folder no more.
    pub(super) fn unwatch(&mut self, folder: &Path) {
        self.folders.remove(folder);
        // Where it was deleted, the system has ended the watch by itself.
        let _ = self.watcher.unwatch(folder);
    }
}

/// Reads and changed attributes do not count; content does when its writer closes the file, where the system tells
/// that (inotify(7): `IN_CLOSE_WRITE`).
fn hints(event: Event) -> Vec<FileHint> {
    if event.need_rescan() {
        return vec![FileHint::Lost];
    }
    let is_gone = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => return Vec::new(),
        EventKind::Modify(ModifyKind::Data(_)) if cfg!(target_os = "linux") => return Vec::new(),
        // One event of both names follows one of each.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) if cfg!(target_os = "linux") => {
            return Vec::new();
        }
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => true,
        _ => false,
    };
    let hint = if is_gone { FileHint::Gone } else { FileHint::Touched };
    event.paths.into_iter().map(hint).collect()
}

#[cfg(test)]
mod tests {
    use notify::event::Flag;

    use super::*;

    #[test]
    fn an_overflow_of_the_queue_is_that_hints_are_lost() {
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert!(matches!(hints(overflow)[..], [FileHint::Lost]));
    }
}
