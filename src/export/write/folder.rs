//! The folder of an export, held by one export at a time: two of them would each take what the other is
//! writing for what a third left behind.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::export::error::ExportError;

/// Where an export goes.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    /// The open folder, while nobody else exports to it.
    lock: Option<File>,
    /// Folders that were made for it, the outer before the inner.
    made: Vec<PathBuf>,
}

impl Destination {
    /// Only looks at it: nothing is written.
    pub fn look(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: None, made: Vec::new() }
    }

    /// Makes the folder where there is none, and keeps other exports out of it. Calls `waiting` before it
    /// waits for another one.
    ///
    /// On a file system without locks nobody is kept out, and nothing is taken for left behind.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn hold(path: &Path, mut waiting: impl FnMut()) -> Result<Self, ExportError> {
        let mut folder = Self::look(path);
        loop {
            make(path, &mut folder.made)
                .map_err(|source| ExportError::Write { path: path.to_owned(), source })?;
            // One that cannot be opened is a failure of whoever reads or writes there.
            let Ok(open) = File::open(path) else {
                return Ok(folder);
            };
            let locked = match open.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    waiting();
                    open.lock().is_ok()
                }
                result => result.is_ok(),
            };
            // Who held it may have removed it again.
            if !locked || is_at(&open, path) {
                folder.lock = locked.then_some(open);
                return Ok(folder);
            }
        }
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether no other export writes there now.
    pub fn is_held(&self) -> bool {
        self.lock.is_some()
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        remove_empty(&self.made);
    }
}

/// Makes a folder and those above it, and adds the new ones to `made`.
pub(super) fn make(path: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let new: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    made.extend(new.into_iter().rev().map(Path::to_owned));
    fs::create_dir_all(path)
}

/// Removes the folders that hold nothing; those that were filled stay.
pub(super) fn remove_empty(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

/// Returns whether two paths lead to one file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let id =
        |path| fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    id(one).is_some_and(|found| id(other) == Some(found))
}

fn is_at(open: &File, path: &Path) -> bool {
    let id = |metadata: io::Result<fs::Metadata>| metadata.map(|m| (m.dev(), m.ino())).ok();
    id(open.metadata()).is_some_and(|found| id(fs::metadata(path)) == Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_second_export_waits_until_the_first_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/out");
        let first = Destination::hold(&path, || panic!("nobody is there")).unwrap();
        fs::write(path.join("file"), "").unwrap();
        let (tell, told) = channel();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let folder = Destination::hold(&path, || tell.send(()).unwrap()).unwrap();
                (folder.is_held(), path.join("file").exists())
            });
            told.recv().unwrap();
            assert!(!second.is_finished());
            drop(first);
            assert_eq!(second.join().unwrap(), (true, true));
        });
    }

    #[test]
    fn a_folder_that_its_holder_takes_away_again_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let first = Destination::hold(&path, || panic!("nobody is there")).unwrap();
        let (tell, told) = channel();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let folder = Destination::hold(&path, || tell.send(()).unwrap()).unwrap();
                (folder.is_held(), path.is_dir())
            });
            told.recv().unwrap();
            drop(first);
            assert_eq!(second.join().unwrap(), (true, true));
        });
        assert!(!path.exists(), "nothing was written to it");
    }

    #[test]
    fn a_look_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        assert!(!Destination::look(&path).is_held());
        assert!(!path.exists());
    }
}
