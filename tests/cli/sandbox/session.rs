//! A program that runs, and what a test sees of it: every byte so far, and its end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::termios::{Termios, tcgetattr};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::processes::{Process, descendants};
use super::{Folder, LIMIT};

/// What Ctrl-C sends down a terminal.
pub(crate) const CTRL_C: &str = "\x03";
/// What Ctrl-Z sends down a terminal.
pub(crate) const CTRL_Z: &str = "\x1a";

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(Signal),
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> Self {
        let signal = || status.signal().and_then(|number| Signal::try_from(number).ok());
        let code = status.code().map(Self::Code);
        code.or_else(|| signal().map(Self::Signal))
            .expect("a program ends with a code or by a signal")
    }
}

/// Which of the two streams.
#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// All that has been seen of a program.
#[derive(Default)]
struct Seen {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    open_streams: usize,
    end: Option<End>,
    /// Nobody reads until the program has ended.
    is_unread: bool,
}

impl Seen {
    fn text(&self) -> String {
        format!(
            "{}{}",
            String::from_utf8_lossy(&self.stdout),
            String::from_utf8_lossy(&self.stderr)
        )
    }

    /// Nothing more can come.
    fn is_over(&self) -> bool {
        self.end.is_some() && self.open_streams == 0
    }
}

/// What the threads that watch a program tell the test.
#[derive(Default)]
struct Watch {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Watch {
    /// A test that failed while it held the lock has left nothing half done.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_reading(&self) {
        let is_unread = |seen: &mut Seen| seen.is_unread && seen.end.is_none();
        drop(self.changed.wait_while(self.lock(), is_unread));
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// A running program. On drop, it and all that descends from it are killed.
pub(crate) struct Session {
    shown: String,
    pid: Pid,
    watch: Arc<Watch>,
    terminal: Option<File>,
    /// Keeps the sandbox until the program has ended.
    _folder: Arc<Folder>,
}

impl Session {
    pub(super) fn with_pipes(
        shown: String,
        mut child: Child,
        input: Vec<u8>,
        folder: Arc<Folder>,
    ) -> Self {
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let session = Self::new(shown, child, None, folder);
        if let Some(stdout) = stdout {
            session.read(stdout, Stream::Stdout);
        }
        if let Some(stderr) = stderr {
            session.read(stderr, Stream::Stderr);
        }
        if let Some(mut stdin) = stdin {
            // A program that does not read its input is no failure of the test.
            thread::spawn(move || stdin.write_all(&input));
        }
        session
    }

    pub(super) fn with_terminal(
        shown: String,
        child: Child,
        master: File,
        folder: Arc<Folder>,
    ) -> Self {
        let reader = master.try_clone().expect("a descriptor can be duplicated");
        let session = Self::new(shown, child, Some(master), folder);
        session.read(reader, Stream::Stdout);
        session
    }

    fn new(shown: String, mut child: Child, terminal: Option<File>, folder: Arc<Folder>) -> Self {
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("Linux has no pid over 2^22"));
        let watch = Arc::new(Watch::default());
        let session = Self { shown, pid, watch: Arc::clone(&watch), terminal, _folder: folder };
        thread::spawn(move || {
            // The zombie keeps the pid until the end is on record, so that a signal cannot hit a stranger.
            let end_kept = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(pid), end_kept) == Err(Errno::EINTR) {}
            watch.change(|seen| seen.end = child.wait().ok().map(End::from));
        });
        session
    }

    fn read(&self, mut from: impl Read + Send + 'static, stream: Stream) {
        let watch = Arc::clone(&self.watch);
        watch.change(|seen| seen.open_streams += 1);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                watch.wait_for_reading();
                match from.read(&mut buffer) {
                    Ok(length) if length > 0 => watch.change(|seen| match stream {
                        Stream::Stdout => seen.stdout.extend_from_slice(&buffer[..length]),
                        Stream::Stderr => seen.stderr.extend_from_slice(&buffer[..length]),
                    }),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // A terminal that no process has open reads as EIO: its end of file.
                    Ok(_) | Err(_) => return watch.change(|seen| seen.open_streams -= 1),
                }
            }
        });
    }

    /// Returns the program's pid.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns the standard output so far; of a terminal, all that is on it.
    pub(crate) fn stdout_so_far(&self) -> String {
        String::from_utf8_lossy(&self.watch.lock().stdout).into_owned()
    }

    /// Returns the standard output so far, byte for byte.
    pub(crate) fn stdout_bytes(&self) -> Vec<u8> {
        self.watch.lock().stdout.clone()
    }

    /// Returns the standard error so far.
    pub(crate) fn stderr_so_far(&self) -> String {
        String::from_utf8_lossy(&self.watch.lock().stderr).into_owned()
    }

    /// Returns whether the program has not ended yet.
    pub(crate) fn is_running(&self) -> bool {
        self.watch.lock().end.is_none()
    }

    /// Returns what the program started and what that started.
    pub(crate) fn descendants(&self) -> Vec<Process> {
        descendants(self.pid)
    }

    /// Waits until the output, standard or error, holds `text`.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_for_times(text, 1);
    }

    /// Waits until the output holds `text` so many times.
    #[track_caller]
    pub(crate) fn wait_for_times(&self, text: &str, times: usize) {
        let wanted = match times {
            1 => format!("`{text}`"),
            _ => format!("`{text}` {times} times"),
        };
        self.wait_until(&wanted, |output| output.matches(text).count() >= times);
    }

    /// Waits until the claim holds of the output so far, standard and then error. `wanted` names it
    /// in the failure.
    #[track_caller]
    pub(crate) fn wait_until(&self, wanted: &str, claim: impl Fn(&str) -> bool) {
        self.watch(wanted, |seen| {
            if claim(&seen.text()) {
                return Some(());
            }
            assert!(!seen.is_over(), "{} ended without {wanted}\n{}", self.shown, report(seen));
            None
        });
    }

    /// Waits until the program has ended and its output is closed.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> End {
        self.watch("its end, and the end of its output", |seen| seen.end.filter(|_| seen.is_over()))
    }

    /// Waits until the program has ended, also where another process keeps its output open.
    #[track_caller]
    pub(crate) fn wait_for_end(&mut self) -> End {
        self.watch("its end", |seen| seen.end)
    }

    /// Reads what comes next, and nothing behind it until the program has ended.
    pub(crate) fn stop_reading(&self) {
        self.watch.change(|seen| seen.is_unread = true);
    }

    /// Sends the program a signal; nobody else gets it. Nothing happens after its end.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        let seen = self.watch.lock();
        if seen.end.is_none() {
            kill(self.pid, signal).expect("a process that was not waited for can be signalled");
        }
    }

    /// Sends the program's process group a signal, as a terminal does.
    #[track_caller]
    pub(crate) fn signal_group(&self, signal: Signal) {
        let seen = self.watch.lock();
        if seen.end.is_none() {
            killpg(self.pid, signal)
                .expect("a group whose leader was not waited for can be signalled");
        }
    }

    /// Types on the program's terminal. Fails where it has none.
    #[track_caller]
    pub(crate) fn type_keys(&self, keys: &str) {
        let mut terminal =
            self.terminal.as_ref().expect("only a program of spawn_pty has a terminal");
        terminal.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Returns the modes of the program's terminal.
    #[track_caller]
    pub(crate) fn modes(&self) -> Termios {
        let terminal = self.terminal.as_ref().expect("only a program of spawn_pty has a terminal");
        tcgetattr(terminal).expect("a terminal has modes")
    }

    /// Gives the program's terminal another size.
    #[track_caller]
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let terminal = self.terminal.as_ref().expect("only a program of spawn_pty has a terminal");
        let size = nix::pty::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        #[expect(unsafe_code, reason = "nix has this ioctl only as a macro of unsafe code")]
        // SAFETY: TIOCSWINSZ reads one winsize, which lives until the call returns.
        let done = unsafe {
            nix::libc::ioctl(terminal.as_raw_fd(), nix::libc::TIOCSWINSZ, &raw const size)
        };
        assert_eq!(done, 0, "a terminal can be resized");
    }

    /// Returns how many bytes of the program's output its terminal holds (FIONREAD).
    #[track_caller]
    pub(crate) fn unread_bytes(&self) -> i32 {
        let terminal = self.terminal.as_ref().expect("only a program of spawn_pty has a terminal");
        let mut count = 0;
        #[expect(unsafe_code, reason = "nix has this ioctl only as a macro of unsafe code")]
        // SAFETY: FIONREAD writes one int, which lives until the call returns.
        let done =
            unsafe { nix::libc::ioctl(terminal.as_raw_fd(), nix::libc::FIONREAD, &raw mut count) };
        assert_eq!(done, 0, "a terminal says how much it holds");
        count
    }

    /// Blocks until `claim` answers, and fails with all that was seen at the limit.
    #[track_caller]
    fn watch<T>(&self, wanted: &str, claim: impl Fn(&Seen) -> Option<T>) -> T {
        let until = Instant::now() + LIMIT;
        let mut seen = self.watch.lock();
        loop {
            if let Some(answer) = claim(&seen) {
                return answer;
            }
            let left = until.saturating_duration_since(Instant::now());
            let shown = &self.shown;
            assert!(!left.is_zero(), "{shown}: waited {LIMIT:?} for {wanted}\n{}", report(&seen));
            let woken = self.watch.changed.wait_timeout(seen, left);
            seen = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// All that was seen, for a failure.
fn report(seen: &Seen) -> String {
    let state = match seen.end {
        Some(end) => format!("ended: {end:?}"),
        None => "still running".to_owned(),
    };
    let (stdout, stderr) =
        (String::from_utf8_lossy(&seen.stdout), String::from_utf8_lossy(&seen.stderr));
    format!("{state}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
}

impl Drop for Session {
    fn drop(&mut self) {
        let family = descendants(self.pid);
        let seen = self.watch.lock();
        if seen.end.is_some() {
            return;
        }
        // Each may have ended by itself since it was seen.
        let _ = kill(self.pid, Signal::SIGKILL);
        for process in family {
            let _ = kill(process.pid, Signal::SIGKILL);
        }
    }
}
