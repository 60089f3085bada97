//! Starts the command of a run: shell, folder, environment, process group, descriptors.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::Pid;

use super::limits::OpenFiles;
use super::restrict;
use crate::app::{App, InstanceId};

/// A started run: its process and the pipe that it writes to.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: Pid,
    pub(crate) output: OwnedFd,
}

/// What every start needs.
#[derive(Debug)]
pub(crate) struct Spawner {
    /// The pipe that never ends.
    stdin: OwnedFd,
    open_files: OpenFiles,
}

impl Spawner {
    pub(crate) fn new(stdin: OwnedFd, open_files: OpenFiles) -> Self {
        Self { stdin, open_files }
    }

    /// Starts an instance as `/bin/sh -c COMMAND`, the command verbatim, in a process group of its own.
    /// stdout and stderr are one pipe, so that their order is kept. std resets the signal mask and
    /// SIGPIPE in the child, all descriptors but the three are close-on-exec, and std takes the fast
    /// path (posix_spawn) where nothing forbids it. `group` is the `cgroup.procs` of its cgroup. The
    /// error is for a person.
    pub(crate) fn start(
        &self,
        app: &App,
        id: InstanceId,
        group: Option<File>,
    ) -> Result<Started, String> {
        let process_type = app.type_of(id);
        let folder = process_type.directory.as_deref().unwrap_or(&app.root);
        let start = move || -> io::Result<Started> {
            let (output, writer) = io::pipe()?;
            let writer = OwnedFd::from(writer);
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(&process_type.command).current_dir(folder).process_group(0);
            command.env_clear();
            command.envs(app.environment_of(id).iter().map(|(key, value)| (key, &value.text)));
            command.stdin(Stdio::from(self.stdin.as_fd().try_clone_to_owned()?));
            command.stderr(Stdio::from(writer.try_clone()?)).stdout(Stdio::from(writer));
            self.open_files.hand_down(&mut command);
            restrict::restrict(&mut command, &process_type.limits, group)?;
            let child = command.spawn()?;
            let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
            Ok(Started { pid: Pid::from_raw(pid), output: output.into() })
        };
        start().map_err(|error| {
            restrict::explain(&error, &process_type.limits)
                .unwrap_or_else(|| explain(&error, folder))
        })
    }
}

/// Says what could not be done: the system's word for a folder that is missing is the same as for a
/// program that is missing.
fn explain(error: &io::Error, folder: &Path) -> String {
    match std::fs::metadata(folder) {
        Err(problem) => format!("cannot start in the folder `{}`: {problem}", folder.display()),
        Ok(meta) if !meta.is_dir() => {
            format!("cannot start in `{}`: not a folder", folder.display())
        }
        Ok(_) if error.raw_os_error() == Some(nix::libc::E2BIG) => {
            format!(
                "cannot start: {error}; one variable may have 128 KiB, all together and the command 2 MiB"
            )
        }
        Ok(_) if error.raw_os_error() == Some(nix::libc::EAGAIN) => {
            format!(
                "cannot start: {error}; the limit of processes is reached (ulimit -u, or the cgroup's pids.max)"
            )
        }
        Ok(_) => format!("cannot start: {error}"),
    }
}
