//! Files under their temporary names, until all of them are written.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Chown;
use super::folder::{make, remove_empty};
use crate::export::error::ExportError;
use crate::export::{File, Owner};

/// Digits that tell the temporary files of one export from those of all others, also of another machine or
/// container on the same disk.
const DIGITS: usize = 16;
const END: &str = ".tmp";

/// Files under their temporary names; those that were not renamed are removed again, with the folders that
/// were made for them.
#[derive(Debug)]
pub(crate) struct Temporary {
    unique: String,
    pairs: Vec<(PathBuf, PathBuf)>,
    /// Folders that were made for them, the outer before the inner.
    folders: Vec<PathBuf>,
}

impl Temporary {
    pub(crate) fn new() -> Self {
        // The standard library seeds every `RandomState` from the kernel's random numbers.
        let random = RandomState::new().build_hasher().finish();
        let unique = format!("{random:0DIGITS$x}");
        Self { unique, pairs: Vec::new(), folders: Vec::new() }
    }

    /// Writes a file that will be `path`.
    pub(crate) fn write(&mut self, path: &Path, file: &File, chown: Chown) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            make(folder, &mut self.folders)?;
        }
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}{END}", self.unique));
        let temporary = path.with_file_name(name);
        // Closed to others from its first byte; never through a link that somebody has put there.
        let mut out =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        self.pairs.push((temporary.clone(), path.to_owned()));
        out.write_all(file.contents.as_bytes())?;
        if let (Owner::User, Chown::To(user, group)) = (file.owner, chown) {
            std::os::unix::fs::chown(&temporary, Some(user), Some(group))?;
        }
        out.set_permissions(fs::Permissions::from_mode(file.mode))?;
        out.sync_all()
    }

    /// Gives all of them their names.
    pub(crate) fn rename(&mut self) -> Result<(), ExportError> {
        let mut pairs = std::mem::take(&mut self.pairs).into_iter();
        while let Some((from, to)) = pairs.next() {
            if let Err(source) = fs::rename(&from, &to) {
                self.pairs = std::iter::once((from, to.clone())).chain(pairs).collect();
                return Err(ExportError::Write { path: to, source });
            }
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        for (temporary, _) in &self.pairs {
            // The failure that led here is the one that is told.
            let _ = fs::remove_file(temporary);
        }
        remove_empty(&self.folders);
    }
}

/// Returns the path that a file of this name was to get, where it is the name of a temporary file.
pub(crate) fn target(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(END)?;
    let (name, unique) = name.rsplit_once('.')?;
    let is_unique = unique.len() == DIGITS && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_unique.then(|| path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_temporary_file_says_what_it_was_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/a.service");
        let file =
            File { path: path.clone(), contents: "x".into(), mode: 0o640, owner: Owner::Exporter };
        let mut all = [Temporary::new(), Temporary::new()];
        for temporary in &mut all {
            temporary.write(&path, &file, Chown::Keep).unwrap();
            assert_eq!(target(&temporary.pairs[0].0).as_ref(), Some(&path));
        }
        assert_ne!(all[0].pairs, all[1].pairs);
        for name in
            ["a.service", ".a.service.tmp", ".a.service.1234.tmp", ".tmp", ".", "a/.b.x.tmp"]
        {
            assert_eq!(target(Path::new(name)), None, "{name}");
        }
        let [one, mut other] = all;
        drop(one);
        other.rename().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "x", "the one that went took only its own");
    }
}
