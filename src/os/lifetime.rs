//! What a session's life hangs on beside its instances: the process that it was started `--with`, and its root.
//!
//! The thread that listens to signals watches both: where the kernel tells of them, a session that nothing happens to
//! is never woken. Elsewhere they are looked at now and then.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::clock;
use super::system::folder_watch::FolderWatch;
pub(crate) use super::system::process_end::ProcessEnd;

/// Between two looks at a process of which the kernel does not tell.
const PROCESS_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at a root that nothing watches.
const ROOT_EVERY: Duration = Duration::from_secs(5);
/// Between two looks whether a root that was removed is there again.
const MISSING_EVERY: Duration = Duration::from_millis(250);
/// How long the root is left alone after something else was removed: the first time, and at most, where that goes on.
/// A busy folder must not keep pm busy; but a removal may have only begun.
const REST: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LifetimeEvent {
    /// The process has ended.
    ProcessEnded,
    /// The root is gone.
    RootRemoved,
    /// The root is there again.
    RootRestored,
}

/// What is watched.
#[derive(Debug)]
pub(crate) struct Lifetime {
    process: Option<ProcessEnd>,
    /// Without symbolic links: what they name is what matters.
    root: PathBuf,
    /// A file in it that goes with it: its Procfile. `None`: nobody is to be told of the root by the kernel; it is
    /// looked at whenever the thread wakes for something else.
    file: Option<PathBuf>,
    /// `None`: nothing watches it.
    watch: Option<FolderWatch>,
    look: NextLook,
}

/// When the root is looked at next.
#[derive(Clone, Copy, Debug)]
enum NextLook {
    /// When the watch tells.
    WhenTold,
    /// Then: the watch has told of other files; and how long it rests.
    Rested(Instant, Duration),
    /// Then: nothing watches it.
    Unwatched(Instant),
    /// Then: it was removed.
    Missing(Instant),
}

impl Lifetime {
    /// Watches a root by a file that may be in it, and a process where there is one.
    pub(crate) fn of(root: &Path, file: Option<&Path>, process: Option<ProcessEnd>) -> Self {
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (root, file) = (real(root), file.map(real));
        let mut lifetime = Self { process, root, file, watch: None, look: NextLook::WhenTold };
        lifetime.watch_again(clock::instant());
        lifetime
    }

    /// Returns what is readable when there is something to look at.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let process = self.process.as_ref().and_then(ProcessEnd::descriptor);
        let watch = match self.look {
            NextLook::WhenTold => self.watch.as_ref().map(FolderWatch::descriptor),
            NextLook::Rested(..) | NextLook::Unwatched(_) | NextLook::Missing(_) => None,
        };
        process.into_iter().chain(watch)
    }

    /// Returns how long a look may wait; `None`: until a descriptor is readable.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let unseen = self.process.as_ref().filter(|process| process.descriptor().is_none());
        let at = match self.look {
            NextLook::WhenTold => None,
            NextLook::Rested(at, _) | NextLook::Unwatched(at) | NextLook::Missing(at) => Some(at),
        };
        let until = at.map(|at| at.saturating_duration_since(clock::instant()));
        until.into_iter().chain(unseen.map(|_| PROCESS_EVERY)).min()
    }

    /// Looks, and says what has happened. To be called whenever the thread has waited.
    pub(crate) fn look(&mut self) -> impl Iterator<Item = LifetimeEvent> + use<> {
        let has_ended = self.process.take_if(|process| process.has_come()).is_some();
        let ended = has_ended.then_some(LifetimeEvent::ProcessEnded);
        ended.into_iter().chain(self.look_at_root(clock::instant()))
    }

    fn look_at_root(&mut self, now: Instant) -> Option<LifetimeEvent> {
        let rest = match self.look {
            NextLook::WhenTold => REST.0,
            NextLook::Rested(at, rest) if at <= now => (2 * rest).min(REST.1),
            NextLook::Unwatched(at) | NextLook::Missing(at) if at <= now => REST.0,
            NextLook::Rested(..) | NextLook::Unwatched(_) | NextLook::Missing(_) => return None,
        };
        let was_missing = matches!(self.look, NextLook::Missing(_));
        let is_told = self.watch.as_ref().is_some_and(FolderWatch::take);
        if matches!(self.look, NextLook::WhenTold) && !is_told && self.file.is_some() {
            return None;
        }
        // Before the look: nothing can happen in between.
        self.watch_again(now);
        if self.is_missing() {
            self.look = NextLook::Missing(now + MISSING_EVERY);
            return (!was_missing).then_some(LifetimeEvent::RootRemoved);
        }
        if is_told && matches!(self.look, NextLook::WhenTold) {
            self.look = NextLook::Rested(now + rest, rest);
        }
        was_missing.then_some(LifetimeEvent::RootRestored)
    }

    /// Watches the root, where that can be done: by a new watch, since what was watched may be gone or elsewhere by now.
    fn watch_again(&mut self, now: Instant) {
        let Some(file) = &self.file else {
            self.look = NextLook::WhenTold;
            return;
        };
        // One beside the root tells nothing of it.
        let file = if file.starts_with(&self.root) { file } else { Path::new("") };
        let set = |watch: FolderWatch| watch.set(&self.root, file).map(|()| watch);
        self.watch = FolderWatch::new().and_then(set).ok();
        self.look = match self.watch {
            Some(_) => NextLook::WhenTold,
            None => NextLook::Unwatched(now + ROOT_EVERY),
        };
    }

    /// Returns whether the root is gone. One that cannot be looked at is not.
    fn is_missing(&self) -> bool {
        let metadata = fs::metadata(&self.root);
        metadata.is_err_and(|error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    /// Waits as the thread does until something has happened.
    fn next(lifetime: &mut Lifetime) -> LifetimeEvent {
        loop {
            wait(lifetime, lifetime.patience());
            if let Some(event) = lifetime.look().next() {
                return event;
            }
        }
    }

    /// Returns whether a descriptor is readable within the limit.
    fn wait(lifetime: &Lifetime, limit: Option<Duration>) -> bool {
        let fds = lifetime.descriptors();
        let mut fds: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let limit = limit.map_or(PollTimeout::NONE, |limit| limit.try_into().unwrap());
        poll(&mut fds, limit).unwrap() > 0
    }

    #[test]
    fn the_end_of_the_process_is_told_once() {
        let scratch = tempfile::tempdir().unwrap();
        let mut process = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let end = ProcessEnd::of(process.id().cast_signed()).unwrap();
        let mut lifetime = Lifetime::of(scratch.path(), Some(Path::new("Procfile")), Some(end));
        assert_eq!(lifetime.look().next(), None);
        drop(process.stdin.take());
        // Where nothing but its id is known, it has to be reaped.
        process.wait().unwrap();
        assert_eq!(next(&mut lifetime), LifetimeEvent::ProcessEnded);
        assert_eq!(lifetime.look().next(), None);
        assert!(ProcessEnd::of(process.id().cast_signed()).is_err(), "it is gone");
        assert!(ProcessEnd::of(0).is_err() && ProcessEnd::of(-1).is_err());
    }

    #[test]
    fn a_root_that_is_somebodys_current_folder_is_seen_to_go_and_to_come_back() {
        for file in ["Procfile", "../Procfile"] {
            goes_and_comes_back(file);
        }
    }

    fn goes_and_comes_back(file: &str) {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("work/app");
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join(file), "").unwrap();
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(&root, &link).unwrap();
        let mut cat = Command::new("cat");
        let mut holder = cat.stdin(Stdio::piped()).current_dir(&root).spawn().unwrap();
        let mut lifetime = Lifetime::of(&link, Some(&root.join(file)), None);
        fs::remove_dir_all(scratch.path().join("work")).unwrap();
        assert_eq!(next(&mut lifetime), LifetimeEvent::RootRemoved);
        fs::create_dir_all(&root).unwrap();
        assert_eq!(next(&mut lifetime), LifetimeEvent::RootRestored);
        // The folder above it is another one by now.
        fs::rename(&root, scratch.path().join("work/other")).unwrap();
        assert_eq!(next(&mut lifetime), LifetimeEvent::RootRemoved);
        holder.kill().unwrap();
        holder.wait().unwrap();
    }

    #[test]
    fn a_root_that_nothing_watches_is_seen_to_go_at_the_next_look() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("app");
        fs::create_dir(&root).unwrap();
        let mut lifetime = Lifetime::of(&root, None, None);
        assert!(lifetime.patience().is_none() && lifetime.descriptors().next().is_none());
        assert_eq!(lifetime.look().next(), None);
        fs::remove_dir(&root).unwrap();
        assert_eq!(lifetime.look().next(), Some(LifetimeEvent::RootRemoved));
        fs::create_dir(&root).unwrap();
        assert_eq!(next(&mut lifetime), LifetimeEvent::RootRestored);
    }

    /// Makes a file in a folder and removes it.
    fn make_and_remove(folder: &Path) {
        let file = folder.join("file");
        fs::write(&file, "").unwrap();
        fs::remove_file(&file).unwrap();
    }

    #[test]
    fn what_happens_in_and_beside_the_root_wakes_nobody() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("app");
        fs::create_dir(&root).unwrap();
        let file = root.join("Procfile");
        fs::write(&file, "").unwrap();
        let mut lifetime = Lifetime::of(&root, Some(&file), None);
        if lifetime.watch.is_none() {
            return;
        }
        make_and_remove(scratch.path());
        make_and_remove(&root);
        fs::write(&file, "web: true").unwrap();
        assert!(!wait(&lifetime, Some(Duration::ZERO)) && lifetime.patience().is_none());
        // An editor that writes a new one; it is watched from then on.
        for _ in 0..2 {
            fs::write(root.join("new"), "").unwrap();
            fs::rename(root.join("new"), &file).unwrap();
            assert!(wait(&lifetime, lifetime.patience()));
            assert_eq!(lifetime.look().next(), None);
            let NextLook::Rested(at, _) = lifetime.look else { panic!("{:?}", lifetime.look) };
            assert_eq!(lifetime.look_at_root(at), None);
        }
        assert!(!wait(&lifetime, Some(Duration::ZERO)) && lifetime.patience().is_none());
    }

    #[test]
    fn a_busy_folder_above_a_root_without_its_file_wakes_nobody_for_a_while() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("app");
        fs::create_dir(&root).unwrap();
        let mut lifetime = Lifetime::of(&root, Some(&root.join("Procfile")), None);
        if lifetime.watch.is_none() {
            return;
        }
        assert!(lifetime.patience().is_none(), "an idle session is not woken");
        make_and_remove(scratch.path());
        assert!(wait(&lifetime, lifetime.patience()));
        assert_eq!(lifetime.look().next(), None);
        make_and_remove(scratch.path());
        assert_eq!(lifetime.descriptors().count(), 0, "it rests");
        let NextLook::Rested(at, rest) = lifetime.look else { panic!("{:?}", lifetime.look) };
        assert_eq!(rest, REST.0);
        assert_eq!(lifetime.look_at_root(at), None);
        assert!(matches!(lifetime.look, NextLook::Rested(_, rest) if rest == 2 * REST.0));
        let NextLook::Rested(at, _) = lifetime.look else { unreachable!("it was looked at") };
        assert_eq!(lifetime.look_at_root(at), None);
        assert!(lifetime.patience().is_none(), "nothing has happened since");
        assert!(!wait(&lifetime, Some(Duration::ZERO)));
    }
}
