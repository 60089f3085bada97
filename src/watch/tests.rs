mod bursts;
mod folders;
mod saves;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, unbounded};
use tempfile::TempDir;

use super::{
    FileChange, FileWatcher, OwnFiles, Patterns, PollCause, WatchClock, WatchReport, WatchTarget,
    Watchlist, real,
};
use crate::git::{GitActivity, GitFolder};
use crate::long::cases;

const SILENCE: Duration = Duration::from_millis(60);
const LIMIT: Duration = Duration::from_secs(10);
/// Nothing is expected for so long.
const QUIET: Duration = Duration::from_millis(400);

#[expect(clippy::disallowed_methods, reason = "the tests are the clock of the watch")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the tests are the clock of the watch")]
fn wall() -> SystemTime {
    SystemTime::now()
}

/// A folder that is watched for one type.
struct WatchedFolder {
    folder: TempDir,
    /// The part of it that is the type's.
    below: &'static str,
    watch: FileWatcher,
    reports: Receiver<WatchReport>,
    globs: Vec<String>,
    poll: Option<Duration>,
}

impl WatchedFolder {
    fn begin(files: &[&str], globs: &[&str]) -> Self {
        Self::polled(files, globs, None)
    }

    fn polled(files: &[&str], globs: &[&str], poll: Option<Duration>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            write(folder.path(), file, "first");
        }
        Self::with(folder, "", globs, poll)
    }

    fn of(folder: TempDir, globs: &[&str]) -> Self {
        Self::with(folder, "", globs, None)
    }

    fn below(folder: TempDir, below: &'static str, globs: &[&str]) -> Self {
        Self::with(folder, below, globs, None)
    }

    fn with(folder: TempDir, below: &'static str, globs: &[&str], poll: Option<Duration>) -> Self {
        let (sender, reports) = unbounded();
        let tell = move |report| {
            let _ = sender.send(report);
        };
        let (watch, work) = FileWatcher::new(WatchClock { now, wall }, tell);
        thread::spawn(work);
        let globs = globs.iter().map(|&glob| glob.to_owned()).collect();
        let watching = Self { folder, below, watch, reports, globs, poll };
        // What the test wrote a moment ago was there before the start.
        watching.watch_from(clock_of_files(watching.folder.path()));
        watching
    }

    fn watch_from(&self, since: SystemTime) {
        self.watch.watch(Watchlist { targets: vec![self.target(SILENCE)], since });
    }

    /// From now on a burst is over after so much silence.
    fn be_silent_for(&self, silence: Duration) {
        self.watch.watch(Watchlist { targets: vec![self.target(silence)], since: wall() });
    }

    fn target(&self, silence: Duration) -> WatchTarget {
        WatchTarget {
            id: 7,
            folder: real(&self.folder.path().join(self.below)),
            patterns: Patterns::parse(&self.globs).expect("globs"),
            silence,
            poll: self.poll,
            own_files: Arc::new(OwnFiles::new([self.path("state")], [self.path("pm.log")])),
        }
    }

    fn next(&self) -> WatchReport {
        self.reports.recv_timeout(LIMIT).expect("a report")
    }

    fn expect_count(&self, count: usize) {
        let is_polling = self.poll.is_some();
        loop {
            if self.next() == (WatchReport::Watching { id: 7, files: count, is_polling }) {
                return;
            }
        }
    }

    fn change(&self) -> FileChange {
        loop {
            if let WatchReport::Changed(change) = self.next() {
                return change;
            }
        }
    }

    fn expect_change(&self, files: &[&str]) {
        let change = self.change();
        let mut names = change.files;
        names.sort();
        assert_eq!(
            (names, change.count),
            (files.iter().map(|&f| f.to_owned()).collect(), files.len())
        );
    }

    fn expect_nothing(&self) {
        while let Ok(report) = self.reports.recv_timeout(QUIET) {
            assert!(!matches!(report, WatchReport::Changed(_)), "{report:?}");
        }
    }

    fn write(&self, file: &str, text: &str) {
        write(self.folder.path(), file, text);
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join(file)
    }
}

fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// Runs a program in a folder; it succeeds.
fn run(folder: &Path, program: &str, arguments: &[&str]) {
    let done = Command::new(program).current_dir(folder).args(arguments).output();
    let done = done.expect("it can be started");
    assert!(done.status.success(), "{program} {arguments:?}: {done:?}");
}

fn git(folder: &Path, arguments: &[&str]) {
    let settings = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "init.defaultBranch=main"];
    run(folder, "git", &[&settings, arguments].concat());
}

/// The time that a file gets which is written now.
fn clock_of_files(folder: &Path) -> SystemTime {
    let probe = folder.join("pm.log");
    fs::write(&probe, "x").expect("a file");
    probe.metadata().and_then(|found| found.modified()).expect("a time")
}

#[test]
fn other_bytes_are_a_change_and_the_same_bytes_are_none() {
    let watching = WatchedFolder::begin(&["src/a.py", "src/b.txt"], &["src/**/*.py"]);
    watching.expect_count(1);
    watching.write("src/a.py", "second");
    watching.expect_change(&["src/a.py"]);
    watching.write("src/a.py", "second");
    watching.write("src/b.txt", "second");
    watching.write("src/a.py~", "second");
    watching.expect_nothing();
}

#[test]
fn one_burst_is_one_change_with_ten_names() {
    let files: Vec<String> = (0..25).map(|n| format!("f{n:02}")).collect();
    let watching =
        WatchedFolder::begin(&files.iter().map(String::as_str).collect::<Vec<_>>(), &["f*"]);
    watching.expect_count(25);
    for file in &files {
        watching.write(file, "second");
    }
    let change = watching.change();
    assert_eq!((change.count, change.files.len()), (25, 10));
    assert_eq!(change.files, files[..10]);
    watching.expect_nothing();
}

#[test]
fn what_is_made_removed_or_renamed_is_a_change() {
    let watching = WatchedFolder::begin(&["a", "b"], &["?"]);
    watching.expect_count(2);
    watching.write("c", "new");
    watching.expect_change(&["c"]);
    fs::remove_file(watching.path("a")).expect("removed");
    watching.expect_change(&["a"]);
    fs::rename(watching.path("b"), watching.path("d")).expect("renamed");
    watching.expect_change(&["b", "d"]);
    watching.write(".tmp", "third");
    fs::rename(watching.path(".tmp"), watching.path("c")).expect("renamed");
    watching.expect_change(&["c"]);
}

#[test]
fn a_file_that_is_made_and_removed_in_one_burst_is_no_change() {
    let watching = WatchedFolder::begin(&["a"], &[]);
    watching.expect_count(1);
    watching.write("made", "x");
    fs::remove_file(watching.path("made")).expect("removed");
    watching.expect_nothing();
}

#[test]
fn a_file_in_folders_that_were_made_just_before_is_seen() {
    let watching = WatchedFolder::begin(&["a.txt"], &["**/*.txt"]);
    watching.expect_count(1);
    for round in 0..cases(50) {
        let file = format!("r{round}/a/b/c/d/x.txt");
        watching.write(&file, "x");
        watching.expect_change(&[&file]);
    }
}

#[test]
fn what_pm_writes_itself_does_not_count_even_where_it_was_renamed() {
    let watching = WatchedFolder::begin(&["a", "pm.log.1", "state/x"], &[]);
    watching.expect_count(1);
    for file in ["pm.log", "pm.log.2", "state/x", "state/new/y"] {
        watching.write(file, "second");
    }
    fs::rename(watching.path("pm.log"), watching.path("pm.log.1")).expect("renamed");
    watching.expect_nothing();
    watching.write("pm.log.bak", "second");
    watching.expect_change(&["pm.log.bak"]);
}

#[test]
fn a_folder_that_was_replaced_is_watched_on() {
    let watching = WatchedFolder::begin(&["src/a", "new/a"], &["src/**"]);
    watching.expect_count(1);
    fs::rename(watching.path("src"), watching.path("old")).expect("renamed");
    fs::rename(watching.path("new"), watching.path("src")).expect("renamed");
    watching.expect_nothing();
    watching.write("src/a", "second");
    watching.expect_change(&["src/a"]);
    watching.write("old/a", "second");
    watching.expect_nothing();
}

#[test]
fn what_git_leaves_out_does_not_count_unless_a_glob_names_it() {
    let files = ["src/a", "dist/a", "node_modules/p/a", "sub/.gitignore", "sub/gen"];
    let watching = WatchedFolder::begin(&files, &[]);
    watching.expect_count(4);
    watching.write("sub/.gitignore", "gen\n");
    // Not yet a repository: .gitignore does not count.
    watching.expect_change(&["sub/.gitignore"]);
    watching.write("sub/gen", "second");
    watching.expect_change(&["sub/gen"]);
    drop(watching);

    let watching = WatchedFolder::begin(
        &["src/a", "dist/js/a", "dist/css/a", ".git/HEAD"],
        &["dist/js/**", "src/**"],
    );
    watching.expect_count(2);
    write(watching.folder.path(), ".gitignore", "dist\n");
    watching.expect_nothing();
    watching.write("dist/css/a", "second");
    watching.write(".git/HEAD", "second");
    watching.expect_nothing();
    watching.write("dist/js/a", "second");
    watching.expect_change(&["dist/js/a"]);
}

#[test]
fn a_rule_that_is_added_or_taken_out_holds_at_once() {
    let watching =
        WatchedFolder::begin(&[".git/HEAD", "a", "out/b", ".gitignore"], &["!.gitignore"]);
    watching.expect_count(2);
    watching.write(".gitignore", "out/\n");
    watching.expect_count(1);
    watching.write("out/b", "second");
    watching.expect_nothing();
    watching.write(".gitignore", "\n");
    watching.expect_count(2);
    watching.write("out/b", "third");
    watching.expect_change(&["out/b"]);
}

#[test]
fn a_burst_is_not_over_while_git_is_at_work() {
    let watching = WatchedFolder::begin(&["a", ".git/HEAD"], &[]);
    watching.expect_count(1);
    watching.write(".git/index.lock", "");
    watching.write("a", "second");
    watching.expect_nothing();
    watching.write("b", "second");
    fs::remove_file(watching.path(".git/index.lock")).expect("removed");
    watching.expect_change(&["a", "b"]);
}

#[test]
fn a_file_that_was_written_after_the_start_has_changed() {
    let watching = WatchedFolder::begin(&["a"], &[]);
    watching.expect_count(1);
    drop(watching);
    let watching = WatchedFolder::polled(&["a"], &["a", "b"], None);
    watching.expect_count(1);
    watching.watch.watch(Watchlist { targets: Vec::new(), since: wall() });
    let since = wall() - Duration::from_secs(10);
    let written = |file: &str, at: SystemTime| {
        let opened = fs::File::options().write(true).open(watching.path(file));
        opened.and_then(|file| file.set_modified(at)).expect("a time");
    };
    written("a", since);
    fs::write(watching.path("b"), "x").expect("a file");
    written("b", since + Duration::from_secs(1));
    let mut target = WatchTarget {
        id: 7,
        folder: watching.folder.path().canonicalize().expect("a real path"),
        patterns: Patterns::parse(&["a", "b"]).expect("globs"),
        silence: SILENCE,
        poll: None,
        own_files: Arc::default(),
    };
    let list = |target: &WatchTarget| Watchlist { targets: vec![target.clone()], since };
    watching.watch.watch(list(&target));
    watching.expect_change(&["b"]);
    // A list that says the same is no reason to look again.
    target.silence = Duration::from_millis(30);
    watching.watch.watch(list(&target));
    watching.expect_nothing();
}

#[test]
fn without_the_system_changes_are_found_by_looking() {
    let watching =
        WatchedFolder::polled(&["src/a", "src/b"], &["src/**"], Some(Duration::from_millis(50)));
    assert_eq!(watching.next(), WatchReport::Polls { id: 7, cause: PollCause::Asked });
    watching.expect_count(2);
    watching.write("src/a", "other");
    watching.expect_change(&["src/a"]);
    watching.write("src/new/c", "other");
    watching.expect_change(&["src/new/c"]);
    fs::remove_file(watching.path("src/b")).expect("removed");
    watching.expect_change(&["src/b"]);
    watching.write("src/a", "other");
    watching.expect_nothing();
}

#[test]
fn a_glob_that_means_nothing_is_told() {
    let watching = WatchedFolder::begin(&["a"], &["a", "src/**/*.py"]);
    assert_eq!(
        watching.next(),
        WatchReport::NothingMatches { id: 7, glob: "src/**/*.py".to_owned() }
    );
}

#[test]
fn a_worktree_of_git_has_its_lock_and_its_exclusions_elsewhere() {
    if !crate::skipped::has_program("git") {
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let git = |arguments: &[&str]| git(home.path(), arguments);
    git(&["init", "-q", "main"]);
    git(&["-C", "main", "commit", "-q", "--allow-empty", "-m", "x"]);
    git(&["-C", "main", "worktree", "add", "-q", "../tree"]);
    let tree = home.path().join("tree").canonicalize().expect("a real path");
    write(&home.path().join("main"), ".git/info/exclude", "*.log\n");
    let mut ignores = super::ignores::Ignores::default();
    assert!(ignores.leave_out(&tree.join("a.log"), false));
    assert!(!ignores.leave_out(&tree.join("a.txt"), false));
    let found = tree.join("sub").ancestors().find_map(GitFolder::of).expect("a repository");
    assert_eq!(found.activity(), GitActivity::None);
    write(&home.path().join("main"), ".git/worktrees/tree/rebase-merge/done", "");
    assert_eq!(found.activity(), GitActivity::BetweenSteps);
    write(&home.path().join("main"), ".git/worktrees/tree/index.lock", "");
    assert_eq!(found.activity(), GitActivity::AtWork);
}
