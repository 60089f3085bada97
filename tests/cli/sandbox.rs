//! A scratch application and the programs that run in it: tests read as sentences.
//!
//! A [`Sandbox`] is a folder. An [`Invocation`] is a program about to run in it, `pm` mostly; it
//! [runs](Invocation::run) to its end or is [spawned](Invocation::spawn) as a [`Session`] that a test
//! talks to. Every wait is for a fact (a line, an end), and has a limit that prints all that was seen.

#![expect(
    clippy::disallowed_methods,
    reason = "the limits of waits are real time, and PATH is the caller's"
)]

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

pub(crate) mod http;
mod invocation;
mod long;
mod processes;
mod session;
mod skipped;
mod system;

pub(crate) use invocation::{Invocation, Output};
pub(crate) use long::cases;
pub(crate) use processes::{Process, descendants, zombies_of};
pub(crate) use session::{CTRL_C, CTRL_Z, End, Session};
pub(crate) use skipped::{has, has_by_chance, has_program, is_in_path};
pub(crate) use system::{Stopwatch, eventually, pid_namespace, state_of, status};

/// No wait is longer: what has not happened by then does not happen on a loaded machine either.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The program under test.
pub(crate) const PM: &str = env!("CARGO_BIN_EXE_pm");

/// The folder. When the last that needs it is dropped, everything that still runs in it is killed.
struct Folder {
    dir: tempfile::TempDir,
    /// For the sockets of sessions: none of another sandbox is found. What pm keeps is below HOME.
    runtime: tempfile::TempDir,
}

/// A folder of its own for one application. It lives as long as the sandbox or one of its sessions.
pub(crate) struct Sandbox {
    folder: Arc<Folder>,
    env: Vec<(OsString, OsString)>,
}

impl Sandbox {
    /// Makes an empty folder.
    pub(crate) fn new() -> Self {
        static SUBREAPER: Once = Once::new();
        // Orphans then become children of this process, where they can be seen and counted.
        SUBREAPER.call_once(|| {
            nix::sys::prctl::set_child_subreaper(true).expect("prctl works on Linux");
        });
        let dir = tempfile::Builder::new()
            .prefix("pm-test-")
            .tempdir()
            .expect("a scratch folder can be made");
        let runtime = tempfile::tempdir().expect("a scratch folder can be made");
        Self { folder: Arc::new(Folder { dir, runtime }), env: Vec::new() }
    }

    /// Makes a folder with this Procfile.
    pub(crate) fn with_procfile(text: &str) -> Self {
        Self::new().procfile(text)
    }

    /// Copies an example of this project, without what npm installed for it.
    pub(crate) fn of_example(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let app = Self::new();
        copy(&folder, &app.dir());
        app
    }

    /// Writes the Procfile.
    pub(crate) fn procfile(self, text: &str) -> Self {
        self.write("Procfile", text)
    }

    /// Writes a file, and the folders on its path.
    pub(crate) fn write(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        let folder = path.parent().expect("a file in the sandbox has a folder");
        std::fs::create_dir_all(folder).expect("folders can be made in the sandbox");
        std::fs::write(path, text).expect("files can be written in the sandbox");
        self
    }

    /// Sets a variable of every program that runs here.
    pub(crate) fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Returns the folder, without symbolic links: what a program prints as its own.
    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.dir.path().canonicalize().expect("the sandbox is there until it is dropped")
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Returns the text of a file that a program has written, or `None` where there is none.
    pub(crate) fn read(&self, name: &str) -> Option<String> {
        let bytes = std::fs::read(self.path(name)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Is about to run `pm` with these arguments.
    pub(crate) fn pm<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Invocation {
        self.command(PM, args)
    }

    /// Is about to run a shell script.
    pub(crate) fn sh(&self, script: &str) -> Invocation {
        self.command("/bin/sh", ["-c", script])
    }

    /// Is about to run any program.
    pub(crate) fn command<S: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = S>,
    ) -> Invocation {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let mut invocation = Invocation::new(program.as_ref(), args, Arc::clone(&self.folder));
        invocation = invocation.env("PATH", path).env("HOME", self.dir()).env("LANG", "C.UTF-8");
        invocation = invocation.env("XDG_RUNTIME_DIR", self.folder.runtime.path());
        for (key, value) in &self.env {
            invocation = invocation.env(key, value);
        }
        invocation
    }

    /// Returns every living process that a program of this sandbox started, however it left its
    /// parent, group or session. A program is known by its HOME or its current folder.
    pub(crate) fn leftover(&self) -> Vec<Process> {
        processes::belonging_to(&self.dir())
    }

    /// Waits until nothing of this sandbox runs, and fails where something still does after `limit`.
    #[track_caller]
    pub(crate) fn assert_nothing_left_within(&self, limit: Duration) {
        let until = Instant::now() + limit;
        loop {
            let left = self.leftover();
            let Some(process) = left.first() else { return };
            let time_left = until.saturating_duration_since(Instant::now());
            assert!(!time_left.is_zero(), "after {limit:?} these still run: {left:#?}");
            process.wait_for_end(time_left);
        }
    }

    /// Waits until nothing of this sandbox runs.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        self.assert_nothing_left_within(LIMIT);
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the example is in the tree") {
        let entry = entry.expect("the example's folder can be read");
        let (name, path) = (entry.file_name(), entry.path());
        if name == "node_modules" || name == "dist" {
            continue;
        }
        let target = to.join(&name);
        if path.is_dir() {
            std::fs::create_dir_all(&target).expect("folders can be made in the sandbox");
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("files can be copied into the sandbox");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        kill_all(self.dir.path());
    }
}

/// Kills what belongs to `dir`, and what that starts meanwhile, for as long as it takes within the limit.
fn kill_all(dir: &Path) {
    let Ok(dir) = dir.canonicalize() else { return };
    let until = Instant::now() + LIMIT;
    loop {
        let left = processes::belonging_to(&dir);
        let Some(first) = left.first() else { return };
        for process in &left {
            // It may have ended by itself since it was seen.
            let _ = kill(process.pid, Signal::SIGKILL);
        }
        let time_left = until.saturating_duration_since(Instant::now());
        if time_left.is_zero() {
            return;
        }
        first.wait_for_end(time_left);
    }
}
