//! Information about processes from /proc. If it is not mounted, nothing is found, and the callers rely on process
//! groups.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::SplitAsciiWhitespace;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::proc_tree::ProcReader;
use crate::app::text::printable;
use crate::os::processes::HeldPipe;

/// One process, from /proc/PID/stat (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: Pid,
    pub(crate) parent: Pid,
    pub(crate) group: Pid,
    session: Pid,
    /// It has ended and waits to be reaped.
    pub(crate) is_zombie: bool,
    /// CPU time of it and of those it has waited for, in ticks.
    pub(crate) cpu_ticks: u64,
}

impl Stat {
    /// Returns its session; `None` if it cannot be seen.
    pub(crate) fn session(&self) -> Option<Pid> {
        Some(self.session)
    }
}

/// Returns the fields of a stat line behind the name, from the state on, which is field 3. The name may contain spaces
/// and parentheses: it ends at the last `)`.
pub(super) fn stat_fields(line: &[u8]) -> Option<SplitAsciiWhitespace<'_>> {
    let name_end = memchr::memrchr(b')', line)?;
    Some(std::str::from_utf8(line.get(name_end + 2..)?).ok()?.split_ascii_whitespace())
}

/// Returns whether the state of a process is that of one which has ended and waits to be reaped.
pub(super) fn is_zombie(state: &str) -> bool {
    matches!(state, "Z" | "X")
}

/// Parses a stat line.
pub(crate) fn parse(line: &[u8]) -> Option<Stat> {
    let pid = std::str::from_utf8(line.get(..memchr::memchr(b' ', line)?)?).ok()?;
    let mut fields = stat_fields(line)?;
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    // utime, stime, cutime and cstime are fields 14 to 17, and session is 6.
    let ticks = fields.skip(7).take(4).map(|ticks| ticks.parse::<u64>().unwrap_or(0));
    Some(Stat {
        cpu_ticks: ticks.sum(),
        pid: Pid::from_raw(pid.parse().ok()?),
        parent: Pid::from_raw(parent),
        group: Pid::from_raw(group),
        session: Pid::from_raw(session),
        is_zombie: is_zombie(state),
    })
}

/// Returns a message about what pm cannot do, if there is no /proc.
pub(crate) fn missing() -> Option<String> {
    let text = "there is no /proc: processes that leave their process group (setsid, a daemon) are not found \
                when the session ends, and memory is not measured";
    (!is_there()).then(|| text.to_owned())
}

/// Returns whether processes can be seen at all.
pub(crate) fn is_there() -> bool {
    fs::metadata("/proc/self/stat").is_ok()
}

/// Returns every process that can be seen.
pub(crate) fn all() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)).collect()
}

/// Returns the pipes among the first three descriptors of a process; none if they may not be read.
pub(crate) fn held_pipes(pid: Pid) -> Vec<HeldPipe> {
    let held = (0..3).filter_map(|fd| {
        let path = format!("/proc/{pid}/fd/{fd}");
        let inode = pipe(&fs::read_link(&path).ok()?)?;
        // The mode of the link is that of the descriptor (proc_pid_fd(5)).
        let mode = fs::symlink_metadata(&path).ok()?.mode();
        Some(HeldPipe { inode, reads: mode & 0o400 != 0, writes: mode & 0o200 != 0 })
    });
    held.collect()
}

/// Returns the number in `pipe:[number]`.
fn pipe(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("pipe:[")?.strip_suffix(']')?.parse().ok()
}

/// Returns whether a stop signal from the terminal stops a process at once: it neither catches nor ignores it. A shell
/// that blocks it only while it starts a program (vfork) counts, too.
pub(crate) fn heeds_by_default(pid: Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    has_default(&status, signal)
}

/// Returns whether a process neither catches nor ignores a signal. It may block it: a shell does so while it starts a
/// program, and a moment longer.
pub(crate) fn has_default_action(pid: Pid, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    is_default(&status, signal)
}

fn is_default(status: &str, signal: Signal) -> bool {
    is_free(status, "SigIgn:\t", signal) && is_free(status, "SigCgt:\t", signal)
}

fn has_default(status: &str, signal: Signal) -> bool {
    let waits_for_a_start = || field(status, "State:\t").is_some_and(|it| it.starts_with('D'));
    is_default(status, signal) && (is_free(status, "SigBlk:\t", signal) || waits_for_a_start())
}

/// Returns whether a signal is not in this mask of /proc/PID/status (proc_pid_status(5)).
fn is_free(status: &str, key: &str, signal: Signal) -> bool {
    let mask = field(status, key).and_then(|mask| u64::from_str_radix(mask, 16).ok());
    mask.is_some_and(|mask| mask >> (signal as u32 - 1) & 1 == 0)
}

fn field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(key))
}

/// Returns the name and pid of a process, for a person.
pub(crate) fn name_of(pid: Pid) -> String {
    format!("{} (pid {pid})", own_name(pid.as_raw().cast_unsigned())).trim_start().to_owned()
}

/// Returns the name of a process. It may have chosen the name itself, so control characters are escaped.
pub(crate) fn own_name(pid: u32) -> String {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    printable(&String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)))
}

/// Returns the environment that a process was started with, each variable followed by NUL; empty if it cannot be read.
pub(crate) fn environment(pid: Pid) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
}

/// Returns the descendants of a process. Empty if the kernel has no lists of children (CONFIG_PROC_CHILDREN), because
/// each call would have to read all of /proc.
pub(crate) fn descendants_of(ancestor: Pid) -> Vec<Pid> {
    let below = ProcReader::new(PathBuf::from("/proc"), ancestor.as_raw()).below();
    below.into_iter().map(Pid::from_raw).collect()
}

/// Returns whether a debugger traces a process (proc_pid_status(5), TracerPid).
pub(crate) fn is_traced(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|tracer| tracer.trim() != "0")
}

/// Returns whether a process is stopped, by a signal or a debugger (proc_pid_status(5), State).
pub(crate) fn is_suspended(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let state = status.lines().find_map(|line| line.strip_prefix("State:\t"));
    state.is_some_and(|state| state.starts_with(['T', 't']))
}

/// Returns whether a process descends from `leader`, or is in its group; `None` if it is gone.
pub(crate) fn descends_from(pid: Pid, leader: Pid) -> Option<bool> {
    /// Longest chain of parents. A pid that is reused while it is read could make a circle.
    const LONGEST: usize = 1000;
    let mut at = pid;
    for step in 0..LONGEST {
        let read = || parse(&fs::read(format!("/proc/{at}/stat")).ok()?);
        let Some(stat) = read() else { return if step == 0 { None } else { Some(false) } };
        if stat.pid == leader || stat.group == leader {
            return Some(true);
        }
        at = stat.parent;
    }
    Some(false)
}

/// Returns the children of this process, including adopted and dead ones: from the kernel's list if it has one
/// (CONFIG_PROC_CHILDREN), else by a search.
pub(crate) fn children_of(parent: Pid) -> Vec<Pid> {
    match fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")) {
        Ok(list) => list
            .split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok().map(Pid::from_raw))
            .collect(),
        Err(_) => {
            all().into_iter().filter(|stat| stat.parent == parent).map(|stat| stat.pid).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_is_skipped() {
        let stat = parse(b"42 (a) b (c) S 7 40 1 0 -1").unwrap();
        let pid = Pid::from_raw;
        let (parent, group, session) = (pid(7), pid(40), pid(1));
        let expected =
            Stat { pid: pid(42), parent, group, session, is_zombie: false, cpu_ticks: 0 };
        assert_eq!(stat, expected);
        let stat = parse(b"7 (a) S 3 4 1 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 2 0").unwrap();
        assert_eq!(stat.cpu_ticks, 100);
        assert!(parse(b"42 (sh) Z 7 40 1").unwrap().is_zombie);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"42 (sh"), None);
    }

    #[test]
    fn a_signal_is_heeded_that_is_neither_blocked_nor_ignored_nor_caught() {
        let tstp = 1_u64 << (Signal::SIGTSTP as u32 - 1);
        for (state, blocked, ignored, caught, expected) in [
            ('S', 0, 0, 0, true),
            ('R', !tstp, !tstp, !tstp, true),
            ('S', tstp, 0, 0, false),
            ('D', tstp, 0, 0, true),
            ('S', 0, tstp, 0, false),
            ('D', tstp, 0, tstp, false),
        ] {
            let status = format!(
                "Name:\tsh\nState:\t{state} (word)\nSigPnd:\t{tstp:016x}\nSigBlk:\t{blocked:016x}\n\
                 SigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\nCapInh:\t0\n"
            );
            assert_eq!(has_default(&status, Signal::SIGTSTP), expected, "{status}");
        }
        assert!(!has_default("", Signal::SIGTSTP), "nothing is known");
    }

    #[test]
    fn a_name_that_a_process_has_chosen_stays_on_its_line() {
        let named = std::thread::spawn(|| {
            nix::sys::prctl::set_name(c"\x1b[31mA\nforged|").unwrap();
            name_of(nix::unistd::gettid())
        });
        let name = named.join().unwrap();
        assert!(name.starts_with(r"\u{1b}[31mA\nforged| (pid "), "{name}");
    }

    #[test]
    fn this_process_is_found_with_its_child() {
        let me = Pid::this();
        assert!(all().iter().any(|stat| stat.pid == me && !stat.is_zombie));
    }
}
