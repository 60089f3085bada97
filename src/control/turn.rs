//! One `pm start` of a root at a time: it looks which sessions run, and begins one, in one turn.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::poll::{PollTimeout, poll};

use super::place;

/// Between two looks whether it is one's turn, in milliseconds.
const LOOK: u16 = 20;
/// So often is looked: 10 s in all, longer than whoever has the turn waits for a session that ends.
const LOOKS: usize = 500;

/// The turn of one start. The next has it when this is dropped.
#[derive(Debug)]
pub struct Turn {
    path: PathBuf,
    held: File,
}

impl Turn {
    /// Takes the turn of this root, as soon as nobody else has it. `None` where somebody keeps it for ten seconds.
    ///
    /// # Errors
    /// The runtime folder cannot be used or written.
    pub fn take(folder: &Path, root: &Path) -> io::Result<Option<Self>> {
        place::make(folder)?;
        let path = folder.join(format!("{}.start", place::hash(root)));
        for _ in 0..LOOKS {
            if let Some(turn) = Self::try_take(&path)? {
                return Ok(Some(turn));
            }
            // An interrupted wait is a short one.
            let _ = poll(&mut [], PollTimeout::from(LOOK));
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
        // Whoever had the turn has removed the file with it.
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

impl Drop for Turn {
    fn drop(&mut self) {
        // The name first: who waits must not find a lock that is free and has no name.
        let _ = fs::remove_file(&self.path);
        // A process that was forked meanwhile (the guard) shares the lock, and would keep it.
        let _ = self.held.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn one_has_the_turn_at_a_time_and_nothing_is_left_of_it() {
        let scratch = tempfile::tempdir().unwrap();
        let (folder, root) = (scratch.path().join("pm"), Path::new("/srv/app"));
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let turn = Turn::take(&folder, root).unwrap().unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::AcqRel), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::AcqRel);
                        drop(turn);
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn who_has_the_turn_keeps_others_out_and_other_roots_have_their_own() {
        let scratch = tempfile::tempdir().unwrap();
        let (folder, root) = (scratch.path().join("pm"), Path::new("/srv/app"));
        let turn = Turn::take(&folder, root).unwrap().unwrap();
        assert!(Turn::try_take(&turn.path).unwrap().is_none());
        assert!(Turn::take(&folder, Path::new("/srv/other")).unwrap().is_some());
        // A copy of the descriptor, as a forked process has it, does not keep it.
        let copy = turn.held.try_clone().unwrap();
        let path = turn.path.clone();
        drop(turn);
        assert!(Turn::try_take(&path).unwrap().is_some());
        drop(copy);
    }
}
