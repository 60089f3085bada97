//! What restores the terminal after kill -9, for clients that change its modes.

use crate::cli::diagnostics;
use crate::os::terminal_guard::TerminalGuard;

/// Starts it, while this process has one thread. Where the system has no process left, says so and goes on without: then
/// a client is needed most.
pub(in crate::cli) fn terminal_guard() -> Option<TerminalGuard> {
    let started = TerminalGuard::start();
    let failed = |error| {
        diagnostics::warning(
            &format!("cannot start the process that guards the terminal: {error}"),
            "`reset` restores the terminal after kill -9",
        );
    };
    started.map_err(failed).ok()
}
