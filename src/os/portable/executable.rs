//! pm's own program.

use std::io;
use std::path::PathBuf;

/// Returns its path at the time when pm was started.
pub(crate) fn path() -> io::Result<PathBuf> {
    std::env::current_exe()
}
