//! Puts an export on the disk: whole or not at all, over nothing but what pm wrote itself.
//!
//! [`Changes::plan`] looks and refuses; [`Changes::apply`] writes every file under a temporary name, then
//! renames all of them, then removes what an earlier export of the same application and format left behind:
//! files whose marker names them and whose path the format can make, and temporary files of an export that
//! was killed.

mod diff;
mod existing;
mod folder;
pub(crate) mod marker;
pub(crate) mod paths;
mod temporary;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::export::{ExportError, File, Format};
use existing::{is_abandoned, is_own, marker_of, read_own, visit};
use folder::is_same;
use temporary::Temporary;

pub use folder::Destination;

/// Who gets the files of [`Owner::User`](super::Owner::User).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chown {
    /// This user and group: pm may give files away.
    To(u32, u32),
    /// Nobody: pm is not root, or there is no such user here.
    Keep,
}

/// What an export changes in its folder.
#[derive(Debug)]
pub struct Changes<'a> {
    folder: &'a Destination,
    files: &'a [File],
    /// What each file holds so far; `None` where there is none.
    before: Vec<Option<String>>,
    /// What an earlier export left behind, below the folder.
    stale: Vec<PathBuf>,
    /// What an earlier pm left behind, whose marker did not name the file.
    unsure: Vec<PathBuf>,
}

impl<'a> Changes<'a> {
    /// Works out what would change, without changing it.
    ///
    /// # Errors
    /// A file in the way is not pm's or belongs to another application, or cannot be read.
    pub fn plan(
        folder: &'a Destination,
        app: &str,
        format: &Format,
        files: &'a [File],
    ) -> Result<Self, ExportError> {
        let location = folder.path();
        let mut changes =
            Self { folder, files, before: Vec::new(), stale: Vec::new(), unsure: Vec::new() };
        for file in files {
            changes.before.push(read_own(location, &file.path, app)?);
        }
        // A file system may not tell `Web` from `web`.
        let without_case = |path: &Path| path.as_os_str().to_ascii_lowercase();
        let mut wanted: HashMap<OsString, Vec<&Path>> = HashMap::new();
        for file in files {
            wanted.entry(without_case(&file.path)).or_default().push(&file.path);
        }
        let is_wanted = |path: &Path| {
            let alike = wanted.get(&without_case(path));
            alike
                .into_iter()
                .flatten()
                .any(|file| *file == path || is_same(&location.join(file), &location.join(path)))
        };
        visit(location, app, format, &mut |path| {
            if let Some(target) = temporary::target(path) {
                let is_ours = is_own(format, app, &target) || is_wanted(&target);
                if folder.is_held() && is_ours && is_abandoned(location, path, &target, app) {
                    changes.stale.push(path.to_owned());
                }
                return;
            }
            if is_wanted(path) || !is_own(format, app, path) {
                return;
            }
            match marker_of(&location.join(path), path) {
                Some(found) if found.app != app || found.format != format.name => {}
                Some(found) if found.file.is_none() => changes.unsure.push(path.to_owned()),
                Some(found) if found.names(path) => changes.stale.push(path.to_owned()),
                Some(_) | None => {}
            }
        })?;
        changes.stale.sort();
        changes.unsure.sort();
        Ok(changes)
    }

    /// Returns the files whose contents change or that appear.
    pub fn written(&self) -> impl Iterator<Item = &'a Path> + '_ {
        let pairs = self.files.iter().zip(&self.before);
        let changed = pairs.filter(|(file, before)| before.as_deref() != Some(&file.contents));
        changed.map(|(file, _)| file.path.as_path())
    }

    /// Returns the files that go away.
    pub fn removed(&self) -> &[PathBuf] {
        &self.stale
    }

    /// Returns the files that stay although they are likely not wanted: an earlier pm wrote them, or what
    /// they were copied from.
    pub fn unsure(&self) -> &[PathBuf] {
        &self.unsure
    }

    /// Returns the change as a unified diff, with `/dev/null` for a file that is not there.
    pub fn diff(&self) -> Result<String, ExportError> {
        let mut out = String::new();
        let mut add = |path: &Path, before: Option<&str>, after: Option<&str>| {
            let name = |side: Option<&str>| match side {
                Some(_) => self.folder.path().join(path).display().to_string(),
                None => "/dev/null".to_owned(),
            };
            let names = (&*name(before), &*name(after));
            out.push_str(&diff::unified(
                before.unwrap_or_default(),
                after.unwrap_or_default(),
                names,
            ));
        };
        for (file, before) in self.files.iter().zip(&self.before) {
            add(&file.path, before.as_deref(), Some(&file.contents));
        }
        for path in &self.stale {
            let full = self.folder.path().join(path);
            let before =
                fs::read(&full).map_err(|source| ExportError::Write { path: full, source })?;
            add(path, Some(&String::from_utf8_lossy(&before)), None);
        }
        Ok(out)
    }

    /// Makes the change.
    ///
    /// # Errors
    /// A file or folder cannot be written. Up to the first rename, what was there stays as it was.
    pub fn apply(&self, chown: Chown) -> Result<(), ExportError> {
        let mut temporary = Temporary::new();
        for file in self.files {
            let path = self.folder.path().join(&file.path);
            temporary
                .write(&path, file, chown)
                .map_err(|source| ExportError::Write { path, source })?;
        }
        temporary.rename()?;
        for path in &self.stale {
            let full = self.folder.path().join(path);
            match fs::remove_file(&full) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result.map_err(|source| ExportError::Write { path: full, source })?,
            }
            let folders = path.ancestors().skip(1).filter(|folder| *folder != Path::new(""));
            for folder in folders {
                // A folder that holds something else, such as runit's `supervise`, stays.
                if fs::remove_dir(self.folder.path().join(folder)).is_err() {
                    break;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
