//! The name that files of an application have, by its folder: of its socket, and of what is kept of it.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Returns a number for the [`real`] path of a folder (FNV-1a, 64 bits): the same in every version of pm, on every
/// machine.
pub fn number(root: &Path) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    real(root).as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Returns a path without symbolic links. Of a folder that is gone, that holds for those above it that are there.
pub fn real(root: &Path) -> PathBuf {
    let resolve = |above: &Path| {
        let rest = root.strip_prefix(above).ok()?;
        Some(fs::canonicalize(above).ok()?.join(rest))
    };
    // `join` of nothing would end the path with a slash.
    let real = fs::canonicalize(root).ok();
    real.or_else(|| root.ancestors().skip(1).find_map(resolve)).unwrap_or_else(|| root.to_owned())
}

/// Returns the same as 16 hexadecimal digits: names of one length.
pub fn hash(root: &Path) -> String {
    format!("{:016x}", number(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_path_never_changes_and_is_that_of_the_real_path() {
        // Nothing is there, so nothing is resolved.
        assert_eq!(hash(Path::new("/nonexistent/app")), "2b1788bc9707fbbd");
        assert_ne!(hash(Path::new("/nonexistent/app")), hash(Path::new("/nonexistent/apq")));
        let scratch = tempfile::tempdir().unwrap();
        let (real, link) = (scratch.path().join("real"), scratch.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(hash(&link), hash(&real));
        assert_eq!(hash(&link.join("gone/app")), hash(&real.join("gone/app")));
    }
}
