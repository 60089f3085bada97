//! What a session sends, for a client that waits for several things at a time: lines, some of them followed by bytes.

use std::io::{self, ErrorKind, Read};

use super::proto::{self, Response};

/// Bytes that were read, and are taken apart as they come.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    buffer: Vec<u8>,
    /// Bytes that a line has announced.
    announced: Option<usize>,
}

/// One piece of it.
#[derive(Debug)]
pub(crate) enum Item {
    /// A line.
    Response(Response),
    /// The bytes that the line before has announced.
    Bytes(Vec<u8>),
}

impl Incoming {
    /// Reads once. Returns false at the end.
    ///
    /// # Errors
    /// The connection breaks.
    pub(crate) fn read(&mut self, mut stream: impl Read) -> io::Result<bool> {
        let mut chunk = [0_u8; 16 << 10];
        match stream.read(&mut chunk) {
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(count > 0)
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted | ErrorKind::WouldBlock => Ok(true),
                ErrorKind::ConnectionReset => Ok(false),
                _ => Err(error),
            },
        }
    }

    /// Returns how many bytes wait to be taken apart.
    #[cfg(feature = "ui")]
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the next whole part that has been read.
    ///
    /// # Errors
    /// A line is no response that is known.
    pub(crate) fn next(&mut self) -> io::Result<Option<Item>> {
        if let Some(length) = self.announced {
            if self.buffer.len() < length {
                return Ok(None);
            }
            self.announced = None;
            return Ok(Some(Item::Bytes(self.buffer.drain(..length).collect())));
        }
        let Some(end) = memchr::memchr(b'\n', &self.buffer) else { return Ok(None) };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        let body = proto::parse_response(&line)?;
        if let Response::Output { length, .. } = body {
            self.announced = Some(length);
        }
        Ok(Some(Item::Response(body)))
    }
}
