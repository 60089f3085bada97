//! The record of a run: what began it, how it ended, and whether it still runs.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::disk;

/// Its file in the folder of the run. Who writes the run has it locked, so that no process id is taken for
/// another's.
pub(super) const RECORD_FILE: &str = "run";
/// The end stands before the beginning, in room that is taken at the start: a full disk does not cost it.
const END_ROOM: u64 = 4096;
/// No record is longer.
const LONGEST: usize = 64 << 10;

/// How a run began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStart {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The process id of pm.
    pub pid: u32,
    /// What was typed.
    pub command: Vec<String>,
    /// The process types, in the order of the Procfile.
    #[serde(default)]
    pub types: Vec<String>,
    /// Those of them whose instances have a terminal.
    #[serde(default)]
    pub terminals: Vec<String>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The exit code of pm.
    pub code: i32,
    /// Why, as it was said: `ended by web.1: exited with code 3 after 2 s`. `None`: it was asked to stop, or
    /// everything was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
}

/// Holds the record of the run that this process writes; it is alive as long as this is held.
#[derive(Debug)]
pub struct RunRecord(Flock<File>);

impl RunRecord {
    /// Makes the record in the folder of a run.
    ///
    /// # Errors
    /// It cannot be written or locked.
    pub(super) fn create(folder: &Path, start: &RunStart) -> io::Result<Self> {
        let file = private().create_new(true).open(folder.join(RECORD_FILE))?;
        let locked = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
        disk::allocate(&locked, 0, END_ROOM)?;
        locked.write_all_at(&line(start)?, END_ROOM)?;
        Ok(Self(locked))
    }

    /// Says how the run ended. A verdict that is very long is cut.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(&self, end: &RunEnd) -> io::Result<()> {
        let mut end = end.clone();
        let mut bytes = line(&end)?;
        while bytes.len() as u64 > END_ROOM
            && let Some(verdict) = &mut end.verdict
        {
            let half = verdict.chars().count() / 2;
            *verdict = verdict.chars().take(half).collect();
            bytes = line(&end)?;
        }
        self.0.write_all_at(&bytes, 0)
    }
}

/// What is known of a run.
#[derive(Debug)]
pub(super) struct RecordContents {
    pub(super) start: RunStart,
    pub(super) end: Option<RunEnd>,
    pub(super) is_alive: bool,
    pub(super) file: File,
}

/// Reads the record of a run.
///
/// # Errors
/// There is none, or none that can be read.
pub(super) fn read(folder: &Path) -> io::Result<RecordContents> {
    let file = private().open(folder.join(RECORD_FILE))?;
    // Before it is read: one that ends meanwhile has written its end.
    let is_alive = is_locked(&file)?;
    let mut bytes = vec![0; LONGEST];
    let mut length = 0;
    loop {
        match file.read_at(&mut bytes[length..], length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    let (end, start) = bytes[..length].split_at(length.min(usize::try_from(END_ROOM).unwrap_or(0)));
    let start = parse(start).ok_or(io::ErrorKind::InvalidData)?;
    Ok(RecordContents { start, end: parse(end), is_alive, file })
}

/// Returns whether someone else has locked the file.
fn is_locked(file: &File) -> io::Result<bool> {
    // An owned copy of the descriptor would share the lock, and let it go when it is closed.
    let probe = file.try_clone()?;
    match Flock::lock(probe, FlockArg::LockSharedNonblock) {
        Ok(_lock) => Ok(false),
        Err((_, Errno::EWOULDBLOCK)) => Ok(true),
        Err((_, error)) => Err(error.into()),
    }
}

/// Returns how files of a run are opened: for this user alone, whatever the umask.
pub(super) fn private() -> std::fs::OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).mode(0o600);
    options
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads what stands before the first newline.
fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let end = memchr::memchr(b'\n', bytes)?;
    serde_json::from_slice(&bytes[..end]).ok()
}
