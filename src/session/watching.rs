//! The files that the session has watched, and what it was last told of them.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use serde_json::json;

use super::messages::{self, short};
use crate::app::App;
use crate::os::clock::{self, Clock};
use crate::os::job_control::keep_from;
use crate::output::{About, Notice, TypeLogFolder};
use crate::supervisor::{Event, FileChanges};
use crate::watch::{
    FileChange, FileWatcher, OwnFiles, POLL_INTERVAL, Patterns, PollCause, WatchClock, WatchReport,
    WatchTarget, Watchlist, real,
};

const STACK: usize = 256 << 10;
const CLOCK: WatchClock = WatchClock { now: clock::instant, wall: clock::wall };

/// What is watched of a process type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WatchedNow {
    /// How many files.
    pub(super) files: usize,
    /// By looking at them again and again.
    pub(super) is_polling: bool,
}

/// Where a session writes by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnPaths {
    /// Folders that hold nothing else: its state, its socket.
    pub(super) folders: Vec<PathBuf>,
    /// Its log and its trace.
    pub(super) files: Vec<PathBuf>,
    /// The logs of process types, whose folder may hold other files, too.
    pub(super) of_types: Option<TypeLogFolder>,
}

impl OwnPaths {
    fn files(&self, app: &App) -> OwnFiles {
        let of_types = self
            .of_types
            .iter()
            .flat_map(|logs| app.types.iter().map(|own| logs.log_of(&own.name)));
        OwnFiles::new(self.folders.clone(), self.files.iter().cloned().chain(of_types))
    }
}

/// The watch of a session.
pub(super) struct SessionWatch {
    /// It has a thread only where something is watched.
    watch: Option<FileWatcher>,
    /// By the position of the type.
    now: BTreeMap<usize, WatchedNow>,
    own: OwnPaths,
    tell: Arc<dyn Fn(WatchReport) + Send + Sync>,
}

impl SessionWatch {
    pub(super) fn new(own: OwnPaths, tell: impl Fn(WatchReport) + Send + Sync + 'static) -> Self {
        Self { watch: None, now: BTreeMap::new(), own, tell: Arc::new(tell) }
    }

    /// Has the files of an application watched, and no others.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn watch(&mut self, app: &App) -> io::Result<()> {
        let own_files = Arc::new(self.own.files(app));
        let target = |(id, _)| target(app, id, &own_files);
        let targets: Vec<WatchTarget> = app.types.iter().enumerate().filter_map(target).collect();
        self.now.retain(|id, _| targets.iter().any(|target| target.id == *id));
        if self.watch.is_none() && !targets.is_empty() {
            let tell = Arc::clone(&self.tell);
            let (watch, work) = FileWatcher::new(CLOCK, move |report| tell(report));
            let builder = thread::Builder::new().name("watch".to_owned()).stack_size(STACK);
            keep_from(|| builder.spawn(work))?;
            self.watch = Some(watch);
        }
        if let Some(watch) = &self.watch {
            watch.watch(Watchlist { targets, since: clock::wall() });
        }
        Ok(())
    }

    /// Has everything looked at again: the root was removed and made again.
    pub(super) fn look_again(&self) {
        if let Some(watch) = &self.watch {
            watch.look_again();
        }
    }

    /// Returns what is watched of a process type.
    pub(super) fn of(&self, process_type: u16) -> Option<WatchedNow> {
        self.now.get(&usize::from(process_type)).copied()
    }

    /// Takes what the watch tells: something to say, or something that happened.
    pub(super) fn take(
        &mut self,
        report: WatchReport,
        app: &App,
        clock: &Clock,
    ) -> (Option<Notice>, Option<Event>) {
        match report {
            WatchReport::Watching { id, files, is_polling } => {
                self.now.insert(id, WatchedNow { files, is_polling });
                (None, None)
            }
            WatchReport::Polls { id, cause } => (polls(app, id, &cause), None),
            WatchReport::NothingMatches { id, glob } => (nothing_matches(app, id, &glob), None),
            WatchReport::Changed(change) => changed(change, app, clock),
        }
    }
}

fn target(app: &App, id: usize, own_files: &Arc<OwnFiles>) -> Option<WatchTarget> {
    let own = &app.types[id];
    let watch = own.policy.watch.as_ref()?;
    Some(WatchTarget {
        id,
        folder: real(own.folder(&app.root)),
        // They were read before, when the settings were.
        patterns: Patterns::parse(&watch.globs).ok()?,
        silence: watch.debounce,
        poll: watch.poll,
        own_files: Arc::clone(own_files),
    })
}

fn polls(app: &App, id: usize, cause: &PollCause) -> Option<Notice> {
    let own = app.types.get(id)?;
    let name = &own.name;
    let every = short(own.policy.watch.as_ref()?.poll.unwrap_or(POLL_INTERVAL));
    let why = match cause {
        PollCause::Asked => return None,
        PollCause::FileSystem(kind) => format!("{kind} does not report changes"),
        PollCause::NoWatchLeft { needed } => format!(
            "no inotify watch is left for its {needed} folders; raise fs.inotify.max_user_watches by {needed}"
        ),
        PollCause::NoWatcher(error) => format!("cannot watch files: {error}"),
    };
    let text = format!("looking for changed files of `{name}` every {every}: {why}");
    Some(messages::say(About::Session, "polling", text, json!({ "type": name })))
}

fn nothing_matches(app: &App, id: usize, glob: &str) -> Option<Notice> {
    let own = app.types.get(id)?;
    let watch = own.policy.watch.as_ref()?;
    let at = watch.globs.iter().position(|one| one == glob);
    let place = at
        .and_then(|at| watch.places.get(at))
        .map(|place| format!("{place}: "))
        .unwrap_or_default();
    let text = format!("{place}no file matches `{glob}`, which `{}` watches", own.name);
    Some(messages::say(
        About::Session,
        "nothing-matches",
        text,
        json!({ "type": own.name, "glob": glob }),
    ))
}

fn changed(change: FileChange, app: &App, clock: &Clock) -> (Option<Notice>, Option<Event>) {
    let Some(own) = app.types.get(change.id) else { return (None, None) };
    let Ok(process_type) = u16::try_from(change.id) else { return (None, None) };
    let facts = json!({ "type": own.name, "files": change.files, "count": change.count });
    let notice = messages::say(About::Session, "changed", String::new(), facts).event();
    let changes = FileChanges {
        file: change.files.into_iter().next().unwrap_or_default(),
        others: change.count.saturating_sub(1),
        since: clock.moment_of(change.first),
    };
    (Some(notice), Some(Event::FilesChanged { process_type, changes }))
}
