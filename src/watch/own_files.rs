//! pm's own files, which are never watched: what pm writes while it works would restart what it watches.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::real;

/// pm's logs, and the folders of its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnFiles {
    /// Folders in which all is pm's.
    folders: Vec<PathBuf>,
    /// Files. A long log is renamed to one with a number behind its name: `pm.log.1`.
    files: Vec<PathBuf>,
}

impl OwnFiles {
    /// Takes folders, all of which is pm's, and files. They need not be there yet.
    pub(crate) fn new(
        folders: impl IntoIterator<Item = PathBuf>,
        files: impl IntoIterator<Item = PathBuf>,
    ) -> Self {
        Self {
            folders: folders.into_iter().map(|folder| real(&folder)).collect(),
            files: files.into_iter().map(|file| real(&file)).collect(),
        }
    }

    /// Returns whether a path is one of them. It is absolute, and as [`real`] has it.
    pub(super) fn hold(&self, path: &Path) -> bool {
        self.folders.iter().any(|folder| path.starts_with(folder))
            || self.files.iter().any(|file| path == file || is_numbered(path, file))
    }
}

/// Returns whether a path is that of a file with a number behind its name.
fn is_numbered(path: &Path, file: &Path) -> bool {
    let is_number = |end: &OsStr| end.to_str().is_some_and(|end| end.parse::<u64>().is_ok());
    path.parent() == file.parent()
        && path.file_stem() == file.file_name()
        && path.extension().is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_meant_with_those_that_were_renamed_and_a_folder_with_all_in_it() {
        let own = OwnFiles::new(["/app/state".into()], ["/app/pm.log".into()]);
        for path in
            ["/app/pm.log", "/app/pm.log.1", "/app/pm.log.25", "/app/state", "/app/state/a/b"]
        {
            assert!(own.hold(Path::new(path)), "{path}");
        }
        for path in [
            "/app",
            "/app/pm.log.py",
            "/app/pm.log.1.py",
            "/app/a/pm.log.1",
            "/app/state.rs",
            "/app/pm",
        ] {
            assert!(!own.hold(Path::new(path)), "{path}");
        }
    }
}
