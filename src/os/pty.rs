//! Pseudo-terminals of runs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::pty::{grantpt, unlockpt};
use nix::sys::stat::Mode;
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};

pub(crate) use super::system::session::{SessionLeader, spawn};
use super::system::session::{master, name_of};

/// The size of a run's terminal if pm itself has none.
const PLAIN: WindowSize = WindowSize { rows: 24, columns: 80 };

/// Rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowSize {
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

impl WindowSize {
    /// Returns the size of pm's own terminal; 24 × 80 where it has none.
    pub(crate) fn of_stdout() -> Self {
        Self::of(io::stdout()).unwrap_or(PLAIN)
    }

    /// Returns the size of a terminal. `None` where it is none, or does not know.
    pub(crate) fn of(terminal: impl AsFd) -> Option<Self> {
        let size = tcgetwinsize(terminal).ok()?;
        (size.ws_row > 0 && size.ws_col > 0)
            .then_some(Self { rows: size.ws_row, columns: size.ws_col })
    }

    /// Gives a terminal this size. If it changes, the foreground group gets SIGWINCH.
    pub(crate) fn give(self, terminal: impl AsFd) {
        let size = Winsize { ws_row: self.rows, ws_col: self.columns, ws_xpixel: 0, ws_ypixel: 0 };
        // One that has hung up has no size, and needs none.
        let _ = tcsetwinsize(terminal, size);
    }
}

/// Opens a terminal: pm's end, which does not block, and the run's end. Both are close-on-exec from the beginning:
/// openpty(3) could leak them to a child that is started at the same time.
pub(crate) fn open_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let master = master()?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let slave = open(name_of(&master)?.as_str(), flags, Mode::empty())?;
    WindowSize::of_stdout().give(&master);
    fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((master.into(), slave))
}
