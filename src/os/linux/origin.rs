//! Who has sent a signal.

use signal_hook::low_level::siginfo::{Cause, Origin};

/// Returns whether the terminal has sent it, to the whole foreground group. A process of another PID
/// namespace has the number 0, so that only the cause tells.
pub(crate) fn is_of_terminal(origin: &Origin) -> bool {
    origin.cause == Cause::Kernel
}
