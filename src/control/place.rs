//! Where sessions leave their sockets, and how they are found: by the application's root.
//!
//! A session has two files in the runtime folder, `HASH-PID.lock` and `HASH-PID.sock`. It holds an
//! advisory lock on the first for as long as it lives; where nobody holds it, both are stale.

use std::fs::{self, File, TryLockError};
use std::io;
use std::mem::offset_of;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc::sockaddr_un;
use nix::unistd::geteuid;

/// What `sun_path` holds, its end included: 108 bytes on Linux, 104 on macOS and the BSDs.
const PATH_LIMIT: usize = size_of::<sockaddr_un>() - offset_of!(sockaddr_un, sun_path);
/// The longest name in the folder: 16 hexadecimal digits, a pid of up to 10, and the rest.
const NAME_LIMIT: usize = "0123456789abcdef-2147483647.sock".len();

/// Returns the runtime folder: `pm` in XDG_RUNTIME_DIR, or where there is none or its path is too long for
/// a socket, /tmp/pm-UID.
pub fn folder(xdg_runtime_dir: Option<&Path>) -> PathBuf {
    let is_usable = |folder: &&Path| {
        folder.is_absolute()
            && folder.is_dir()
            && folder.as_os_str().len() + "/pm/".len() + NAME_LIMIT < PATH_LIMIT
    };
    match xdg_runtime_dir.filter(is_usable) {
        Some(folder) => folder.join("pm"),
        None => PathBuf::from(format!("/tmp/pm-{}", geteuid())),
    }
}

/// Makes the runtime folder, for this user alone.
///
/// # Errors
/// It cannot be made, or it is someone else's, or others may look into it.
pub fn make(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    check(folder)
}

/// A folder in /tmp could be anyone's.
fn check(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    let problem = if !metadata.is_dir() {
        "not a folder"
    } else if metadata.uid() != geteuid().as_raw() {
        "it belongs to someone else"
    } else if metadata.mode() & 0o077 != 0 {
        "others may use it; it must have mode 0700"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, problem))
}

/// The files of this session. They go with it.
#[derive(Debug)]
pub struct Place {
    lock: PathBuf,
    socket: PathBuf,
    /// The lock lasts as long as this is open.
    _held: File,
}

impl Place {
    /// Takes a place for the session of this process, and clears away stale ones.
    ///
    /// # Errors
    /// The folder cannot be used or written.
    pub fn take(folder: &Path, root: &Path, pid: i32) -> io::Result<Self> {
        make(folder)?;
        for stale in locks(folder, "") {
            // Asked for what it does to a stale one.
            let _ = live_pid(&stale);
        }
        let stem = format!("{}-{pid}", hash(root));
        let (lock, socket) =
            (folder.join(format!("{stem}.lock")), folder.join(format!("{stem}.sock")));
        // Locked before it has its name: nobody ever finds it without its lock.
        let new = folder.join(format!("{stem}.new"));
        let held =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        held.lock()?;
        fs::rename(&new, &lock)?;
        // Left by one that was killed, and had this pid.
        let _ = fs::remove_file(&socket);
        Ok(Self { lock, socket, _held: held })
    }

    /// Returns the path of the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The socket first: where the lock is, there must be one. What stays is stale, and harmless.
        let _ = fs::remove_file(&self.socket);
        let _ = fs::remove_file(&self.lock);
    }
}

/// A session that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its process id.
    pub pid: i32,
    /// Its socket.
    pub socket: PathBuf,
}

/// Returns the sessions of this root that live, by process id.
pub fn sessions(folder: &Path, root: &Path) -> Vec<Found> {
    if check(folder).is_err() {
        return Vec::new();
    }
    let found = locks(folder, &format!("{}-", hash(root))).into_iter().filter_map(|lock| {
        Some(Found { pid: live_pid(&lock)?, socket: lock.with_extension("sock") })
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|found| found.pid);
    found
}

fn locks(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let locks = names.filter(|name| name.starts_with(prefix) && name.ends_with(".lock"));
    locks.map(|name| folder.join(name)).collect()
}

/// Returns the process id of the session that holds this lock. Where none does, its files are removed.
fn live_pid(lock: &Path) -> Option<i32> {
    let file = File::open(lock).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            lock.file_stem()?.to_str()?.rsplit_once('-')?.1.parse().ok()
        }
        Err(TryLockError::Error(_)) => None,
        Ok(()) => {
            // Nobody can take this place while the lock is held here; and a second cleaner does no harm.
            let _ = fs::remove_file(lock.with_extension("sock"));
            let _ = fs::remove_file(lock);
            None
        }
    }
}

/// Returns 16 hexadecimal digits for a path, symbolic links resolved (FNV-1a, 64 bits): names of one
/// length, the same in every version of pm.
fn hash(root: &Path) -> String {
    let real = fs::canonicalize(root);
    let root = real.as_deref().unwrap_or(root);
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = root.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_any_root_is_short_enough_for_a_socket() {
        let long = PathBuf::from(format!("/{}", "x".repeat(3000)));
        let name = format!("{}-{}.sock", hash(&long), i32::MAX);
        assert!(folder(None).join(&name).as_os_str().len() < PATH_LIMIT);
        let deep = tempfile::tempdir().unwrap();
        let deep = deep.path().join("y".repeat(100));
        fs::create_dir(&deep).unwrap();
        assert_eq!(
            folder(Some(&deep)),
            folder(None),
            "a runtime folder that is too deep is not used"
        );
        assert_eq!(hash(Path::new("/srv/app")).len(), 16);
        assert_ne!(hash(Path::new("/srv/app")), hash(Path::new("/srv/apq")));
    }

    #[test]
    fn a_session_is_found_while_it_lives_and_what_is_stale_is_cleared_away() {
        let scratch = tempfile::tempdir().unwrap();
        let (runtime, root) = (scratch.path().join("pm"), Path::new("/srv/app"));
        assert_eq!(sessions(&runtime, root), []);
        let place = Place::take(&runtime, root, 42).unwrap();
        assert_eq!(sessions(&runtime, root).len(), 1);
        assert_eq!(sessions(&runtime, root)[0].pid, 42);
        assert_eq!(sessions(&runtime, Path::new("/srv/other")), []);
        let stale = runtime.join(format!("{}-7.lock", hash(root)));
        fs::write(&stale, "").unwrap();
        assert_eq!(sessions(&runtime, root).len(), 1);
        assert!(!stale.exists());
        drop(place);
        assert_eq!(sessions(&runtime, root), []);
        assert_eq!(fs::read_dir(&runtime).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_others_may_use_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().unwrap();
        let runtime = scratch.path().join("pm");
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Place::take(&runtime, Path::new("/a"), 1).is_err());
        assert_eq!(sessions(&runtime, Path::new("/a")), []);
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(scratch.path(), &link).unwrap();
        assert!(Place::take(&link, Path::new("/a"), 1).is_err());
    }
}
