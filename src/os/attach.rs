//! The client's side of `pm attach`: pm's own terminal in raw mode, tied to that of an instance. The
//! terminal gets its mode back however this ends.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::pty::Size;
use crate::app::Signal;
use crate::control::client;
use crate::control::proto::{self, Answer, Body, Order};
use crate::error::Error;

/// Ctrl-], as in telnet(1): no program needs it.
const DETACH: u8 = 0x1d;
/// Signals that end it in order.
const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];
/// What a full-screen program sets first, and what takes it back.
const ALTERNATE: &[u8] = b"\x1b[?1049h";
const NORMAL: &[u8] = b"\x1b[?1049l";
/// Shows the cursor, and ends colours and bracketed paste.
const CALM: &[u8] = b"\x1b[?25h\x1b[?2004l\x1b[0m";

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The user left.
    Detached,
    /// The instance's run, or its session, is over.
    Over,
    /// pm got this signal.
    Signal(Signal),
}

/// Ties the terminal to that of an instance. `begin` is called when it is in raw mode.
pub(crate) fn attach(socket: &Path, name: &str, begin: impl FnOnce()) -> Result<Ended, Error> {
    let fail = |source| Error::Startup { what: "attach", source };
    let mut stream = UnixStream::connect(socket).map_err(fail)?;
    let size = Size::of_stdout();
    let order = Order::Attach { name: name.to_owned(), rows: size.rows, columns: size.columns };
    client::give(&mut stream, order).map_err(fail)?;
    let mut incoming = Incoming::default();
    loop {
        match incoming.next().map_err(fail)? {
            Some(Part::Said(Body::Attached)) => break,
            Some(Part::Said(Body::Refused { reason, hint })) => {
                return Err(Error::Refused { reason, hint });
            }
            Some(Part::Said(_) | Part::Bytes(_)) => {}
            None if incoming.read(&mut stream).map_err(fail)? => {}
            None => return Err(fail(ErrorKind::UnexpectedEof.into())),
        }
    }
    let signals = Signals::listen().map_err(fail)?;
    // It may have changed before anyone listened.
    let Size { rows, columns } = Size::of_stdout();
    sent(&mut stream, &proto::size(rows, columns)).map_err(fail)?;
    let raw = Raw::enter().map_err(fail)?;
    begin();
    let ended = tie(&mut stream, &mut incoming, &signals);
    drop(raw);
    ended.map_err(fail)
}

fn tie(stream: &mut UnixStream, incoming: &mut Incoming, signals: &Signals) -> io::Result<Ended> {
    let stdin = io::stdin();
    let mut keys = [0_u8; 4096];
    let mut screen = Screen { is_alternate: false };
    let ended = loop {
        while let Some(part) = incoming.next()? {
            if let Part::Bytes(bytes) = part {
                screen.show(&bytes)?;
            }
        }
        let (terminal, session, ending, resized) = wait(&stdin, stream, signals)?;
        if ending {
            break signals.first().map_or(Ended::Detached, Ended::Signal);
        }
        if resized {
            signals.forget_resize();
            let Size { rows, columns } = Size::of_stdout();
            if !sent(stream, &proto::size(rows, columns))? {
                break Ended::Over;
            }
        }
        if session && !incoming.read(stream)? {
            break Ended::Over;
        }
        if terminal {
            let count = match nix::unistd::read(&stdin, &mut keys) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            let typed = &keys[..count];
            let end = memchr::memchr(DETACH, typed);
            let typed = &typed[..end.unwrap_or(count)];
            if !typed.is_empty() && !sent(stream, &proto::keys(typed))? {
                break Ended::Over;
            }
            if end.is_some() || count == 0 {
                break Ended::Detached;
            }
        }
    };
    screen.calm()?;
    Ok(ended)
}

/// Sends to the session. Returns false where it is gone.
fn sent(stream: &mut UnixStream, bytes: &[u8]) -> io::Result<bool> {
    match stream.write_all(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits, and returns which have something: the terminal, the session, an ending signal, a new size.
fn wait(
    stdin: &io::Stdin,
    stream: &UnixStream,
    signals: &Signals,
) -> io::Result<(bool, bool, bool, bool)> {
    let one = |fd| PollFd::new(fd, PollFlags::POLLIN);
    let mut fds = vec![one(stdin.as_fd()), one(stream.as_fd()), one(signals.resized.as_fd())];
    fds.extend(signals.ending.iter().map(|(_, pipe)| one(pipe.as_fd())));
    match poll(&mut fds, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut has = fds.iter().map(|fd| fd.any().unwrap_or(false));
    let mut next = || has.next().unwrap_or(false);
    let (terminal, session, resized) = (next(), next(), next());
    Ok((terminal, session, has.any(|it| it), resized))
}

/// What the session sends: lines, and bytes behind some of them.
#[derive(Debug, Default)]
struct Incoming {
    buffer: Vec<u8>,
    /// Bytes that a line has announced.
    announced: Option<usize>,
}

enum Part {
    Said(Body),
    Bytes(Vec<u8>),
}

impl Incoming {
    /// Reads once. Returns false at the end.
    fn read(&mut self, stream: &mut UnixStream) -> io::Result<bool> {
        let mut chunk = [0_u8; 16 << 10];
        match stream.read(&mut chunk) {
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(count > 0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the next whole part that has been read.
    fn next(&mut self) -> io::Result<Option<Part>> {
        if let Some(length) = self.announced {
            if self.buffer.len() < length {
                return Ok(None);
            }
            self.announced = None;
            return Ok(Some(Part::Bytes(self.buffer.drain(..length).collect())));
        }
        let Some(end) = memchr::memchr(b'\n', &self.buffer) else { return Ok(None) };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        let body = serde_json::from_slice::<Answer>(&line)?.body;
        if let Body::Output { length, .. } = body {
            self.announced = Some(length);
        }
        Ok(Some(Part::Said(body)))
    }
}

/// What the instance has made of the screen.
struct Screen {
    is_alternate: bool,
}

impl Screen {
    fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        let last = |what| memchr::memmem::rfind(bytes, what);
        match (last(ALTERNATE), last(NORMAL)) {
            (None, None) => {}
            (on, off) => self.is_alternate = on > off,
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// Leaves it as a shell expects it.
    fn calm(&mut self) -> io::Result<()> {
        if self.is_alternate {
            self.show(NORMAL)?;
        }
        self.show(CALM)?;
        self.show(b"\r\n")
    }
}

/// pm's terminal in raw mode, for as long as this lives.
struct Raw {
    before: Termios,
}

impl Raw {
    fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(io::stdin(), SetArg::TCSANOW, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone has no mode.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.before);
    }
}

/// Signals as descriptors that become readable.
struct Signals {
    ending: Vec<(Signal, UnixStream)>,
    resized: UnixStream,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let pipe = |signal| -> io::Result<UnixStream> {
            let (reader, writer) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(signal, writer)?;
            Ok(reader)
        };
        let ending = ENDING.map(|signal| Ok((Signal(signal), pipe(signal)?)));
        let ending = ending.into_iter().collect::<io::Result<Vec<_>>>()?;
        Ok(Self { ending, resized: pipe(libc::SIGWINCH)? })
    }

    /// Returns the ending signal that has come.
    fn first(&self) -> Option<Signal> {
        let has = |pipe: BorrowedFd<'_>| {
            let mut fds = [PollFd::new(pipe, PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        };
        self.ending.iter().find(|(_, pipe)| has(pipe.as_fd())).map(|(signal, _)| *signal)
    }

    fn forget_resize(&self) {
        // Empty is what it is to be.
        while (&self.resized).read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
    }
}
