//! What the session sends to an attached client: lines, some of them followed by bytes.

use std::io::{self, ErrorKind, Read};

use crate::control::proto::{self, Response};

#[derive(Debug, Default)]
pub(super) struct Incoming {
    buffer: Vec<u8>,
    /// Bytes that a line has announced.
    announced: Option<usize>,
}

/// One piece of it.
#[derive(Debug)]
pub(super) enum Item {
    Response(Response),
    Bytes(Vec<u8>),
}

impl Incoming {
    /// Reads once. Returns false at the end.
    pub(super) fn read(&mut self, mut stream: impl Read) -> io::Result<bool> {
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

    /// Returns the next whole part that has been read.
    pub(super) fn next(&mut self) -> io::Result<Option<Item>> {
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
