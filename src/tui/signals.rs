//! Signals that the ui acts on, as descriptors that become readable.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::flag::register_conditional_default;
use signal_hook::low_level::pipe;

/// All of them.
const SIGNALS: [i32; 7] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH];

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

    /// Returns what has come, what matters most first.
    pub(super) fn take(&self) -> Option<SignalNews> {
        let mut news = None;
        for (signal, mut pipe) in self.pipes.iter().map(|(signal, pipe)| (*signal, pipe)) {
            let mut has_come = false;
            while pipe.read(&mut [0; 64]).is_ok_and(|count| count > 0) {
                has_come = true;
            }
            if has_come && news.is_none() {
                news = Some(match signal {
                    SIGTSTP => SignalNews::Stop,
                    SIGCONT | SIGWINCH => SignalNews::Look,
                    signal => SignalNews::End(signal),
                });
            }
        }
        news
    }

    /// Stops pm as SIGTSTP does by default, and returns when it goes on.
    pub(super) fn stop() -> io::Result<()> {
        signal_hook::low_level::emulate_default_handler(SIGTSTP)
    }
}

impl Drop for UiSignals {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}
