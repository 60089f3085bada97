//! The command of `pm run` as a job of the shell that started pm.
//!
//! When the command stops, pm stops in the same way, so that the shell shows its prompt; when pm is continued, it
//! continues the command. In the foreground of a terminal, the command shares pm's process group: the terminal's
//! signals (Ctrl-C, Ctrl-\, Ctrl-Z) reach it directly, and pm forwards only signals that a process sent. Elsewhere the
//! command gets its own group, so that a signal to pm's whole group reaches it once, through pm. Then pm also acts as
//! its shell: it lends the command the terminal when the command needs it and pm's own shell has brought pm to the
//! foreground (`pm run cat &`, `fg`).

use std::fs::File;
use std::io;

use nix::sys::signal::{SigSet, Signal, kill, killpg, raise};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use signal_hook::low_level::siginfo::Origin;

use crate::os::job_control::JobControl;
use crate::os::origin::is_of_terminal;
use crate::os::processes;
use crate::os::wait::{self, Change};

/// The process group of the command.
#[derive(Debug)]
pub(super) enum JobGroup {
    /// pm's own group, which has the terminal.
    Shared,
    /// A group of its own, with pm's controlling terminal, if any.
    Own(Option<File>),
}

impl JobGroup {
    /// Decides by pm's controlling terminal, and not by stdin, which may be a file: a command in its own group would be
    /// stopped if it read a password from /dev/tty.
    pub(super) fn of_caller() -> Self {
        match File::open("/dev/tty") {
            Ok(terminal) if tcgetpgrp(&terminal) == Ok(getpgrp()) => Self::Shared,
            terminal => Self::Own(terminal.ok()),
        }
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }
}

/// A started command.
#[derive(Debug)]
pub(super) struct Job {
    pid: Pid,
    group: JobGroup,
    job_control: JobControl,
    /// The signal that stopped it, while it is stopped.
    stopped: Option<Signal>,
    /// It was sent SIGTSTP, and has not stopped yet.
    is_to_stop: bool,
    /// It had the terminal when it stopped.
    had_terminal: bool,
}

impl Job {
    /// Makes it of a command that was just started, which leads its group if that is its own.
    pub(super) fn new(pid: Pid, group: JobGroup, job_control: JobControl) -> Self {
        Self { pid, group, job_control, stopped: None, is_to_stop: false, had_terminal: false }
    }

    /// Checks the command. Returns its exit code if it has ended; then pm's group has the terminal again.
    pub(super) fn look(&mut self) -> io::Result<Option<i32>> {
        while let Some(change) = wait::change(self.pid)? {
            match change {
                Change::Ended(code) => {
                    self.take_terminal();
                    return Ok(Some(code));
                }
                Change::Stopped(signal) => {
                    (self.stopped, self.is_to_stop) = (Some(signal), false);
                }
                Change::Continued => self.stopped = None,
            }
        }
        Ok(None)
    }

    /// Forwards a signal that pm got, unless the command has got it already.
    pub(super) fn pass_on(&mut self, origin: &Origin) {
        let Ok(signal) = Signal::try_from(origin.signal) else { return };
        let has_it = !self.group.is_own() && is_of_terminal(origin);
        match signal {
            // `look` and `settle` handle these.
            Signal::SIGCHLD | Signal::SIGCONT => {}
            // It has been followed by a SIGCONT, of which `settle` may know already.
            Signal::SIGTSTP if !self.job_control.is_to_stop() => {}
            // The kernel ignores it by default in this case, too: no shell could continue pm.
            Signal::SIGTSTP if processes::is_orphaned(getpgrp()) => {}
            // It stops at once. A shell that waits for a program to begin (vfork) cannot even tell.
            Signal::SIGTSTP if has_it && processes::heeds_by_default(self.pid, signal) => {
                self.stopped = Some(signal);
            }
            _ if has_it => {}
            signal => {
                self.send(signal);
                self.is_to_stop |= signal == Signal::SIGTSTP;
                if self.stopped.is_some() && is_ending(signal) {
                    // A stopped command handles no other signal.
                    self.resume();
                }
            }
        }
    }

    /// Stops pm while the command is stopped, until a shell continues pm, and then continues the command. If no shell
    /// could, pm keeps running: a signal still ends the command.
    pub(super) fn settle(&mut self) {
        let was_resumed = self.job_control.was_resumed();
        if was_resumed && self.is_to_stop && self.stopped.is_none() {
            // It may stop only now, after a SIGCONT that should have prevented it.
            self.resume();
        }
        let Some(signal) = self.stopped else { return };
        let wants_terminal = matches!(signal, Signal::SIGTTIN | Signal::SIGTTOU);
        if was_resumed || wants_terminal && self.is_in_foreground() {
            if self.had_terminal || wants_terminal {
                self.give_terminal();
            }
            self.resume();
            return;
        }
        self.had_terminal = self.take_terminal();
        // A terminal stops a whole group, and other processes of pm's group may wait for pm.
        let is_of_group = self.had_terminal || self.group.is_own() && wants_terminal;
        // A SIGCONT that comes just before SIGSTOP does not cancel it.
        let signal = if signal == Signal::SIGSTOP { Signal::SIGTSTP } else { signal };
        self.job_control.stop_by(signal, || {
            // Neither fails: the signal exists, and so does pm's group.
            let _ = if is_of_group { killpg(getpgrp(), signal) } else { raise(signal) };
        });
    }

    fn resume(&mut self) {
        self.send(Signal::SIGCONT);
        (self.stopped, self.is_to_stop) = (None, false);
    }

    fn send(&self, signal: Signal) {
        // ESRCH: it has just ended, which is noticed next.
        let _ = match self.group {
            JobGroup::Shared => kill(self.pid, signal),
            JobGroup::Own(_) => killpg(self.pid, signal),
        };
    }

    /// Returns whether pm's shell has given the terminal to pm's group, and the command has a group of its own.
    fn is_in_foreground(&self) -> bool {
        self.has_terminal(getpgrp())
    }

    fn has_terminal(&self, group: Pid) -> bool {
        let JobGroup::Own(Some(terminal)) = &self.group else { return false };
        tcgetpgrp(terminal) == Ok(group)
    }

    /// Makes the command's group the foreground group, if pm's group is.
    fn give_terminal(&self) {
        if self.is_in_foreground() {
            self.pass_terminal_to(self.pid);
        }
    }

    /// Makes pm's group the foreground group again. Returns whether the command's was.
    fn take_terminal(&self) -> bool {
        let was_lent = self.has_terminal(self.pid);
        if was_lent {
            self.pass_terminal_to(getpgrp());
        }
        was_lent
    }

    fn pass_terminal_to(&self, group: Pid) {
        let JobGroup::Own(Some(terminal)) = &self.group else { return };
        // A background process would be stopped by this call.
        let stop = SigSet::from(Signal::SIGTTOU);
        let _ = stop.thread_block();
        // It fails if the group or the terminal is gone, when it is no longer needed.
        let _ = tcsetpgrp(terminal, group);
        let _ = stop.thread_unblock();
    }
}

fn is_ending(signal: Signal) -> bool {
    matches!(signal, Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGHUP)
}
