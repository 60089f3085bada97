//! The sender of a signal.

use signal_hook::low_level::siginfo::{Cause, Origin};

/// Returns whether the terminal has sent it to the whole foreground group. The sender's pid is 0 for processes of other
/// PID namespaces, too, so the code of the signal decides.
pub(crate) fn is_of_terminal(origin: &Origin) -> bool {
    origin.cause == Cause::Kernel
}
