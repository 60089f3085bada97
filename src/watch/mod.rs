//! Files → "this process type changed". One thread for all types, which is there only where something is watched. It
//! knows no process and no supervisor: it is told what to watch, and tells what has changed when a burst is over.
//!
//! A change is other bytes, not an event: what the system tells is a hint where to look. At the end of a burst the
//! files that were hinted at are read and compared with what is known of them.

mod burst;
mod filesystem;
mod fingerprint;
mod ignores;
mod kernel_watch;
mod names;
mod own_files;
mod patterns;
#[cfg(test)]
mod tests;
mod watched_type;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Sender, unbounded};

use ignores::Ignores;
use kernel_watch::FileHint;
pub(crate) use own_files::OwnFiles;
pub(crate) use patterns::Patterns;
use watched_type::WatchedType;
use worker::Worker;

/// How often a type is polled whose settings do not say it.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The clocks, which the watch does not read by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchClock {
    /// For deadlines.
    pub(crate) now: fn() -> Instant,
    /// The time of day, which files are stamped with.
    pub(crate) wall: fn() -> SystemTime,
}

/// What is watched for one process type.
#[derive(Clone, Debug)]
pub(crate) struct WatchTarget {
    /// Which process type; the watch does not read it.
    pub(crate) id: usize,
    /// Its folder: absolute, as [`real`] has it.
    pub(crate) folder: PathBuf,
    /// Which files of it.
    pub(crate) patterns: Patterns,
    /// The silence after which a burst is over.
    pub(crate) silence: Duration,
    /// Look for changes at this interval instead of being told.
    pub(crate) poll: Option<Duration>,
    /// pm's own, which are never watched.
    pub(crate) own_files: Arc<OwnFiles>,
}

impl WatchTarget {
    /// Returns the time between two looks, where it is polled.
    fn poll_interval(&self) -> Duration {
        self.poll.unwrap_or(POLL_INTERVAL)
    }

    /// Returns whether the same files are watched in the same way.
    fn is_watched_as(&self, other: &Self) -> bool {
        self.folder == other.folder
            && self.patterns == other.patterns
            && self.poll == other.poll
            && self.own_files == other.own_files
    }
}

/// What is to be watched from now on.
#[derive(Debug)]
pub(crate) struct Watchlist {
    /// All of it: what is not in the list is watched no more.
    pub(crate) targets: Vec<WatchTarget>,
    /// A file of a new target that was written after this has changed.
    pub(crate) since: SystemTime,
}

/// Changes of one process type that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileChange {
    /// Of which process type.
    pub(crate) id: usize,
    /// The first files that changed, ten at most, from the type's folder.
    pub(crate) files: Vec<String>,
    /// How many changed.
    pub(crate) count: usize,
    /// When the first was seen.
    pub(crate) first: Instant,
}

/// Why a type is polled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PollCause {
    /// Its settings say so.
    Asked,
    /// The file system of its folder tells nothing of changes elsewhere: `nfs`.
    FileSystem(&'static str),
    /// The user has no watch left; this is how many folders need one in all.
    NoWatchLeft { needed: usize },
    /// The system's watcher cannot be had; why.
    NoWatcher(String),
}

/// What the watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WatchReport {
    /// How many files are watched, and how; told when it is other than before.
    Watching { id: usize, files: usize, is_polling: bool },
    /// It is polled; told once.
    Polls { id: usize, cause: PollCause },
    /// No file is meant by this glob as the watch begins.
    NothingMatches { id: usize, glob: String },
    /// Files have changed.
    Changed(FileChange),
}

/// What the thread takes.
enum WatchInput {
    Hints(Vec<FileHint>),
    Watch(Watchlist),
    End,
}

/// Returns a path without symbolic links, as far as it is there: what the system says is about such.
pub(crate) fn real(path: &Path) -> PathBuf {
    let of_folder = |above: &Path| {
        let inner = path.strip_prefix(above).ok()?;
        let real = above.canonicalize().ok()?;
        // Nothing behind a folder would be a `/` behind a file.
        Some(if inner.as_os_str().is_empty() { real } else { real.join(inner) })
    };
    path.ancestors().find_map(of_folder).unwrap_or_else(|| path.to_owned())
}

/// What a watch of a process type would see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchSurvey {
    /// How many files.
    pub(crate) files: usize,
    /// In how many folders: each costs a watch.
    pub(crate) folders: usize,
    /// The globs that mean none of the files.
    pub(crate) without_a_match: Vec<String>,
}

/// Looks at what a watch would see, without one.
pub(crate) fn survey(folder: &Path, patterns: Patterns, own_files: OwnFiles) -> WatchSurvey {
    let folder = real(folder);
    let target = WatchTarget {
        id: 0,
        folder: folder.clone(),
        patterns,
        silence: Duration::ZERO,
        poll: None,
        own_files: Arc::new(own_files),
    };
    let (mut folders, mut files) = (0, Vec::new());
    let enter = &mut |_: &Path| {
        folders += 1;
        true
    };
    let of_type = WatchedType::new(target);
    of_type.walk(&mut Ignores::default(), &folder, enter, &mut |path, _| files.push(path));
    let inner = files.iter().filter_map(|file| file.strip_prefix(&folder).ok());
    let without_a_match =
        of_type.target.patterns.without_a_match(inner).map(str::to_owned).collect();
    WatchSurvey { files: files.len(), folders, without_a_match }
}

/// The thread, as the session sees it.
#[derive(Debug)]
pub(crate) struct FileWatcher {
    inputs: Sender<WatchInput>,
}

impl FileWatcher {
    /// Makes the watch and what its thread is to do; the caller starts that thread. `tell` is called on it and must not
    /// block.
    pub(crate) fn new(
        clock: WatchClock,
        tell: impl Fn(WatchReport) + Send + 'static,
    ) -> (Self, impl FnOnce() + Send + 'static) {
        let (inputs, taken) = unbounded();
        let hints = inputs.clone();
        let work = move || Worker::new(clock, Box::new(tell), hints).run(&taken);
        (Self { inputs }, work)
    }

    /// Says what to watch from now on.
    pub(crate) fn watch(&self, list: Watchlist) {
        // Where the thread has ended, nothing is watched any more.
        let _ = self.inputs.send(WatchInput::Watch(list));
    }

    /// Has everything looked at again: folders may be others than before.
    pub(crate) fn look_again(&self) {
        let _ = self.inputs.send(WatchInput::Hints(vec![FileHint::Lost]));
    }
}

impl Drop for FileWatcher {
    fn drop(&mut self) {
        let _ = self.inputs.send(WatchInput::End);
    }
}
