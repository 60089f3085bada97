//! The client side of the socket: one request and its responses.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::proto::{self, Request, Response};

/// What a status may take: the session answers at once, unless it is stopped (Ctrl-Z) or stuck.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to a session, on which one request was sent.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<UnixStream>,
    /// The beginning of a line that has not ended.
    line: Vec<u8>,
}

/// What came of waiting.
#[derive(Debug)]
pub enum Received {
    /// An answer.
    Response(Response),
    /// Nothing yet.
    Timeout,
    /// The session has closed the connection.
    Closed,
}

impl Connection {
    /// Connects and sends the request.
    ///
    /// # Errors
    /// Nobody listens there, or the connection breaks.
    pub fn open(socket: &Path, request: Request) -> io::Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_write_timeout(Some(RESPONSE_TIMEOUT))?;
        send(&mut stream, request)?;
        Ok(Self { reader: BufReader::new(stream), line: Vec::new() })
    }

    /// Waits for an answer, at most for this time; `None`: for as long as it takes.
    ///
    /// # Errors
    /// The connection breaks, or what comes is no answer.
    pub fn receive(&mut self, limit: Option<Duration>) -> io::Result<Received> {
        // A limit of zero would be none.
        let limit = limit.map(|limit| limit.max(Duration::from_millis(1)));
        self.reader.get_ref().set_read_timeout(limit)?;
        match self.reader.read_until(b'\n', &mut self.line) {
            Ok(0) => Ok(Received::Closed),
            Ok(_) => {
                let line = std::mem::take(&mut self.line);
                Ok(Received::Response(proto::parse_response(&line)?))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(Received::Timeout)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the bytes that follow a line.
    ///
    /// # Errors
    /// The connection breaks.
    pub fn read_bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.reader).take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
    }
}

/// Sends a request on a new connection.
///
/// # Errors
/// The connection breaks.
pub fn send(stream: &mut UnixStream, request: Request) -> io::Result<()> {
    stream.write_all(&proto::line(request))
}

/// Sends a request whose response comes at once.
///
/// # Errors
/// Nobody listens there, or the connection breaks: [`ErrorKind::UnexpectedEof`] where it is closed without an
/// answer, [`ErrorKind::TimedOut`] where none comes.
pub fn request(socket: &Path, request: Request) -> io::Result<Response> {
    let fail = |kind, text| Err(io::Error::new(kind, text));
    match Connection::open(socket, request)?.receive(Some(RESPONSE_TIMEOUT))? {
        Received::Response(body) => Ok(body),
        Received::Closed => fail(ErrorKind::UnexpectedEof, "it ended before it answered"),
        Received::Timeout => {
            fail(ErrorKind::TimedOut, "it does not answer; it may be suspended (Ctrl-Z)")
        }
    }
}
