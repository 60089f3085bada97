//! Information about processes from `ps`, with the options of POSIX.
//!
//! Each look takes about 10 ms of CPU time and causes a SIGCHLD itself, so it must not be a reaction to SIGCHLD.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getsid};

use crate::os::processes::HeldPipe;

/// Its path on macOS, the BSDs and Linux. PATH is not used, because it may be the application's.
const PS: &str = "/bin/ps";
/// The columns, without their headings: [`parse`] reads them.
const COLUMNS: [&str; 12] =
    ["-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "stat=", "-o", "rss=", "-o", "time="];
/// The columns that [`parse_named`] reads.
const NAMES: [&str; 10] =
    ["-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "comm=", "-o", "args="];

/// One process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: Pid,
    pub(crate) parent: Pid,
    pub(crate) group: Pid,
    /// It has ended and waits to be reaped.
    pub(crate) is_zombie: bool,
    /// Memory that is resident, in bytes.
    pub(crate) resident: u64,
    /// Its own CPU time, without that of children it has waited for.
    pub(crate) cpu: Duration,
}

impl Stat {
    /// Returns its session; `None` if it cannot be seen. OpenBSD only tells the caller's own.
    pub(crate) fn session(&self) -> Option<Pid> {
        getsid(Some(self.pid)).ok()
    }
}

/// Returns a message about what pm cannot do: none. docs/portability.md lists what is missing here, and it must not be
/// shown at each start.
pub(crate) fn missing() -> Option<String> {
    None
}

/// Returns every process that can be seen; none if `ps` fails.
pub(crate) fn all() -> Vec<Stat> {
    ps(&COLUMNS).iter().filter_map(|line| parse(line)).collect()
}

/// Returns the lines of `ps` on every process.
fn ps(columns: &[&str]) -> Vec<String> {
    let mut ps = Command::new(PS);
    ps.arg("-A").args(columns).env_clear().env("LC_ALL", "C").process_group(0);
    let Ok(output) = ps.stdin(Stdio::null()).stderr(Stdio::null()).output() else {
        return Vec::new();
    };
    if !output.status.success() {
        return Vec::new();
    }
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn parse(line: &str) -> Option<Stat> {
    let mut fields = line.split_ascii_whitespace();
    let mut pid = || Some(Pid::from_raw(fields.next()?.parse().ok()?));
    let (pid, parent, group) = (pid()?, pid()?, pid()?);
    let is_zombie = fields.next()?.starts_with('Z');
    let kib: u64 = fields.next()?.parse().ok()?;
    // A zombie has none on some systems.
    let cpu = fields.next().and_then(duration).unwrap_or_default();
    Some(Stat { pid, parent, group, is_zombie, resident: kib.saturating_mul(1024), cpu })
}

/// Reads `[[days-]hours:]minutes:seconds[.hundredths]`.
fn duration(text: &str) -> Option<Duration> {
    let (days, rest) = text.split_once('-').unwrap_or(("0", text));
    let (whole, hundredths) = rest.split_once('.').unwrap_or((rest, "0"));
    let seconds = whole
        .split(':')
        .try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))?;
    let days: u64 = days.parse().ok()?;
    let seconds = days.checked_mul(24 * 3600)?.checked_add(seconds)?;
    let hundredths: u64 = hundredths.parse().ok()?;
    Some(Duration::from_secs(seconds) + Duration::from_millis(hundredths.min(99) * 10))
}

/// One process, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) pid: Pid,
    pub(crate) parent: Pid,
    pub(crate) group: Pid,
    /// Its executable, as a name or a path.
    pub(crate) name: String,
    /// Its arguments, joined with spaces.
    pub(crate) arguments: String,
}

impl Named {
    /// Returns its arguments, as far as they can be separated.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.arguments.split_ascii_whitespace()
    }
}

/// Returns every process that can be seen, with its name; none if `ps` fails.
pub(crate) fn all_named() -> Vec<Named> {
    ps(&NAMES).iter().filter_map(|line| parse_named(line)).collect()
}

fn parse_named(line: &str) -> Option<Named> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(char::is_whitespace)?;
        rest = after;
        Some(word)
    };
    let mut pid = || Some(Pid::from_raw(word()?.parse().ok()?));
    let (pid, parent, group) = (pid()?, pid()?, pid()?);
    let name = word()?.to_owned();
    Some(Named { pid, parent, group, name, arguments: rest.trim().to_owned() })
}

/// Returns whether a stop signal from the terminal stops a process at once. There is no portable way to know, so the
/// caller waits until it has stopped.
pub(crate) fn heeds_by_default(_pid: Pid, _signal: Signal) -> bool {
    false
}

/// Returns the pipes that a process has open: none, because there is no POSIX call.
pub(crate) fn held_pipes(_pid: Pid) -> Vec<HeldPipe> {
    Vec::new()
}

/// Returns whether a debugger traces a process: never, because it cannot be seen.
pub(crate) fn is_traced(_pid: Pid) -> bool {
    false
}

/// Returns whether a process is stopped: not seen.
pub(crate) fn is_suspended(_pid: Pid) -> bool {
    false
}

/// Returns whether a process descends from another: unknown.
pub(crate) fn descends_from(_pid: Pid, _leader: Pid) -> Option<bool> {
    None
}

/// Returns the environment of a process: empty, because there is no POSIX call.
pub(crate) fn environment(_pid: Pid) -> Vec<u8> {
    Vec::new()
}

/// Returns the name of a process: empty, because its callers can do without, and `ps` is slow.
pub(crate) fn own_name(_pid: u32) -> String {
    String::new()
}

/// Returns the descendants of a process: none. They would not help, because a process that leaves its group cannot be
/// found after its parent has ended.
pub(crate) fn descendants_of(_ancestor: Pid) -> Vec<Pid> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_every_system_is_read() {
        let table = [
            // Linux, FreeBSD, OpenBSD and NetBSD, macOS.
            ("   42       7    40 Ss    1024 00:01:02", false, 1024, 62_000),
            ("   42    7   40 S+   1024 1-02:00:00", false, 1024, 93_600_000),
            ("42 7 40 Ss 1024  0:01.25", false, 1024, 1_250),
            ("42 7 40 Z 0 0:00.00", true, 0, 0),
            ("42 7 40 Z 0", true, 0, 0),
            ("42 7 40 ?Es 0 -", false, 0, 0),
        ];
        for (line, is_zombie, kib, ms) in table {
            let pid = Pid::from_raw;
            let expected = Stat {
                pid: pid(42),
                parent: pid(7),
                group: pid(40),
                is_zombie,
                resident: kib << 10,
                cpu: Duration::from_millis(ms),
            };
            assert_eq!(parse(line), Some(expected), "{line}");
        }
        for line in ["", "42 7", "PID PPID PGID STAT RSS TIME", "42 7 40 S big 0:00"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_name_of_a_process_is_read_with_its_words() {
        let pid = Pid::from_raw;
        let line = "   42    7   40 /bin/sh          /bin/sh -c a  b ";
        let one = parse_named(line).unwrap();
        assert_eq!((one.pid, one.parent, one.group), (pid(42), pid(7), pid(40)));
        assert_eq!((one.name.as_str(), one.arguments.as_str()), ("/bin/sh", "/bin/sh -c a  b"));
        assert_eq!(one.words().collect::<Vec<_>>(), ["/bin/sh", "-c", "a", "b"]);
        assert_eq!(parse_named("42 7"), None);
        assert!(all_named().iter().any(|one| one.pid == Pid::this()));
    }

    #[test]
    fn this_process_and_its_session_are_found() {
        let me = all().into_iter().find(|stat| stat.pid == Pid::this()).unwrap();
        assert_eq!((me.parent, me.group), (Pid::parent(), nix::unistd::getpgrp()));
        assert!(!me.is_zombie && me.resident > 1 << 20, "{me:?}");
        assert_eq!(me.session(), getsid(None).ok());
    }
}
