//! A program about to run: arguments, environment, standard streams, limits.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::fcntl::{OFlag, open};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal};
use nix::sys::stat::Mode;

use super::Folder;
use super::session::{End, Session};

/// A program with all that it is given; nothing runs yet.
pub(crate) struct Invocation {
    command: Command,
    folder: Arc<Folder>,
    stdin: Vec<u8>,
    stdout: Option<Stdio>,
}

/// What a program that has ended left behind.
#[derive(Debug)]
pub(crate) struct Output {
    /// All of its standard output; what is not UTF-8 is replaced.
    pub(crate) stdout: String,
    /// All of its standard error; what is not UTF-8 is replaced.
    pub(crate) stderr: String,
    /// How it ended.
    pub(crate) end: End,
}

impl Output {
    /// Returns the exit code. Fails where a signal ended the program.
    #[track_caller]
    pub(crate) fn code(&self) -> i32 {
        match self.end {
            End::Code(code) => code,
            End::Signal(_) => panic!("no exit code: {self:#?}"),
        }
    }
}

impl Invocation {
    pub(super) fn new<S: AsRef<OsStr>>(
        program: &OsStr,
        args: impl IntoIterator<Item = S>,
        folder: Arc<Folder>,
    ) -> Self {
        let mut command = Command::new(program);
        command.args(args).env_clear().current_dir(folder.dir.path());
        #[expect(unsafe_code, reason = "std has no way to set a child's signal dispositions")]
        // SAFETY: between fork and exec only signal is called, which is async-signal-safe.
        unsafe {
            command.pre_exec(heed_signals);
        }
        Self { command, folder, stdin: Vec::new(), stdout: None }
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs in a folder of the sandbox instead of its top.
    pub(crate) fn in_folder(mut self, name: impl AsRef<Path>) -> Self {
        let top = self.command.get_current_dir().expect("an invocation has a folder").to_owned();
        self.command.current_dir(top.join(name));
        self
    }

    /// Calls the program by another name (`foreman`).
    pub(crate) fn called(mut self, name: &str) -> Self {
        self.command.arg0(name);
        self
    }

    /// Gives the program this input, then end of file. Without it, end of file at once.
    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Sends the standard output elsewhere: a pipe that nobody reads, a file, a closed one.
    pub(crate) fn stdout_to(mut self, target: impl Into<Stdio>) -> Self {
        self.stdout = Some(target.into());
        self
    }

    /// Lowers a limit of the program, soft and hard.
    pub(crate) fn limit(mut self, resource: Resource, value: u64) -> Self {
        let lower = move || setrlimit(resource, value, value).map_err(io::Error::from);
        #[expect(unsafe_code, reason = "std has no way to lower a limit of a child")]
        // SAFETY: between fork and exec only setrlimit is called, which is async-signal-safe.
        unsafe {
            self.command.pre_exec(lower);
        }
        self
    }

    /// Blocks every signal of the program, as some callers do.
    pub(crate) fn blocking_signals(mut self) -> Self {
        let block = || SigSet::all().thread_block().map_err(io::Error::from);
        #[expect(unsafe_code, reason = "std has no way to set a child's signal mask")]
        // SAFETY: between fork and exec only sigprocmask is called, which is async-signal-safe.
        unsafe {
            self.command.pre_exec(block);
        }
        self
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Output {
        let mut session = self.spawn();
        let end = session.wait();
        Output { stdout: session.stdout_so_far(), stderr: session.stderr_so_far(), end }
    }

    /// Starts the program in a process group of its own, with pipes.
    #[track_caller]
    pub(crate) fn spawn(mut self) -> Session {
        let shown = self.shown();
        self.command.process_group(0).stdin(Stdio::piped()).stderr(Stdio::piped());
        self.command.stdout(self.stdout.take().unwrap_or_else(Stdio::piped));
        let child = self.command.spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        Session::with_pipes(shown, child, self.stdin, self.folder)
    }

    /// Starts the program as the leader of a session whose terminal the test plays.
    #[track_caller]
    pub(crate) fn spawn_pty(mut self) -> Session {
        let shown = self.shown();
        let (master, slave) = terminal().expect("a pseudo-terminal can be opened");
        let end = || Stdio::from(slave.try_clone().expect("a descriptor can be duplicated"));
        self.command.stdin(end()).stderr(end());
        self.command.stdout(self.stdout.take().unwrap_or_else(end));
        let lead = || {
            nix::unistd::setsid()?;
            // A shell that runs the tests in the background (`cargo test &`) ignores both for them.
            for key in [Signal::SIGINT, Signal::SIGQUIT] {
                #[expect(unsafe_code, reason = "signal dispositions have no safe form")]
                // SAFETY: the default disposition runs no code of ours.
                unsafe {
                    nix::sys::signal::signal(key, SigHandler::SigDfl)?;
                }
            }
            let stdin = io::stdin().as_raw_fd();
            #[expect(
                unsafe_code,
                reason = "nix has no call for TIOCSCTTY without a macro of unsafe code"
            )]
            // SAFETY: descriptor 0 is the terminal that was put there above; no memory is passed.
            match unsafe { nix::libc::ioctl(stdin, nix::libc::TIOCSCTTY, 0) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        #[expect(unsafe_code, reason = "std has no way to give a child a controlling terminal")]
        // SAFETY: between fork and exec only setsid, signal and ioctl are called, which are async-signal-safe;
        // `io::stdin()` is used for its number alone and takes no lock.
        unsafe {
            self.command.pre_exec(lead);
        }
        let child = self.command.spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        // The command holds copies of the slave; the end of the terminal shows only without them.
        drop((self.command, slave));
        Session::with_terminal(shown, child, File::from(master), self.folder)
    }

    fn shown(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    }
}

/// Opens a pseudo-terminal whose ends no other child of this process inherits (openpty(3) would leak them).
fn terminal() -> nix::Result<(OwnedFd, OwnedFd)> {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = OsString::from(ptsname_r(&master)?);
    let slave =
        open(Path::new(&name), OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC, Mode::empty())?;
    Ok((master.into(), slave))
}

/// Tests begin with signals that are obeyed, also where they run under nohup or in a shell's background.
fn heed_signals() -> std::io::Result<()> {
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        #[expect(unsafe_code, reason = "signal dispositions have no safe form")]
        // SAFETY: the default disposition runs no code of ours.
        unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }?;
    }
    Ok(())
}
