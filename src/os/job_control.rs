//! Ctrl-Z: pm stops its instances (`pm run`: its command), then itself; and a SIGCONT that comes meanwhile is not lost.
//!
//! SIGTSTP is caught, so that the instances can be stopped first. Were pm to raise SIGSTOP then, a SIGCONT that
//! came in between would be over, and pm stopped for ever. So SIGTSTP is raised again while it is blocked: from
//! then on SIGCONT takes it away, by the kernel's own rule (signal(7)). What came before is known for certain,
//! because one thread alone handles both signals, in their order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;
use nix::sys::signal::{SigSet, Signal, raise};

use super::disposition::{Disposition, replace};

const NO: usize = 0;
const YES: usize = 1;

/// Whether the last of SIGTSTP and SIGCONT was SIGTSTP.
#[derive(Debug)]
pub(crate) struct JobControl {
    wanted: Arc<AtomicUsize>,
}

impl JobControl {
    /// Begins to listen to both, on this thread. Others must be started with [`keep_from`].
    pub(crate) fn listen() -> io::Result<Self> {
        Self::listen_from(NO)
    }

    fn listen_from(wanted: usize) -> io::Result<Self> {
        let wanted = Arc::new(AtomicUsize::new(wanted));
        signal_hook::flag::register_usize(libc::SIGTSTP, Arc::clone(&wanted), YES)?;
        signal_hook::flag::register_usize(libc::SIGCONT, Arc::clone(&wanted), NO)?;
        // The handler of one must not run in the middle of the other's.
        for signal in [Signal::SIGTSTP, Signal::SIGCONT] {
            if let Some(handler) = replace(signal as i32, Disposition::system_default()) {
                replace(signal as i32, handler.blocking(both()));
            }
        }
        Ok(Self { wanted })
    }

    /// Begins to listen for a process of one thread that stops when another has stopped: to SIGCONT, and to
    /// SIGTSTP unless that is ignored here.
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

    /// Stops this process as SIGTSTP does by default, and returns when it goes on; at once where SIGCONT has
    /// come since, or where no shell could resume it.
    pub(crate) fn obey(&self) {
        self.stop_by(Signal::SIGTSTP, || {
            // It cannot fail: the signal exists.
            let _ = raise(Signal::SIGTSTP);
        });
    }

    /// The same for any signal of a terminal that stops, which `raise` sends to this process at least.
    pub(crate) fn stop_by(&self, signal: Signal, raise: impl FnOnce()) {
        let stop = SigSet::from(signal);
        // No call here can fail: the signal exists.
        let _ = stop.thread_block();
        let before = replace(signal as i32, Disposition::system_default());
        // A SIGCONT that came before has been handled when this returns, and a later one takes it away.
        raise();
        if self.wanted.load(Ordering::SeqCst) == NO {
            // This takes it away too.
            replace(signal as i32, Disposition::ignored());
        }
        let _ = stop.thread_unblock();
        if let Some(handler) = before {
            replace(signal as i32, handler);
        }
    }
}

/// Starts threads that leave SIGTSTP and SIGCONT to this one.
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
