//! Reads pm.toml and .foreman, and names the path in every error.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::app::text;
use crate::config::ConfigError;
use crate::config::foreman::{self, Foreman};
use crate::config::pm_toml::{self, PmToml};
use crate::error::Error;

/// foreman's own name for its defaults.
const FOREMAN: &str = ".foreman";

/// Reads the .foreman of the current folder; one that is not there says nothing.
///
/// # Errors
/// It cannot be read.
pub(crate) fn foreman(cwd: &Path) -> Result<Foreman, Error> {
    let path = PathBuf::from(FOREMAN);
    match read(&path, cwd) {
        Ok(bytes) => Ok(foreman::parse(&decode(&bytes, &path)?, &path)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Foreman::default()),
        Err(source) => Err(Error::ConfigRead { path, source }),
    }
}

/// Reads the pm.toml that was `named`, else the one of `root`, which need not be there. Paths are from `cwd`.
///
/// # Errors
/// It cannot be read, or a named one is not there.
pub(crate) fn pm_toml(
    named: Option<&Path>,
    root: &Path,
    cwd: &Path,
) -> Result<(PathBuf, PmToml), Error> {
    let path = named.map_or_else(|| root.join("pm.toml"), Path::to_owned);
    match read(&path, cwd) {
        Ok(bytes) => {
            let read = pm_toml::parse(&decode(&bytes, &path)?, &path)?;
            Ok((path, read))
        }
        // A root that is no folder is the Procfile's error.
        Err(error)
            if named.is_none()
                && matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
        {
            Ok((path, PmToml::default()))
        }
        Err(source) => Err(Error::ConfigRead { path, source }),
    }
}

fn read(path: &Path, cwd: &Path) -> io::Result<Vec<u8>> {
    fs::read(cwd.join(path))
}

fn decode(bytes: &[u8], path: &Path) -> Result<String, ConfigError> {
    text::decode(bytes).map_err(|error| ConfigError {
        path: path.to_owned(),
        line: error.line,
        column: 1,
        reason: error.reason,
        hint: None,
    })
}
