//! Whether the files that an export finds in its folder are its own.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::folder::is_same;
use super::marker::{self, Marker};
use super::paths;
use crate::export::{ExportError, Format};

/// Service folders hold `log/run`, and nothing of an export lies deeper.
const DEPTH: usize = 2;
/// Enough of a file to find the marker in.
const HEAD_BYTES: u64 = 4096;

/// Returns what pm wrote to `path`, below the export's folder, earlier; `None` where nothing is there.
pub(super) fn read_own(
    location: &Path,
    path: &Path,
    app: &str,
) -> Result<Option<String>, ExportError> {
    let full = location.join(path);
    let foreign = |what: &str| ExportError::Foreign { path: full.clone(), what: what.to_owned() };
    let fail = |source| ExportError::Write { path: full.clone(), source };
    match fs::symlink_metadata(&full) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(fail(source)),
        Ok(metadata) if metadata.is_symlink() => return Err(foreign("is a symbolic link")),
        Ok(metadata) if !metadata.is_file() => return Err(foreign("is not a file")),
        Ok(_) => {}
    }
    let contents = String::from_utf8_lossy(&fs::read(&full).map_err(fail)?).into_owned();
    let Some(found) = marker::read(&contents).or_else(|| marker_of(&full, path)) else {
        return Err(foreign("was not written by pm"));
    };
    if found.app != app {
        return Err(foreign(&format!("belongs to the application `{}`", found.app)));
    }
    match &found.file {
        // An earlier pm did not name the file.
        None => Ok(Some(contents)),
        Some(_) if found.names(path) => Ok(Some(contents)),
        Some(name)
            if path.as_os_str().eq_ignore_ascii_case(name)
                && is_same(&full, &location.join(name)) =>
        {
            Ok(Some(contents))
        }
        Some(name) => Err(foreign(&format!("was not written by pm: it is a copy of `{name}`"))),
    }
}

/// Returns whether the format can write `path` for the application.
pub(super) fn is_own(format: &Format, app: &str, path: &Path) -> bool {
    path.to_str().is_some_and(|path| paths::can_be(format, app, path))
}

/// Returns the marker that answers for a file: its own, or that of the `run` or the like beside it.
pub(super) fn marker_of(full: &Path, path: &Path) -> Option<Marker> {
    let read = |full: &Path| head(full).ok().and_then(|text| marker::read(&text));
    read(full).or_else(|| {
        let found = marker::answering(full)
            .find_map(|beside| read(&beside).filter(|found| found.answers_for(path)))?;
        // It stands for the file now.
        Some(Marker { file: found.file.and(path.to_str().map(str::to_owned)), ..found })
    })
}

/// Returns whether a temporary file is what a killed export left: nothing yet, or what it was to be.
pub(super) fn is_abandoned(location: &Path, path: &Path, target: &Path, app: &str) -> bool {
    let Ok(text) = head(&location.join(path)) else {
        return false;
    };
    let marker = marker::read(&text);
    let is_bare =
        target.file_name().is_some_and(|name| marker::COMMENTLESS.iter().any(|bare| name == *bare));
    let is_its = marker.is_some_and(|found| found.app == app && found.names(target));
    text.is_empty() || is_bare || is_its
}

/// Calls `found` with the path of each plain file in the folder and in those of its folders that the format
/// can make. Symbolic links are not followed.
pub(super) fn visit(
    location: &Path,
    app: &str,
    format: &Format,
    found: &mut dyn FnMut(&Path),
) -> Result<(), ExportError> {
    let entries = match fs::read_dir(location) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ExportError::Write { path: location.to_owned(), source }),
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_service = name.to_str().is_some_and(|name| paths::can_be_folder(format, app, name));
        visit_entry(&entry, Path::new(&name), if is_service { DEPTH } else { 0 }, found);
    }
    Ok(())
}

/// Visits a file, or a folder's files where `depth` is left.
fn visit_entry(entry: &fs::DirEntry, path: &Path, depth: usize, found: &mut dyn FnMut(&Path)) {
    match entry.file_type() {
        Ok(kind) if kind.is_dir() && depth > 0 => {
            for below in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                visit_entry(&below, &path.join(below.file_name()), depth - 1, found);
            }
        }
        Ok(kind) if kind.is_file() => found(path),
        Ok(_) | Err(_) => {}
    }
}

fn head(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(HEAD_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
