//! The guard: a small process that ends every group if pm is killed by SIGKILL.
//!
//! It is forked before pm has threads and much memory, and sleeps in one read of a pipe: no wake-up
//! while pm lives. When the pipe ends without a goodbye, pm is dead: the guard asks every group of the
//! [`Roster`] to end, and kills what is left after [`POLITE`]. It also finds what pm had no time to
//! write down, and what left its group, by the one thing that all instances share: the [`Mark`].

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::{ForkResult, Pid};

use super::clock::Clock;
use super::processes::{self, Stat, is_marked};
use super::roster::Roster;
use super::system::title;
use crate::supervisor::Moment;

/// Time between SIGTERM and SIGKILL when pm is dead. Everything is gone within 2 s.
const POLITE: Duration = Duration::from_millis(1000);
/// How often the guard looks whether all have ended: every so many milliseconds.
const LOOK: u16 = 25;
/// What is written for "pm ends in order".
const GOODBYE: &[u8] = b".";

/// What everything that pm started is known by, when pm has had no time to write it down: the pipe that
/// is its standard input, or where that is a terminal, a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    device: u64,
    inode: u64,
}

impl Mark {
    /// Returns the mark of the pipe that becomes every instance's stdin.
    pub(crate) fn of(stdin: &OwnedFd) -> io::Result<Self> {
        Ok(Self::of_file(&std::fs::File::from(stdin.try_clone()?).metadata()?))
    }

    /// Returns the variable that stands for the pipe.
    pub(crate) fn variable(self) -> (&'static str, String) {
        ("PM_GUARDED", format!("{}.{}", self.device, self.inode))
    }

    /// Returns the mark that any open file would be.
    pub(crate) fn of_file(metadata: &std::fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// pm's end of the guard.
#[derive(Debug)]
pub(crate) struct Guard {
    pipe: io::PipeWriter,
    pid: Pid,
    roster: Roster,
    is_gone: bool,
}

impl Guard {
    /// Forks the guard. `stdin` is the read end of the pipe that becomes every instance's stdin; the
    /// guard closes its copies of `keep_away`. Must be called while this process has one thread.
    pub(crate) fn start(stdin: &OwnedFd, keep_away: &[&OwnedFd]) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let roster = Roster::new()?;
        let mark = Mark::of(stdin)?;
        // SAFETY: this process has one thread, so the child may do everything that the parent may.
        #[expect(unsafe_code, reason = "fork has no safe form")]
        match unsafe { nix::unistd::fork() }? {
            ForkResult::Parent { child } => {
                Ok(Self { pipe: writer, pid: child, roster, is_gone: false })
            }
            ForkResult::Child => {
                drop(writer);
                for fd in keep_away {
                    // Only the guard's copy is closed; the numbers are not used again in this process.
                    let _ = nix::unistd::close(fd.as_raw_fd());
                }
                watch(reader, roster, mark);
                leave()
            }
        }
    }

    /// Returns the guard's process id.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Takes a new group under guard. Returns false where there is no room for it.
    pub(crate) fn add(&self, group: Pid) -> bool {
        self.roster.add(group)
    }

    /// Takes a group that is over out of guard.
    pub(crate) fn remove(&self, group: Pid) {
        self.roster.remove(group);
    }

    /// Returns true once when the guard has ended, which only someone else's signal does.
    pub(crate) fn has_just_ended(&mut self) -> bool {
        if self.is_gone {
            return false;
        }
        #[expect(clippy::disallowed_methods, reason = "the guard is this module's own child")]
        let status = nix::sys::wait::waitpid(self.pid, Some(WaitPidFlag::WNOHANG));
        if status == Ok(WaitStatus::StillAlive) {
            return false;
        }
        self.is_gone = true;
        true
    }

    /// Ends the guard, and waits for it: it has nothing to do.
    pub(crate) fn dismiss(mut self) {
        // An error means that it is gone already, which the wait finds too.
        let _ = self.pipe.write_all(GOODBYE);
        drop(self.pipe);
        if !self.is_gone {
            // One that someone has stopped would not read it, and pm would wait for ever.
            signal_one(self.pid, Signal::SIGKILL);
        }
        #[expect(clippy::disallowed_methods, reason = "the guard is this module's own child")]
        let _ = nix::sys::wait::waitpid(self.pid, None);
    }
}

/// The guard's life. It has its own session, so that no key of the terminal reaches it.
fn watch(mut pipe: io::PipeReader, roster: Roster, mark: Mark) {
    settle_in();
    let mut word = [0_u8; 1];
    match pipe.read_exact(&mut word) {
        Ok(()) => {}
        Err(_) => end_all(&roster.groups(), mark),
    }
}

fn settle_in() {
    // Errors below leave the guard as it was, which is still a guard.
    let _ = nix::unistd::setsid();
    let _ = nix::unistd::chdir("/");
    title::set(c"procfile-guard");
    for signal in
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE]
    {
        // SAFETY: ignoring a signal runs no code.
        #[expect(unsafe_code, reason = "signal dispositions have no safe form")]
        let _ = unsafe { nix::sys::signal::signal(signal, SigHandler::SigIgn) };
    }
    // stdin, stdout and stderr stay open in nobody's name: a reader of pm's output must see its end.
    if let Ok(null) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdin(&null);
        let _ = nix::unistd::dup2_stdout(&null);
        let _ = nix::unistd::dup2_stderr(&null);
    }
}

/// Asks every group and everything outside of them to end, each once, then kills.
fn end_all(groups: &[Pid], mark: Mark) {
    let clock = Clock::start();
    // Before anyone is told: the end of a parent hides where its children came from.
    let mut left = look(groups, mark, &[]);
    signal_groups(groups, Signal::SIGTERM);
    // A stopped process hears SIGTERM only when it goes on.
    signal_groups(groups, Signal::SIGCONT);
    let mut told: Vec<Pid> = Vec::new();
    while clock.now() < Moment(POLITE) && !left.is_nothing() {
        for pid in left.outside {
            if !told.contains(&pid) {
                signal_one(pid, Signal::SIGTERM);
                signal_one(pid, Signal::SIGCONT);
                told.push(pid);
            }
        }
        pause(LOOK);
        left = look(groups, mark, &told);
    }
    // Twice: what was forked while the first went round is found by the second.
    for _ in 0..2 {
        for pid in look(groups, mark, &told).outside {
            signal_one(pid, Signal::SIGKILL);
            told.push(pid);
        }
        signal_groups(groups, Signal::SIGKILL);
    }
}

fn signal_groups(groups: &[Pid], signal: Signal) {
    for group in groups {
        // ESRCH: it is gone, which is what is wanted.
        let _ = killpg(*group, signal);
    }
}

fn signal_one(pid: Pid, signal: Signal) {
    // ESRCH: it is gone, which is what is wanted.
    let _ = kill(pid, signal);
}

/// Who still runs.
struct Left {
    is_in_groups: bool,
    outside: Vec<Pid>,
}

impl Left {
    fn is_nothing(&self) -> bool {
        !self.is_in_groups && self.outside.is_empty()
    }
}

/// Looks for members of the groups, and outside of them for processes that have the pipe as one of
/// their first three descriptors or carry its variable, those `known` from an earlier look, and the descendants of all
/// these. Zombies do not count: nobody may be there to reap them (a container without an init).
fn look(groups: &[Pid], mark: Mark, known: &[Pid]) -> Left {
    let all = processes::all();
    let me = Pid::this();
    let living: Vec<_> = all.iter().filter(|s| s.pid != me && !s.is_zombie).collect();
    let is_inside = |stat: &Stat| groups.contains(&stat.group);
    let is_ours =
        |stat: &Stat| is_inside(stat) || known.contains(&stat.pid) || is_marked(stat.pid, mark);
    let (mut found, mut others): (Vec<&Stat>, Vec<&Stat>) =
        living.into_iter().partition(|s| is_ours(s));
    let mut at = 0;
    while at < found.len() {
        let parent = found[at].pid;
        let (children, rest): (Vec<&Stat>, Vec<&Stat>) =
            others.into_iter().partition(|s| s.parent == parent);
        found.extend(children);
        others = rest;
        at += 1;
    }
    let is_in_groups = if all.is_empty() {
        groups.iter().any(|group| killpg(*group, None) != Err(Errno::ESRCH))
    } else {
        found.iter().any(|stat| is_inside(stat))
    };
    let outside = found.iter().filter(|stat| !is_inside(stat)).map(|stat| stat.pid).collect();
    Left { is_in_groups, outside }
}

/// Lets time pass: pm is dead, and the end of processes that are not the guard's children is no event.
fn pause(milliseconds: u16) {
    // Nothing is waited for but the time; an early end looks sooner.
    let _ = nix::poll::poll(&mut [], milliseconds);
}

/// Ends the guard without pm's own cleaning up.
fn leave() -> ! {
    // SAFETY: _exit(2) ends this process; nothing of it is used again.
    #[expect(unsafe_code, reason = "the forked copy must not run pm's exit handlers")]
    unsafe {
        nix::libc::_exit(0)
    }
}
