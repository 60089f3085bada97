//! Signals to pm: handlers only wake a thread, which turns them into messages. The same thread watches the session's
//! socket and its [`Lifetime`], because the loop waits for messages and not for descriptors, and another thread would cost
//! more.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal as Nix};
use nix::unistd::getpgrp;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use super::disposition::{self, Disposition};
use super::lifetime::{Lifetime, LifetimeEvent};
use super::processes;
use crate::app::Signal;

/// Signals that pm acts on or forwards. SIGALRM and the like keep their defaults; SIGCONT is handled in
/// [`super::job_control`]; SIGPIPE is ignored by Rust, so that writing to a closed pipe is an error.
pub(crate) const REQUESTS: [i32; 7] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTSTP,
];

/// Signals that a session handles besides. SIGXFSZ is caught so that a write over the limit is an error, and not
/// ignored, because children would inherit that.
const NEWS: [i32; 4] = [libc::SIGCHLD, libc::SIGXFSZ, libc::SIGWINCH, libc::SIGCONT];

const STACK: usize = 128 << 10;
/// How long the socket is not watched after accepting a client has failed.
const PAUSE: Duration = Duration::from_millis(100);

/// A signal, or the news that a child changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignalEvent {
    Signal(Signal),
    Child,
    /// pm's terminal has another size.
    Resized,
    /// pm was stopped, and goes on; perhaps in the foreground, or the background, as it was not before.
    Continued,
    /// Something that the session's life hangs on.
    Lifetime(LifetimeEvent),
}

/// The signals to pm. They are queued until [`Self::listen`] is called.
pub(crate) struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    ignores_hangup: bool,
}

impl Signals {
    /// Catches them. Signals that the caller of pm had blocked or ignored are reset, so that children start with the
    /// defaults. An ignored SIGHUP (nohup) still has no effect on pm.
    pub(crate) fn catch() -> io::Result<Self> {
        let ignores_hangup = disposition::is_ignored(libc::SIGHUP);
        reset_dispositions();
        nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        let (reader, writer) = UnixStream::pair()?;
        let signals = REQUESTS.into_iter().chain(NEWS);
        let delivery = SignalDelivery::with_pipe(reader, writer, SignalOnly, signals)?;
        Ok(Self { delivery, ignores_hangup })
    }

    /// Listens on a thread of its own. Calls `accept` whenever the socket is readable, and looks at the lifetime.
    pub(crate) fn listen<S: AsFd + Send + 'static>(
        self,
        socket: Option<S>,
        accept: fn(&mut S) -> io::Result<()>,
        lifetime: Lifetime,
        tell: impl Fn(SignalEvent) + Send + 'static,
    ) -> io::Result<()> {
        let thread = std::thread::Builder::new().name("signals".into()).stack_size(STACK);
        thread.spawn(move || self.hear(socket, accept, lifetime, &tell)).map(drop)
    }

    fn hear<S: AsFd>(
        mut self,
        mut socket: Option<S>,
        accept: fn(&mut S) -> io::Result<()>,
        mut lifetime: Lifetime,
        tell: &impl Fn(SignalEvent),
    ) {
        let mut pauses = false;
        loop {
            let (watched, pause) = match pauses {
                false => (socket.as_ref().map(AsFd::as_fd), None),
                true => (None, Some(PAUSE)),
            };
            let limit = pause.into_iter().chain(lifetime.patience()).min();
            let fds = watched.into_iter().chain(lifetime.descriptors());
            let ready = wait(self.delivery.get_read(), fds, limit);
            let is_readable = watched.is_some() && ready.first() == Some(&true);
            for signal in self.delivery.pending() {
                if let Some(heard) = heard(signal, self.ignores_hangup) {
                    tell(heard);
                }
            }
            lifetime.look().for_each(|event| tell(SignalEvent::Lifetime(event)));
            // It fails for lack of descriptors or the like: retry later, and not in a busy loop.
            pauses = is_readable && socket.as_mut().is_some_and(|socket| accept(socket).is_err());
        }
    }
}

/// Waits for a signal or other descriptors, and returns which of those are readable.
fn wait<'a>(
    signals: &'a UnixStream,
    others: impl Iterator<Item = BorrowedFd<'a>>,
    limit: Option<Duration>,
) -> Vec<bool> {
    let all = std::iter::once(signals.as_fd()).chain(others);
    let mut fds: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    // Rounded up: none is left when the time has come. Longer than poll can say is for ever.
    let limit = limit.map(|limit| PollTimeout::try_from(limit.as_millis() + 1));
    // A failure, such as an interruption, is treated like a signal: all are checked.
    let ready = poll(&mut fds, limit.and_then(Result::ok).unwrap_or(PollTimeout::NONE));
    fds[1..].iter().map(|fd| ready.is_ok() && fd.any() == Some(true)).collect()
}

fn heard(signal: i32, ignores_hangup: bool) -> Option<SignalEvent> {
    match signal {
        libc::SIGCHLD => Some(SignalEvent::Child),
        // The write that hit the limit returns an error.
        libc::SIGXFSZ => None,
        libc::SIGWINCH => Some(SignalEvent::Resized),
        libc::SIGCONT => Some(SignalEvent::Continued),
        libc::SIGHUP if ignores_hangup => None,
        // The kernel ignores it by default in this case, too: no shell could continue pm (`ssh -t`, a container).
        libc::SIGTSTP if processes::is_orphaned(getpgrp()) => None,
        signal => Some(SignalEvent::Signal(Signal(signal))),
    }
}

/// Makes a write over the limit of the file size (`ulimit -f`) an error, where SIGXFSZ would kill pm. The signal is
/// caught and not ignored, because children would inherit that. If the caller ignores it, it stays ignored.
pub(crate) fn survive_size_limit() {
    if !disposition::is_ignored(libc::SIGXFSZ) {
        disposition::replace(libc::SIGXFSZ, Disposition::caught());
    }
}

/// Resets every signal to its default, except those that cannot be caught or that Rust needs.
fn reset_dispositions() {
    let keep = [Nix::SIGKILL, Nix::SIGSTOP, Nix::SIGPIPE, Nix::SIGSEGV, Nix::SIGBUS];
    let signals =
        Nix::iterator().filter(|signal| !keep.contains(signal)).map(|signal| signal as i32);
    // macOS and OpenBSD have no real-time signals; what the libc crate has of the other BSDs does not name them.
    #[cfg(target_os = "linux")]
    let signals = signals.chain(libc::SIGRTMIN()..=libc::SIGRTMAX());
    for signal in signals {
        disposition::replace(signal, Disposition::system_default());
    }
}
