//! The command of `pm run` as a job of the shell that started pm.
//!
//! Where the command stops, pm stops in the same way, so that the shell has its prompt; where pm is resumed, the
//! command is. In the foreground of a terminal the command shares pm's process group: the terminal's own
//! signals (Ctrl-C, Ctrl-\, Ctrl-Z) reach it without pm, and pm passes on only what a process sent. Elsewhere
//! it gets a group of its own, so that a signal to pm's whole group reaches it once, through pm. Then pm is
//! its shell, too: it lends it the terminal when the command wants it and pm's own shell has brought pm to
//! the foreground (`pm run cat &`, `fg`).

use std::fs::File;
use std::io;

use nix::sys::signal::{SigSet, Signal, kill, killpg, raise};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use signal_hook::low_level::siginfo::Origin;

use crate::os::job_control::JobControl;
use crate::os::origin::is_of_terminal;
use crate::os::processes;
use crate::os::wait::{self, Change};

/// Where the command belongs.
#[derive(Debug)]
pub(super) enum JobGroup {
    /// To pm's own group, which has the terminal.
    Shared,
    /// To a group of its own; the terminal is the one that controls pm, where any does.
    Own(Option<File>),
}

impl JobGroup {
    /// Asks the terminal that pm is controlled by, not stdin, which may be a file: a command in a group of
    /// its own that reads a password from /dev/tty would be stopped there.
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
    place: JobGroup,
    job_control: JobControl,
    /// What it was stopped by, while it is.
    stopped: Option<Signal>,
    /// It was sent SIGTSTP, and has not stopped yet.
    is_to_stop: bool,
    /// It had the terminal when it stopped.
    had_terminal: bool,
}

impl Job {
    /// Takes a command that was just started, the leader of its group where that is its own.
    pub(super) fn new(pid: Pid, place: JobGroup, job_control: JobControl) -> Self {
        Self { pid, place, job_control, stopped: None, is_to_stop: false, had_terminal: false }
    }

    /// Looks at the command. Returns its exit code when it has ended; the terminal is then pm's group's again.
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

    /// Passes a signal on that pm got, unless the command has it already.
    pub(super) fn pass_on(&mut self, origin: &Origin) {
        let Ok(signal) = Signal::try_from(origin.signal) else { return };
        let has_it = !self.place.is_own() && is_of_terminal(origin);
        match signal {
            // The news are seen by `look` and `settle`.
            Signal::SIGCHLD | Signal::SIGCONT => {}
            // As the kernel does by default: no shell could ever resume pm.
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
                    // One that is stopped hears nothing else.
                    self.resume();
                }
            }
        }
    }

    /// Stops pm where the command is stopped, until a shell resumes it; resumes the command where one has.
    /// Where none could, pm goes on to listen: a signal still ends the command.
    pub(super) fn settle(&mut self) {
        let was_resumed = self.job_control.was_resumed();
        if was_resumed && self.is_to_stop && self.stopped.is_none() {
            // It may stop only now, when the SIGCONT that takes it back is over.
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
        // What the terminal does to a group it does to all of it, and others of pm's group may wait for pm.
        let is_of_group = self.had_terminal || self.place.is_own() && wants_terminal;
        // SIGSTOP cannot be taken back by a SIGCONT that comes just before it.
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
        // ESRCH: it has just ended, which is seen next.
        let _ = match self.place {
            JobGroup::Shared => kill(self.pid, signal),
            JobGroup::Own(_) => killpg(self.pid, signal),
        };
    }

    /// Returns whether pm's shell has given the terminal to pm's group, and the command has a group of its own.
    fn is_in_foreground(&self) -> bool {
        self.has_terminal(getpgrp())
    }

    fn has_terminal(&self, group: Pid) -> bool {
        let JobGroup::Own(Some(terminal)) = &self.place else { return false };
        tcgetpgrp(terminal) == Ok(group)
    }

    /// Lends the command what pm's group has.
    fn give_terminal(&self) {
        if self.is_in_foreground() {
            self.pass_terminal_to(self.pid);
        }
    }

    /// Takes back what was lent. Returns whether it was.
    fn take_terminal(&self) -> bool {
        let was_lent = self.has_terminal(self.pid);
        if was_lent {
            self.pass_terminal_to(getpgrp());
        }
        was_lent
    }

    fn pass_terminal_to(&self, group: Pid) {
        let JobGroup::Own(Some(terminal)) = &self.place else { return };
        // Who is not in the foreground would be stopped for this.
        let stop = SigSet::from(Signal::SIGTTOU);
        let _ = stop.thread_block();
        // It fails where the group or the terminal is gone: then nobody needs it.
        let _ = tcsetpgrp(terminal, group);
        let _ = stop.thread_unblock();
    }
}

fn is_ending(signal: Signal) -> bool {
    matches!(signal, Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGHUP)
}
