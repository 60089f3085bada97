//! What `pm export` has to say: what was written or would be. The contents stay out of the JSON, since they may hold
//! values of env files.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::json::CommandAnswer;
use crate::export::write::Changes;
use crate::export::{File, Format};

/// What an export comes to.
#[derive(Debug)]
pub(crate) struct ExportAnswer {
    pub(super) object: ExportObject,
    /// What a person reads of it.
    pub(super) text: String,
}

/// What was exported.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Export")]
pub(crate) struct ExportObject {
    /// The format.
    format: &'static str,
    /// The folder; null where the files are printed.
    folder: Option<String>,
    /// The files of the export, by their names in the folder.
    files: Vec<String>,
    /// Those that were written, or with `--dry-run` would be; the others were as they should be.
    written: Vec<String>,
    /// Those that were removed, or would be.
    removed: Vec<String>,
    /// What the target's own checker says, with `--verify`.
    pub(super) verdict: Option<String>,
    /// How to install the files.
    pub(super) install: Option<String>,
}

fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl ExportObject {
    /// Returns an export that is printed.
    pub(super) fn printed(format: &Format, files: &[File]) -> Self {
        let files = files.iter().map(|file| name(&file.path)).collect();
        Self { format: format.name, files, ..Self::default() }
    }

    /// Returns an export to a folder.
    pub(super) fn to(format: &Format, folder: &Path, files: &[File], changes: &Changes) -> Self {
        Self {
            folder: Some(name(folder)),
            written: changes.written().map(name).collect(),
            removed: changes.removed().iter().map(|path| name(path)).collect(),
            ..Self::printed(format, files)
        }
    }
}

impl CommandAnswer for ExportAnswer {
    type Object = ExportObject;

    fn text(&self) -> Vec<u8> {
        self.text.as_bytes().to_vec()
    }

    fn object(self) -> ExportObject {
        self.object
    }
}
