//! The removal of a folder: no call of POSIX tells of it, and there is nothing that would watch.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

/// Watches over one folder at a time; there is none here.
#[derive(Debug)]
pub(crate) enum FolderWatch {}

impl FolderWatch {
    /// Makes one.
    ///
    /// # Errors
    /// Always: its caller looks now and then.
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Watches a folder.
    pub(crate) fn set(&self, _folder: &Path, _file: &Path) -> io::Result<()> {
        match *self {}
    }

    /// Returns what is readable once it was removed.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        match *self {}
    }

    /// Takes what was told.
    pub(crate) fn take(&self) -> bool {
        match *self {}
    }
}
