//! The program that shows the output in place of the ui: a job of its own, which has the terminal meanwhile.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use nix::libc::{SIGTTIN, SIGTTOU};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use rustix::process::{WaitId, WaitIdOptions, waitid};

/// What has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PagerNews {
    /// It has ended.
    Ended(ExitStatus),
    /// It was stopped, as by Ctrl-Z.
    Stopped,
    /// It was stopped since it had not got the terminal yet.
    WantsTerminal,
}

/// A pager that runs. Its process group is its own, so that what is typed reaches all of it, and pm not.
#[derive(Debug)]
pub(super) struct Pager {
    child: Child,
    group: Pid,
}

impl Pager {
    /// Starts a command of a shell on a file, and lends it the terminal.
    pub(super) fn start(command: &str, file: &Path) -> io::Result<Self> {
        let line = format!("{command} \"$1\"");
        let mut shell = Command::new("/bin/sh");
        let child = shell.args(["-c", &line, "sh"]).arg(file).process_group(0).spawn()?;
        let pager = Self { group: Pid::from_raw(child.id().cast_signed()), child };
        pager.lend_terminal();
        Ok(pager)
    }

    /// Returns what is new; `None`: it runs.
    pub(super) fn look(&mut self) -> io::Result<Option<PagerNews>> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(Some(PagerNews::Ended(status)));
        }
        let Some(pid) = rustix::process::Pid::from_raw(self.group.as_raw()) else {
            return Ok(None);
        };
        let stopped = waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG)?;
        Ok(stopped.map(|status| match status.stopping_signal() {
            Some(SIGTTIN | SIGTTOU) => PagerNews::WantsTerminal,
            _ => PagerNews::Stopped,
        }))
    }

    /// Lends it the terminal, where that is pm's. Returns whether it has it.
    pub(super) fn lend_terminal(&self) -> bool {
        if tcgetpgrp(io::stdin()) == Ok(getpgrp()) {
            give_terminal(self.group);
        }
        tcgetpgrp(io::stdin()) == Ok(self.group)
    }

    /// Takes the terminal back, unless it is another program's.
    pub(super) fn take_terminal(&self) {
        let is_another = |owner| owner != self.group && killpg(owner, None).is_ok();
        if !tcgetpgrp(io::stdin()).is_ok_and(is_another) {
            give_terminal(getpgrp());
        }
    }

    /// Lets it go on.
    pub(super) fn go_on(&self) {
        self.send(Signal::SIGCONT);
    }

    /// Asks it to end, or forces it to.
    pub(super) fn end(&self, signal: Signal) {
        self.send(signal);
        // A stopped one handles no other signal.
        self.go_on();
    }

    /// Sends it a signal.
    pub(super) fn send(&self, signal: Signal) {
        // ESRCH: it has just ended, which is noticed next.
        let _ = killpg(self.group, signal);
    }
}

/// Makes a group that of the foreground.
fn give_terminal(group: Pid) {
    // A process in the background would be stopped by this call.
    let stop = SigSet::from(Signal::SIGTTOU);
    // Neither can fail: the signal exists.
    let _ = stop.thread_block();
    // It fails if the group or the terminal is gone, when it is no longer needed.
    let _ = tcsetpgrp(io::stdin(), group);
    let _ = stop.thread_unblock();
}
