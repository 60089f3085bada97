//! The options of an export.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::app::LogLimits;

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
    /// What reads the service folders of s6.
    pub service_tree: ServiceTree,
    /// How long its logs may get, where that was said.
    pub log_limits: Option<LogLimits>,
    /// Templates that replace built-in ones, by file name.
    pub templates: BTreeMap<String, String>,
}

/// The container image of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Image {
    /// As it was named.
    Named(String),
    /// To be built from the Dockerfile in the root.
    Build {
        /// The working folder of its containers, where the Dockerfile says it.
        workdir: Option<String>,
    },
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

/// What reads the service folders of s6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceTree {
    /// s6-svscan, from the folder that it scans.
    Scanned,
    /// s6-rc-compile, which makes a database of them.
    Compiled,
}

/// What an inittab is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inittab {
    /// A file of this name in the export's folder, with scripts beside it.
    File(String),
    /// Whole lines without scripts, for standard output.
    Lines,
}
