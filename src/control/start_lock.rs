//! Lets one `pm start` of a root at a time find the running sessions and start a new one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::poll::{PollTimeout, poll};

use super::socket_paths;
use crate::root_hash;

/// Time between two attempts, in milliseconds.
const POLL_MS: u16 = 20;
/// Number of attempts: 10 s in all, longer than the holder waits for a session that ends.
const POLLS: usize = 500;

/// The lock of one start, released when this is dropped.
#[derive(Debug)]
pub struct StartLock {
    path: PathBuf,
    held: File,
}

impl StartLock {
    /// Takes the lock of this root. `None` if another start holds it for ten seconds.
    ///
    /// # Errors
    /// The runtime folder cannot be used or written.
    pub fn take(folder: &Path, root: &Path) -> io::Result<Option<Self>> {
        socket_paths::make(folder)?;
        let path = folder.join(format!("{}.start", root_hash::hash(root)));
        for _ in 0..POLLS {
            if let Some(lock) = Self::try_take(&path)? {
                return Ok(Some(lock));
            }
            // An interrupted wait is a short one.
            let _ = poll(&mut [], PollTimeout::from(POLL_MS));
        }
        Ok(None)
    }

    fn try_take(path: &Path) -> io::Result<Option<Self>> {
        let held =
            File::options().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The last holder has removed the file with it.
        let is_same = |named: &fs::Metadata, held: &fs::Metadata| {
            (named.dev(), named.ino()) == (held.dev(), held.ino())
        };
        match (fs::metadata(path), held.metadata()) {
            (Ok(named), Ok(of_held)) if is_same(&named, &of_held) => {
                Ok(Some(Self { path: path.to_owned(), held }))
            }
            (_, _) => Ok(None),
        }
    }
}

impl Drop for StartLock {
    fn drop(&mut self) {
        // The name first: who waits must not find a lock that is free and has no name.
        let _ = fs::remove_file(&self.path);
        // A process that was forked meanwhile (the watchdog) shares the lock, and would keep it.
        let _ = self.held.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn one_holds_the_lock_at_a_time_and_nothing_is_left_of_it() {
        let scratch = tempfile::tempdir().unwrap();
        let (folder, root) = (scratch.path().join("pm"), Path::new("/srv/app"));
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let lock = StartLock::take(&folder, root).unwrap().unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::AcqRel), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::AcqRel);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn the_holder_keeps_others_out_and_other_roots_have_their_own() {
        let scratch = tempfile::tempdir().unwrap();
        let (folder, root) = (scratch.path().join("pm"), Path::new("/srv/app"));
        let lock = StartLock::take(&folder, root).unwrap().unwrap();
        assert!(StartLock::try_take(&lock.path).unwrap().is_none());
        assert!(StartLock::take(&folder, Path::new("/srv/other")).unwrap().is_some());
        // A copy of the descriptor, as a forked process has it, does not keep it.
        let copy = lock.held.try_clone().unwrap();
        let path = lock.path.clone();
        drop(lock);
        assert!(StartLock::try_take(&path).unwrap().is_some());
        drop(copy);
    }
}
