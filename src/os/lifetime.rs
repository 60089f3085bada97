//! What a session's life hangs on beside its instances: the process that it was started `--with`, and its root.
//!
//! The thread that listens to signals watches both: where the kernel tells of them, a session that nothing happens to
//! is never woken. Elsewhere they are looked at now and then.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
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
/// How long the watch is left alone after other files beside the root were removed: the first time, and at most,
/// where that goes on. A busy folder (/tmp) must not keep pm busy.
const REST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

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
    /// `None`: nothing can watch it.
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
    /// Watches a root, and a process where there is one.
    pub(crate) fn of(root: PathBuf, process: Option<ProcessEnd>) -> Self {
        let root = fs::canonicalize(&root).unwrap_or(root);
        let watch = FolderWatch::new().ok();
        let mut lifetime = Self { process, root, watch, look: NextLook::WhenTold };
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
        if matches!(self.look, NextLook::WhenTold) && !is_told {
            return None;
        }
        if self.is_missing() {
            self.look = NextLook::Missing(now + MISSING_EVERY);
            return (!was_missing).then_some(LifetimeEvent::RootRemoved);
        }
        self.watch_again(now);
        if is_told && matches!(self.look, NextLook::WhenTold) {
            self.look = NextLook::Rested(now + rest, rest);
        }
        was_missing.then_some(LifetimeEvent::RootRestored)
    }

    /// Watches the root, where that can be done.
    fn watch_again(&mut self, now: Instant) {
        let is_watched = self.watch.as_ref().is_some_and(|watch| watch.set(&self.root).is_ok());
        self.look =
            if is_watched { NextLook::WhenTold } else { NextLook::Unwatched(now + ROOT_EVERY) };
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
        let mut lifetime = Lifetime::of(scratch.path().join("."), Some(end));
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
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("work/app");
        fs::create_dir_all(&root).unwrap();
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(&root, &link).unwrap();
        let mut cat = Command::new("cat");
        let mut holder = cat.stdin(Stdio::piped()).current_dir(&root).spawn().unwrap();
        let mut lifetime = Lifetime::of(link, None);
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
    fn a_busy_folder_beside_the_root_wakes_nobody_for_a_while() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("app");
        fs::create_dir(&root).unwrap();
        let mut lifetime = Lifetime::of(root, None);
        if lifetime.watch.is_none() {
            return;
        }
        assert!(lifetime.patience().is_none(), "an idle session is not woken");
        let other = scratch.path().join("other");
        let busy = || {
            fs::write(&other, "").unwrap();
            fs::remove_file(&other).unwrap();
        };
        busy();
        assert!(wait(&lifetime, lifetime.patience()));
        assert_eq!(lifetime.look().next(), None);
        busy();
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
