//! Signals that the ui acts on, as descriptors that become readable.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::libc::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use signal_hook::flag::register_conditional_default;
use signal_hook::low_level::pipe;

/// All of them.
const SIGNALS: [i32; 8] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH, SIGCHLD];

/// What has come of signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignalNews {
    /// It asks pm to end.
    End(i32),
    /// It asks pm to stop (Ctrl-Z).
    Stop,
    /// pm goes on, or the terminal has another size.
    Look,
}

/// What has come of signals beside a pager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PagerSignal {
    /// It ends the ui, and the pager first.
    End(i32),
    /// One that a terminal sends for a key: typed just before the pager got the terminal, it was meant for that one.
    Typed(Signal),
}

/// The descriptors. When this is dropped the signals do again what they do by default.
pub(super) struct UiSignals {
    pipes: Vec<(i32, UnixStream)>,
    is_over: Arc<AtomicBool>,
}

impl UiSignals {
    pub(super) fn listen() -> io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let one = |signal: i32| -> io::Result<(i32, UnixStream)> {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            register_conditional_default(signal, Arc::clone(&is_over))?;
            pipe::register(signal, writer)?;
            Ok((signal, reader))
        };
        let pipes = SIGNALS.into_iter().map(one).collect::<io::Result<_>>()?;
        Ok(Self { pipes, is_over })
    }

    /// Returns the descriptors to wait for.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.pipes.iter().map(|(_, pipe)| pipe.as_fd())
    }

    /// Waits for any of them, for so long at most.
    pub(super) fn wait(&self, limit: Option<Duration>) {
        let mut fds: Vec<_> =
            self.descriptors().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // A part of a millisecond is one.
        let limit = limit.map(|limit| PollTimeout::try_from(limit.as_millis() + 1));
        // An interrupted wait is a short one; the caller looks at what has come.
        let _ = poll(&mut fds, limit.and_then(Result::ok).unwrap_or(PollTimeout::NONE));
    }

    /// Returns what has come, what matters most first.
    pub(super) fn take(&self) -> Option<SignalNews> {
        self.take_all().into_iter().find_map(|signal| match signal {
            SIGTSTP => Some(SignalNews::Stop),
            SIGCONT | SIGWINCH => Some(SignalNews::Look),
            // Whose child has ended looks at it.
            SIGCHLD => None,
            signal => Some(SignalNews::End(signal)),
        })
    }

    /// Returns what has come while a pager has the terminal.
    pub(super) fn take_beside_pager(&self) -> Vec<PagerSignal> {
        let news = |signal| match signal {
            SIGTERM | SIGHUP => Some(PagerSignal::End(signal)),
            SIGINT => Some(PagerSignal::Typed(Signal::SIGINT)),
            SIGQUIT => Some(PagerSignal::Typed(Signal::SIGQUIT)),
            SIGTSTP => Some(PagerSignal::Typed(Signal::SIGTSTP)),
            _ => None,
        };
        self.take_all().into_iter().filter_map(news).collect()
    }

    /// Returns those that have come since the last call.
    fn take_all(&self) -> Vec<i32> {
        let has_come = |mut pipe: &UnixStream| {
            let mut has_come = false;
            while pipe.read(&mut [0; 64]).is_ok_and(|count| count > 0) {
                has_come = true;
            }
            has_come
        };
        self.pipes.iter().filter(|(_, pipe)| has_come(pipe)).map(|(signal, _)| *signal).collect()
    }
}

impl Drop for UiSignals {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}
