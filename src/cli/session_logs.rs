//! The logs that a session writes to files: settings → where and how long.

use std::path::{Path, PathBuf};

use super::args::StartArgs;
use super::sources::Sources;
use crate::app::LogLimits;
use crate::config::value::Amount;
use crate::config::{Origin, SessionSettings};
use crate::error::Error;
use crate::output::{OwnLog, TypeLogFolder};
use crate::session::requests::LogOutputs;

/// What holds where nothing is set: 32 MiB, and two before it.
const DEFAULT: LogLimits = LogLimits { size: 32 << 20, keep: 2 };

/// Returns the log of a session in the background.
pub(super) fn own_log(args: &StartArgs, root: &Path, sources: &Sources) -> PathBuf {
    match &args.log {
        Some(path) => sources.cwd.join(path),
        None => root.join(OwnLog::NAME),
    }
}

/// Returns how long logs may get; `None` where nothing is said of it.
pub(super) fn limits(session: &SessionSettings) -> Option<LogLimits> {
    let size = session.log_size.as_ref().map(|size| size.value);
    let keep = session.log_keep.as_ref().map(|keep| keep.value);
    if size.is_none() && keep.is_none() {
        return None;
    }
    let Amount(size) = size.unwrap_or(Amount(DEFAULT.size));
    Some(LogLimits { size, keep: keep.unwrap_or(DEFAULT.keep) })
}

/// Returns the logs of a session, and makes the folder of `--log-dir`.
///
/// # Errors
/// It cannot be made.
pub(super) fn logs(
    args: &StartArgs,
    session: &SessionSettings,
    root: &Path,
    sources: &Sources,
) -> Result<LogOutputs, Error> {
    let limits = limits(session).unwrap_or(DEFAULT);
    let own = args.daemonised.then(|| OwnLog { path: own_log(args, root, sources), limits });
    let of_types = session.log_dir.as_ref().map(|folder| {
        let from = match folder.origin {
            Origin::PmToml => root,
            Origin::Flag | Origin::Variable | Origin::Foreman => &sources.cwd,
        };
        TypeLogFolder { path: from.join(&folder.value), limits }
    });
    if let Some(TypeLogFolder { path, .. }) = &of_types {
        let fail = |source| Error::Log { path: path.clone(), source };
        std::fs::create_dir_all(path).map_err(fail)?;
    }
    Ok(LogOutputs { own, of_types })
}
