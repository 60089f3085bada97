//! The server side of the socket: accepts clients, checks who they are, reads requests, writes responses.
//!
//! Each client has two threads, one that reads and one that writes, and a bounded queue between the session
//! and the writer: a client that hangs, floods or sends garbage costs only its own connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::unistd::geteuid;

use super::outbox::{self, InputSink, Outbox};
use super::peer_credentials;
use super::proto::{self, LINE_LIMIT, Request, Response};
use super::socket_paths::SocketPaths;

/// As many may be connected at a time.
pub const MAX_CLIENTS: usize = 64;
/// A client that has connected must ask within this.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a session waits for its last answers to be taken.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
const STACK: usize = 256 << 10;

/// A connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(pub u64);

/// What the clients' threads tell the session.
#[derive(Debug)]
pub enum ClientEvent {
    /// One asked for something.
    Requested(ClientId, Request, Outbox),
    /// One is gone that had asked.
    Left(ClientId),
}

/// How many connections are open.
#[derive(Debug)]
struct Connections {
    count: Mutex<usize>,
    most: AtomicUsize,
    changed: Condvar,
}

impl Connections {
    /// Counts one more, unless there are too many.
    fn enter(&self) -> bool {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = *count < self.most.load(Ordering::Relaxed);
        *count += usize::from(has_room);
        has_room
    }

    fn leave(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.changed.notify_all();
    }
}

/// The socket of a session.
#[derive(Debug)]
pub struct Server {
    paths: SocketPaths,
    open: Arc<Connections>,
}

/// Where clients come in. It is readable when one waits.
pub struct Listener {
    listener: UnixListener,
    open: Arc<Connections>,
    accepted: u64,
    tell: Arc<dyn Fn(ClientEvent) + Send + Sync>,
}

impl Server {
    /// Opens the socket; the listener accepts clients.
    ///
    /// # Errors
    /// The folder cannot be used, or the system refuses.
    pub fn open(
        folder: &Path,
        root: &Path,
        tell: impl Fn(ClientEvent) + Send + Sync + 'static,
    ) -> io::Result<(Self, Listener)> {
        let pid = i32::try_from(std::process::id()).map_err(io::Error::other)?;
        let paths = SocketPaths::take(folder, root, pid)?;
        let listener = UnixListener::bind(paths.socket())?;
        std::fs::set_permissions(paths.socket(), std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let open = Arc::new(Connections {
            count: Mutex::new(0),
            most: AtomicUsize::new(MAX_CLIENTS),
            changed: Condvar::new(),
        });
        let listener =
            Listener { listener, open: Arc::clone(&open), accepted: 0, tell: Arc::new(tell) };
        Ok((Self { paths, open }, listener))
    }

    /// Limits how many clients are let in at a time from now on.
    pub fn limit_connections(&self, most: usize) {
        self.open.most.store(most.min(MAX_CLIENTS), Ordering::Relaxed);
    }

    /// Takes the socket away, and lets clients have their last answers: every outbox is dropped by now.
    pub fn close(self) {
        drop(self.paths);
        let count = self.open.count.lock().unwrap_or_else(PoisonError::into_inner);
        // Who has not taken it by then does not get it.
        drop(self.open.changed.wait_timeout_while(count, CLOSE_TIMEOUT, |count| *count > 0));
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).stack_size(STACK).spawn(run).map(drop)
}

impl Listener {
    /// Lets in one who waits, on threads of its own; never blocks. Strangers and too many are turned away.
    ///
    /// # Errors
    /// No descriptor or thread is to be had.
    pub fn accept(&mut self) -> io::Result<()> {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            // Gone again.
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        // The BSDs hand it down from the listener.
        stream.set_nonblocking(false)?;
        if !is_authorized(&stream) {
            return Ok(());
        }
        if !self.open.enter() {
            reject(&stream);
            return Ok(());
        }
        self.accepted += 1;
        let (id, counted, tell) =
            (ClientId(self.accepted), Arc::clone(&self.open), Arc::clone(&self.tell));
        let started = spawn("client", move || {
            serve(id, stream, |news| tell(news));
            counted.leave();
        });
        if started.is_err() {
            self.open.leave();
        }
        started
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

fn is_passing(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, Interrupted, WouldBlock};
    matches!(error.kind(), ConnectionAborted | Interrupted | WouldBlock)
}

/// Says why. It fits into what the system keeps for a new connection; who does not read it has hung up.
fn reject(mut stream: &UnixStream) {
    let reason = "too many clients are connected to this session".to_owned();
    let hint = Some("try again, or end a `pm logs -f` or a `pm attach`".to_owned());
    let _ = stream.set_nonblocking(true);
    let _ = stream.write_all(&proto::line(Response::Refused { reason, hint }));
}

/// The folder keeps strangers out already; this holds also where its mode was changed.
fn is_authorized(stream: &UnixStream) -> bool {
    peer_credentials::uid(stream).is_ok_and(|uid| uid == geteuid().as_raw() || uid == 0)
}

/// Reads one request, and then waits for the client to go.
fn serve(id: ClientId, stream: UnixStream, tell: impl Fn(ClientEvent)) {
    let (outbox, queue, input_sinks) = outbox::open();
    // One descriptor for both: no number of clients takes those that a start needs.
    let stream = Arc::new(stream);
    let writing = Arc::clone(&stream);
    let Ok(writer) = thread::Builder::new()
        .name("client-out".into())
        .stack_size(STACK)
        .spawn(move || queue.write_to(&writing))
    else {
        return;
    };
    match read_line(&stream).map(|line| proto::parse_request(&line)) {
        Ok(Ok(request)) => {
            let attaches = matches!(request, Request::Attach { .. });
            tell(ClientEvent::Requested(id, request, outbox));
            // It is dropped where the answer is no.
            if attaches && let Ok(InputSink(take)) = input_sinks.recv() {
                take(&stream);
            }
            // Anything more than the end is none of this protocol.
            while (&*stream)
                .read(&mut [0])
                .is_err_and(|error| error.kind() == ErrorKind::Interrupted)
            {}
            tell(ClientEvent::Left(id));
            let _ = stream.shutdown(Shutdown::Read);
        }
        Ok(Err(reason)) => {
            outbox.respond(Response::Refused { reason, hint: None });
            drop(outbox);
        }
        Err(_) => drop(outbox),
    }
    // It cannot have panicked: it only writes.
    let _ = writer.join();
}

/// Reads up to the first newline. What comes behind it is for nobody.
fn read_line(mut stream: &UnixStream) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    let mut line = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let count = match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        };
        let bytes = &buffer[..count];
        match memchr::memchr(b'\n', bytes) {
            Some(at) => {
                line.extend_from_slice(&bytes[..at]);
                stream.set_read_timeout(None)?;
                return Ok(line);
            }
            None if count == 0 || line.len() + count > LINE_LIMIT => {
                return Err(ErrorKind::InvalidData.into());
            }
            None => line.extend_from_slice(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::socket_paths;
    use super::*;
    use crossbeam_channel::Receiver;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use proptest::prelude::*;
    use std::io::{BufRead, BufReader};

    struct Listening {
        _server: Server,
        _scratch: tempfile::TempDir,
        socket: std::path::PathBuf,
        asked: Receiver<ClientEvent>,
    }

    fn listening() -> Listening {
        let scratch = tempfile::tempdir().unwrap();
        let (folder, root) = (scratch.path().join("pm"), Path::new("/srv/app"));
        let (sender, asked) = crossbeam_channel::unbounded();
        let (server, mut listener) =
            Server::open(&folder, root, move |news| drop(sender.send(news))).unwrap();
        thread::spawn(move || {
            loop {
                let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
                poll(&mut fds, PollTimeout::NONE).unwrap();
                listener.accept().unwrap();
            }
        });
        let socket = socket_paths::sessions(&folder, root).unwrap()[0].socket.clone();
        Listening { _server: server, _scratch: scratch, socket, asked }
    }

    fn answers(stream: UnixStream) -> Vec<String> {
        BufReader::new(stream).lines().map_while(Result::ok).collect()
    }

    #[test]
    fn a_request_is_told_and_its_answer_ends_the_connection() {
        let it = listening();
        let mode = std::fs::metadata(&it.socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut stream = UnixStream::connect(&it.socket).unwrap();
        stream.write_all(b"{\"pm\":1,\"do\":\"status\"}\n").unwrap();
        let Ok(ClientEvent::Requested(id, request, outbox)) = it.asked.recv() else {
            panic!("no request")
        };
        assert_eq!(request, Request::Status);
        outbox.respond(Response::Done);
        drop(outbox);
        assert_eq!(answers(stream), [r#"{"pm":1,"is":"done"}"#]);
        assert!(matches!(it.asked.recv(), Ok(ClientEvent::Left(gone)) if gone == id));
    }

    #[test]
    fn a_client_that_goes_or_says_more_is_told_as_gone() {
        let it = listening();
        for more in [&b""[..], b"more\n"] {
            let mut stream = UnixStream::connect(&it.socket).unwrap();
            stream.write_all(b"{\"pm\":1,\"do\":\"status\"}\n").unwrap();
            let Ok(ClientEvent::Requested(_, _, outbox)) = it.asked.recv() else {
                panic!("no request")
            };
            stream.write_all(more).unwrap();
            if more.is_empty() {
                stream.shutdown(Shutdown::Both).unwrap();
            }
            assert!(matches!(it.asked.recv(), Ok(ClientEvent::Left(_))));
            drop(outbox);
        }
    }

    #[test]
    fn a_line_without_end_is_cut_off_and_a_wrong_one_is_explained() {
        let it = listening();
        let mut stream = UnixStream::connect(&it.socket).unwrap();
        let flood = vec![b'x'; 4 * LINE_LIMIT];
        // The other end hangs up in the middle.
        let _ = stream.write_all(&flood);
        assert_eq!(answers(stream), [""; 0]);
        let mut stream = UnixStream::connect(&it.socket).unwrap();
        stream.write_all(b"{\"pm\":2}\n").unwrap();
        assert!(answers(stream)[0].contains("uses version 1"));
        assert!(it.asked.try_recv().is_err());
    }

    #[test]
    fn clients_that_hang_keep_nobody_else_out_below_the_limit() {
        let it = listening();
        let hanging: Vec<_> =
            (1..MAX_CLIENTS).map(|_| UnixStream::connect(&it.socket).unwrap()).collect();
        let mut stream = UnixStream::connect(&it.socket).unwrap();
        stream.write_all(b"{\"pm\":1,\"do\":\"status\"}\n").unwrap();
        // It leaves when nobody can answer it any more.
        let last = it.asked.recv();
        assert!(matches!(last, Ok(ClientEvent::Requested(..))));
        let one_too_many = UnixStream::connect(&it.socket).unwrap();
        assert!(answers(one_too_many)[0].contains("too many clients are connected"));
        drop(hanging);
    }

    #[test]
    fn a_slow_client_loses_lines_without_blocking_and_is_told_how_many() {
        let it = listening();
        let mut stream = UnixStream::connect(&it.socket).unwrap();
        stream.write_all(b"{\"pm\":1,\"do\":\"status\"}\n").unwrap();
        let Ok(ClientEvent::Requested(_, _, outbox)) = it.asked.recv() else {
            panic!("no request")
        };
        let sent = 100_u64;
        for _ in 0..sent {
            let mut line = vec![b'x'; 256 << 10];
            line.push(b'\n');
            outbox.send(line, 1);
        }
        drop(outbox);
        let (told, lines): (Vec<_>, Vec<_>) =
            answers(stream).into_iter().partition(|line| line.starts_with('{'));
        let lost = sent - lines.len() as u64;
        assert!(lost > 0 && !lines.is_empty());
        let count = |line: &String| {
            let number = line.strip_prefix(r#"{"pm":1,"is":"lost","lines":"#)?.strip_suffix('}')?;
            number.parse::<u64>().ok()
        };
        assert_eq!(told.iter().filter_map(count).sum::<u64>(), lost);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn garbage_costs_only_its_connection(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let it = listening();
            let mut stream = UnixStream::connect(&it.socket).unwrap();
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(Shutdown::Write);
            drop(answers(stream));
            let mut stream = UnixStream::connect(&it.socket).unwrap();
            stream.write_all(b"{\"pm\":1,\"do\":\"status\"}\n").unwrap();
            prop_assert!(it.asked.iter().any(|news| matches!(news, ClientEvent::Requested(..))));
        }
    }
}
