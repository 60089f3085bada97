//! The runs of an application that are kept: begun, listed, chosen, removed.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::keeper::Keeper;
use super::reader::{self, Reader};
use super::record::{self, RunEnd, RunRecord, RunStart};

/// What instances wrote, in the folder of the run.
const OUTPUT_FILE: &str = "output";
/// No run is kept longer: 14 days, in milliseconds.
const LONGEST: i64 = 14 * 24 * 3600 * 1000;
/// Sessions that start at one time take the next numbers.
const ATTEMPTS: u32 = 64;

/// A run that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Counts the runs of the application, from 1.
    pub number: u32,
    /// How it began.
    pub start: RunStart,
    /// How it ended. `None`: it runs, or pm was killed.
    pub end: Option<RunEnd>,
    /// It still runs.
    pub is_alive: bool,
    /// When something was last written, in milliseconds since 1970: for one that was killed, about when it ended.
    pub last_write: i64,
    /// Bytes that it has on the disk.
    pub size: u64,
    folder: PathBuf,
}

impl Run {
    /// Returns when it ended, in milliseconds since 1970; `None` while it runs.
    pub fn ended_at(&self) -> Option<i64> {
        (!self.is_alive).then(|| self.end.as_ref().map_or(self.last_write, |end| end.at))
    }

    /// Returns what reads the output of those instances whose names are wanted, and with `""` what pm said, as far as
    /// it was read until this time (milliseconds since 1970).
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self, wants: impl Fn(&str) -> bool + 'static, until: i64) -> io::Result<Reader> {
        Reader::new(self.output()?, wants, self.is_alive, until)
    }

    /// Returns the names of the instances that something is kept of: `web.1`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let (rings, _) = reader::rings(&self.output()?, 0)?;
        Ok(rings.into_iter().map(|ring| ring.name).filter(|name| !name.is_empty()).collect())
    }

    fn output(&self) -> io::Result<File> {
        File::open(self.folder.join(OUTPUT_FILE))
    }
}

/// Which run is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The newest, whether it runs or not.
    Newest,
    /// The one that ended last (1), the one before (2), and so on: those that run do not count.
    Ended(u32),
    /// The one of this number.
    Number(u32),
}

/// Begins a run in the folder of an application, which is made where it is missing; the folder above is there.
/// Returns its record, which says that it runs as long as it is held, and what keeps up to `total` bytes of output.
///
/// # Errors
/// Something cannot be made or written: nothing is kept.
pub fn begin(root: &Path, start: &RunStart, total: u64) -> io::Result<(RunRecord, Keeper)> {
    make(root)?;
    let mut number = numbers(root)?.into_iter().max().unwrap_or(0);
    for _ in 0..ATTEMPTS {
        number += 1;
        let folder = root.join(number.to_string());
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => {
                let begun = open(&folder, start, total);
                if begun.is_err() {
                    // A folder without a record is no run; a full disk may not even let it go.
                    let _ = fs::remove_dir_all(&folder);
                }
                return begun;
            }
            // Another session has taken it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn open(folder: &Path, start: &RunStart, total: u64) -> io::Result<(RunRecord, Keeper)> {
    let record = RunRecord::create(folder, start)?;
    let path = folder.join(OUTPUT_FILE);
    let output = record::private().create_new(true).open(&path)?;
    Ok((record, Keeper::new(path, output, total)))
}

/// Makes the folder of an application.
fn make(root: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(root) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Returns the runs of an application that are kept, the oldest first.
///
/// # Errors
/// The folder cannot be read. That there is none is no error: nothing is kept.
pub fn list(root: &Path) -> io::Result<Vec<Run>> {
    let mut numbers = numbers(root)?;
    numbers.sort_unstable();
    Ok(numbers.into_iter().filter_map(|number| look(root, number).ok()).collect())
}

/// Returns the one of these runs that is asked for.
pub fn choose(runs: &[Run], which: Which) -> Option<&Run> {
    match which {
        Which::Newest => runs.last(),
        Which::Number(number) => runs.iter().find(|run| run.number == number),
        Which::Ended(back) => {
            let back = usize::try_from(back).ok()?.checked_sub(1)?;
            runs.iter().rev().filter(|run| !run.is_alive).nth(back)
        }
    }
}

/// Removes the ended runs of an application that are too many, beside the newest `keep` of all, and those of any
/// application in the state folder that ended more than 14 days before `now` (milliseconds since 1970). What
/// cannot be removed stays.
pub fn prune(state: &Path, root: &Path, keep: usize, now: i64) {
    let runs = list(root).unwrap_or_default();
    let too_many = runs.len().saturating_sub(keep);
    for run in &runs[..too_many] {
        let _ = remove(run);
    }
    for root in folders(state) {
        let runs = list(&root).unwrap_or_default();
        let is_old = |run: &&Run| run.ended_at().is_some_and(|end| end < now - LONGEST);
        for run in runs.iter().filter(is_old) {
            let _ = remove(run);
        }
        // Only an empty one goes.
        let _ = fs::remove_dir(root);
    }
}

/// What was removed, and what could not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Runs that are removed.
    pub removed: usize,
    /// Runs that are still written, and stay.
    pub alive: usize,
}

/// Removes everything that is kept of an application, but for runs that still run.
///
/// # Errors
/// Something cannot be read or removed.
pub fn purge(root: &Path) -> io::Result<Purged> {
    let mut purged = Purged::default();
    for number in numbers(root)? {
        match look(root, number) {
            Ok(run) if run.is_alive => purged.alive += 1,
            Ok(run) => {
                remove(&run)?;
                purged.removed += 1;
            }
            // No record: its session could not begin.
            Err(_) => fs::remove_dir_all(root.join(number.to_string()))?,
        }
    }
    // Only an empty one goes.
    let _ = fs::remove_dir(root);
    Ok(purged)
}

/// Removes a run that has ended.
fn remove(run: &Run) -> io::Result<()> {
    if run.is_alive {
        return Ok(());
    }
    fs::remove_dir_all(&run.folder)
}

/// Returns the numbers of the runs in a folder.
fn numbers(root: &Path) -> io::Result<Vec<u32>> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let number = |entry: fs::DirEntry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        (entry.file_name().to_str() == Some(&number.to_string())).then_some(number)
    };
    Ok(entries.filter_map(Result::ok).filter_map(number).collect())
}

/// Returns the folders in a folder.
fn folders(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn look(root: &Path, number: u32) -> io::Result<Run> {
    let folder = root.join(number.to_string());
    let record::RecordContents { start, end, is_alive, file } = record::read(&folder)?;
    let record = file.metadata()?;
    let output = fs::metadata(folder.join(OUTPUT_FILE))?;
    let written = |file: &fs::Metadata| {
        let since = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_millis()).ok()
    };
    let last_write = [&record, &output].into_iter().filter_map(written).max();
    // A block is 512 bytes for stat(2).
    let size = 512 * (record.blocks() + output.blocks());
    let last_write = last_write.unwrap_or(start.at);
    Ok(Run { number, start, end, is_alive, last_write, size, folder })
}
