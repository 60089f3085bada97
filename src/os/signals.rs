//! The signals that pm gets: a thread turns them into messages, nothing happens in a handler.

use std::io;

use nix::libc;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal as Nix};
use nix::unistd::getpgrp;
use signal_hook::iterator::Signals;

use super::processes;
use crate::app::Signal;

/// What pm listens to. SIGALRM and the like keep their default, which is harmless or deadly
/// by POSIX; SIGPIPE is ignored by Rust, so that a closed reader is an error and no death. SIGXFSZ is heard
/// for the same end, and not ignored, since children would inherit that.
const LISTENED: [i32; 11] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTSTP,
    libc::SIGCONT,
    libc::SIGCHLD,
    libc::SIGXFSZ,
    libc::SIGWINCH,
];

/// A signal, or the news that a child changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Signal(Signal),
    Child,
    /// pm's terminal has another size.
    Resized,
}

/// Starts to listen on a thread of its own. What the caller of pm had blocked or ignored is set back to
/// the default, so that children begin with it; an ignored SIGHUP (nohup) stays without effect on pm.
pub(crate) fn listen(tell: impl Fn(Heard) + Send + 'static) -> io::Result<()> {
    let ignores_hangup = reset_dispositions();
    nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    let mut signals = Signals::new(LISTENED)?;
    let thread = std::thread::Builder::new().name("signals".into()).stack_size(128 << 10);
    thread.spawn(move || {
        for signal in signals.forever() {
            match signal {
                libc::SIGCHLD => tell(Heard::Child),
                // The write that hit the limit of a file's size says so.
                libc::SIGXFSZ => {}
                libc::SIGWINCH => tell(Heard::Resized),
                libc::SIGHUP if ignores_hangup => {}
                // As the kernel does by default: no shell could ever resume pm (`ssh -t`, a container).
                libc::SIGTSTP if processes::is_orphaned(getpgrp()) => {}
                signal => tell(Heard::Signal(Signal(signal))),
            }
        }
    })?;
    Ok(())
}

/// Returns whether SIGHUP was ignored.
fn reset_dispositions() -> bool {
    #[cfg(target_os = "linux")]
    reset_real_time_signals();
    let mut ignores_hangup = false;
    let keep = [Nix::SIGKILL, Nix::SIGSTOP, Nix::SIGPIPE, Nix::SIGSEGV, Nix::SIGBUS];
    for signal in Nix::iterator().filter(|signal| !keep.contains(signal)) {
        // SAFETY: the default disposition runs no code of ours.
        #[expect(unsafe_code, reason = "signal dispositions have no safe form")]
        let before = unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) };
        if signal == Nix::SIGHUP && matches!(before, Ok(SigHandler::SigIgn)) {
            ignores_hangup = true;
        }
    }
    ignores_hangup
}

/// nix cannot name these. macOS and OpenBSD have none; what the libc crate has of the other BSDs does not
/// name them either.
#[cfg(target_os = "linux")]
fn reset_real_time_signals() {
    for signal in libc::SIGRTMIN()..=libc::SIGRTMAX() {
        // SAFETY: the default disposition runs no code of ours.
        #[expect(unsafe_code, reason = "signal dispositions have no safe form")]
        // It cannot fail: the C library says that the signal is there and not its own.
        let _ = unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}
