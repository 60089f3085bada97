//! What signals do to this process. Everything that changes that does it here.

use std::ffi::c_int;
use std::{mem, ptr};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet};

/// What a signal does. It runs no code that could do harm, or it was in force before: so [`replace`] is safe.
#[derive(Clone, Copy)]
pub(super) struct Disposition(libc::sigaction);

impl Disposition {
    /// What the system does by default.
    pub(super) fn system_default() -> Self {
        Self::of(SigHandler::SigDfl)
    }

    /// Nothing, also in the programs that this process executes.
    pub(super) fn ignored() -> Self {
        Self::of(SigHandler::SigIgn)
    }

    /// Nothing; the programs that this process executes begin with the default.
    pub(super) fn caught() -> Self {
        extern "C" fn nothing(_: c_int) {}
        Self::of(SigHandler::Handler(nothing))
    }

    fn of(handler: SigHandler) -> Self {
        Self(SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty()).into())
    }

    /// Returns the same, with these signals blocked while its handler runs.
    pub(super) fn blocking(mut self, signals: SigSet) -> Self {
        self.0.sa_mask = *signals.as_ref();
        self
    }
}

/// Sets what a signal does, and returns what it did before; `None` where the system refuses. It takes a number,
/// because nix has no names for the real-time signals.
pub(super) fn replace(signal: c_int, new: Disposition) -> Option<Disposition> {
    sigaction(signal, Some(new))
}

/// Returns whether the caller had a signal ignored (nohup, a shell's background): a handler would take
/// that from a command, which inherits what is ignored, and not what is handled.
pub(crate) fn is_ignored(signal: c_int) -> bool {
    sigaction(signal, None).is_some_and(|current| current.0.sa_sigaction == libc::SIG_IGN)
}

fn sigaction(signal: c_int, new: Option<Disposition>) -> Option<Disposition> {
    let new = new.as_ref().map_or(ptr::null(), |new| &raw const new.0);
    // SAFETY: a disposition is safe to set by its type. All zeroes is a valid sigaction, and the call writes one.
    #[expect(unsafe_code, reason = "nix has no names for the real-time signals")]
    let (result, before) = unsafe {
        let mut before: libc::sigaction = mem::zeroed();
        (libc::sigaction(signal, new, &raw mut before), before)
    };
    (result == 0).then_some(Disposition(before))
}
