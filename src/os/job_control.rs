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

const NO: usize = 0;
const YES: usize = 1;

/// Remembers which of SIGTSTP and SIGCONT came last.
#[derive(Debug)]
pub(crate) struct JobControl {
    wanted: Arc<AtomicUsize>,
}

impl JobControl {
    /// Catches both signals, on this thread. Other threads must be started with [`keep_from`].
    pub(crate) fn listen() -> io::Result<Self> {
        Self::listen_from(NO)
    }

    fn listen_from(wanted: usize) -> io::Result<Self> {
        let wanted = Arc::new(AtomicUsize::new(wanted));
        signal_hook::flag::register_usize(libc::SIGTSTP, Arc::clone(&wanted), YES)?;
        signal_hook::flag::register_usize(libc::SIGCONT, Arc::clone(&wanted), NO)?;
        // The handler of one signal must not interrupt that of the other.
        for signal in [Signal::SIGTSTP, Signal::SIGCONT] {
            if let Some(handler) = replace(signal as i32, Disposition::system_default()) {
                replace(signal as i32, handler.blocking(both()));
            }
        }
        Ok(Self { wanted })
    }

    /// Catches SIGCONT, and SIGTSTP unless it is ignored, in a process with one thread that stops when its child has
    /// stopped.
    pub(crate) fn listen_to_resume(ignores_stop: bool) -> io::Result<Self> {
        if !ignores_stop {
            return Self::listen_from(YES);
        }
        let wanted = Arc::new(AtomicUsize::new(YES));
        signal_hook::flag::register_usize(libc::SIGCONT, Arc::clone(&wanted), NO)?;
        Ok(Self { wanted })
    }

    /// Returns whether a SIGCONT has come since this was last asked, and no SIGTSTP after it.
    pub(crate) fn was_resumed(&self) -> bool {
        self.wanted.swap(YES, Ordering::SeqCst) == NO
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
        if self.wanted.load(Ordering::SeqCst) == NO {
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
