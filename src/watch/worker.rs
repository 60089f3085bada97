//! The thread: takes hints and lists, and tells changes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::fingerprint::Fingerprint;
use super::ignores::Ignores;
use super::kernel_watch::{FileHint, KernelWatch, NoWatch};
use super::watched_type::{WatchMode, WatchedType};
use super::{PollCause, WatchInput, WatchReport, WatchTarget, Watchlist, filesystem};

/// How often a type is polled that was not to be.
const POLL: Duration = Duration::from_secs(1);

/// What the thread knows.
pub(super) struct Worker {
    now: fn() -> Instant,
    tell: Box<dyn Fn(WatchReport) + Send>,
    inputs: Sender<WatchInput>,
    kernel: Option<KernelWatch>,
    ignores: Ignores,
    subjects: Vec<ToldWatch>,
}

/// One watched type, and what was last told of it.
struct ToldWatch {
    subject: WatchedType,
    told: Option<WatchReport>,
}

impl Worker {
    pub(super) fn new(
        now: fn() -> Instant,
        tell: Box<dyn Fn(WatchReport) + Send>,
        inputs: Sender<WatchInput>,
    ) -> Self {
        Self { now, tell, inputs, kernel: None, ignores: Ignores::default(), subjects: Vec::new() }
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
            self.do_what_is_due((self.now)());
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let of = |one: &ToldWatch| {
            let poll = match one.subject.mode {
                WatchMode::Told => None,
                WatchMode::Polling(at) => Some(at),
            };
            one.subject.burst.map(|burst| burst.due()).into_iter().chain(poll).min()
        };
        self.subjects.iter().filter_map(of).min()
    }

    fn do_what_is_due(&mut self, now: Instant) {
        let mut subjects = std::mem::take(&mut self.subjects);
        for one in &mut subjects {
            let subject = &mut one.subject;
            if let WatchMode::Polling(at) = subject.mode
                && at <= now
            {
                self.look(subject, now);
                subject.mode =
                    WatchMode::Polling((self.now)() + subject.target.poll.unwrap_or(POLL));
            }
            if subject.burst.is_some_and(|burst| burst.due() <= now) && !subject.waits_for_git(now)
            {
                if let Some(change) = subject.settle(&mut self.ignores) {
                    (self.tell)(WatchReport::Changed(change));
                }
                self.tell_count(one);
            }
        }
        self.subjects = subjects;
    }

    /// Takes a new list: what is in it as before is watched on.
    fn watch(&mut self, list: Watchlist) {
        let made_at = (self.now)();
        let mut before = std::mem::take(&mut self.subjects);
        for target in list.targets {
            let is_same = |one: &ToldWatch| one.subject.target.is_watched_as(&target);
            if let Some(found) = before.iter().position(is_same) {
                let mut one = before.swap_remove(found);
                one.subject.target = target;
                self.tell_count_again(&mut one);
                self.subjects.push(one);
            } else {
                let now_by_the_wall = list.made + (self.now)().saturating_duration_since(made_at);
                let one = self.begin(target, list.started, now_by_the_wall);
                self.subjects.push(one);
            }
        }
        let targets: Vec<WatchTarget> =
            self.subjects.iter().map(|one| one.subject.target.clone()).collect();
        if let Some(kernel) = &mut self.kernel {
            kernel.keep_only(|folder| {
                targets.iter().any(|target| folder.starts_with(&target.folder))
            });
        }
    }

    fn begin(
        &mut self,
        target: WatchTarget,
        started: SystemTime,
        now_by_the_wall: SystemTime,
    ) -> ToldWatch {
        let asked = target.poll.is_some().then_some(PollCause::Asked);
        let deaf = || filesystem::that_tells_nothing(&target.folder).map(PollCause::FileSystem);
        let cause = asked.or_else(deaf).or_else(|| self.have_kernel().err());
        let mut subject = WatchedType::new(target);
        let id = subject.target.id;
        let (found, full) = self.walk(&mut subject, cause.is_none());
        let now = (self.now)();
        if let Some(cause) = cause.or(full) {
            subject.mode = WatchMode::Polling(now + subject.target.poll.unwrap_or(POLL));
            (self.tell)(WatchReport::Polls { id, cause });
        }
        subject.begin(found, started, now_by_the_wall, now);
        for glob in subject.globs_without_a_match() {
            (self.tell)(WatchReport::NothingMatches { id, glob });
        }
        let mut one = ToldWatch { subject, told: None };
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
    fn walk(
        &mut self,
        subject: &mut WatchedType,
        is_told: bool,
    ) -> (Vec<(PathBuf, Fingerprint)>, Option<PollCause>) {
        let folder = subject.target.folder.clone();
        let (found, is_full) = self.walk_below(subject, &folder, is_told);
        if !is_full {
            return (found, None);
        }
        // The others need theirs, and as many as this one would have.
        if let Some(kernel) = &mut self.kernel {
            let others = &self.subjects;
            kernel.keep_only(|one| others.iter().any(|other| other.subject.holds(one)));
        }
        let mut needed = 0;
        let mut found = Vec::new();
        let enter = &mut |_: &Path| {
            needed += 1;
            true
        };
        subject.walk(&mut self.ignores, &folder, enter, &mut |path, file| found.push((path, file)));
        (found, Some(PollCause::NoWatchLeft { needed }))
    }

    /// Goes through a folder and what is below it; returns also whether no watch was left.
    fn walk_below(
        &mut self,
        subject: &WatchedType,
        folder: &Path,
        is_told: bool,
    ) -> (Vec<(PathBuf, Fingerprint)>, bool) {
        let (mut found, mut is_full) = (Vec::new(), false);
        let mut kernel = self.kernel.as_mut().filter(|_| is_told);
        let enter = &mut |folder: &Path| {
            is_full =
                kernel.as_mut().is_some_and(|kernel| kernel.watch(folder) == Err(NoWatch::Full));
            !is_full
        };
        subject.walk(&mut self.ignores, folder, enter, &mut |path, file| found.push((path, file)));
        (found, is_full)
    }

    /// Looks at everything of a type again.
    fn look(&mut self, subject: &mut WatchedType, now: Instant) {
        self.ignores.forget();
        let (found, _) = self.walk(subject, false);
        subject.compare(found, now);
    }

    fn take(&mut self, hint: FileHint) {
        let now = (self.now)();
        let mut subjects = std::mem::take(&mut self.subjects);
        let is_told = |one: &&mut ToldWatch| one.subject.mode == WatchMode::Told;
        match hint {
            FileHint::Lost => {
                for one in subjects.iter_mut().filter(is_told) {
                    self.ignores.forget();
                    let (found, full) = self.walk(&mut one.subject, true);
                    one.subject.compare(found, now);
                    self.poll_where_full(one, full);
                }
            }
            FileHint::Gone(path) => {
                let was_folder = self.kernel.as_mut().is_some_and(|kernel| kernel.forget(&path));
                for one in
                    subjects.iter_mut().filter(|one| one.subject.holds(&path)).filter(is_told)
                {
                    if was_folder {
                        one.subject.touch_below(&path, now);
                    }
                    self.look_at(one, &path, now);
                }
            }
            FileHint::Touched(path) => {
                for one in
                    subjects.iter_mut().filter(|one| one.subject.holds(&path)).filter(is_told)
                {
                    self.look_at(one, &path, now);
                }
            }
        }
        self.subjects = subjects;
    }

    /// Looks at what a hint is about: a file that counts is touched, a new folder is watched and read.
    fn look_at(&mut self, one: &mut ToldWatch, path: &Path, now: Instant) {
        if Ignores::are_in(path) {
            self.read_rules_again(one, path, now);
        }
        let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        if is_folder && path == one.subject.target.folder {
            return;
        }
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
            let (found, full) = self.walk(&mut one.subject, true);
            one.subject.compare(found, now);
            self.poll_where_full(one, full);
        }
    }

    fn read_rules_again(&mut self, one: &mut ToldWatch, rules: &Path, now: Instant) {
        self.ignores.forget();
        let (found, full) = self.walk(&mut one.subject, true);
        let written = rules.metadata().and_then(|found| found.modified()).ok();
        one.subject.rules_have_changed(found, written, now);
        self.poll_where_full(one, full);
        self.tell_count(one);
    }

    fn poll_where_full(&mut self, one: &mut ToldWatch, full: Option<PollCause>) {
        if let Some(cause) = full {
            one.subject.mode = WatchMode::Polling((self.now)() + POLL);
            (self.tell)(WatchReport::Polls { id: one.subject.target.id, cause });
            self.tell_count(one);
        }
    }

    fn tell_count(&self, one: &mut ToldWatch) {
        let report = WatchReport::Watching {
            id: one.subject.target.id,
            files: one.subject.count(),
            is_polling: one.subject.mode != WatchMode::Told,
        };
        if one.told.as_ref() != Some(&report) {
            (self.tell)(report.clone());
            one.told = Some(report);
        }
    }

    /// The list of types is another one: what was told is not known any more.
    fn tell_count_again(&self, one: &mut ToldWatch) {
        one.told = None;
        self.tell_count(one);
    }
}
