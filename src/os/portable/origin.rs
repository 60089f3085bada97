//! The sender of a signal.

use std::ffi::c_int;

use nix::libc::{self, pid_t};
use signal_hook::low_level::siginfo::{Cause, Origin};

/// Returns whether the terminal has sent it to the whole foreground group. Not every system tells, so a signal of a key
/// counts if no process is known to have sent it.
pub(crate) fn is_of_terminal(origin: &Origin) -> bool {
    let sender = origin.process.map_or(0, |process| process.pid);
    is_typed(origin.signal, origin.cause, sender)
}

fn is_typed(signal: c_int, cause: Cause, sender: pid_t) -> bool {
    let is_of_a_key = matches!(signal, libc::SIGINT | libc::SIGQUIT | libc::SIGTSTP);
    // On OpenBSD, signals of a terminal come from process 0.
    is_of_a_key && !(matches!(cause, Cause::Sent(_)) && sender != 0)
}

#[cfg(test)]
mod tests {
    use signal_hook::low_level::siginfo::Sent;

    use super::*;

    #[test]
    fn a_signal_of_a_key_that_no_process_has_sent_is_of_the_terminal() {
        let table = [
            (libc::SIGINT, Cause::Kernel, 0, true),
            (libc::SIGINT, Cause::Unknown, 0, true),
            (libc::SIGQUIT, Cause::Sent(Sent::User), 0, true),
            (libc::SIGTSTP, Cause::Unknown, 0, true),
            (libc::SIGINT, Cause::Sent(Sent::User), 42, false),
            (libc::SIGTERM, Cause::Unknown, 0, false),
        ];
        for (signal, cause, sender, expected) in table {
            assert_eq!(is_typed(signal, cause, sender), expected, "{signal} {cause:?} {sender}");
        }
    }
}
