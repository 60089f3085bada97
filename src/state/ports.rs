//! The bases that pm has chosen (`-p auto`), in `ports.json`: a root keeps its own for ever.
//!
//! Who chooses holds a lock from before it reads the file until its session can be found by its socket: another
//! that chooses meanwhile would see neither its entry nor its ports. The lock is a file of its own, since the list is
//! replaced as a whole.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::poll::{PollTimeout, poll};
use serde::{Deserialize, Serialize};

use super::folder;
use crate::root_hash;

/// The list.
const FILE: &str = "ports.json";
/// The version of its format.
const VERSION: u32 = 1;
/// Time between two attempts to get the lock, in milliseconds.
const POLL_MS: u16 = 10;
/// Number of attempts: 30 s in all, for as many starts at once as a machine can bear.
const POLLS: usize = 3000;

/// A base that a root has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseEntry {
    /// The root, without symbolic links, for a person; what is not UTF-8 in it is replaced.
    pub root: String,
    /// The hash of the root, by which it is known.
    hash: String,
    /// PORT of the first instance of the first type.
    pub base: u16,
    /// How many hundreds of ports are its own.
    pub hundreds: u16,
}

impl BaseEntry {
    /// Gives a root a base, and this number of hundreds of ports.
    pub fn new(root: &Path, base: u16, hundreds: u16) -> Self {
        let real = fs::canonicalize(root);
        let shown = real.as_deref().unwrap_or(root).to_string_lossy().into_owned();
        Self { root: shown, hash: root_hash::hash(root), base, hundreds }
    }
}

/// The list as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct BaseList {
    v: u32,
    roots: Vec<BaseEntry>,
}

/// Returns the path of the list.
pub fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Returns the path of the lock.
pub fn lock_path(folder: &Path) -> PathBuf {
    folder.join("ports.lock")
}

/// Reads the list; one that is not there is empty.
///
/// # Errors
/// It cannot be read, or is not a list that this version of pm has written.
pub fn read(folder: &Path) -> io::Result<Vec<BaseEntry>> {
    let bytes = match fs::read(path(folder)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let list: BaseList = serde_json::from_slice(&bytes)
        .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    if list.v != VERSION {
        let text = format!("it has version {}, and this pm knows {VERSION}", list.v);
        return Err(io::Error::new(ErrorKind::InvalidData, text));
    }
    Ok(list.roots)
}

/// Returns the entry of a root, by its real path.
pub fn of_root<'a>(entries: &'a [BaseEntry], root: &Path) -> Option<&'a BaseEntry> {
    let hash = root_hash::hash(root);
    entries.iter().find(|entry| entry.hash == hash)
}

/// The right to choose, which one process of the user has at a time. Released when it is dropped.
#[derive(Debug)]
pub struct PortsLock {
    folder: PathBuf,
    held: File,
}

impl PortsLock {
    /// Makes the state folder, and waits for the lock. `None`: others have held it for 30 seconds.
    ///
    /// # Errors
    /// The folder cannot be used or written.
    pub fn take(folder: &Path) -> io::Result<Option<Self>> {
        folder::make(folder)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(false).mode(0o600);
        let held = options.open(lock_path(folder))?;
        for _ in 0..POLLS {
            match held.try_lock() {
                Ok(()) => return Ok(Some(Self { folder: folder.to_owned(), held })),
                Err(TryLockError::Error(error)) => return Err(error),
                // An interrupted wait is a short one.
                Err(TryLockError::WouldBlock) => drop(poll(&mut [], PollTimeout::from(POLL_MS))),
            }
        }
        Ok(None)
    }

    /// Returns the path of the list.
    pub fn path(&self) -> PathBuf {
        path(&self.folder)
    }

    /// Reads the list.
    ///
    /// # Errors
    /// As [`read`].
    pub fn entries(&self) -> io::Result<Vec<BaseEntry>> {
        read(&self.folder)
    }

    /// Gives a root its base. Entries that meet it are of roots that are gone, and go.
    ///
    /// # Errors
    /// The list cannot be read or written.
    pub fn put(&self, new: BaseEntry, meets: impl Fn(&BaseEntry) -> bool) -> io::Result<()> {
        let mut roots = self.entries()?;
        roots.retain(|entry| entry.hash != new.hash && !meets(entry));
        roots.push(new);
        roots.sort_by_key(|entry| entry.base);
        self.write(&BaseList { v: VERSION, roots })
    }

    /// Replaces the list as a whole: who is killed meanwhile leaves the old one.
    fn write(&self, list: &BaseList) -> io::Result<()> {
        let new = self.folder.join("ports.json.new");
        let mut options = File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let mut text = serde_json::to_vec_pretty(list).map_err(io::Error::other)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_data()?;
        fs::rename(&new, self.path())
    }
}

impl Drop for PortsLock {
    fn drop(&mut self) {
        // A process that was forked meanwhile (the watchdog) shares the lock, and would keep it.
        let _ = self.held.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn entry(root: &Path, base: u16) -> BaseEntry {
        BaseEntry::new(root, base, 2)
    }

    #[test]
    fn a_root_keeps_its_base_and_what_it_meets_goes() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("pm");
        assert_eq!(read(&folder).unwrap(), []);
        let lock = PortsLock::take(&folder).unwrap().unwrap();
        let [a, b, c] = ["/nonexistent/a", "/nonexistent/b", "/nonexistent/c"].map(Path::new);
        lock.put(entry(b, 12_000), |_| false).unwrap();
        lock.put(entry(a, 11_000), |_| false).unwrap();
        assert_eq!(lock.entries().unwrap(), [entry(a, 11_000), entry(b, 12_000)]);
        lock.put(entry(c, 12_100), |other| other.base == 12_000).unwrap();
        lock.put(entry(a, 13_000), |_| false).unwrap();
        let entries = read(&folder).unwrap();
        assert_eq!(entries, [entry(c, 12_100), entry(a, 13_000)]);
        assert_eq!(of_root(&entries, a), Some(&entry(a, 13_000)));
        assert_eq!(of_root(&entries, b), None);
        let mode = fs::metadata(path(&folder)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }

    #[test]
    fn a_list_that_is_broken_or_of_a_later_version_is_an_error_and_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let lock = PortsLock::take(scratch.path()).unwrap().unwrap();
        for text in
            ["", "{", r#"{"v":1}"#, r#"{"v":2,"roots":[]}"#, r#"{"v":1,"roots":[{"base":70000}]}"#]
        {
            fs::write(path(scratch.path()), text).unwrap();
            assert_eq!(read(scratch.path()).unwrap_err().kind(), ErrorKind::InvalidData, "{text}");
            assert!(lock.put(entry(Path::new("/a"), 1), |_| false).is_err(), "{text}");
            assert_eq!(fs::read_to_string(path(scratch.path())).unwrap(), text);
        }
    }

    #[test]
    fn one_chooses_at_a_time() {
        let scratch = tempfile::tempdir().unwrap();
        let inside = AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..8 {
                let (inside, folder) = (&inside, scratch.path());
                scope.spawn(move || {
                    let lock = PortsLock::take(folder).unwrap().unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::AcqRel), 0);
                    let root = PathBuf::from(format!("/nonexistent/{number}"));
                    lock.put(entry(&root, 10_000 + number), |_| false).unwrap();
                    inside.fetch_sub(1, Ordering::AcqRel);
                });
            }
        });
        assert_eq!(read(scratch.path()).unwrap().len(), 8);
    }

    #[test]
    fn a_copy_of_the_descriptor_as_a_forked_process_has_it_does_not_keep_the_lock() {
        let scratch = tempfile::tempdir().unwrap();
        let lock = PortsLock::take(scratch.path()).unwrap().unwrap();
        let copy = lock.held.try_clone().unwrap();
        drop(lock);
        assert!(PortsLock::take(scratch.path()).unwrap().is_some());
        drop(copy);
    }
}
