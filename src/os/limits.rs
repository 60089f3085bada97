//! The limit of open files: raised for pm's own pipes, never for its children.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use crate::app::{App, Stdio};
use crate::error::Error;

/// Descriptors that pm has open beside one pipe an instance: the standard three, epoll, the wake-up,
/// signals, the guard, the shared stdin, and those of one start in progress.
const BESIDE: rlim_t = 24;

/// Of an instance with pipes: what it writes.
const PIPE: rlim_t = 1;
/// Of one with a terminal: to read it, to type on it, and its session's life.
const TERMINAL: rlim_t = 3;
/// Room that is made at a time, when a session grows.
const MORE: rlim_t = 64;

/// The soft limit of open files that pm was started with, where it had to be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    soft: rlim_t,
    raised: rlim_t,
    hard: rlim_t,
}

impl OpenFiles {
    /// Makes room for every instance, or says that there is none.
    pub(crate) fn make_room(app: &App) -> Result<Self, Error> {
        let instances = app.instances().count();
        let descriptors = app.instances().map(|id| match app.type_of(id).stdio {
            Stdio::Pipes => PIPE,
            Stdio::Terminal => TERMINAL,
        });
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| Error::Startup {
            what: "read the limit of open files",
            source: error.into(),
        })?;
        let needed = descriptors.sum::<rlim_t>() + BESIDE;
        if needed > hard {
            return Err(Error::OpenFiles { instances, needed, limit: hard });
        }
        let limits = Self { soft, raised: soft.max(needed), hard };
        limits
            .set(limits.raised)
            .map_err(|source| Error::Startup { what: "raise the limit of open files", source })?;
        Ok(limits)
    }

    /// Makes room for what runs and one more, where the session was scaled up; as far as the hard limit lets
    /// it: beyond that, the starts fail that find no descriptor.
    pub(crate) fn make_room_for(&mut self, instances: usize, terminals: usize) {
        let needed = instances as rlim_t * PIPE + terminals as rlim_t * (TERMINAL - PIPE) + BESIDE;
        if needed <= self.raised {
            return;
        }
        let wanted = Self { raised: (needed + MORE).min(self.hard), ..*self };
        if wanted.set(wanted.raised).is_ok() {
            *self = wanted;
        }
    }

    /// Gives a command the limit that pm was started with: programs that use select(2) must not get more
    /// than they expect. It is lowered in the child: posix_spawn(3) checks the numbers of descriptors
    /// against pm's own limit, and refuses those above it.
    pub(crate) fn hand_down(self, command: &mut Command) {
        if self.soft == self.raised {
            return;
        }
        // SAFETY: between fork and exec only setrlimit is called, which is async-signal-safe.
        #[expect(unsafe_code, reason = "std has no way to lower a limit of a child")]
        unsafe {
            command.pre_exec(move || self.set(self.soft));
        }
    }

    fn set(&self, soft: rlim_t) -> io::Result<()> {
        Ok(setrlimit(Resource::RLIMIT_NOFILE, soft, self.hard)?)
    }
}
