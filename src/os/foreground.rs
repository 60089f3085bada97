//! Runs one command in pm's place: its stdio, its terminal, every signal once, its exit code.
//!
//! In the foreground of a terminal the command shares pm's process group: the terminal's own signals
//! (Ctrl-C, Ctrl-\, Ctrl-Z) reach it without pm, and pm passes on only what a process sent. Elsewhere it
//! gets a group of its own, so that a signal to pm's whole group reaches it once, through pm.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use nix::libc;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;

use super::halt::Halt;
use super::processes;
use super::system::origin::is_of_terminal;
use crate::app::Environment;
use crate::error::Error;

/// A command with everything that it needs.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) folder: PathBuf,
    pub(crate) environment: Environment,
}

/// Whose group the command is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Shared,
    Own,
}

/// Runs the command to its end. Returns its exit code, 128 + n for signal n.
pub(crate) fn run(order: &Order) -> Result<i32, Error> {
    let fail = |source| Error::Startup { what: "listen to signals", source };
    let place = place();
    let mut listened = vec![
        libc::SIGCHLD,
        libc::SIGINT,
        libc::SIGTERM,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGUSR1,
        libc::SIGUSR2,
    ];
    if place == Place::Own {
        listened.push(libc::SIGTSTP);
    }
    listened.retain(|signal| !is_ignored(*signal));
    let halt = listened.contains(&libc::SIGTSTP).then(Halt::listen).transpose().map_err(fail)?;
    // Before the start: an end right after it must be heard.
    let mut signals = SignalsInfo::<WithOrigin>::new(listened).map_err(fail)?;
    let mut child = start(order, place)?;
    let pid =
        Pid::from_raw(i32::try_from(child.id()).map_err(|error| fail(io::Error::other(error)))?);
    loop {
        if let Some(status) = child
            .try_wait()
            .map_err(|source| Error::Startup { what: "wait for the command", source })?
        {
            return Ok(code(status));
        }
        for origin in signals.wait() {
            let is_keyboard = place == Place::Shared && is_of_terminal(&origin);
            match origin.signal {
                libc::SIGCHLD => {}
                _ if is_keyboard => {}
                signal => pass_on(signal, pid, place, halt.as_ref()),
            }
        }
    }
}

/// Asks the terminal that pm is controlled by, not stdin, which may be a file: a command in a group of
/// its own that reads a password from /dev/tty would be stopped there, and nobody would resume it.
fn place() -> Place {
    let terminal = std::fs::File::open("/dev/tty");
    match terminal.map(tcgetpgrp) {
        Ok(Ok(group)) if group == getpgrp() => Place::Shared,
        Ok(Ok(_) | Err(_)) | Err(_) => Place::Own,
    }
}

/// Returns whether the caller had a signal ignored (nohup, a shell's background): a handler would take
/// that from the command, which inherits what is ignored, and not what is handled.
fn is_ignored(signal: i32) -> bool {
    // SAFETY: all zeroes is a valid sigaction; with no new action the call only fills it.
    #[expect(unsafe_code, reason = "nix can only ask for a disposition by changing it")]
    let (result, before) = unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal, std::ptr::null(), &raw mut before), before)
    };
    // SIGCHLD is needed for the end of the command, whatever the caller did with it.
    signal != libc::SIGCHLD && result == 0 && before.sa_sigaction == libc::SIG_IGN
}

fn pass_on(signal: i32, pid: Pid, place: Place, halt: Option<&Halt>) {
    let Ok(signal) = Signal::try_from(signal) else { return };
    if signal == Signal::SIGTSTP && processes::is_orphaned(getpgrp()) {
        // As the kernel does by default: no shell could ever resume pm.
        return;
    }
    // ESRCH: it has just ended, which the loop sees next.
    let send = |signal| match place {
        Place::Shared => drop(kill(pid, signal)),
        Place::Own => drop(killpg(pid, signal)),
    };
    send(signal);
    if let Some(halt) = halt.filter(|_| signal == Signal::SIGTSTP) {
        halt.obey();
        send(Signal::SIGCONT);
    }
}

fn start(order: &Order, place: Place) -> Result<Child, Error> {
    let name = || order.program.to_string_lossy().into_owned();
    let command = |program: &OsString| {
        let mut command = Command::new(program);
        command.current_dir(&order.folder).env_clear();
        command.envs(order.environment.iter().map(|(key, value)| (key, &value.text)));
        if place == Place::Own {
            command.process_group(0);
        }
        command
    };
    let error = match command(&order.program).args(&order.arguments).spawn() {
        Ok(child) => return Ok(child),
        Err(error) => error,
    };
    match error.kind() {
        // The kernel's word is the same for a script whose interpreter is missing.
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
        _ => Err(Error::CommandNotExecutable { command: name(), source: error }),
    }
}

/// Returns whether the program was named by a path, and there is such a file.
fn is_there(order: &Order) -> bool {
    let is_path = order.program.as_encoded_bytes().contains(&b'/');
    is_path && order.folder.join(&order.program).exists()
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}
