//! Starts the command of a run: shell, folder, environment, process group, descriptors.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::unistd::Pid;

use environment::CommonEnvironment;

use super::limits::{OpenFiles, Room, RunCounts};
use super::pid_table::Pipes;
use super::pty::{self, SessionLeader};
use super::restrict;
use super::shared_socket::SharedSocket;
use super::system::posix_spawn;
pub(crate) use too_long::too_long;

use crate::app::{self, App, Environment, InstanceId, Limits, ProcessType};

mod environment;
mod too_long;

/// A started run: its process and the pipe that it writes to.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: Pid,
    pub(crate) output: OwnedFd,
    /// The other end of its stdin, if that is a pipe. Dropping it closes its stdin.
    pub(crate) stdin: Option<io::PipeWriter>,
    pub(crate) terminal: Option<SpawnedTerminal>,
}

/// The terminal of a run.
#[derive(Debug)]
pub(crate) struct SpawnedTerminal {
    /// pm's end of it, for sizes and keys, which does not block.
    pub(crate) end: OwnedFd,
    /// The run's end, kept open while it runs. Otherwise the terminal would be at its end when the program has closed
    /// it, which may open it again (/dev/tty).
    pub(crate) held: OwnedFd,
    pub(crate) session: SessionLeader,
}

/// What a run gets beside what its application says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handed<'a> {
    /// Variables that are known when it starts.
    pub(crate) variables: &'a [(&'static str, OsString)],
    /// The socket that it shares with the other instances of its type.
    pub(crate) socket: Option<&'a SharedSocket>,
}

/// What every start needs.
#[derive(Debug)]
pub(crate) struct Spawner {
    open_files: OpenFiles,
    /// What all instances get, as of the last start.
    common: Option<CommonEnvironment>,
    /// The variable that identifies runs with a terminal for the watchdog.
    guarded: (&'static str, String),
}

impl Spawner {
    pub(crate) fn new(open_files: OpenFiles, guarded: (&'static str, String)) -> Self {
        Self { open_files, common: None, guarded }
    }

    /// Raises the limit of open files for this many runs.
    pub(crate) fn make_room_for(&mut self, runs: &RunCounts) {
        self.open_files.make_room_for(runs);
    }

    /// Returns how many clients may be connected, so that starts find descriptors.
    pub(crate) fn room_for_clients(&self) -> Room {
        self.open_files.room()
    }

    /// Starts an instance as `/bin/sh -c COMMAND` in a process group of its own; [`app::shell::script`] says
    /// what the shell gets, so that the process is the program itself where one simple command runs it.
    /// stdout and stderr are one pipe, so that their order is kept; stdin is a pipe that nothing is written to.
    /// `announce` is told of both before the start. The signal mask and SIGPIPE are reset in the child, and all
    /// descriptors but the three are close-on-exec. With a terminal it has a session, too. `group` is the
    /// `cgroup.procs` of its cgroup. With a shared socket, the shell also sets LISTEN_PID. The error is for a person.
    pub(crate) fn start(
        &mut self,
        app: &Arc<App>,
        id: InstanceId,
        group: Option<File>,
        handed: Handed<'_>,
        announce: impl FnOnce(Pipes),
    ) -> Result<Started, String> {
        let process_type = app.type_of(id);
        let start = || -> Result<Started, Problem> {
            let own = app.own_environment_of(id);
            let common = CommonEnvironment::of(&mut self.common, app)?;
            let order = Order {
                process_type,
                folder: folder_of(app, id),
                layers: [&app.environment, &process_type.environment, &own, common.ports()],
                group,
                handed,
                open_files: self.open_files,
            };
            match process_type.stdio {
                app::Stdio::Pipes => Ok(order.start_on_pipes(common, announce)?),
                app::Stdio::Terminal => order.start_on_terminal(&self.guarded, announce),
            }
        };
        start().map_err(|problem| match problem {
            Problem::Terminal(error) => explain_terminal(&error),
            Problem::Start(error) => restrict::explain(&error, &process_type.limits)
                .unwrap_or_else(|| {
                    let script = &process_type.command;
                    explain(&error, folder_of(app, id), || too_long_of(app, id, script))
                }),
        })
    }

    /// Starts the command of a probe as the instance itself is started: in its folder and environment, with a process
    /// group of its own. `extra` are variables of the run alone. stdout and stderr are one pipe; stdin is empty.
    pub(crate) fn start_probe(
        &mut self,
        app: &Arc<App>,
        id: InstanceId,
        (text, extra): (&str, &[(&str, OsString)]),
        announce: impl FnOnce(Pipes),
    ) -> Result<(Pid, OwnedFd), String> {
        let folder = folder_of(app, id);
        let start = || -> io::Result<(Pid, OwnedFd)> {
            let own = app.own_environment_of(id);
            let common = CommonEnvironment::of(&mut self.common, app)?;
            let of_type = &app.type_of(id).environment;
            let layers = [&app.environment, of_type, &own, common.ports()];
            let mut command = shell(text, folder, layers, extra);
            command.process_group(0);
            let (output, writer) = io::pipe()?;
            let (input, _) = io::pipe()?;
            announce(Pipes::of(&input, &writer)?);
            connect(&mut command, input.into(), writer.into(), self.open_files)?;
            Ok((spawn(&mut command)?, output.into()))
        };
        start().map_err(|error| explain(&error, folder, || too_long_of(app, id, text)))
    }
}

/// An instance that is to be started, with everything that its start needs.
struct Order<'a> {
    process_type: &'a ProcessType,
    folder: &'a Path,
    /// Its environment, of which the later layer wins.
    layers: [&'a Environment; 4],
    /// The `cgroup.procs` of its cgroup.
    group: Option<File>,
    handed: Handed<'a>,
    open_files: OpenFiles,
}

impl Order<'_> {
    fn start_on_pipes(
        self,
        common: &CommonEnvironment,
        announce: impl FnOnce(Pipes),
    ) -> io::Result<Started> {
        let (output, writer) = io::pipe()?;
        let (stdin, kept) = io::pipe()?;
        announce(Pipes::of(&stdin, &writer)?);
        let pid = if self.is_plain() {
            let [_, of_type, own, _] = self.layers;
            let environment = common.lines_with([of_type, own], self.handed.variables)?;
            posix_spawn::start(&self.script()?, &environment, stdin.as_fd(), writer.as_fd())?
        } else {
            let mut command = self.command(stdin.into(), writer.into())?;
            command.process_group(0);
            spawn(&mut command)?
        };
        Ok(Started { pid, output: output.into(), stdin: Some(kept), terminal: None })
    }

    fn start_on_terminal(
        self,
        guarded: &(&'static str, String),
        announce: impl FnOnce(Pipes),
    ) -> Result<Started, Problem> {
        let (master, slave) = pty::open_pair().map_err(Problem::Terminal)?;
        announce(Pipes::default());
        let (end, held) = (master.try_clone()?, slave.try_clone()?);
        let mut command = self.command(slave.try_clone()?, slave)?;
        command.env(guarded.0, &guarded.1);
        let (pid, session) = pty::spawn(&mut command)?;
        let terminal = SpawnedTerminal { end, held, session };
        Ok(Started { pid, output: master, stdin: None, terminal: Some(terminal) })
    }

    /// Returns whether nothing has to be done between fork and exec but what posix_spawn(3) does.
    fn is_plain(&self) -> bool {
        self.process_type.limits == Limits::default()
            && self.group.is_none()
            && self.handed.socket.is_none()
            && self.open_files.are_as_given()
            && posix_spawn::can_start_in(self.folder)
    }

    fn script(&self) -> io::Result<Cow<'_, str>> {
        script(&self.process_type.command, &self.layers, self.handed.socket)
    }

    /// Makes the command, with its environment, descriptors and limits.
    fn command(self, stdin: OwnedFd, writer: OwnedFd) -> io::Result<Command> {
        let mut command = shell(&self.script()?, self.folder, self.layers, self.handed.variables);
        connect(&mut command, stdin, writer, self.open_files)?;
        restrict::restrict(&mut command, &self.process_type.limits, self.group)?;
        self.handed.socket.into_iter().for_each(|socket| socket.hand_down(&mut command));
        Ok(command)
    }
}

/// Sets a command's stdin, its stdout and stderr (one pipe), and its limit of open files.
fn connect(
    command: &mut Command,
    stdin: OwnedFd,
    writer: OwnedFd,
    open_files: OpenFiles,
) -> io::Result<()> {
    command.stdin(Stdio::from(stdin));
    command.stderr(Stdio::from(writer.try_clone()?)).stdout(Stdio::from(writer));
    open_files.hand_down(command);
    Ok(())
}

fn folder_of(app: &App, id: InstanceId) -> &Path {
    app.type_of(id).folder(&app.root)
}

/// Returns what the shell gets for a command. With a socket, the shell sets the program's process id before it becomes
/// the program.
fn script<'a>(
    command: &'a str,
    environment: &[&Environment],
    socket: Option<&SharedSocket>,
) -> io::Result<Cow<'a, str>> {
    if socket.is_none() {
        return Ok(app::shell::script(command, environment));
    }
    let script = app::shell::script_with_pid(command, "LISTEN_PID", environment);
    let why =
        "with `share-port` its command must be one program, or end with `exec` and the program";
    script.map(Cow::Owned).ok_or_else(|| io::Error::other(why))
}

/// Makes the command `/bin/sh -c SCRIPT`, with a folder and an environment: later layers win, and `extra` over all.
fn shell(
    script: &str,
    folder: &Path,
    layers: [&Environment; 4],
    extra: &[(&str, OsString)],
) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).current_dir(folder).env_clear();
    for layer in layers {
        command.envs(layer.iter().map(|(key, value)| (key, &value.text)));
    }
    command.envs(extra.iter().map(|(key, value)| (key, value)));
    command
}

fn spawn(command: &mut Command) -> io::Result<Pid> {
    let pid = i32::try_from(command.spawn()?.id()).map_err(io::Error::other)?;
    Ok(Pid::from_raw(pid))
}

/// The step of a start that failed.
enum Problem {
    /// No terminal could be opened.
    Terminal(io::Error),
    Start(io::Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Start(error)
    }
}

/// Explains why no terminal could be opened: the system's own error is about a file that the user did not name.
fn explain_terminal(error: &io::Error) -> String {
    let why = match error.raw_os_error() {
        // Linux's error for /dev/ptmx.
        Some(nix::libc::ENOSPC) => "all terminals of the system are in use (kernel.pty.max)",
        Some(nix::libc::EMFILE | nix::libc::ENFILE) => {
            "the limit of open files is reached (ulimit -n)"
        }
        _ => "it needs `/dev/ptmx` and, on Linux, a devpts in `/dev/pts`",
    };
    format!(
        "cannot start: cannot open a terminal: {error}; {why}; `--pty never` starts it without one"
    )
}

/// Says what of an instance's environment and a command is too long.
fn too_long_of(app: &App, id: InstanceId, command: &str) -> String {
    let environment = app.environment_of(id);
    let all = environment.iter().map(|(name, value)| (name.as_os_str(), value.text.as_os_str()));
    too_long(all, OsStr::new(command))
}

/// Explains why a start failed. The system's error is the same for a missing folder and a missing program.
fn explain(error: &io::Error, folder: &Path, too_long: impl FnOnce() -> String) -> String {
    match std::fs::metadata(folder) {
        Err(problem) => format!("cannot start in the folder `{}`: {problem}", folder.display()),
        Ok(meta) if !meta.is_dir() => {
            format!("cannot start in `{}`: not a folder", folder.display())
        }
        Ok(_) if error.raw_os_error() == Some(nix::libc::E2BIG) => {
            format!("cannot start: {error}; {}", too_long())
        }
        Ok(_) if error.raw_os_error() == Some(nix::libc::EAGAIN) => {
            format!(
                "cannot start: {error}; the limit of processes is reached (ulimit -u, or the cgroup's pids.max)"
            )
        }
        Ok(_) => format!("cannot start: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use nix::libc;

    use super::*;

    #[test]
    fn a_terminal_that_cannot_be_had_is_named_with_what_it_needs() {
        for (number, why) in [
            (libc::ENOENT, "it needs `/dev/ptmx`"),
            (libc::ENODEV, "it needs `/dev/ptmx`"),
            (libc::ENOSPC, "all terminals of the system are in use"),
            (libc::EMFILE, "the limit of open files is reached"),
        ] {
            let error = explain_terminal(&io::Error::from_raw_os_error(number));
            assert!(error.starts_with("cannot start: cannot open a terminal"), "{error}");
            assert!(error.contains(why) && error.contains("`--pty never`"), "{error}");
        }
    }
}
