//! Starts a command by posix_spawn(3) itself. std's way makes three copies of the environment for each start, which
//! costs more than the rest of it where the environment is long.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use nix::spawn::{self, PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::stat;
use nix::unistd::Pid;

/// Returns whether a command that is started in this folder can be started by [`start`]: it is pm's own, since
/// POSIX has no way to change it.
pub(in crate::os) fn can_start_in(folder: &Path) -> bool {
    let place = |path: &Path| stat(path).ok().map(|found| (found.st_dev, found.st_ino));
    place(folder).is_some_and(|found| Some(found) == place(Path::new(".")))
}

/// Starts `/bin/sh -c SCRIPT` in a process group of its own, with this environment, without blocked signals and with
/// the default of SIGPIPE, as std does. `writer` is its stdout and stderr.
///
/// # Errors
/// Those of posix_spawn(3), and a script with a NUL.
pub(in crate::os) fn start<E: AsRef<CStr>>(
    script: &str,
    environment: &[E],
    stdin: BorrowedFd<'_>,
    writer: BorrowedFd<'_>,
) -> io::Result<Pid> {
    let mut files = PosixSpawnFileActions::init()?;
    for (from, to) in [(stdin, 0), (writer, 1), (writer, 2)] {
        files.add_dup2(from.as_raw_fd(), to)?;
    }
    let mut how = PosixSpawnAttr::init()?;
    how.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
            | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
    )?;
    how.set_pgroup(Pid::from_raw(0))?;
    how.set_sigmask(&SigSet::empty())?;
    how.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
    let script = CString::new(script)?;
    let shell = c"/bin/sh";
    Ok(spawn::posix_spawn(shell, &files, &how, &[shell, c"-c", script.as_c_str()], environment)?)
}
