//! What the system says of a process, and waits for what no event tells.

use std::fs;
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};
use nix::unistd::Pid;

use super::{End, LIMIT, Sandbox, Session, has, has_program};

/// Between two looks at what tells no one that it has changed.
const LOOK_MS: u8 = 5;

/// Looks until `claim` answers, and fails at the limit. Only for facts that no event announces: a
/// state in /proc, a file that a stranger writes.
#[track_caller]
pub(crate) fn eventually<T>(wanted: &str, mut claim: impl FnMut() -> Option<T>) -> T {
    let watch = Stopwatch::start();
    loop {
        if let Some(answer) = claim() {
            return answer;
        }
        assert!(watch.elapsed() < LIMIT, "waited {LIMIT:?} for {wanted}");
        // Interrupted: the next look comes earlier.
        let _ = poll(&mut [], PollTimeout::from(LOOK_MS));
    }
}

/// Measures how long something takes.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Returns a field of /proc/PID/status: `State`, `SigIgn`, `RssAnon`. `None` where there is none.
pub(crate) fn status(pid: Pid, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// Returns the state of a process as ps(1) writes it: `S`, `T` (stopped), `Z` (ended, not waited for).
/// `None` where there is no such process.
pub(crate) fn state_of(pid: Pid) -> Option<char> {
    status(pid, "State")?.chars().next()
}

impl Session {
    /// Returns the pid of pm's guard: the descendant of that name that leads a session.
    #[track_caller]
    pub(crate) fn guard(&self) -> Pid {
        eventually("the guard", || {
            let is = |pid, field, value: &str| status(pid, field).is_some_and(|is| is == value);
            let is_guard = |pid: &Pid| {
                is(*pid, "Name", "procfile-guard") && is(*pid, "NSsid", &pid.to_string())
            };
            self.descendants().into_iter().map(|process| process.pid).find(is_guard)
        })
    }

    /// Returns the descendants whose command holds `text`.
    pub(crate) fn running(&self, text: &str) -> Vec<Pid> {
        let matching = self.descendants().into_iter().filter(|p| p.command.contains(text));
        matching.filter(|p| p.state != 'Z').map(|p| p.pid).collect()
    }
}

/// Returns unshare(1)'s options for a PID namespace, where one may be made.
pub(crate) fn pid_namespace() -> Option<[&'static str; 3]> {
    let unshare = ["--pid", "--fork", "--mount-proc"];
    let permits = || {
        let end = Sandbox::new().command("unshare", unshare.iter().chain(&["true"])).run().end;
        has("right to make a PID namespace", end == End::Code(0))
    };
    (has_program("unshare") && permits()).then_some(unshare)
}
