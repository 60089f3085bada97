//! Where pm keeps what outlives a session: a folder of the user alone, and in it one of each application.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::root_hash;

/// Nobody else may look into it: what is kept may hold what was printed.
const MODE: u32 = 0o700;

/// Returns the state folder: `pm` in `XDG_STATE_HOME`, else in `~/.local/state`. A path that is relative is none (XDG
/// Base Directory Specification). `None` where there is no home either.
pub fn folder(xdg_state_home: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
    let is_absolute = |path: &&Path| path.is_absolute();
    let state = xdg_state_home.filter(is_absolute).map(Path::to_owned);
    let default = || Some(home.filter(is_absolute)?.join(".local/state"));
    Some(state.or_else(default)?.join("pm"))
}

/// Makes the state folder, and those on its path that are missing, for this user alone. One that is this user's and
/// that others may look into is closed to them.
///
/// # Errors
/// It cannot be made, is no folder, or is someone else's.
pub fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(MODE).create(folder)?;
    // Who may write beside it could have put a link there, to a folder of ours.
    check_owner(&fs::symlink_metadata(folder)?)?;
    let metadata = fs::metadata(folder)?;
    check_owner(&metadata)?;
    if metadata.permissions().mode() & 0o777 != MODE {
        fs::set_permissions(folder, fs::Permissions::from_mode(MODE))?;
    }
    Ok(())
}

/// Returns whether a state folder is there and this user's, for who only reads in it.
///
/// # Errors
/// It is someone else's, or cannot be looked at.
pub fn is_there(folder: &Path) -> io::Result<bool> {
    match fs::metadata(folder) {
        Ok(metadata) => check_owner(&metadata).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn check_owner(metadata: &Metadata) -> io::Result<()> {
    match metadata.uid() == geteuid().as_raw() {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user")),
    }
}

/// Returns the folder of one application in the state folder: its name is the hash of the real path of the root.
pub fn of_root(folder: &Path, root: &Path) -> PathBuf {
    folder.join(root_hash::hash(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_is_that_of_the_xdg_specification() {
        let table = [
            (Some("/state"), Some("/home/u"), Some("/state/pm")),
            (None, Some("/home/u"), Some("/home/u/.local/state/pm")),
            (Some("state"), Some("/home/u"), Some("/home/u/.local/state/pm")),
            (Some(""), Some("/home/u"), Some("/home/u/.local/state/pm")),
            (Some("/state"), None, Some("/state/pm")),
            (Some("./state"), Some("home"), None),
            (None, None, None),
        ];
        for (state, home, expected) in table {
            let found = folder(state.map(Path::new), home.map(Path::new));
            assert_eq!(found.as_deref(), expected.map(Path::new), "{state:?} {home:?}");
        }
    }

    #[test]
    fn the_folder_is_made_with_its_parents_for_this_user_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let state = scratch.path().join("a/b/pm");
        assert!(!is_there(&state).unwrap());
        make(&state).unwrap();
        make(&state).unwrap();
        assert!(is_there(&state).unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&state), mode(&scratch.path().join("a"))], [0o700, 0o700]);
        fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
        make(&state).unwrap();
        assert_eq!(mode(&state), 0o700, "one that others may look into is closed");
    }

    #[test]
    fn a_folder_of_another_user_is_refused_also_behind_a_link() {
        if !geteuid().is_root() {
            return;
        }
        let scratch = tempfile::tempdir().unwrap();
        let (theirs, ours) = (scratch.path().join("theirs"), scratch.path().join("ours"));
        for folder in [&theirs, &ours] {
            fs::create_dir(folder).unwrap();
        }
        std::os::unix::fs::chown(&theirs, Some(1234), None).unwrap();
        let (to_theirs, put_by_them) = (scratch.path().join("link"), scratch.path().join("trap"));
        std::os::unix::fs::symlink(&theirs, &to_theirs).unwrap();
        std::os::unix::fs::symlink(&ours, &put_by_them).unwrap();
        std::os::unix::fs::lchown(&put_by_them, Some(1234), None).unwrap();
        for folder in [&theirs, &to_theirs, &put_by_them] {
            let error = make(folder).unwrap_err();
            assert_eq!(error.to_string(), "it belongs to another user", "{folder:?}");
        }
        assert!(is_there(&theirs).is_err());
    }

    #[test]
    fn each_root_has_a_folder_of_its_own() {
        let folder = of_root(Path::new("/state/pm"), Path::new("/nonexistent/app"));
        let name = folder.strip_prefix("/state/pm").unwrap().to_str().unwrap();
        assert_eq!(name.len(), 16);
        assert_ne!(folder, of_root(Path::new("/state/pm"), Path::new("/nonexistent/other")));
    }
}
