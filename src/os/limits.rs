//! The limit of open files: raised for pm's own pipes, never for its children.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::descriptors;
use crate::app::{App, InstanceId, Stdio};

/// Descriptors that pm needs besides those of instances: the standard three, epoll, the wake-up, signals, the watchdog
/// and its table, and those of one start in progress.
const BESIDE: u64 = 24;

/// Descriptors of an instance with pipes: its output, and the other end of its stdin.
const PIPE: u64 = 2;
/// Descriptors of an instance with a terminal: for reading, for typing, to keep it open, and to keep its session alive.
const TERMINAL: u64 = 4;
/// How many descriptors are added at a time when a session grows.
const MORE: u64 = 64;
/// Descriptors of an instance whose `ready` or `live` is `notify`: the socket for its messages.
const NOTIFY: u64 = 1;
/// Descriptors of the probes of an instance: a connection, or the output of the command that asks.
const PROBE: u64 = 1;
/// Descriptors that fronts get, as far as the hard limit allows: 2,000 connections, and as many to instances.
const FRONTS: u64 = 4_500;
/// Descriptors of a client at most: its connection, and the terminal that it is attached to.
const CLIENT: u64 = 2;

/// Why the limit of open files is too low.
#[derive(Debug)]
pub(crate) enum NoRoom {
    /// The system refused: what was tried (a verb phrase), and its answer.
    System(&'static str, io::Error),
    /// Every instance needs descriptors, and the hard limit is lower.
    TooMany { instances: usize, needed: u64, limit: u64 },
}

/// The soft limit of open files that pm was started with, where it had to be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    soft: u64,
    raised: u64,
    hard: u64,
    /// Descriptors that the caller left open.
    inherited: u64,
    /// What the instances and pm itself need.
    needed: u64,
    /// Files that are open besides.
    files: u64,
    /// What it takes to probe all instances at the same time. Without that, some are probed later.
    probes: u64,
    /// How many clients may be connected at a time, as far as the hard limit allows. Restarts must find descriptors,
    /// however many clients follow the log.
    clients: usize,
}

/// How many runs there are, by what they need descriptors for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunCounts {
    /// All of them.
    pub(crate) all: usize,
    /// Those with a terminal.
    pub(crate) terminals: usize,
    /// Those with a socket for `notify`.
    pub(crate) notify_sockets: usize,
    /// Those that are probed.
    pub(crate) probed: usize,
}

/// How many clients may be connected, so that a start always finds its descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Connections.
    pub(crate) connections: usize,
    /// Those of them that stream: they follow the output or are attached.
    pub(crate) streaming: usize,
}

impl OpenFiles {
    /// Raises the limit for all instances and this many clients and files, or returns why that is impossible. Must be
    /// called before there are threads.
    pub(crate) fn make_room(app: &App, clients: usize, files: usize) -> Result<Self, NoRoom> {
        let files = files as u64;
        let instances = app.instances().count();
        let descriptors = app.instances().map(|id| {
            let own = app.type_of(id);
            let notify = if own.policy.has_notify_socket() { NOTIFY } else { 0 };
            let of_output = match own.stdio {
                Stdio::Pipes => PIPE,
                Stdio::Terminal => TERMINAL,
            };
            of_output + notify
        });
        let is_probed = |id: &InstanceId| app.type_of(*id).policy.is_probed();
        let probes = PROBE * app.instances().filter(is_probed).count() as u64;
        let (soft, hard) =
            open_files().map_err(|error| NoRoom::System("read the limit of open files", error))?;
        let needed = descriptors.sum::<u64>() + BESIDE + files;
        if needed > hard {
            return Err(NoRoom::TooMany { instances, needed, limit: hard });
        }
        let has_front = app.types.iter().any(|own| own.front.is_some());
        let fronts = if has_front { FRONTS } else { 0 };
        let wanted = needed + probes + of_clients(clients) + fronts;
        let raised = soft.max(wanted.min(hard));
        let inherited = if raised < wanted { open_from_3_to(raised) } else { 0 };
        let limits = Self { soft, raised, hard, inherited, needed, files, probes, clients };
        limits
            .set(limits.raised)
            .map_err(|error| NoRoom::System("raise the limit of open files", error))?;
        // A front is not held up later by its own connections.
        widen_table((needed + fronts).min(raised));
        Ok(limits)
    }

    /// Raises the limit again after the session was scaled up, as far as the hard limit allows. Beyond that, starts
    /// that find no descriptor fail.
    pub(crate) fn make_room_for(&mut self, runs: &RunCounts) {
        let of_output = runs.all as u64 * PIPE + runs.terminals as u64 * (TERMINAL - PIPE);
        self.needed = of_output + runs.notify_sockets as u64 * NOTIFY + BESIDE + self.files;
        self.probes = runs.probed as u64 * PROBE;
        let needed = self.needed + self.probes + of_clients(self.clients);
        if needed <= self.raised || self.raised == self.hard {
            return;
        }
        let wanted = Self { raised: (needed + MORE).min(self.hard), ..*self };
        if wanted.set(wanted.raised).is_ok() {
            *self = wanted;
        }
    }

    /// Returns how many clients may be connected. Of the descriptors that are left over, two are reserved for reading
    /// /proc, and half of the clients may have a terminal besides their connection. There is always room for two
    /// connections.
    pub(crate) fn room(&self) -> Room {
        let taken = self.needed + self.probes + self.inherited;
        let left = self.raised.saturating_sub(taken).saturating_sub(2);
        let connections = usize::try_from((2 * left).div_ceil(3)).unwrap_or(usize::MAX);
        match connections.min(self.clients) {
            0..=2 => Room { connections: 2, streaming: 0 },
            connections => Room { connections, streaming: connections / 2 },
        }
    }

    /// Gives a command the limit that pm was started with: programs that use select(2) cannot handle more. It is
    /// lowered in the child, because posix_spawn(3) refuses descriptors above pm's own limit.
    pub(crate) fn hand_down(self, command: &mut Command) {
        if self.are_as_given() {
            return;
        }
        // SAFETY: between fork and exec only setrlimit is called, which is async-signal-safe.
        #[expect(unsafe_code, reason = "std has no way to lower a limit of a child")]
        unsafe {
            command.pre_exec(move || self.set(self.soft));
        }
    }

    /// Returns whether the limit is the one that pm was started with.
    pub(crate) fn are_as_given(self) -> bool {
        self.soft == self.raised
    }

    fn set(&self, soft: u64) -> io::Result<()> {
        limit_open_files(soft, self.hard)
    }
}

/// Returns how many descriptors this many clients need at most.
fn of_clients(clients: usize) -> u64 {
    clients as u64 * CLIENT
}

/// Makes the kernel's descriptor table of this process large enough. Otherwise it doubles as it fills up, and in a
/// process with threads Linux waits for an RCU grace period each time: about 20 ms in which nothing is started.
fn widen_table(descriptors: u64) {
    let Ok(last) = i32::try_from(descriptors.saturating_sub(1)) else { return };
    // If that fails, the table grows later.
    if let Ok(copy) = fcntl(io::stdin(), FcntlArg::F_DUPFD_CLOEXEC(last)) {
        let _ = nix::unistd::close(copy);
    }
}

/// Returns the number of open descriptors below a limit, without the standard three.
fn open_from_3_to(limit: u64) -> u64 {
    let numbers = 3..i32::try_from(limit).unwrap_or(i32::MAX);
    numbers.filter(|fd| descriptors::is_open(*fd)).count() as u64
}

/// Returns the soft and the hard limit of open files.
pub(super) fn open_files() -> io::Result<(u64, u64)> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok((converted(soft)?, converted(hard)?))
}

/// Sets the limits of open files of the calling process. Async-signal-safe.
pub(super) fn limit_open_files(soft: u64, hard: u64) -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_NOFILE, converted(soft)?, converted(hard)?)?)
}

/// On FreeBSD, limits are signed.
fn converted<From, To: TryFrom<From>>(limit: From) -> io::Result<To> {
    limit.try_into().map_err(|_| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_table_of_descriptors_has_its_size_before_they_are_opened() {
        // See proc_pid_status(5).
        let size = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
            line.trim().parse::<u64>().unwrap()
        };
        let more = size() + 1;
        widen_table(more);
        assert!(size() >= more, "{} {more}", size());
    }

    #[test]
    fn clients_leave_what_a_start_needs() {
        let of = |raised: u64, inherited| OpenFiles {
            soft: 0,
            raised,
            hard: raised,
            inherited,
            needed: 26,
            files: 0,
            probes: 2,
            clients: 64,
        };
        let of_clients = of_clients(64);
        let room = |raised, inherited| of(raised, inherited).room();
        assert_eq!(room(28 + of_clients, 0), Room { connections: 64, streaming: 32 });
        assert_eq!(room(30, 0), Room { connections: 2, streaming: 0 });
        assert_eq!(room(28, 9), Room { connections: 2, streaming: 0 });
        assert_eq!(room(60, 0), Room { connections: 20, streaming: 10 });
        assert_eq!(room(60, 10), Room { connections: 14, streaming: 7 });
        for left in 5..of_clients {
            let Room { connections, streaming } = room(28 + left, 0);
            assert!((connections + streaming) as u64 + 2 <= left + 2, "{left}");
        }
    }
}
