//! `--daemon`: pm starts itself again in a session without a terminal, and waits until that process accepts
//! requests, which it reports through a pipe on its standard input.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::inherited;

/// Written to the pipe when the session accepts requests.
const READY: &[u8] = b"1";
/// How far back from the cut the last line end is searched for, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

/// The outcome of a launch.
#[derive(Debug)]
pub(crate) enum Launched {
    /// It runs.
    Runs(Launch),
    /// It ended before anything was started.
    Ended,
}

/// A session in the background that was started here.
#[derive(Debug)]
pub(crate) struct Launch(Child);

impl Launch {
    /// Returns its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end, and returns its exit code as a shell reports it.
    pub(crate) fn wait(mut self) -> io::Result<i32> {
        let status = self.0.wait()?;
        Ok(status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1))
    }
}

/// Starts pm with these arguments, of which the first is its name, and with its output going to this log. It inherits
/// no other open file: a lock or pipe of the caller must not be held as long as the session runs.
pub(crate) fn launch(arguments: &[OsString], folder: &Path, log: File) -> io::Result<Launched> {
    inherited::keep_from_children();
    let (mut reader, writer) = io::pipe()?;
    let mut command = Command::new(std::env::current_exe()?);
    if let Some((name, rest)) = arguments.split_first() {
        command.arg0(name).args(rest);
    }
    command.current_dir(folder);
    command.stdin(Stdio::from(OwnedFd::from(writer)));
    command.stderr(Stdio::from(log.try_clone()?)).stdout(Stdio::from(log));
    let lead = || nix::unistd::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: between fork and exec only setsid is called, which is async-signal-safe.
    #[expect(unsafe_code, reason = "std has no way to start a session")]
    unsafe {
        command.pre_exec(lead);
    }
    let mut child = command.spawn()?;
    // It holds the other end of the pipe, which would keep it open.
    drop(command);
    let mut word = [0; READY.len()];
    match reader.read_exact(&mut word) {
        Ok(()) => Ok(Launched::Runs(Launch(child))),
        Err(_) => child.wait().map(|_| Launched::Ended),
    }
}

/// Checks that the file system of the log is not full.
pub(crate) fn look_for_room(log: &File) -> io::Result<()> {
    let system = nix::sys::statvfs::fstatvfs(log)?;
    // Some blocks are reserved for root.
    let is_root = nix::unistd::geteuid().is_root();
    let free = if is_root { system.blocks_free() } else { system.blocks_available() };
    // A file system without blocks, such as that of a device, is never full.
    if system.blocks() > 0 && free == 0 {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

/// Writes the last message of a session into its log (standard error) after the disk is full: it replaces the last
/// lines of the log. If that fails, nothing more can be done.
pub(crate) fn last_words(text: &str) -> io::Result<()> {
    let mut log = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let metadata = log.metadata()?;
    let room = text.len() as u64;
    if !metadata.is_file() || metadata.len() < room {
        return Ok(());
    }
    let cut = metadata.len() - room;
    let from = cut.saturating_sub(LONGEST_LINE);
    let mut before = Vec::new();
    log.seek(SeekFrom::Start(from))?;
    Read::by_ref(&mut log).take(cut - from).read_to_end(&mut before)?;
    let line = memchr::memrchr(b'\n', &before).map_or(cut, |at| from + at as u64 + 1);
    log.set_len(line)?;
    log.write_all(text.as_bytes())
}

/// Tells the launcher that this session accepts requests, and closes the pipe.
pub(crate) fn tell_ready() -> io::Result<()> {
    // The launcher may have been interrupted meanwhile.
    let _ = nix::unistd::write(io::stdin(), READY);
    let null = File::open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    Ok(())
}
