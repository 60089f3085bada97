//! A client that asks without a pause, and looks at every byte that it gets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::sandbox::LIMIT;

/// Of answers; those with odd lengths come in chunks.
const ANSWERS: [usize; 5] = [100, 5001, 64 << 10, 0, 300_001];
/// Of what is posted.
const POSTS: [usize; 3] = [10, 3000, 100_000];

/// One read. A multiple of 16, after which the bytes repeat.
const READ: usize = 64 << 10;

/// Returns the bytes that a server has for this length: no two places of a body, and no two lengths, are easily confused.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    let mut bytes = b"0123456789abcdef".repeat(length / 16 + 2);
    bytes.drain(..length % 16);
    bytes.truncate(length);
    bytes
}

/// What one client has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    /// What was posted, and answered with the same bytes.
    pub(crate) posted: Vec<String>,
    /// Nobody listened.
    pub(crate) refused: Vec<String>,
    /// Everything else that was no whole answer with 200.
    pub(crate) errors: Vec<String>,
}

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clients {
    pub(crate) port: u16,
    pub(crate) count: usize,
    /// Each keeps its connection.
    pub(crate) keeps: bool,
}

impl Clients {
    /// Lets them ask while `meanwhile` runs; that gets the number of answers so far.
    pub(crate) fn ask_during(self, meanwhile: impl FnOnce(&AtomicU64)) -> Vec<Seen> {
        let (is_over, answers) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let one = |number| {
                let (is_over, answers) = (&is_over, &answers);
                scope.spawn(move || self.ask(number, is_over, answers))
            };
            let clients: Vec<_> = (0..self.count).map(one).collect();
            // Also where it fails: the clients are waited for.
            let ender = Ender(&is_over);
            meanwhile(&answers);
            drop(ender);
            clients.into_iter().map(|client| client.join().expect("no client fails")).collect()
        })
    }

    fn ask(self, client: usize, is_over: &AtomicBool, answers: &AtomicU64) -> Seen {
        let mut seen = Seen::default();
        let mut kept = None;
        for turn in client.. {
            if is_over.load(Relaxed) {
                break;
            }
            let connected = kept.take().map_or_else(|| Connection::new(self.port), Ok);
            let mut connection = match connected {
                Ok(connection) => connection,
                Err(error) => {
                    seen.refused.push(error.to_string());
                    continue;
                }
            };
            seen.requests += 1;
            let id = format!("{client}-{turn}");
            let posts = turn % 3 == 0;
            let length = if posts { POSTS[turn / 3 % 3] } else { ANSWERS[turn % 5] };
            let body = pattern(length);
            let answer = if posts {
                connection.ask(&format!("POST /{id}"), &body, self.keeps)
            } else {
                connection.ask(&format!("GET /{length}"), &[], self.keeps)
            };
            match answer {
                Ok((answer, stays)) if answer == body => {
                    answers.fetch_add(1, Relaxed);
                    if posts {
                        seen.posted.push(id);
                    }
                    kept = (self.keeps && stays).then_some(connection);
                }
                Ok((answer, _)) => {
                    seen.errors.push(format!("{id}: {} of {length} bytes", answer.len()));
                }
                Err(error) => seen.errors.push(format!("{id}: {error}")),
            }
        }
        seen
    }
}

/// Ends the clients.
struct Ender<'over>(&'over AtomicBool);

impl Drop for Ender<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// A connection, with what has come and was not used.
pub(crate) struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    /// Connects. What waits longer than any test is an error.
    pub(crate) fn new(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: Vec::new() })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Asks, and returns the body of the answer, and whether the connection goes on. Any other than 200 is an error.
    fn ask(&mut self, line: &str, body: &[u8], keeps: bool) -> Result<(Vec<u8>, bool), String> {
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let close = if keeps { "" } else { "Connection: close\r\n" };
        self.send(line, &format!("{length}{close}"))?;
        self.stream.write_all(body).map_err(|error| error.to_string())?;
        let head = self.head()?;
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(head);
        }
        let stays = !head.contains("\r\nConnection: close\r\n");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let Some(length) = length else { return Ok((self.chunks()?, stays)) };
        Ok((self.take(length.parse().map_err(|_| head.clone())?)?, stays))
    }

    /// Sends the head of a request, with these fields, each a line.
    pub(crate) fn send(&mut self, line: &str, fields: &str) -> Result<(), String> {
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        self.stream.write_all(head.as_bytes()).map_err(|error| error.to_string())
    }

    /// Reads a head.
    pub(crate) fn head(&mut self) -> Result<String, String> {
        self.up_to("\r\n\r\n")
    }

    /// Reads up to the first of these bytes, and returns them, too.
    pub(crate) fn up_to(&mut self, end: &str) -> Result<String, String> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.input, end.as_bytes()) {
                let text: Vec<u8> = self.input.drain(..at + end.len()).collect();
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            self.more()?;
        }
    }

    /// Reads so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<Vec<u8>, String> {
        while self.input.len() < count {
            self.more()?;
        }
        Ok(self.input.drain(..count).collect())
    }

    /// Reads a body of so many bytes, each of which must be right.
    pub(crate) fn pattern(&mut self, length: usize) -> Result<(), String> {
        let mut got = 0;
        let expected = pattern(READ + 16);
        while got < length {
            if self.input.is_empty() {
                self.more()?;
            }
            let count = self.input.len().min(length - got).min(READ);
            let from = (got + length) % 16;
            if self.input[..count] != expected[from..from + count] {
                return Err(format!("other bytes after {got}"));
            }
            self.input.drain(..count);
            got += count;
        }
        Ok(())
    }

    fn chunks(&mut self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        loop {
            let size = self.up_to("\r\n")?;
            let size = usize::from_str_radix(size.trim_end(), 16).map_err(|_| size)?;
            body.extend(self.take(size)?);
            self.take(2)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn more(&mut self) -> Result<(), String> {
        let mut buffer = [0; READ];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(format!("ended after {} bytes", self.input.len())),
            Ok(count) => {
                self.input.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}
