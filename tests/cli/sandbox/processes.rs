//! Who runs, from /proc: children, orphans, zombies.

use std::fs;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::Pid;

/// A process as it was when /proc was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: Pid,
    /// Its parent's number.
    pub(crate) parent: Pid,
    /// Its state as ps(1) writes it: `R`, `S`, `T` (stopped), `Z` (ended, not waited for).
    pub(crate) state: char,
    /// Its program and arguments, or its name in brackets.
    pub(crate) command: String,
}

impl Process {
    /// Blocks until the process has ended, for at most `limit`.
    pub(crate) fn wait_for_end(&self, limit: Duration) {
        // No descriptor: it has ended and was waited for.
        let Some(pidfd) = pidfd(self.pid) else { return };
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        // An interrupted or failed wait is a short one; the caller looks again.
        let _ = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], timeout);
    }

    fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// A descriptor that becomes readable when the process ends (pidfd_open(2)); nix has no call for it.
fn pidfd(pid: Pid) -> Option<OwnedFd> {
    #[expect(unsafe_code, reason = "nix has no pidfd_open")]
    // SAFETY: the call takes two integers and touches no memory of ours.
    let fd = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    #[expect(unsafe_code, reason = "the call above returns a bare number")]
    // SAFETY: the descriptor was opened just above, and nothing else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns every process of the system that can be read.
fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.filter_map(|entry| read(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// Reads /proc/PID/stat: `pid (name) state ppid …`, where the name may hold spaces and brackets.
fn read(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let (before, after) = stat.rsplit_once(") ")?;
    let mut fields = after.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = Pid::from_raw(fields.next()?.parse().ok()?);
    let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = cmdline.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let command = match words.join(" ").trim_end() {
        "" => format!("[{}]", before.split_once('(')?.1),
        text => text.to_owned(),
    };
    Some(Process { pid: Pid::from_raw(pid), parent, state, command })
}

/// Returns the children of `pid`, theirs, and so on; zombies too.
pub(crate) fn descendants(pid: Pid) -> Vec<Process> {
    let all = all();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            parents.push(process.pid);
            found.push(process.clone());
        }
    }
    found
}

/// Returns the children of `pid` that have ended and were not waited for.
pub(crate) fn zombies_of(pid: Pid) -> Vec<Process> {
    all().into_iter().filter(|process| process.parent == pid && process.is_zombie()).collect()
}

/// Returns every living process whose HOME is `dir`, or whose current folder is in it.
///
/// Both are asked, since a program may overwrite the one (redis-server puts its title over its
/// environment) or change the other.
pub(super) fn belonging_to(dir: &Path) -> Vec<Process> {
    let mut home = b"HOME=".to_vec();
    home.extend_from_slice(dir.as_os_str().as_bytes());
    let belongs = |process: &Process| {
        let proc = format!("/proc/{}", process.pid);
        let environ = fs::read(format!("{proc}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable == home)
            || fs::read_link(format!("{proc}/cwd")).is_ok_and(|folder| folder.starts_with(dir))
    };
    all().into_iter().filter(|process| !process.is_zombie() && belongs(process)).collect()
}
