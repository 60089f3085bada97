//! Ctrl-Z: pm stops its instances (`pm run`: its command), then itself, without losing a SIGCONT that comes in between.
//!
//! SIGTSTP is caught, so that the instances can be stopped first. If pm then raised SIGSTOP, a SIGCONT that came in
//! between would be lost, and pm would stay stopped for ever. So pm raises SIGTSTP again while it is blocked: from then
//! on, the kernel discards it when a SIGCONT comes (signal(7)). An earlier SIGCONT is known, because only one thread
//! handles both signals, in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;
use nix::sys::signal::{SigSet, Signal, killpg, raise};
use nix::unistd::getpgrp;

use super::disposition::{Disposition, replace};
use super::processes;

/// What [`JobControl`] remembers: SIGCONT came last.
const GO_ON: usize = 0;
/// SIGTSTP came last.
const STOP: usize = 1;
/// Neither has come since somebody was told of the SIGCONT.
const NOTHING_NEW: usize = 2;

/// Remembers which of SIGTSTP and SIGCONT came last.
#[derive(Debug)]
pub(crate) struct JobControl {
    last: Arc<AtomicUsize>,
}

impl JobControl {
    /// Catches both signals, on this thread. Other threads must be started with [`keep_from`].
    pub(crate) fn listen() -> io::Result<Self> {
        Self::listen_from(GO_ON)
    }

    fn listen_from(last: usize) -> io::Result<Self> {
        let last = Arc::new(AtomicUsize::new(last));
        signal_hook::flag::register_usize(libc::SIGTSTP, Arc::clone(&last), STOP)?;
        signal_hook::flag::register_usize(libc::SIGCONT, Arc::clone(&last), GO_ON)?;
        // The handler of one signal must not interrupt that of the other.
        for signal in [Signal::SIGTSTP, Signal::SIGCONT] {
            if let Some(handler) = replace(signal as i32, Disposition::system_default()) {
                replace(signal as i32, handler.blocking(both()));
            }
        }
        Ok(Self { last })
    }

    /// Catches SIGCONT, and SIGTSTP unless it is ignored, in a process with one thread that stops when its child has
    /// stopped.
    pub(crate) fn listen_to_resume(ignores_stop: bool) -> io::Result<Self> {
        if !ignores_stop {
            return Self::listen_from(NOTHING_NEW);
        }
        let last = Arc::new(AtomicUsize::new(NOTHING_NEW));
        signal_hook::flag::register_usize(libc::SIGCONT, Arc::clone(&last), GO_ON)?;
        Ok(Self { last })
    }

    /// Returns whether a SIGCONT has come since this was last asked, and no SIGTSTP after it.
    pub(crate) fn was_resumed(&self) -> bool {
        let order = Ordering::SeqCst;
        self.last.compare_exchange(GO_ON, NOTHING_NEW, order, order).is_ok()
    }

    /// Returns whether a SIGTSTP has come that no SIGCONT has followed. Whoever takes the signals from a queue may meet
    /// one that a SIGCONT has followed after [`Self::was_resumed`] has told of that SIGCONT.
    pub(crate) fn is_to_stop(&self) -> bool {
        self.last.load(Ordering::SeqCst) == STOP
    }

    /// Stops this process as SIGTSTP does by default, and returns when it is continued. Returns at once if SIGCONT has
    /// come since, or if no shell could continue it.
    pub(crate) fn obey(&self) {
        self.stop_by(Signal::SIGTSTP, || {
            // It cannot fail: the signal exists.
            let _ = raise(Signal::SIGTSTP);
        });
    }

    /// Does the same for any stop signal of a terminal. `raise` sends it to this process, and perhaps to others.
    pub(crate) fn stop_by(&self, signal: Signal, raise: impl FnOnce()) {
        let stop = SigSet::from(signal);
        // No call here can fail: the signal exists.
        let _ = stop.thread_block();
        let before = replace(signal as i32, Disposition::system_default());
        // When this returns, an earlier SIGCONT has been handled; a later one discards the pending signal.
        raise();
        if self.last.load(Ordering::SeqCst) == GO_ON {
            // Ignoring a signal discards it when it is pending.
            replace(signal as i32, Disposition::ignored());
        }
        let _ = stop.thread_unblock();
        if let Some(handler) = before {
            replace(signal as i32, handler);
        }
    }
}

/// Stops this process as Ctrl-Z does by default, where SIGTSTP is caught, and returns when it is continued. Returns at
/// once if no shell could continue it: the kernel does not stop a process then, either.
pub(crate) fn stop_process() {
    if !processes::is_orphaned(getpgrp()) {
        // It cannot fail: the signal exists.
        let _ = raise(Signal::SIGSTOP);
    }
}

/// Does the same with the whole process group, as a terminal does.
pub(crate) fn stop_job() {
    if !processes::is_orphaned(getpgrp()) {
        // It cannot fail: this process is one of them.
        let _ = killpg(getpgrp(), Signal::SIGSTOP);
    }
}

/// Starts threads that do not handle SIGTSTP and SIGCONT.
pub(crate) fn keep_from<T>(start: impl FnOnce() -> T) -> T {
    // Neither can fail: the signals exist.
    let _ = both().thread_block();
    let started = start();
    let _ = both().thread_unblock();
    started
}

fn both() -> SigSet {
    SigSet::from_iter([Signal::SIGTSTP, Signal::SIGCONT])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_that_a_continue_has_followed_is_over_also_when_that_was_told_before() {
        let last = Arc::new(AtomicUsize::new(NOTHING_NEW));
        let job_control = JobControl { last: Arc::clone(&last) };
        let comes = |signal: usize| last.store(signal, Ordering::SeqCst);
        assert!(!job_control.was_resumed() && !job_control.is_to_stop());
        comes(STOP);
        assert!(job_control.is_to_stop() && !job_control.was_resumed());
        comes(GO_ON);
        assert!(!job_control.is_to_stop());
        assert!(job_control.was_resumed() && !job_control.was_resumed());
        // Only now is the SIGTSTP of before taken from the queue.
        assert!(!job_control.is_to_stop());
        comes(STOP);
        assert!(job_control.is_to_stop());
    }
}
