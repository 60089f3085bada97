//! Limits that a child sets for itself between fork and exec: open files, niceness, CPUs, cgroup. A child without
//! limits is started with the faster posix_spawn.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc;
use rustix::process::setpriority_process;

use super::limits;
use super::system::affinity::Cpus;
use crate::app::CpuLimit;
use crate::app::Limits;

/// Limits the command as `wanted` says, and puts it into the cgroup whose `cgroup.procs` is `group`.
///
/// # Errors
/// A CPU number that this system cannot name, or more open files than the hard limit.
pub(crate) fn restrict(
    command: &mut Command,
    wanted: &Limits,
    group: Option<File>,
) -> io::Result<()> {
    if let Some(most) = wanted.open_files {
        let (_, hard) = limits::open_files()?;
        if most > hard {
            let text = format!("`--nofile {most}` is over the hard limit of {hard}");
            return Err(io::Error::other(text));
        }
        before_exec(command, move || limits::limit_open_files(most, most));
    }
    if let Some(nice) = wanted.nice {
        before_exec(command, move || Ok(setpriority_process(None, nice.get().into())?));
    }
    if let Some(CpuLimit::Numbers { first, last }) = wanted.cpus {
        let cpus = Cpus::of(first, last)?;
        before_exec(command, move || cpus.hold());
    }
    if let Some(mut group) = group {
        // `0` is the writer itself.
        before_exec(command, move || group.write_all(b"0"));
    }
    Ok(())
}

/// Returns which limit made a start fail. From a failure between fork and exec, only the error number is known.
pub(crate) fn explain(error: &io::Error, limits: &Limits) -> Option<String> {
    let limit = match (error.raw_os_error()?, limits.nice, limits.cpus) {
        (libc::EACCES | libc::EPERM, Some(nice), _) => format!("`--nice {nice}`"),
        (libc::EINVAL, _, Some(cpus)) => format!("`--cpus {cpus}`"),
        _ => return None,
    };
    Some(format!("cannot start with {limit}: {error}"))
}

fn before_exec(command: &mut Command, act: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
    // SAFETY: each `act` of this module makes one system call, and allocates nothing.
    #[expect(unsafe_code, reason = "std has no other way to limit a child")]
    unsafe {
        command.pre_exec(act);
    }
}
