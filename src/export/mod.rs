//! The same application as files for another supervisor: pure, data in, files out.
//!
//! [`FORMATS`] is the one table of formats. A format is a module with a `render` function; what all of
//! them need to know of the application is worked out once in `services`; every value passes through
//! `quote` on its way to a `template`. Only [`mod@write`] and [`overrides`] touch the disk.

pub mod error;
pub(crate) mod formats;
pub(crate) mod names;
pub mod notices;
pub mod overrides;
pub(crate) mod quote;
pub(crate) mod services;
pub(crate) mod template;
pub mod verify;
pub mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::app::App;
use crate::error::Error;

pub use error::ExportError;
pub use formats::{FORMATS, format};
pub use names::{app_from, check_app, check_image, check_user};

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

/// Who must be able to read a file of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Whoever exports: its consumer reads it as root or as the same person.
    Exporter,
    /// The user that the application runs as.
    User,
}

/// What a person may choose about an export.
#[derive(Clone, Debug)]
pub struct Options {
    /// The application's name in files and units.
    pub app: String,
    /// The user that it runs as.
    pub user: String,
    /// The folder of its logs; absolute.
    pub log: PathBuf,
    /// The folder of its pid files; absolute.
    pub run: PathBuf,
    /// The folder that the files will be in, for files that name each other; absolute.
    pub location: PathBuf,
    /// The container image, for formats that run one.
    pub image: Image,
    /// Where values are kept.
    pub values: Values,
    /// Whose service manager it is for.
    pub scope: Scope,
    /// Whether systemd's sandbox is added.
    pub hardening: Hardening,
    /// What becomes of a `release` type.
    pub release: Release,
    /// What an inittab is written to.
    pub inittab: Inittab,
    /// Templates that replace built-in ones, by file name.
    pub templates: BTreeMap<String, String>,
}

/// The container image of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// As it was named.
    Named(String),
    /// To be built from the Dockerfile in the root.
    Build,
    /// Neither named nor to be built: the application's name is assumed.
    Assumed,
}

/// Where the values of variables are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// In the files that use them.
    Inline,
    /// In a file of their own, readable by its owner alone.
    EnvFile,
}

/// Whose service manager reads the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The machine's.
    System,
    /// A person's own (`systemctl --user`).
    User,
}

/// Whether a service is closed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardening {
    /// As the service manager does by itself.
    Default,
    /// With systemd's sandbox options.
    Sandbox,
}

/// What becomes of the one-shot type `release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It is left out.
    LeftOut,
    /// It runs once before the others, where the format can say so.
    First,
}

/// What an inittab is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inittab {
    /// A file of this name in the export's folder, with scripts beside it.
    File(String),
    /// Whole lines without scripts, for standard output.
    Lines,
}

/// Turns an application into the files of a format.
pub type Render = fn(&App, &Options) -> Result<Vec<File>, Error>;

/// One format.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What it is called.
    pub name: &'static str,
    /// When to use it, for `--help`.
    pub when: &'static str,
    /// What to do with the files, with `DIR` for the export's folder and `APP` for the application.
    pub install: &'static str,
    /// Its templates: file name and text.
    pub templates: &'static [(&'static str, &'static str)],
    /// What it can write: paths below the export's folder, with `APP`, `TYPE` and `N` for the application, a
    /// process type and the number of an instance.
    pub paths: &'static [&'static str],
    /// What it runs: programs of this machine, or a container image.
    pub runs: Runs,
    /// It can write for a person's own service manager ([`Scope::User`]).
    pub has_user_scope: bool,
    /// It can close services in ([`Hardening::Sandbox`]).
    pub has_sandbox: bool,
    /// What an application may ask for and this format cannot say.
    pub leaves_out: &'static [Feature],
    /// How its consumer's own checker is called.
    pub checkers: &'static [verify::Checker],
    /// Makes its files.
    pub render: Render,
}

/// What the consumer of a format starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Programs on the machine that it runs on.
    Programs,
    /// Containers of an image.
    Containers {
        /// What happens where none was named, with `APP` for the application.
        without_image: &'static str,
    },
}

/// Something that carries over to most formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// A memory limit.
    Memory,
    /// The one-shot type `release`.
    Release,
    /// Which ends are restarted.
    Restart,
    /// A stop signal other than TERM.
    StopSignal,
    /// The time between the stop signal and SIGKILL.
    StopTimeout,
}

/// Makes the files of an export, in the order in which they must be written.
///
/// Fails where two of them would be one file, or where a replaced template leaves out the marker line by
/// which a later export knows its own files.
pub fn render(format: &Format, app: &App, options: &Options) -> Result<Vec<File>, Error> {
    let files = (format.render)(app, options)?;
    for (at, file) in files.iter().enumerate() {
        if files[..at].iter().any(|other| other.path == file.path) {
            return Err(ExportError::SameFile { path: file.path.clone() }.into());
        }
        if !has_marker(file, &files) {
            return Err(ExportError::NoMarker { path: file.path.clone() }.into());
        }
    }
    Ok(files)
}

/// Returns whether a file, or for one in which no comment fits the `run` beside it, says that it is pm's.
fn has_marker(file: &File, files: &[File]) -> bool {
    let names = |contents: &str, path: &Path| {
        let marker = write::marker::read(contents);
        marker.filter(|marker| marker.file.as_deref().map(Path::new) == Some(path))
    };
    let beside = || {
        let run = files.iter().find(|other| other.path == file.path.with_file_name("run"))?;
        let marker = names(&run.contents, &run.path)?;
        Some(marker.beside.iter().any(|name| file.path.ends_with(name)))
    };
    names(&file.contents, &file.path).is_some() || beside() == Some(true)
}
