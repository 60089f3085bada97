//! The thread: receives events and lists of files, and reports changes.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::fingerprint::Fingerprint;
use super::ignores::Ignores;
use super::kernel_watch::{FileHint, KernelWatch, NoWatch};
use super::watched_type::{WatchMode, WatchedType};
use super::{
    POLL_INTERVAL, PollCause, WatchClock, WatchInput, WatchReport, WatchTarget, Watchlist,
    filesystem,
};

/// What the thread knows.
pub(super) struct Worker {
    clock: WatchClock,
    tell: Box<dyn Fn(WatchReport) + Send>,
    inputs: Sender<WatchInput>,
    kernel: Option<KernelWatch>,
    ignores: Ignores,
    subjects: Vec<ToldWatch>,
}

/// Files as a walk has found them.
type FoundFiles = Vec<(PathBuf, Fingerprint)>;

/// One watched type, and what was last told of it.
struct ToldWatch {
    subject: WatchedType,
    told: Option<WatchReport>,
}

impl Worker {
    pub(super) fn new(
        clock: WatchClock,
        tell: Box<dyn Fn(WatchReport) + Send>,
        inputs: Sender<WatchInput>,
    ) -> Self {
        Self {
            clock,
            tell,
            inputs,
            kernel: None,
            ignores: Ignores::default(),
            subjects: Vec::new(),
        }
    }

    /// Works until the session ends.
    pub(super) fn run(mut self, taken: &Receiver<WatchInput>) {
        loop {
            let input = match self.deadline() {
                None => taken.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => taken.recv_deadline(at),
            };
            match input {
                Ok(WatchInput::Hints(hints)) => hints.into_iter().for_each(|hint| self.take(hint)),
                Ok(WatchInput::Watch(list)) => self.watch(list),
                Ok(WatchInput::End) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.do_what_is_due((self.clock.now)());
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let of = |one: &ToldWatch| {
            let poll = match one.subject.mode {
                WatchMode::Told => None,
                WatchMode::Polling(at) => Some(at),
            };
            let burst = one.subject.burst.map(|burst| burst.due());
            burst.into_iter().chain(poll).chain(one.subject.lookout).min()
        };
        self.subjects.iter().filter_map(of).min()
    }

    fn do_what_is_due(&mut self, now: Instant) {
        let mut subjects = std::mem::take(&mut self.subjects);
        for one in &mut subjects {
            if let WatchMode::Polling(at) = one.subject.mode
                && at <= now
            {
                self.look(one, now);
                one.subject.mode = self.next_poll(&one.subject);
            }
            if one.subject.lookout.is_some_and(|at| at <= now) {
                self.look_for_folder(one, now);
            }
            let is_over = |one: &ToldWatch| one.subject.burst.is_some_and(|it| it.due() <= now);
            // The system may tell of its end much later: a process may still be in it.
            if is_over(one) && self.has_other_folder(one) {
                self.look(one, now);
            }
            if is_over(one) && !one.subject.waits_for_git(now) {
                if let Some(change) = one.subject.settle(&mut self.ignores) {
                    (self.tell)(WatchReport::Changed(change));
                }
                self.tell_count(one);
            }
        }
        self.subjects = subjects;
    }

    fn next_poll(&self, subject: &WatchedType) -> WatchMode {
        WatchMode::Polling((self.clock.now)() + subject.target.poll_interval())
    }

    /// Takes a new list: what is in it as before is watched on.
    fn watch(&mut self, list: Watchlist) {
        let mut before = std::mem::take(&mut self.subjects);
        for target in list.targets {
            let is_same = |one: &ToldWatch| one.subject.target.is_watched_as(&target);
            let one = match before.iter().position(is_same) {
                Some(found) => {
                    let mut one = before.swap_remove(found);
                    one.subject.target = target;
                    // The list of types is another one: what was told is not known any more.
                    one.told = None;
                    self.tell_count(&mut one);
                    one
                }
                None => {
                    let is_it = |one: &ToldWatch| one.subject.target.id == target.id;
                    let known = before.iter().position(is_it);
                    let known = known.map(|at| before.swap_remove(at).subject);
                    self.begin(target, list.since, known)
                }
            };
            self.subjects.push(one);
        }
        self.keep_needed();
    }

    /// Gives back the watches that no type needs which is told of changes.
    fn keep_needed(&mut self) {
        let subjects = &self.subjects;
        if let Some(kernel) = &mut self.kernel {
            kernel.keep_only(|folder| {
                let needs = |one: &ToldWatch| {
                    let subject = &one.subject;
                    let has_rules = || subject.rule_folders().any(|rules| rules == folder);
                    subject.is_told() && (subject.holds(folder) || has_rules())
                };
                subjects.iter().any(needs)
            });
        }
    }

    /// Begins to watch a type; `known` is how it was watched until now.
    fn begin(
        &mut self,
        target: WatchTarget,
        since: SystemTime,
        known: Option<WatchedType>,
    ) -> ToldWatch {
        let asked = target.poll.is_some().then_some(PollCause::Asked);
        let deaf = || filesystem::that_tells_nothing(&target.folder).map(PollCause::FileSystem);
        let cause = asked.or_else(deaf).or_else(|| self.have_kernel().err());
        let mut one = ToldWatch { subject: WatchedType::new(target), told: None };
        let (found, full) = self.walk(&one.subject, cause.is_none());
        self.poll_if(&mut one, cause.or(full));
        let now = (self.clock.now)();
        if let Some(known) = known {
            one.subject.take_over(known, &mut self.ignores, now);
        }
        one.subject.begin(found, since, (self.clock.wall)(), now);
        self.look_out_for_folder(&mut one, now);
        let id = one.subject.target.id;
        for glob in one.subject.globs_without_a_match() {
            (self.tell)(WatchReport::NothingMatches { id, glob });
        }
        self.tell_count(&mut one);
        one
    }

    fn have_kernel(&mut self) -> Result<(), PollCause> {
        if self.kernel.is_none() {
            let made = KernelWatch::new(self.inputs.clone());
            self.kernel = Some(made.map_err(|error| PollCause::NoWatcher(error.to_string()))?);
        }
        Ok(())
    }

    /// Goes through all of a type, and watches its folders where it is told of changes. Returns also why it is to be
    /// polled from now on, if no watch is left.
    fn walk(&mut self, subject: &WatchedType, is_told: bool) -> (FoundFiles, Option<PollCause>) {
        let folder = &subject.target.folder;
        let (found, is_full) = self.walk_below(subject, folder, is_told);
        if !is_full {
            self.watch_rules(subject, is_told);
            return (found, None);
        }
        let (mut found, mut needed) = (Vec::new(), 0);
        let enter = &mut |_: &Path| {
            needed += 1;
            true
        };
        subject.walk(&mut self.ignores, folder, enter, &mut |path, file| found.push((path, file)));
        (found, Some(PollCause::NoWatchLeft { needed }))
    }

    /// Watches where rules are said that hold for a type, outside of its folder. Without a watch left, these alone are
    /// not followed.
    fn watch_rules(&mut self, subject: &WatchedType, is_told: bool) {
        if let Some(kernel) = self.kernel.as_mut().filter(|_| is_told) {
            for folder in subject.rule_folders() {
                let _ = kernel.watch(folder);
            }
        }
    }

    /// Goes through a folder and what is below it; returns also whether no watch was left. Then those that it has added
    /// are given back: others need them.
    fn walk_below(
        &mut self,
        subject: &WatchedType,
        folder: &Path,
        is_told: bool,
    ) -> (FoundFiles, bool) {
        let (mut found, mut is_full, mut added) = (Vec::new(), false, Vec::new());
        let mut kernel = self.kernel.as_mut().filter(|_| is_told);
        let enter = &mut |folder: &Path| {
            match kernel.as_mut().map(|kernel| kernel.watch(folder)) {
                Some(Ok(true)) => added.push(folder.to_owned()),
                Some(Err(NoWatch::Full)) => is_full = true,
                Some(Ok(false) | Err(NoWatch::Absent)) | None => {}
            }
            !is_full
        };
        subject.walk(&mut self.ignores, folder, enter, &mut |path, file| found.push((path, file)));
        if let Some(kernel) = kernel.filter(|_| is_full) {
            added.iter().for_each(|folder| kernel.unwatch(folder));
        }
        (found, is_full)
    }

    /// Looks at everything of a type again.
    fn look(&mut self, one: &mut ToldWatch, now: Instant) {
        self.ignores.forget();
        let (found, full) = self.walk(&one.subject, one.subject.is_told());
        one.subject.compare(found, now);
        self.poll_if(one, full);
        self.look_out_for_folder(one, now);
    }

    /// Sees to it that a type which is told of changes is looked at when its folder is there again: the system tells
    /// nothing of what is not there.
    fn look_out_for_folder(&self, one: &mut ToldWatch, now: Instant) {
        let is_absent = one.subject.is_told() && !one.subject.target.folder.is_dir();
        one.subject.lookout = is_absent.then(|| now + POLL_INTERVAL);
    }

    fn look_for_folder(&mut self, one: &mut ToldWatch, now: Instant) {
        self.look_out_for_folder(one, now);
        if one.subject.lookout.is_none() && one.subject.is_told() {
            self.look(one, now);
        }
    }

    /// Returns whether the folder of a type is another one than that which is watched by its name, or none.
    fn has_other_folder(&mut self, one: &ToldWatch) -> bool {
        let kernel = self.kernel.as_mut().filter(|_| one.subject.is_told());
        kernel.is_some_and(|kernel| match kernel.watch(&one.subject.target.folder) {
            Ok(is_other) => is_other,
            Err(NoWatch::Absent) => one.subject.lookout.is_none(),
            Err(NoWatch::Full) => true,
        })
    }

    fn take(&mut self, hint: FileHint) {
        let now = (self.clock.now)();
        let (path, was_folder) = match hint {
            FileHint::Lost => (None, false),
            FileHint::Gone(path) => {
                let was_folder = self.kernel.as_mut().is_some_and(|kernel| kernel.forget(&path));
                (Some(path), was_folder)
            }
            FileHint::Touched(path) => (Some(path), false),
        };
        let mut subjects = std::mem::take(&mut self.subjects);
        let mut is_one_polled = false;
        for one in subjects.iter_mut().filter(|one| one.subject.is_told()) {
            match &path {
                None => self.look(one, now),
                Some(path) if one.subject.is_in(path) => self.look(one, now),
                Some(path) if one.subject.is_ruled_by(path) => {
                    self.read_rules_again(one, path, now);
                }
                Some(path) if one.subject.holds(path) => {
                    if was_folder {
                        one.subject.touch_below(path, now);
                    }
                    self.look_at(one, path, now);
                }
                Some(_) => {}
            }
            is_one_polled |= !one.subject.is_told();
        }
        self.subjects = subjects;
        if is_one_polled {
            self.keep_needed();
        }
    }

    /// Looks at what a hint is about: a file that counts is touched, a new folder is watched and read.
    fn look_at(&mut self, one: &mut ToldWatch, path: &Path, now: Instant) {
        if Ignores::are_in(path) {
            self.read_rules_again(one, path, now);
        }
        let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        if !one.subject.counts(&mut self.ignores, path, is_folder) {
            return;
        }
        if !is_folder {
            one.subject.touch(path, now);
            return;
        }
        let (found, is_full) = self.walk_below(&one.subject, path, true);
        for (file, _) in found {
            one.subject.touch(&file, now);
        }
        if is_full {
            self.look(one, now);
        }
    }

    fn read_rules_again(&mut self, one: &mut ToldWatch, rules: &Path, now: Instant) {
        self.ignores.forget();
        let (found, full) = self.walk(&one.subject, true);
        let written = rules.metadata().and_then(|found| found.modified()).ok();
        one.subject.rules_have_changed(found, written, now);
        self.poll_if(one, full);
        self.tell_count(one);
    }

    fn poll_if(&mut self, one: &mut ToldWatch, cause: Option<PollCause>) {
        if let Some(cause) = cause {
            one.subject.mode = self.next_poll(&one.subject);
            (self.tell)(WatchReport::Polls { id: one.subject.target.id, cause });
            self.tell_count(one);
        }
    }

    fn tell_count(&self, one: &mut ToldWatch) {
        let report = WatchReport::Watching {
            id: one.subject.target.id,
            files: one.subject.count(),
            is_polling: !one.subject.is_told(),
        };
        if one.told.as_ref() != Some(&report) {
            (self.tell)(report.clone());
            one.told = Some(report);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use crossbeam_channel::unbounded;

    use super::super::{Patterns, real};
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "the tests are the clock of the watch")]
    const CLOCK: WatchClock = WatchClock { now: Instant::now, wall: SystemTime::now };

    #[test]
    fn a_folder_that_was_replaced_while_hints_were_lost_is_watched_on() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = real(scratch.path());
        let (inputs, taken) = unbounded();
        let mut worker = Worker::new(CLOCK, Box::new(|_| {}), inputs);
        let target = WatchTarget {
            id: 0,
            folder: folder.clone(),
            patterns: Patterns::parse::<&str>(&[]).unwrap(),
            silence: Duration::ZERO,
            poll: None,
            own_files: Arc::default(),
        };
        fs::create_dir(folder.join("src")).unwrap();
        worker.watch(Watchlist { targets: vec![target], since: SystemTime::UNIX_EPOCH });
        // Whatever the system says of it is lost.
        fs::remove_dir(folder.join("src")).unwrap();
        fs::create_dir(folder.join("src")).unwrap();
        worker.take(FileHint::Lost);
        let file = folder.join("src/a");
        fs::write(&file, "x").unwrap();
        let is_told = |input: WatchInput| match input {
            WatchInput::Hints(hints) => {
                hints.iter().any(|hint| matches!(hint, FileHint::Touched(path) if *path == file))
            }
            WatchInput::Watch(_) | WatchInput::End => false,
        };
        let limit = Duration::from_secs(10);
        while !is_told(taken.recv_timeout(limit).expect("the system tells of the file")) {}
    }
}
