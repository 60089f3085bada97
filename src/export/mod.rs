//! The same application as files for another supervisor: pure, data in, files out.
//!
//! [`FORMATS`] is the one table of formats. A format is a module with a `render` function, which gets the one
//! `context` of all formats; every value passes through `quote` on its way to one of the `templates`. Only
//! [`mod@write`] and [`overrides`] touch the disk.

mod context;
pub mod dockerfile;
mod error;
pub(crate) mod formats;
mod logrotate;
mod names;
mod needs;
pub mod notices;
mod options;
pub mod overrides;
mod quote;
mod references;
mod templates;
mod unsaid;
pub mod verify;
pub mod write;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::app::App;
use context::Export;

pub use error::ExportError;
pub use formats::{FORMATS, Feature, Format, Logs, Runs, format};
pub use names::{app_from, check_app, check_image, check_user};
pub use options::{Hardening, Image, Inittab, Options, Release, Scope, ServiceTree, Values};

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it goes, below the export's folder.
    pub path: PathBuf,
    /// What it holds.
    pub contents: String,
    /// Its permissions: 0600 or 0700 where it holds values.
    pub mode: u32,
    /// Whose it is.
    pub owner: Owner,
}

impl File {
    /// Lets it be executed.
    fn executable(mut self) -> Self {
        self.mode = 0o755;
        self
    }

    /// Keeps it from all but its owner where it holds values.
    fn private_if(mut self, holds_values: bool) -> Self {
        if holds_values {
            self.mode &= 0o700;
        }
        self
    }

    /// Gives it to the user that the application runs as.
    fn of_user(mut self) -> Self {
        self.owner = Owner::User;
        self
    }
}

/// Who must be able to read a file of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Whoever exports: its consumer reads it as root or as the same person.
    Exporter,
    /// The user that the application runs as.
    User,
}

/// Makes the files of an export, in the order in which they must be written.
///
/// Fails where two of them would be one file, or where a replaced template leaves out the marker line by
/// which a later export knows its own files.
pub fn render(format: &Format, app: &App, options: &Options) -> Result<Vec<File>, ExportError> {
    let export = Export::of(format, app, options)?;
    let mut files = (format.render)(&export)?;
    files.extend(logrotate::file(format, &export)?);
    for (at, file) in files.iter().enumerate() {
        if files[..at].iter().any(|other| other.path == file.path) {
            return Err(ExportError::SameFile { path: file.path.clone() });
        }
        if !has_marker(file, &files) {
            return Err(ExportError::NoMarker { path: file.path.clone() });
        }
    }
    Ok(files)
}

/// Returns whether a file, or for one in which no comment fits the one beside it, says that it is pm's.
fn has_marker(file: &File, files: &[File]) -> bool {
    let read = |file: &File| write::marker::read(&file.contents);
    let mut answering = write::marker::answering(&file.path)
        .filter_map(|path| files.iter().find(|other| other.path == path));
    read(file).is_some_and(|marker| marker.names(&file.path))
        || answering.any(|other| read(other).is_some_and(|found| found.answers_for(&file.path)))
}
