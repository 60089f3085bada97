//! `pm start --daemon`

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::args::StartArgs;
use super::sources::Sources;
use super::{answer, diagnostics, leading_options};
use crate::control::socket_paths;
use crate::error::Error;
use crate::os::daemon::{self, Launched};

/// Where the output goes that nobody sees, in the application's root.
const LOG: &str = "pm.log";

/// Starts the session in the background, and returns when it can be asked. The files were read without an
/// error by then.
pub(crate) fn start(
    args: &StartArgs,
    root: &Path,
    folder: PathBuf,
    sources: &Sources,
) -> Result<i32, Error> {
    if let Err(source) = socket_paths::make(&folder) {
        return Err(Error::NoControl { folder, source });
    }
    let path = match &args.log {
        Some(path) => sources.cwd.join(path),
        None => root.join(LOG),
    };
    let fail = |source| Error::Log { path: path.clone(), source };
    let mut options = File::options();
    let open = options.read(true).append(true).create(true).mode(0o600).open(&path);
    let mut log = open.map_err(fail)?;
    daemon::look_for_room(&log).map_err(fail)?;
    let before = log.seek(SeekFrom::End(0)).map_err(fail)?;
    let mut arguments = leading_options::behind(std::env::args_os().collect());
    // Behind the word `start`.
    let behind_start = arguments.len().min(2);
    arguments.insert(behind_start, "--daemonised".into());
    for name in &args.elsewhere {
        arguments.insert(behind_start, format!("--elsewhere={name}").into());
    }
    let launch = |source| Error::Startup { what: "start a session in the background", source };
    let ours = log.try_clone().map_err(fail)?;
    match daemon::launch(&arguments, &sources.cwd, ours).map_err(launch)? {
        Launched::Runs(pid) => {
            let text =
                format!("session {pid} runs in the background; its log is {}\n", path.display());
            answer(text.as_bytes()).map(|()| 0)
        }
        Launched::Ended => {
            let mut said = String::new();
            // What it said is shown as far as it can be read.
            let _ = log.seek(SeekFrom::Start(before)).and_then(|_| log.read_to_string(&mut said));
            diagnostics::note(said.trim_end());
            Err(Error::NotLaunched { path })
        }
    }
}
