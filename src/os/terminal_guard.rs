//! A small process that gives the terminal back as it was if a client that has changed its modes is killed by SIGKILL:
//! `pm ui`, `pm top`, `pm attach`. A session has its watchdog for that.
//!
//! It sleeps in one read of a pipe. When that ends without a goodbye, the client is dead.

use std::io::{self, Read, Write};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid};

use super::forked;
use super::terminal::OwnModes;
use super::watchdog::{GOODBYE, settle_in};

/// The client's end of it.
#[derive(Debug)]
pub(crate) struct TerminalGuard {
    lifeline: io::PipeWriter,
    pid: Pid,
}

impl TerminalGuard {
    /// Forks it, for the terminal of standard input as it is now. Must be called while this process has one thread, and
    /// before it changes the terminal.
    ///
    /// # Errors
    /// Standard input is no terminal, or the system has no process or descriptor left.
    pub(crate) fn start() -> io::Result<Self> {
        let modes = OwnModes::of_stdin()?;
        let (mut reader, lifeline) = io::pipe()?;
        // SAFETY: this process has one thread, so the child may do everything that the parent may.
        #[expect(unsafe_code, reason = "fork has no safe form")]
        match unsafe { nix::unistd::fork() }? {
            ForkResult::Parent { child: pid } => Ok(Self { lifeline, pid }),
            ForkResult::Child => {
                drop(lifeline);
                settle_in();
                if reader.read_exact(&mut [0]).is_err() {
                    modes.restore_for_the_dead();
                }
                forked::exit(0)
            }
        }
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        // An error means that it has ended already, which the wait notices, too.
        let _ = self.lifeline.write_all(GOODBYE);
        // A stopped one would not read it, and pm would wait for ever.
        let _ = kill(self.pid, Signal::SIGKILL);
        #[expect(clippy::disallowed_methods, reason = "it is this module's own child")]
        let _ = nix::sys::wait::waitpid(self.pid, None);
    }
}
