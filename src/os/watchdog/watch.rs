//! The watchdog itself: waits until pm is gone, and ends what pm has left.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgrp};

use crate::app::Moment;
use crate::os::clock::Clock;
use crate::os::disposition::{self, Disposition};
use crate::os::pid_table::{Marks, PidTable};
use crate::os::processes::{self, is_marked};
use crate::os::terminal::OwnModes;

/// Time between SIGTERM and SIGKILL when pm is dead. Everything is gone within 2 s.
const POLITE: Duration = Duration::from_millis(1000);
/// Time between two checks whether all have ended, in milliseconds.
const LOOK: u16 = 25;

/// Waits until pm says goodbye, or ends everything if pm dies without it. The watchdog has its own session, so that no
/// key of the terminal reaches it.
///
/// A process that pm is just starting holds pm's end of the pipe until it executes its program. So when the
/// pipe ends, everything has its group and its pipes.
pub(super) fn watch(mut lifeline: impl Read, table: &PidTable, modes: Option<&OwnModes>) {
    let group_of_pm = getpgrp();
    settle_in();
    let mut word = [0_u8; 1];
    match lifeline.read_exact(&mut word) {
        Ok(()) => {}
        Err(_) => {
            // At once: a shell may be asking for the next command already.
            modes.inspect(|modes| modes.restore_for_the_dead());
            end_all(table, group_of_pm);
        }
    }
}

/// Leaves the session, the folder, the descriptors, the name and the signals that a guard has from who has forked it.
pub(in crate::os) fn settle_in() {
    // If a call below fails, the watchdog still works.
    let _ = nix::unistd::setsid();
    let _ = nix::unistd::chdir("/");
    let _ = take_name();
    for signal in
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE]
    {
        disposition::replace(signal as i32, Disposition::ignored());
    }
    // stdin, stdout and stderr must not stay open here: a reader of pm's output must see its end.
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdin(&null);
        let _ = nix::unistd::dup2_stdout(&null);
        let _ = nix::unistd::dup2_stderr(&null);
    }
}

/// Takes the name that `ps` and `pgrep` show, so that `pkill -9 -f 'pm start'` finds pm and not its watchdog.
fn take_name() -> io::Result<()> {
    fs::write("/proc/self/comm", super::NAME)?;
    // Fields 48 and 49 say where the arguments lie (proc_pid_stat(5)); the name before them has no space.
    let stat = fs::read_to_string("/proc/self/stat")?;
    let mut fields = stat.split(' ').skip(47).map_while(|field| field.parse::<u64>().ok());
    if let (Some(start), Some(end)) = (fields.next(), fields.next())
        && let Some(length) =
            usize::try_from(end.saturating_sub(start)).ok().filter(|length| *length > 0)
    {
        let mut arguments = super::NAME.as_bytes().to_vec();
        // If the arguments do not end in NUL, ps shows the environment, too.
        arguments.resize(length - 1, 0);
        arguments.push(0);
        OpenOptions::new().write(true).open("/proc/self/mem")?.write_all_at(&arguments, start)?;
    }
    Ok(())
}

/// Sends SIGTERM once to every group and to every process outside them, then SIGKILL.
fn end_all(table: &PidTable, group_of_pm: Pid) {
    let clock = Clock::start();
    let mut hunt = Hunt { groups: table.groups(), known: Vec::new(), marks: table.marks() };
    let (mut told_groups, mut told) = (Vec::new(), Vec::new());
    loop {
        // Must come before any signal: after its parent has ended, a process cannot be traced to a run.
        let left = hunt.look(group_of_pm);
        if left.is_nothing() || clock.now() >= Moment(POLITE) {
            break;
        }
        for group in &hunt.groups {
            if !told_groups.contains(group) {
                told_groups.push(*group);
                signal_group(*group, Signal::SIGTERM);
                // A stopped process handles SIGTERM only when it is continued.
                signal_group(*group, Signal::SIGCONT);
            }
        }
        for pid in left.outside {
            if !told.contains(&pid) {
                told.push(pid);
                signal_one(pid, Signal::SIGTERM);
                signal_one(pid, Signal::SIGCONT);
            }
        }
        pause(LOOK);
    }
    // Twice: the second look finds what was forked during the first.
    for _ in 0..2 {
        let left = hunt.look(group_of_pm);
        for pid in left.outside {
            signal_one(pid, Signal::SIGKILL);
        }
        for group in &hunt.groups {
            signal_group(*group, Signal::SIGKILL);
        }
    }
}

fn signal_group(group: Pid, signal: Signal) {
    // ESRCH: it is gone, which is what is wanted.
    let _ = killpg(group, signal);
}

fn signal_one(pid: Pid, signal: Signal) {
    // ESRCH: it is gone, which is what is wanted.
    let _ = kill(pid, signal);
}

/// Waits a moment. The end of processes that are not the watchdog's children causes no event.
fn pause(milliseconds: u16) {
    // Only the time matters; an interruption just makes the next look earlier.
    let _ = nix::poll::poll(&mut [], milliseconds);
}

/// Everything that must end, as far as it is known.
#[derive(Debug)]
struct Hunt {
    groups: Vec<Pid>,
    /// Processes outside the groups.
    known: Vec<Pid>,
    marks: Marks,
}

/// Processes that still run.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    is_in_groups: bool,
    outside: Vec<Pid>,
}

impl Left {
    fn is_nothing(&self) -> bool {
        !self.is_in_groups && self.outside.is_empty()
    }
}

/// A living process, as seen by one look.
#[derive(Clone, Copy, Debug)]
struct Seen {
    pid: Pid,
    parent: Pid,
    group: Pid,
    is_marked: bool,
}

impl Hunt {
    /// Looks for everything that must end. Zombies do not count: there may be nobody to reap them (a container without
    /// an init).
    fn look(&mut self, group_of_pm: Pid) -> Left {
        let all = processes::all();
        if all.is_empty() {
            let is_there = |group: &Pid| killpg(*group, None) != Err(Errno::ESRCH);
            let is_in_groups = self.groups.iter().any(is_there);
            return Left { is_in_groups, outside: Vec::new() };
        }
        let me = Pid::this();
        let living = all.iter().filter(|stat| stat.pid != me && !stat.is_zombie);
        let seen = living.map(|stat| Seen {
            pid: stat.pid,
            parent: stat.parent,
            group: stat.group,
            is_marked: is_marked(stat.pid, &self.marks),
        });
        self.sort_out(&seen.collect::<Vec<_>>(), group_of_pm)
    }

    /// Finds the members of the groups; outside the groups, the processes that are marked or were found before; the
    /// descendants of all these; and the groups that these lead or that no longer have a leader. A group that an
    /// unrelated process leads, and pm's own group, are left alone: a run may pass its pipe to a process that somebody
    /// else has started.
    fn sort_out(&mut self, living: &[Seen], group_of_pm: Pid) -> Left {
        let mut found: Vec<Seen> = Vec::new();
        let mut others = living.to_vec();
        loop {
            let is_new = |one: &Seen| {
                one.is_marked
                    || self.groups.contains(&one.group)
                    || self.known.contains(&one.pid)
                    || found.iter().any(|parent| parent.pid == one.parent)
            };
            let (new, rest): (Vec<Seen>, Vec<Seen>) = others.into_iter().partition(is_new);
            if new.is_empty() {
                break;
            }
            others = rest;
            found.extend(new);
            for one in &found {
                let is_stranger = |leader: &Seen| leader.pid == one.group;
                let is_ours = one.group != group_of_pm && !others.iter().any(is_stranger);
                if is_ours && !self.groups.contains(&one.group) {
                    self.groups.push(one.group);
                }
            }
        }
        let is_inside = |one: &&Seen| self.groups.contains(&one.group);
        let is_in_groups = found.iter().any(|one| is_inside(&one));
        let outside: Vec<Pid> =
            found.iter().filter(|one| !is_inside(one)).map(|one| one.pid).collect();
        for pid in &outside {
            if !self.known.contains(pid) {
                self.known.push(*pid);
            }
        }
        Left { is_in_groups, outside }
    }
}

#[cfg(test)]
mod tests;
