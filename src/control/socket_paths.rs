//! Where sessions leave their sockets, and how they are found: by the application's root.
//!
//! A session has two files in the runtime folder, `HASH-SALT-PID.lock` and `HASH-SALT-PID.sock`. It holds an
//! advisory lock on the first for as long as it lives; where nobody holds it, both are stale. The salt keeps
//! apart what has one pid and one root: containers that share the folder. A lock that is missing (a cleaner of
//! /tmp has removed it) does not hide a session: its socket answers. In the lock stands the root: it is known also of
//! a session that does not answer, and when the folder is gone.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::mem::offset_of;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::libc::sockaddr_un;
use nix::unistd::geteuid;

use crate::root_hash::{self, hash};

/// What `sun_path` holds, its end included: 108 bytes on Linux, 104 on macOS and the BSDs.
const PATH_LIMIT: usize = size_of::<sockaddr_un>() - offset_of!(sockaddr_un, sun_path);
/// The longest name in the folder: 16 hexadecimal digits, 8 of salt, a pid of up to 10, and the rest.
const NAME_LIMIT: usize = "0123456789abcdef-01234567-2147483647.sock".len();
/// How often a name is tried that nobody else has. Once is enough, except where two clean up at that moment.
const TRIES: usize = 16;

/// Returns the runtime folder: `pm` in XDG_RUNTIME_DIR, or where there is none, it is another user's (as after
/// `su` and `sudo -E`) or its path is too long for a socket, /tmp/pm-UID.
pub fn folder(xdg_runtime_dir: Option<&Path>) -> PathBuf {
    let is_ours = |folder: &Path| {
        let uid = geteuid().as_raw();
        fs::metadata(folder).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == uid)
    };
    let is_usable = |folder: &&Path| {
        folder.is_absolute()
            && is_ours(folder)
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
        "it belongs to another user"
    } else if metadata.mode() & 0o077 != 0 {
        "others can access it; its mode must be 0700"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::PermissionDenied, problem))
}

/// The files of this session. They go with it.
#[derive(Debug)]
pub struct SocketPaths {
    lock: PathBuf,
    socket: PathBuf,
    /// The lock lasts as long as this is open.
    _held: File,
}

impl SocketPaths {
    /// Takes a place for the session of this process, and clears away stale ones. Waits for nobody.
    ///
    /// # Errors
    /// The folder cannot be used or written.
    pub fn take(folder: &Path, root: &Path, pid: i32) -> io::Result<Self> {
        make(folder)?;
        for stem in stems(folder, "") {
            // Asked for what it does to a stale one.
            let _ = live_pid(folder, &stem);
        }
        let random = RandomState::new();
        for attempt in 0..TRIES {
            let [.., a, b, c, d] = random.hash_one(attempt).to_be_bytes();
            let salt = u32::from_be_bytes([a, b, c, d]);
            let stem = format!("{}-{salt:08x}-{pid}", hash(root));
            if let Some(paths) = Self::try_take(folder, &stem, root)? {
                return Ok(paths);
            }
        }
        Err(io::Error::other("other processes keep taking every name"))
    }

    /// Takes a place of this name. `None` where somebody has it, or takes it for stale.
    fn try_take(folder: &Path, stem: &str, root: &Path) -> io::Result<Option<Self>> {
        let [new, lock, socket] =
            ["new", "lock", "sock"].map(|kind| folder.join(format!("{stem}.{kind}")));
        // Locked before it has its name: nobody ever finds it without its lock.
        let mut held = match File::options().write(true).create_new(true).mode(0o600).open(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            other => other?,
        };
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // On a full disk the session itself says where it runs.
        let _ = held.write_all(root_hash::real(root).as_os_str().as_bytes());
        match fs::rename(&new, &lock) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(Some(Self { lock, socket, _held: held })),
        }
    }

    /// Returns the path of the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for SocketPaths {
    fn drop(&mut self) {
        // The socket first: where the lock is, there must be one. What stays is stale, and harmless.
        let _ = fs::remove_file(&self.socket);
        let _ = fs::remove_file(&self.lock);
    }
}

/// A session that lives, as its files tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSession {
    /// Where it is asked.
    pub endpoint: Endpoint,
    /// Its root, without symbolic links. `None`: its lock does not say (an older pm).
    pub root: Option<PathBuf>,
}

/// A session that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its process id.
    pub pid: i32,
    /// Its socket.
    pub socket: PathBuf,
}

impl Endpoint {
    /// Returns whether the files of the session are gone: it has ended gracefully.
    pub fn is_gone(&self) -> bool {
        // The lock is the last that it removes.
        !self.socket.with_extension("lock").exists() && !self.socket.exists()
    }
}

/// Returns the sessions of this root that live, by process id. Without a folder there are none.
///
/// # Errors
/// The folder cannot be trusted: it is someone else's, or others may look into it.
pub fn sessions(folder: &Path, root: &Path) -> io::Result<Vec<Endpoint>> {
    let found = living(folder, &format!("{}-", hash(root)))?;
    Ok(found.into_iter().map(|(_, endpoint)| endpoint).collect())
}

/// Returns every session of the user that lives, by process id, whatever its root. What is stale is cleared away.
///
/// # Errors
/// The folder cannot be trusted: it is someone else's, or others may look into it.
pub fn all_sessions(folder: &Path) -> io::Result<Vec<FoundSession>> {
    let with_root = |(stem, endpoint)| {
        let text = fs::read(folder.join(format!("{stem}.lock"))).unwrap_or_default();
        let root = (!text.is_empty()).then(|| PathBuf::from(OsString::from_vec(text)));
        FoundSession { endpoint, root }
    };
    Ok(living(folder, "")?.into_iter().map(with_root).collect())
}

/// Returns the names of the files of sessions that live, by process id.
fn living(folder: &Path, prefix: &str) -> io::Result<Vec<(String, Endpoint)>> {
    match check(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        checked => checked?,
    }
    let found = stems(folder, prefix).into_iter().filter_map(|stem| {
        let pid = live_pid(folder, &stem)?;
        let socket = folder.join(format!("{stem}.sock"));
        Some((stem, Endpoint { pid, socket }))
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(_, endpoint)| endpoint.pid);
    Ok(found)
}

/// Returns what the files of sessions are called, each name once and without its end.
fn stems(folder: &Path, prefix: &str) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let stems = names.filter_map(|name| match name.rsplit_once('.') {
        Some((stem, "lock" | "sock" | "new")) if stem.starts_with(prefix) => Some(stem.to_owned()),
        Some(_) | None => None,
    });
    stems.collect()
}

/// Returns the process id of the session that has these files, if it lives. Where none does, they are removed.
fn live_pid(folder: &Path, stem: &str) -> Option<i32> {
    let [new, lock, socket] =
        ["new", "lock", "sock"].map(|kind| folder.join(format!("{stem}.{kind}")));
    let lives = match File::open(&lock).map(|lock| (lock.try_lock_shared(), lock)) {
        Ok((Err(TryLockError::WouldBlock), _)) => true,
        Ok((Err(TryLockError::Error(_)), _)) => return None,
        Ok((Ok(()), _held)) => {
            // Nobody can take this place while the lock is held here; and a second cleaner does no harm.
            let _ = fs::remove_file(&socket);
            let _ = fs::remove_file(&lock);
            remove_notify_sockets(folder, stem);
            false
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => lives_without_lock(&new, &socket),
        Err(_) => return None,
    };
    lives.then(|| stem.rsplit_once('-')?.1.parse().ok())?
}

/// Removes the sockets on which the instances of a dead session have reported (sd_notify(3)): `PID-0-1-1.notify`. Those
/// stay that may be another session's, which has that pid too.
fn remove_notify_sockets(folder: &Path, stem: &str) {
    let Some((_, pid)) = stem.rsplit_once('-') else { return };
    let has_pid = |other: &String| other.rsplit_once('-').is_some_and(|(_, other)| other == pid);
    if stems(folder, "").iter().any(has_pid) {
        return;
    }
    let names = fs::read_dir(folder).into_iter().flatten();
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_its = |name: &String| name.starts_with(&format!("{pid}-")) && name.ends_with(".notify");
    for name in names.filter(is_its) {
        // A second cleaner does no harm.
        let _ = fs::remove_file(folder.join(name));
    }
}

/// Returns whether the socket of a session without a lock has its listener. What is stale is removed.
fn lives_without_lock(new: &Path, socket: &Path) -> bool {
    match UnixStream::connect(socket) {
        Ok(_) => return true,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let _ = fs::remove_file(socket);
        }
        Err(_) => {}
    }
    // One that is about to get its name is locked, or takes another name.
    if let Ok(file) = File::open(new)
        && file.try_lock_shared().is_ok()
    {
        let _ = fs::remove_file(new);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_any_root_is_short_enough_for_a_socket() {
        let long = PathBuf::from(format!("/{}", "x".repeat(3000)));
        let name = format!("{}-{:08x}-{}.sock", hash(&long), u32::MAX, i32::MAX);
        assert_eq!(name.len(), NAME_LIMIT);
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
        assert_eq!(sessions(&runtime, root).unwrap(), []);
        let paths = SocketPaths::take(&runtime, root, 42).unwrap();
        assert_eq!(sessions(&runtime, root).unwrap().len(), 1);
        assert_eq!(sessions(&runtime, root).unwrap()[0].pid, 42);
        assert_eq!(sessions(&runtime, Path::new("/srv/other")).unwrap(), []);
        let stale = runtime.join(format!("{}-01234567-7.lock", hash(root)));
        fs::write(&stale, "").unwrap();
        assert_eq!(sessions(&runtime, root).unwrap().len(), 1);
        assert!(!stale.exists());
        let endpoint = sessions(&runtime, root).unwrap().remove(0);
        assert!(!endpoint.is_gone());
        drop(paths);
        assert!(endpoint.is_gone());
        assert_eq!(sessions(&runtime, root).unwrap(), []);
        assert_eq!(fs::read_dir(&runtime).unwrap().count(), 0);
    }

    #[test]
    fn two_with_one_pid_and_one_root_do_not_take_each_others_place() {
        let scratch = tempfile::tempdir().unwrap();
        let (runtime, root) = (scratch.path().join("pm"), Path::new("/srv/app"));
        let one = SocketPaths::take(&runtime, root, 42).unwrap();
        let two = SocketPaths::take(&runtime, root, 42).unwrap();
        assert_ne!(one.socket(), two.socket());
        assert_eq!(sessions(&runtime, root).unwrap().len(), 2);
        drop(two);
        let left = sessions(&runtime, root).unwrap();
        assert_eq!(left, [Endpoint { pid: 42, socket: one.socket().to_owned() }]);
    }

    #[test]
    fn a_root_is_found_by_its_name_when_it_is_gone() {
        let scratch = tempfile::tempdir().unwrap();
        let runtime = scratch.path().join("pm");
        let real = fs::canonicalize(scratch.path()).unwrap().join("work/app");
        fs::create_dir_all(&real).unwrap();
        std::os::unix::fs::symlink(real.parent().unwrap(), scratch.path().join("link")).unwrap();
        let named = scratch.path().join("link/app");
        let paths = SocketPaths::take(&runtime, &named, 42).unwrap();
        fs::remove_dir(&real).unwrap();
        assert_eq!(all_sessions(&runtime).unwrap()[0].root, Some(real.clone()));
        for root in [real, named] {
            assert_eq!(sessions(&runtime, &root).unwrap().len(), 1, "{}", root.display());
        }
        drop(paths);
    }

    #[test]
    fn all_sessions_are_found_with_their_roots_and_what_is_stale_is_cleared_away() {
        let scratch = tempfile::tempdir().unwrap();
        let (runtime, root) = (scratch.path().join("pm"), scratch.path().join("app"));
        assert_eq!(all_sessions(&runtime).unwrap(), []);
        fs::create_dir(&root).unwrap();
        std::os::unix::fs::symlink(&root, scratch.path().join("link")).unwrap();
        let one = SocketPaths::take(&runtime, &scratch.path().join("link"), 43).unwrap();
        let two = SocketPaths::take(&runtime, Path::new("/srv/gone\n"), 42).unwrap();
        let older = SocketPaths::take(&runtime, Path::new("/srv/older"), 44).unwrap();
        fs::write(&older.lock, "").unwrap();
        let stale = runtime.join("0123456789abcdef-01234567-7.lock");
        fs::write(&stale, "/srv/stale").unwrap();
        let found = |paths: &SocketPaths, pid, root: Option<&Path>| FoundSession {
            endpoint: Endpoint { pid, socket: paths.socket().to_owned() },
            root: root.map(Path::to_owned),
        };
        let root = fs::canonicalize(&root).unwrap();
        assert_eq!(
            all_sessions(&runtime).unwrap(),
            [
                found(&two, 42, Some(Path::new("/srv/gone\n"))),
                found(&one, 43, Some(&root)),
                found(&older, 44, None),
            ]
        );
        assert!(!stale.exists());
    }

    #[test]
    fn the_notify_sockets_of_a_killed_session_go_with_it_unless_another_has_its_pid() {
        let scratch = tempfile::tempdir().unwrap();
        let runtime = scratch.path().join("pm");
        let lives = SocketPaths::take(&runtime, Path::new("/srv/app"), 42).unwrap();
        for (pid, stays) in [("42", true), ("7", false), ("77", true)] {
            let notify = runtime.join(format!("{pid}-0-1-1.notify"));
            fs::write(&notify, "").unwrap();
            if pid != "77" {
                fs::write(runtime.join(format!("0123456789abcdef-01234567-{pid}.lock")), "")
                    .unwrap();
            }
            assert_eq!(all_sessions(&runtime).unwrap().len(), 1);
            assert_eq!(notify.exists(), stays, "{pid}");
        }
        drop(lives);
    }

    #[test]
    fn a_session_whose_lock_was_removed_is_found_while_its_socket_answers() {
        let scratch = tempfile::tempdir().unwrap();
        let (runtime, root) = (scratch.path().join("pm"), Path::new("/srv/app"));
        let paths = SocketPaths::take(&runtime, root, 42).unwrap();
        let listener = std::os::unix::net::UnixListener::bind(paths.socket()).unwrap();
        fs::remove_file(&paths.lock).unwrap();
        // Also not by one that clears away.
        let other = SocketPaths::take(&runtime, Path::new("/srv/other"), 43).unwrap();
        assert_eq!(sessions(&runtime, root).unwrap().len(), 1);
        drop(listener);
        assert_eq!(sessions(&runtime, root).unwrap(), []);
        assert!(!paths.socket().exists());
        assert_eq!(sessions(&runtime, Path::new("/srv/other")).unwrap().len(), 1);
        drop(other);
    }

    #[test]
    fn what_has_no_name_yet_is_left_alone_while_it_is_locked_and_removed_when_it_is_stale() {
        let scratch = tempfile::tempdir().unwrap();
        let (runtime, root) = (scratch.path().join("pm"), Path::new("/srv/app"));
        make(&runtime).unwrap();
        let new = runtime.join(format!("{}-00000000-42.new", hash(root)));
        let held = File::create(&new).unwrap();
        held.lock().unwrap();
        assert!(
            SocketPaths::try_take(&runtime, &format!("{}-00000000-42", hash(root)), root)
                .unwrap()
                .is_none()
        );
        assert_eq!(sessions(&runtime, root).unwrap(), []);
        assert!(new.exists());
        drop(held);
        assert_eq!(sessions(&runtime, root).unwrap(), []);
        assert!(!new.exists());
    }

    #[test]
    fn a_runtime_folder_of_another_user_is_not_used() {
        let scratch = tempfile::tempdir().unwrap();
        assert_eq!(folder(Some(scratch.path())), scratch.path().join("pm"));
        let is_root = geteuid().is_root();
        let theirs = if is_root { scratch.path() } else { Path::new("/") };
        if is_root {
            std::os::unix::fs::chown(theirs, Some(1234), None).unwrap();
        }
        assert_eq!(folder(Some(theirs)), folder(None));
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_others_may_use_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let scratch = tempfile::tempdir().unwrap();
        let runtime = scratch.path().join("pm");
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(SocketPaths::take(&runtime, Path::new("/a"), 1).is_err());
        assert!(sessions(&runtime, Path::new("/a")).is_err());
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(scratch.path(), &link).unwrap();
        assert!(SocketPaths::take(&link, Path::new("/a"), 1).is_err());
    }
}
