//! Runs one command as if it had been started instead of pm: with pm's stdio and terminal, every signal once, and its
//! exit code.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};

use nix::libc;
use nix::unistd::Pid;
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;

use super::job::{Job, JobGroup};
use crate::app::Environment;
use crate::error::Error;
use crate::os::disposition::is_ignored;
use crate::os::job_control::JobControl;
use crate::os::signals::REQUESTS;
use crate::os::spawn::too_long;

/// A command with everything that it needs.
#[derive(Debug)]
pub(crate) struct ForegroundCommand {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) folder: PathBuf,
    pub(crate) environment: Environment,
}

impl ForegroundCommand {
    /// Returns the longest of its words.
    fn longest_word(&self) -> &OsStr {
        let words = [&self.program].into_iter().chain(&self.arguments);
        words.max_by_key(|word| word.len()).map_or(OsStr::new(""), OsString::as_os_str)
    }
}

/// Runs the command to its end. Returns its exit code, 128 + n for signal n.
pub(crate) fn run(order: &ForegroundCommand) -> Result<i32, Error> {
    let fail = |source| Error::Startup { what: "listen to signals", source };
    let group = JobGroup::of_caller();
    // A terminal signals a resize to its foreground group, which is not the command's until it is lent the terminal.
    let window = group.is_own().then_some(libc::SIGWINCH);
    let heard = REQUESTS.into_iter().chain(window).filter(|signal| !is_ignored(*signal));
    // Must come before the start: the command may end or stop at once.
    let job_control = JobControl::listen_to_resume(is_ignored(libc::SIGTSTP)).map_err(fail)?;
    let mut signals = SignalsInfo::<WithOrigin>::new(heard.chain([libc::SIGCHLD, libc::SIGCONT]))
        .map_err(fail)?;
    let child = start(order, &group)?;
    let pid = i32::try_from(child.id()).map_err(|error| fail(io::Error::other(error)))?;
    let mut job = Job::new(Pid::from_raw(pid), group, job_control);
    loop {
        let origins: Vec<_> = signals.wait().collect();
        let lost = |source| Error::Startup { what: "wait for the command", source };
        if let Some(code) = job.look().map_err(lost)? {
            return Ok(code);
        }
        origins.iter().for_each(|origin| job.pass_on(origin));
        job.settle();
    }
}

fn start(order: &ForegroundCommand, group: &JobGroup) -> Result<Child, Error> {
    let name = || order.program.to_string_lossy().into_owned();
    let command = |program: &OsString| {
        let mut command = Command::new(program);
        command.current_dir(&order.folder).env_clear();
        command.envs(order.environment.iter().map(|(key, value)| (key, &value.text)));
        if group.is_own() {
            command.process_group(0);
        }
        command
    };
    let error = match command(&order.program).args(&order.arguments).spawn() {
        Ok(child) => return Ok(child),
        Err(error) => error,
    };
    match error.kind() {
        // The kernel's error is the same for a script whose interpreter is missing.
        io::ErrorKind::NotFound if is_there(order) => {
            let source = io::Error::other("its interpreter was not found");
            Err(Error::CommandNotExecutable { command: name(), source })
        }
        io::ErrorKind::NotFound => Err(Error::CommandNotFound { command: name() }),
        // A script without `#!`: the shell runs it (POSIX, execvp).
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => {
            let mut shell = command(&"/bin/sh".into());
            shell.arg(&order.program).args(&order.arguments);
            shell.spawn().map_err(|source| Error::CommandNotExecutable { command: name(), source })
        }
        _ if error.raw_os_error() == Some(libc::E2BIG) => {
            let all = order.environment.iter().map(|(name, value)| (&**name, &*value.text));
            let source =
                io::Error::other(format!("{error}; {}", too_long(all, order.longest_word())));
            Err(Error::CommandNotExecutable { command: name(), source })
        }
        _ => Err(Error::CommandNotExecutable { command: name(), source: error }),
    }
}

/// Returns whether the program is given by a path to an existing file.
fn is_there(order: &ForegroundCommand) -> bool {
    let is_path = order.program.as_encoded_bytes().contains(&b'/');
    is_path && order.folder.join(&order.program).exists()
}
