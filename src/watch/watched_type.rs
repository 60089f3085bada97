//! One watched process type: its files and what is known of their bytes.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::burst::Burst;
use super::fingerprint::{Fingerprint, HASHED_MAX};
use super::ignores::Ignores;
use super::names::is_of_an_editor;
use super::{FileChange, WatchTarget, real};
use crate::git::{GitActivity, GitFolder};

/// How many names a change tells.
const NAMES_MAX: usize = 10;
/// How many files are read when the watch begins, and how many bytes; of the others size and time decide.
const BASELINE_FILES_MAX: usize = 10_000;
const BASELINE_BYTES_MAX: u64 = 64 << 20;

/// How its changes are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchMode {
    /// The system tells.
    Told,
    /// By looking again at this time.
    Polling(Instant),
}

/// One watched process type.
#[derive(Debug)]
pub(super) struct WatchedType {
    pub(super) target: WatchTarget,
    pub(super) mode: WatchMode,
    pub(super) burst: Option<Burst>,
    files: HashMap<PathBuf, Fingerprint>,
    /// What may have changed, with its place in the order of being seen.
    dirty: HashMap<PathBuf, usize>,
    git: Option<GitFolder>,
    /// Files outside of its folder that say what is left out of it, there or not.
    rules_outside: Vec<PathBuf>,
    /// When to look whether its folder is there, as long as it is not.
    pub(super) lookout: Option<Instant>,
}

/// A folder still to be read, with what leaves it out.
struct Ahead {
    folder: PathBuf,
    ignored: Option<PathBuf>,
}

impl WatchedType {
    pub(super) fn new(target: WatchTarget) -> Self {
        let mut above = target.folder.ancestors();
        let top = above.find_map(|folder| Some((folder, GitFolder::of(folder)?)));
        let rules_outside = top.as_ref().map_or_else(Vec::new, |(top, git)| {
            let outer = target.folder.ancestors().skip(1);
            let outer = outer.take_while(|folder| folder.starts_with(top));
            let of_folders = outer.flat_map(Ignores::files_in);
            of_folders.chain([real(&git.common().join("info/exclude"))]).collect()
        });
        let git = top.map(|(_, git)| git);
        Self {
            target,
            mode: WatchMode::Told,
            burst: None,
            files: HashMap::new(),
            dirty: HashMap::new(),
            git,
            rules_outside,
            lookout: None,
        }
    }

    /// Returns whether the system tells of its changes.
    pub(super) fn is_told(&self) -> bool {
        self.mode == WatchMode::Told
    }

    /// Returns how many files are watched.
    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    /// Returns whether this path is one of its files, or can be.
    pub(super) fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.target.folder)
    }

    /// Returns whether this is a file outside of its folder that says what is left out of it.
    pub(super) fn is_ruled_by(&self, path: &Path) -> bool {
        self.rules_outside.iter().any(|rules| rules == path)
    }

    /// Returns the folders of such files.
    pub(super) fn rule_folders(&self) -> impl Iterator<Item = &Path> {
        self.rules_outside.iter().filter_map(|rules| rules.parent())
    }

    /// Returns whether its folder is this one, or below it.
    pub(super) fn is_in(&self, folder: &Path) -> bool {
        self.target.folder.starts_with(folder)
    }

    /// Returns the globs that mean none of its files.
    pub(super) fn globs_without_a_match(&self) -> Vec<String> {
        let files = self.files.keys().chain(self.dirty.keys());
        let files = files.filter_map(|file| file.strip_prefix(&self.target.folder).ok());
        self.target.patterns.without_a_match(files).map(str::to_owned).collect()
    }

    /// Notes that a path may have changed.
    pub(super) fn touch(&mut self, path: &Path, now: Instant) {
        let place = self.dirty.len();
        self.dirty.entry(path.to_owned()).or_insert(place);
        match &mut self.burst {
            Some(burst) => burst.go_on(now, self.target.silence),
            None => self.burst = Some(Burst::begin(now, self.target.silence)),
        }
    }

    /// Notes that all of its files in this folder may have changed.
    pub(super) fn touch_below(&mut self, folder: &Path, now: Instant) {
        let below: Vec<PathBuf> =
            self.files.keys().filter(|file| file.starts_with(folder)).cloned().collect();
        for file in below {
            self.touch(&file, now);
        }
    }

    /// Returns whether a file counts, or a folder can hold such files.
    pub(super) fn counts(&self, ignores: &mut Ignores, path: &Path, is_folder: bool) -> bool {
        let Ok(inner) = path.strip_prefix(&self.target.folder) else { return false };
        let mut ignored = None;
        let mut so_far = self.target.folder.clone();
        for part in inner.components() {
            so_far.push(part);
            if part.as_os_str() == ".git" {
                return false;
            }
            let is_last = so_far == *path;
            if ignored.is_none() && ignores.leave_out(&so_far, !is_last || is_folder) {
                ignored = so_far.strip_prefix(&self.target.folder).ok().map(Path::to_owned);
            }
        }
        if is_folder {
            self.can_hold_files_of_it(path, inner, ignored.as_deref())
        } else {
            self.is_a_file_of_it(path, inner, ignored.as_deref())
        }
    }

    fn can_hold_files_of_it(&self, path: &Path, inner: &Path, ignored: Option<&Path>) -> bool {
        !self.target.own_files.hold(path) && self.target.patterns.reach(inner, ignored)
    }

    fn is_a_file_of_it(&self, path: &Path, inner: &Path, ignored: Option<&Path>) -> bool {
        !path.file_name().is_some_and(is_of_an_editor)
            && !self.target.own_files.hold(path)
            && self.target.patterns.mean(inner, ignored)
    }

    /// Goes through a folder and what is below it. `enter` is called before a folder is read, so that nothing is missed in
    /// between; where it says no, the walk ends.
    pub(super) fn walk(
        &self,
        ignores: &mut Ignores,
        folder: &Path,
        enter: &mut dyn FnMut(&Path) -> bool,
        meet: &mut dyn FnMut(PathBuf, Fingerprint),
    ) {
        let inner = |path: &Path| {
            path.strip_prefix(&self.target.folder).map(Path::to_owned).unwrap_or_default()
        };
        let mut above: Vec<&Path> =
            folder.ancestors().take_while(|one| *one != self.target.folder).collect();
        above.reverse();
        let ignored = above.into_iter().find(|one| ignores.leave_out(one, true)).map(inner);
        let mut ahead = vec![Ahead { folder: folder.to_owned(), ignored }];
        while let Some(Ahead { folder, ignored }) = ahead.pop() {
            if !enter(&folder) {
                return;
            }
            // One that cannot be read holds nothing that could be seen.
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                let (Ok(kind), path) = (entry.file_type(), entry.path()) else { continue };
                if entry.file_name() == ".git" {
                    continue;
                }
                let within = inner(&path);
                let ignored = match &ignored {
                    Some(above) => Some(above.clone()),
                    None => ignores.leave_out(&path, kind.is_dir()).then(|| within.clone()),
                };
                if kind.is_dir() {
                    if self.can_hold_files_of_it(&path, &within, ignored.as_deref()) {
                        ahead.push(Ahead { folder: path, ignored });
                    }
                } else if self.is_a_file_of_it(&path, &within, ignored.as_deref())
                    && let Ok(found) = fs::metadata(&path)
                    && found.is_file()
                {
                    meet(path, Fingerprint::of(&found));
                }
            }
        }
    }

    /// Goes on from where the same type was watched in another way: what was known of its files, and what may have changed.
    pub(super) fn take_over(&mut self, before: Self, ignores: &mut Ignores, now: Instant) {
        let known = before.files.into_iter();
        let counting = known.filter(|(path, _)| self.counts(ignores, path, false));
        self.files = counting.collect();
        let mut dirty: Vec<(PathBuf, usize)> = before.dirty.into_iter().collect();
        dirty.sort_by_key(|&(_, place)| place);
        for (path, _) in dirty {
            self.touch(&path, now);
        }
    }

    /// Takes what a first walk has found: what has been written after `since`, and before `now_by_the_wall`, has
    /// changed already, and what is other than what was known before. The newest are read.
    pub(super) fn begin(
        &mut self,
        mut found: Vec<(PathBuf, Fingerprint)>,
        since: SystemTime,
        now_by_the_wall: SystemTime,
        now: Instant,
    ) {
        let (mut files, mut bytes) = (0, 0);
        found.sort_by_key(|(_, file)| std::cmp::Reverse(file.modified));
        for (path, file) in found {
            if let Some(before) = self.files.get(&path) {
                if file.looks_other_than(before) {
                    self.touch(&path, now);
                }
                continue;
            }
            if file.modified.is_some_and(|at| at > since && at <= now_by_the_wall) {
                self.touch(&path, now);
                continue;
            }
            let is_read = file.size <= HASHED_MAX
                && files < BASELINE_FILES_MAX
                && bytes + file.size <= BASELINE_BYTES_MAX;
            if !is_read {
                self.files.insert(path, file);
                continue;
            }
            (files, bytes) = (files + 1, bytes + file.size);
            let read = file.with_hash(&path);
            // Written meanwhile: the hash may be that of the new bytes.
            let is_same =
                fs::metadata(&path).is_ok_and(|now| !Fingerprint::of(&now).looks_other_than(&file));
            self.files.insert(path.clone(), if is_same { read } else { file });
            if !is_same {
                self.touch(&path, now);
            }
        }
    }

    /// Takes what a walk after changed rules has found: what is left out now is forgotten; what was left out is known
    /// from now on, and has not changed, unless it is as new as the rules.
    pub(super) fn rules_have_changed(
        &mut self,
        found: Vec<(PathBuf, Fingerprint)>,
        rules: Option<SystemTime>,
        now: Instant,
    ) {
        let found: HashMap<PathBuf, Fingerprint> = found.into_iter().collect();
        self.files.retain(|path, _| found.contains_key(path) || !path.exists());
        for (path, file) in found {
            if self.files.contains_key(&path) || self.dirty.contains_key(&path) {
                continue;
            }
            let is_new =
                file.modified > rules.and_then(|at| at.checked_sub(Duration::from_secs(1)));
            if is_new {
                self.touch(&path, now);
            } else {
                let read = file.with_hash(&path);
                self.files.insert(path, read);
            }
        }
    }

    /// Takes what a walk has found and marks what differs by size or time, is new or is gone.
    pub(super) fn compare(&mut self, found: Vec<(PathBuf, Fingerprint)>, now: Instant) {
        let found: HashMap<PathBuf, Fingerprint> = found.into_iter().collect();
        let is_other = |path: &PathBuf, file: &Fingerprint| {
            self.files.get(path).is_none_or(|before| file.looks_other_than(before))
        };
        let other = found.iter().filter(|(path, file)| is_other(path, file)).map(|(path, _)| path);
        let gone = self.files.keys().filter(|path| !found.contains_key(*path));
        let mut touched: Vec<PathBuf> = other.chain(gone).cloned().collect();
        touched.sort();
        for path in touched {
            self.touch(&path, now);
        }
    }

    /// Returns whether the burst, whose end has come, goes on for git.
    pub(super) fn waits_for_git(&mut self, now: Instant) -> bool {
        let git = self.git.as_ref().map_or(GitActivity::None, GitFolder::activity);
        let silence = self.target.silence;
        self.burst.as_mut().is_some_and(|burst| burst.goes_on_for(git, now, silence))
    }

    /// Ends the burst: reads what may have changed, and returns what has.
    pub(super) fn settle(&mut self, ignores: &mut Ignores) -> Option<FileChange> {
        let burst = self.burst.take()?;
        let mut dirty: Vec<(PathBuf, usize)> = self.dirty.drain().collect();
        dirty.sort_by_key(|&(_, place)| place);
        let (mut names, mut count) = (Vec::new(), 0);
        for (path, _) in dirty {
            if self.has_changed(ignores, &path, burst.is_cut_off()) {
                count += 1;
                if names.len() < NAMES_MAX {
                    let inner = path.strip_prefix(&self.target.folder).unwrap_or(&path);
                    names.push(inner.to_string_lossy().into_owned());
                }
            }
        }
        (count > 0).then_some(FileChange {
            id: self.target.id,
            files: names,
            count,
            first: burst.first,
        })
    }

    /// Reads a file and returns whether it has other bytes. One that is written on and on may be met empty each time,
    /// between its being cut and being written: then its time decides.
    fn has_changed(&mut self, ignores: &mut Ignores, path: &Path, is_written_on: bool) -> bool {
        let found = fs::metadata(path).ok().filter(fs::Metadata::is_file);
        let Some(found) = found else { return self.files.remove(path).is_some() };
        if !self.counts(ignores, path, false) {
            self.files.remove(path);
            return false;
        }
        let file = Fingerprint::of(&found).with_hash(path);
        let before = self.files.insert(path.to_owned(), file);
        let is_half_written = is_written_on && file.size == 0;
        before.is_none_or(|before| {
            file.differs_from(&before) || (is_half_written && file.looks_other_than(&before))
        })
    }
}
