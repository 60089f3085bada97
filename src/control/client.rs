//! A client's end of the socket: one order, its answers.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::proto::{Answer, Body, Call, Order, VERSION};

/// What a status may take: the session answers at once, unless it is stopped (Ctrl-Z) or stuck.
pub const PROMPT: Duration = Duration::from_secs(2);

/// A connection to a session, on which one order was given.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<UnixStream>,
    /// The beginning of a line that has not ended.
    line: Vec<u8>,
}

/// What came of waiting.
#[derive(Debug)]
pub enum Heard {
    /// An answer.
    Answer(Body),
    /// Nothing yet.
    Nothing,
    /// The session has closed the connection.
    End,
}

impl Connection {
    /// Connects and gives the order.
    ///
    /// # Errors
    /// Nobody listens there, or the connection breaks.
    pub fn open(socket: &Path, order: Order) -> io::Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_write_timeout(Some(PROMPT))?;
        give(&mut stream, order)?;
        Ok(Self { reader: BufReader::new(stream), line: Vec::new() })
    }

    /// Waits for an answer, for at most so long; `None`: for as long as it takes.
    ///
    /// # Errors
    /// The connection breaks, or what comes is no answer.
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<Heard> {
        // A limit of zero would be none.
        let limit = limit.map(|limit| limit.max(Duration::from_millis(1)));
        self.reader.get_ref().set_read_timeout(limit)?;
        match self.reader.read_until(b'\n', &mut self.line) {
            Ok(0) => Ok(Heard::End),
            Ok(_) => {
                let line = std::mem::take(&mut self.line);
                Ok(Heard::Answer(serde_json::from_slice::<Answer>(&line)?.body))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(Heard::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the bytes that follow a line.
    ///
    /// # Errors
    /// The connection breaks.
    pub fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.reader).take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
    }
}

/// Gives an order on a new connection.
///
/// # Errors
/// The connection breaks.
pub fn give(stream: &mut UnixStream, order: Order) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Call { pm: VERSION, order })?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Gives an order whose answer comes at once.
///
/// # Errors
/// Nobody listens there, or the connection breaks: [`ErrorKind::UnexpectedEof`] where it is closed without an
/// answer, [`ErrorKind::TimedOut`] where none comes.
pub fn ask(socket: &Path, order: Order) -> io::Result<Body> {
    let fail = |kind, text| Err(io::Error::new(kind, text));
    match Connection::open(socket, order)?.wait(Some(PROMPT))? {
        Heard::Answer(body) => Ok(body),
        Heard::End => fail(ErrorKind::UnexpectedEof, "it ended before it answered"),
        Heard::Nothing => {
            fail(ErrorKind::TimedOut, "it does not answer; it may be stopped (Ctrl-Z)")
        }
    }
}
