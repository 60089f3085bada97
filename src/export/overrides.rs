//! Reads templates of the user, which replace built-in ones file by file.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::Format;
use super::error::ExportError;

/// Returns the replaced templates of a format: from `folder` (`-T`), else from `config`, which is pm's own
/// configuration folder.
pub fn read(
    format: &Format,
    folder: Option<&Path>,
    config: Option<&Path>,
) -> Result<BTreeMap<String, String>, ExportError> {
    let own = config.map(|config| config.join("templates").join(format.name));
    let folders = [folder, own.as_deref()];
    let mut found = BTreeMap::new();
    for (name, _) in format.templates {
        for folder in folders.into_iter().flatten() {
            let path = folder.join(name);
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    found.insert((*name).to_owned(), text);
                    break;
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) => {}
                Err(source) => return Err(ExportError::TemplateRead { path, source }),
            }
        }
    }
    Ok(found)
}
