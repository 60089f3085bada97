//! pm's own program.

use std::io;
use std::path::PathBuf;

/// Returns its path, which leads to it also where the file was moved, replaced or removed.
pub(crate) fn path() -> io::Result<PathBuf> {
    Ok(PathBuf::from("/proc/self/exe"))
}
