//! The limit of open files: raised for pm's own pipes, never for its children.

use std::io;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use crate::error::Error;

/// Descriptors that pm has open beside one pipe an instance: the standard three, epoll, the wake-up,
/// signals, the guard, the shared stdin, and those of one start in progress.
const BESIDE: rlim_t = 24;

/// The soft limit of open files that pm was started with, where it had to be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    soft: rlim_t,
    raised: rlim_t,
    hard: rlim_t,
}

impl OpenFiles {
    /// Makes room for so many instances, or says that there is none.
    pub(crate) fn make_room(instances: usize) -> Result<Self, Error> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| Error::Startup {
            what: "read the limit of open files",
            source: error.into(),
        })?;
        let needed = instances as rlim_t + BESIDE;
        if needed > hard {
            return Err(Error::OpenFiles { instances, needed, limit: hard });
        }
        let limits = Self { soft, raised: soft.max(needed), hard };
        limits
            .set(limits.raised)
            .map_err(|source| Error::Startup { what: "raise the limit of open files", source })?;
        Ok(limits)
    }

    /// Runs a start under the limit that pm was started with, so that the child inherits that one:
    /// programs that use select(2) must not get more than they expect.
    pub(crate) fn as_inherited<T>(&self, start: impl FnOnce() -> T) -> T {
        if self.soft == self.raised {
            return start();
        }
        // Lowering never fails, and raising back to what was already set only does if root lowered the
        // hard limit meanwhile; the next start then says which file could not be opened.
        let _ = self.set(self.soft);
        let result = start();
        let _ = self.set(self.raised);
        result
    }

    fn set(&self, soft: rlim_t) -> io::Result<()> {
        Ok(setrlimit(Resource::RLIMIT_NOFILE, soft, self.hard)?)
    }
}

/// Returns how many CPUs this process may use: by affinity and by the cgroup's quota.
pub(crate) fn cpus() -> u16 {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u16::try_from(count).unwrap_or(u16::MAX)
}
