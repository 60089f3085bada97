//! pm's own program.

use std::io;
use std::path::PathBuf;

/// Returns a path to it that works even if the file was moved, replaced or removed.
pub(crate) fn path() -> io::Result<PathBuf> {
    Ok(PathBuf::from("/proc/self/exe"))
}
