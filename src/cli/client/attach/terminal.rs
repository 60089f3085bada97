//! The client's side of `pm attach`: pm's own terminal in raw mode, connected to that of an instance. The
//! mode is restored however this ends.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::outgoing::Outgoing;
use crate::app::Signal;
use crate::cli::client::guard::terminal_guard;
use crate::cli::client::screen::{Screen, now};
use crate::cli::client::signals::{ENDING, SignalPipes};
use crate::control::client;
use crate::control::incoming::{Incoming, Item};
use crate::control::proto::{Request, Response};
use crate::error::Error;
use crate::os::job_control;
use crate::os::pty::WindowSize;
use crate::session::keyboard::detach;

/// How long a client that ends waits for the session to take the rest of what was typed, and for the terminal
/// to take the rest of what was shown.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// Says that a key was not taken, as a terminal does whose input is full.
const BELL: &[u8] = b"\x07";

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The user left. This number of typed bytes did not get to the instance, which does not read.
    Detached { unsent: usize },
    /// The instance's run, or its session, is over.
    Over,
    /// pm got this signal.
    Signal(Signal),
    /// The user left a terminal that takes nothing: another word to it would block.
    Unseen,
}

/// Ties the terminal to that of an instance. `begin` is called when it is in raw mode.
pub(crate) fn attach(socket: &Path, name: &str, begin: impl FnOnce()) -> Result<Ended, Error> {
    let fail = |source| Error::Startup { what: "attach", source };
    let mut stream = UnixStream::connect(socket).map_err(fail)?;
    let size = WindowSize::of_stdout();
    let request = Request::Attach { name: name.to_owned(), rows: size.rows, columns: size.columns };
    client::send(&mut stream, request).map_err(fail)?;
    let mut incoming = Incoming::default();
    loop {
        match incoming.next().map_err(fail)? {
            Some(Item::Response(Response::Attached)) => break,
            Some(Item::Response(Response::Refused { reason, hint })) => {
                return Err(Error::Refused { reason, hint });
            }
            Some(Item::Response(_) | Item::Bytes(_)) => {}
            None if incoming.read(&mut stream).map_err(fail)? => {}
            None => return Err(fail(ErrorKind::UnexpectedEof.into())),
        }
    }
    let _guard = terminal_guard();
    let signals =
        SignalPipes::listen(&[libc::SIGWINCH, libc::SIGTSTP, libc::SIGCONT]).map_err(fail)?;
    stream.set_nonblocking(true).map_err(fail)?;
    let mut screen = Screen::of_stdout().map_err(fail)?;
    let raw = RawMode::enter().map_err(fail)?;
    begin();
    let ended = relay(&stream, &mut incoming, &signals, (&mut screen, &raw));
    let is_restored = screen.restore(DRAIN_TIMEOUT);
    drop(raw);
    match ended.map_err(fail)? {
        Ended::Detached { .. } | Ended::Over if !is_restored => Ok(Ended::Unseen),
        ended => Ok(ended),
    }
}

fn relay(
    stream: &UnixStream,
    incoming: &mut Incoming,
    signals: &SignalPipes,
    (screen, raw): (&mut Screen, &RawMode),
) -> io::Result<Ended> {
    let stdin = io::stdin();
    let mut keys = [0_u8; 4096];
    let mut outgoing = Outgoing::default();
    // It may have changed before anyone listened.
    outgoing.resize(WindowSize::of_stdout());
    let mut is_over = false;
    loop {
        screen.show_all(incoming)?;
        if is_over && screen.waits_for().is_none() {
            return Ok(Ended::Over);
        }
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::POLLIN, !is_over && !screen.is_full());
        // Where the session takes no more, what it said before is still read.
        wanted.set(PollFlags::POLLOUT, outgoing.send(stream)? && outgoing.is_waiting());
        let found = wait(&stdin, signals, (stream, wanted), screen)?;
        if let Some(signal) = found.ends {
            return Ok(Ended::Signal(Signal(signal)));
        }
        if found.is_stopped {
            pause(screen, raw)?;
        }
        if found.is_stopped || found.is_resumed {
            // A shell has given the terminal its own modes, and shows what it likes.
            raw.resume()?;
            outgoing.redraw(WindowSize::of_stdout());
        } else if found.is_resized {
            outgoing.resize(WindowSize::of_stdout());
        }
        if found.is_from_session && wanted.contains(PollFlags::POLLIN) {
            is_over = !incoming.read(stream)?;
        }
        if found.is_typed {
            let count = match nix::unistd::read(&stdin, &mut keys) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            let typed = &keys[..count];
            let end = detach::find(typed).map(|at| at.start);
            if !outgoing.push(&typed[..end.unwrap_or(count)]) {
                screen.show(BELL)?;
            }
            if end.is_some() || count == 0 {
                let unsent = send_the_rest(stream, &mut outgoing)?;
                return Ok(Ended::Detached { unsent });
            }
        }
    }
}

/// What a wait has found.
#[derive(Default)]
struct WaitEvents {
    /// Keys were typed.
    is_typed: bool,
    /// The session has sent something, or takes keys again.
    is_from_session: bool,
    /// This signal asks pm to end.
    ends: Option<i32>,
    /// The terminal has another size.
    is_resized: bool,
    /// A signal stops pm. Ctrl-Z does not: it is the program's.
    is_stopped: bool,
    /// pm was stopped, and goes on.
    is_resumed: bool,
}

/// Stops pm, and leaves the terminal to the shell meanwhile.
fn pause(screen: &mut Screen, raw: &RawMode) -> io::Result<()> {
    screen.pause(DRAIN_TIMEOUT, || {
        raw.leave();
        job_control::stop_process();
    })
}

/// Waits for keys, a signal, what is wanted of the session, or until the screen takes what waits for it.
fn wait(
    stdin: &io::Stdin,
    signals: &SignalPipes,
    (stream, wanted): (&UnixStream, PollFlags),
    screen: &Screen,
) -> io::Result<WaitEvents> {
    let one = |fd| PollFd::new(fd, PollFlags::POLLIN);
    let mut fds = vec![one(stdin.as_fd())];
    fds.extend(signals.descriptors().map(one));
    let behind_signals = fds.len();
    // A session that has hung up would end each wait.
    if !wanted.is_empty() {
        fds.push(PollFd::new(stream.as_fd(), wanted));
    }
    fds.extend(screen.waits_for().map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
    match poll(&mut fds, PollTimeout::NONE) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(WaitEvents::default()),
        Err(error) => return Err(error.into()),
    }
    let has = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
    let come = signals.take();
    Ok(WaitEvents {
        is_typed: has(&fds[0]),
        is_resized: come.contains(&libc::SIGWINCH),
        is_stopped: come.contains(&libc::SIGTSTP) && !come.contains(&libc::SIGCONT),
        is_resumed: come.contains(&libc::SIGCONT),
        ends: come.into_iter().find(|signal| ENDING.contains(signal)),
        is_from_session: !wanted.is_empty() && has(&fds[behind_signals]),
    })
}

/// Gives the session a moment to take what was typed before the user left. Returns how many bytes it did
/// not take.
fn send_the_rest(stream: &UnixStream, outgoing: &mut Outgoing) -> io::Result<usize> {
    let until = now() + DRAIN_TIMEOUT;
    while outgoing.send(stream)? && outgoing.is_waiting() {
        let left = until.saturating_duration_since(now());
        let patience = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let mut fds = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
        if left.is_zero() || poll(&mut fds, patience) == Ok(0) {
            break;
        }
    }
    Ok(outgoing.unsent())
}

/// pm's terminal in raw mode, for as long as this lives.
struct RawMode {
    before: Termios,
}

impl RawMode {
    fn enter() -> io::Result<Self> {
        let mode = Self { before: tcgetattr(io::stdin())? };
        mode.resume()?;
        Ok(mode)
    }

    /// Makes it raw again.
    fn resume(&self) -> io::Result<()> {
        let mut raw = self.before.clone();
        cfmakeraw(&mut raw);
        Ok(tcsetattr(io::stdin(), SetArg::TCSANOW, &raw)?)
    }

    /// Gives it the mode that it had before.
    fn leave(&self) {
        // A terminal that is gone has no mode.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.before);
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        self.leave();
    }
}
